"""The sections of a comparison that are tables and charts: settings, accuracies, classes, budgets,
front, sample efficiency."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from cdp.config.fields import fields_of
from cdp.config.titles import TITLES
from cdp.config.train import TrainConfig
from cdp.ui.compare.result import Result, chart_of, numbers_of
from cdp.ui.kit.words import plain
from cdp.values.comparison import Arm, Metric
from cdp.values.text import bounds_text, counted, span_text
from cdp.values.types import Interval

PAIRS_SHOWN = 2
"""Pairs of arms whose classes are drawn at once; of more, one is chosen."""


def differs(result: Result) -> None:
    """Only the settings in which arms differ, an arm a column."""
    differing, arms = result.comparison.differs, result.comparison.arms
    st.subheader(_differ_title(differing), anchor=False)
    if differing:
        st.dataframe(_differ_rows(differing, arms), hide_index=True, width="stretch")
    else:
        st.caption("They are runs of one configuration: seeds apart, nothing distinguishes them.")


def _differ_title(differing: Mapping[str, tuple[str, ...]]) -> str:
    if not differing:
        return "The arms have the same settings"
    return f"The arms differ in {counted(len(differing), 'setting')}"


def _differ_rows(
    differing: Mapping[str, tuple[str, ...]], arms: tuple[Arm, ...]
) -> list[dict[str, str]]:
    known = fields_of(TrainConfig)
    rows = []
    for name, values in differing.items():
        field = known.get(name)
        label, unit = (
            (field.label, field.unit) if field else (name.replace("_", " ").capitalize(), "")
        )
        text = f"{label} [{unit}]" if unit and unit.lower() not in label.lower() else label
        rows.append(
            {"Setting": text}
            | {arm.name: TITLES.get(value, value) for arm, value in zip(arms, values, strict=True)}
        )
    return rows


def accuracies(result: Result) -> None:
    """Robust and clean accuracy of every arm, seed by seed."""
    from cdp.figures.comparison import arm_dots, arm_rows

    st.subheader("How accurate is each arm?", anchor=False)
    arms = result.comparison.arms
    metrics: tuple[Metric, ...] = ("robust", "clean")
    for column, metric in zip(st.columns(2, gap="medium"), metrics, strict=True):
        with column:
            alt = f"{metric} accuracy: {'; '.join(_in_words(arm, metric) for arm in arms)}"
            chart_of(
                result, f"{metric}-accuracy", partial(arm_dots, arms, metric, result.signs), alt=alt
            )
    st.dataframe(_final_rows(arms), hide_index=True, width="stretch", placeholder="")
    numbers_of(
        result, "seeds", "every seed", lambda: [*arm_rows(arms, "robust"), *arm_rows(arms, "clean")]
    )


def _final_rows(arms: tuple[Arm, ...]) -> list[dict[str, Any]]:
    """A row an arm; intervals as words, so that they can be read and copied."""
    rows = []
    for arm in arms:
        labels = "; ".join(dict.fromkeys(seed.label for seed in arm.seeds if seed.label))
        seeds = ", ".join(str(seed.seed) for seed in arm.seeds if seed.robust is not None)
        cells = {
            f"{metric.capitalize()} [%]": _share(arm, metric) for metric in ("robust", "clean")
        }
        rows.append(
            {"Arm": arm.name}
            | cells
            | {"Seeds": seeds or "none", "Interval": arm.interval}
            | _compute(arm)
            | {"Measured by": labels or "not measured"}
        )
    return rows


def _compute(arm: Arm) -> dict[str, str]:
    known = [item for item in arm.compute if item is not None]
    return {
        "Steps": span_text([item.steps for item in known]) if known else "unknown",
        "Images seen": span_text([item.images for item in known]) if known else "unknown",
    }


def _share(arm: Arm, metric: Metric) -> str:
    """In per cent, without the sign."""
    share: Interval | None = getattr(arm, metric)
    return "" if share is None else f"{100 * share.value:.1f} ({bounds_text(share)})"


def _in_words(arm: Arm, metric: Metric) -> str:
    return f"{arm.name} {_share(arm, metric) or 'not measured'} %"


def classes(result: Result) -> None:
    """In which classes robust accuracy differs."""
    from cdp.figures.comparison import class_difference_rows, class_differences

    differences = result.comparison.classes
    pairs = list(dict.fromkeys((pair.first, pair.second) for pair in differences))
    if not pairs:
        return
    st.subheader("In which classes do they differ?", anchor=False)
    drawn, name = differences, "classes"
    if len(pairs) > PAIRS_SHOWN:
        number = st.selectbox(
            "Classes of which pair",
            range(len(pairs)),
            format_func=lambda k: f"{pairs[k][1]} minus {pairs[k][0]}",
            key=f"compare_pair_{result.key}",
        )
        drawn, name = (
            tuple(pair for pair in differences if (pair.first, pair.second) == pairs[number]),
            f"classes-{number}",
        )
    chart_of(
        result,
        name,
        lambda: class_differences(drawn, result.signs),
        alt="Differences in robust accuracy class by class",
    )
    numbers_of(
        result,
        "classes",
        "every class",
        lambda: class_difference_rows(differences),
        note="p: two-sided; corrected by Holm over all classes of all pairs.",
    )


def beyond(result: Result) -> None:
    """What one number of robust accuracy does not say."""
    st.subheader("At other budgets, and at what price?", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        budgets(result)
    with right:
        front(result)


def budgets(result: Result) -> None:
    """Accuracy against budget, arms over each other."""
    from cdp.figures.evaluation import BudgetLine, budget_curves, budget_rows

    lines: list[BudgetLine] = [
        (result.signs[arm.name], arm.name, arm.curve)
        for arm in result.comparison.arms
        if arm.curve is not None
    ]
    if not lines:
        st.caption("Accuracy against budget: no evaluation of these runs has a curve yet.")
        return
    alt = f"Robust accuracy against budget of {', '.join(label for _, label, _ in lines)}"
    chart_of(
        result,
        "budgets",
        lambda: budget_curves(lines, epsilon=result.epsilon, norm=result.norm),
        alt=alt,
    )
    without = [arm.name for arm in result.comparison.arms if arm.curve is None]
    more = f" No curve of {', '.join(without)} is here." if without else ""
    several = any(len(arm.seeds) > 1 for arm in result.comparison.arms)
    if several or more:
        st.caption(
            plain(
                (
                    "A curve is of one seed of its arm, the first that was evaluated."
                    if several
                    else ""
                )
                + more
            )
        )
    numbers_of(result, "budgets", "the budgets", lambda: budget_rows(lines))


def front(result: Result) -> None:
    """Clean against robust accuracy, with published points where there are any for the same
    threat."""
    from cdp.figures.tradeoffs import matching_arms, pareto, pareto_notes, pareto_rows

    arms = result.comparison.arms
    references = matching_arms(arms)
    alt = "Clean against robust accuracy: " + "; ".join(
        f"{_in_words(arm, 'clean')} clean, {_in_words(arm, 'robust')} robust" for arm in arms
    )
    chart_of(result, "front", lambda: pareto(arms, result.signs, references), alt=alt)
    for note in pareto_notes(arms, references):
        st.caption(plain(note))
    numbers_of(result, "front", "the front", lambda: pareto_rows(arms, references))


def efficiency(result: Result) -> None:
    """Robust accuracy against synthetic images, where arms differ in their number."""
    lines = result.comparison.efficiency
    if not any(len(line.points) > 1 for line in lines):
        return
    from cdp.figures.palette import named_signs
    from cdp.figures.tradeoffs import efficiency_curves, efficiency_rows, equal_rows

    # A line that is called as an arm is drawn as that is.
    signs = named_signs(list(dict.fromkeys([*result.signs, *(line.name for line in lines)])))
    st.subheader("How many synthetic images does it take?", anchor=False)
    chart_of(
        result,
        "efficiency",
        lambda: efficiency_curves(lines, signs),
        alt="Robust accuracy against the number of synthetic images",
    )
    for item in result.comparison.equal:
        st.markdown(plain(item.sentence).replace(" %", "\u00a0%"))
    numbers_of(result, "efficiency", "sample efficiency", lambda: efficiency_rows(lines))
    if result.comparison.equal:
        numbers_of(result, "equal", "equal counts", lambda: equal_rows(result.comparison.equal))
