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
from cdp.ui.kit.tables import Rows, table
from cdp.ui.kit.words import plain
from cdp.values.comparison import Arm, Metric
from cdp.values.text import bounds_text, counted, span_text
from cdp.values.types import Interval

PAIRS_SHOWN = 2
"""Pairs of arms whose classes are drawn at once; of more, one is chosen."""


def differs(result: Result) -> None:
    """Only the settings in which arms differ, an arm a column."""
    differing, arms = result.comparison.differs, result.comparison.arms
    count = counted(len(differing), "setting")
    title = f"The arms differ in {count}" if differing else "The arms have the same settings"
    st.subheader(title, anchor=False)
    if differing:
        table(_differ_rows(differing, arms))
    else:
        st.caption("Only seeds distinguish them.")


def _differ_rows(
    differing: Mapping[str, tuple[str, ...]], arms: tuple[Arm, ...]
) -> list[dict[str, str]]:
    known = fields_of(TrainConfig)
    rows = []
    for name, values in differing.items():
        field = known.get(name)
        label = field.label if field else name.replace("_", " ").capitalize()
        unit = field.unit if field else ""
        row = {
            "Setting": f"{label} [{unit}]" if unit and unit.lower() not in label.lower() else label
        }
        texts = (TITLES.get(value, value) for value in values)
        rows.append(row | dict(zip((arm.name for arm in arms), texts, strict=True)))
    return rows


def accuracies(result: Result) -> None:
    """Robust and clean accuracy of every arm, seed by seed."""
    from cdp.figures.comparison import arm_dots, arm_rows

    st.subheader("How accurate is each arm?", anchor=False)
    arms = result.comparison.arms
    metrics: tuple[Metric, ...] = ("robust", "clean")
    for column, metric in zip(st.columns(2, gap="medium"), metrics, strict=True):
        alt = f"{metric} accuracy: {'; '.join(_in_words(arm, metric) for arm in arms)}"
        draw = partial(arm_dots, arms, metric, result.signs)
        with column:
            chart_of(result, f"{metric}-accuracy", draw, alt=alt)
    table(_final_rows(arms))

    def rows() -> Rows:
        return [*arm_rows(arms, "robust"), *arm_rows(arms, "clean")]

    numbers_of(result, "seeds", "every seed", rows)


def _final_rows(arms: tuple[Arm, ...]) -> list[dict[str, Any]]:
    """A row an arm; intervals as words, so that they can be read and copied."""
    rows = []
    for arm in arms:
        labels = "; ".join(dict.fromkeys(seed.label for seed in arm.seeds if seed.label))
        seeds = ", ".join(str(seed.seed) for seed in arm.seeds if seed.robust is not None)
        spent = [item for item in arm.compute if item is not None]
        rows.append(
            {
                "Arm": arm.name,
                "Robust [%]": _share(arm, "robust"),
                "Clean [%]": _share(arm, "clean"),
                "Seeds": seeds or "none",
                "Interval": arm.interval,
                "Steps": span_text(item.steps for item in spent) if spent else "unknown",
                "Images seen": span_text(item.images for item in spent) if spent else "unknown",
                "Measured by": labels or "not measured",
            }
        )
    return rows


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
    drawn, name = tuple(differences), "classes"
    if len(pairs) > PAIRS_SHOWN:
        number = st.selectbox(
            "Classes of which pair",
            range(len(pairs)),
            format_func=lambda k: f"{pairs[k][1]} minus {pairs[k][0]}",
            key=f"compare_pair_{result.key}",
        )
        drawn = tuple(pair for pair in drawn if (pair.first, pair.second) == pairs[number])
        name = f"classes-{number}"
    for pair in dict.fromkeys((item.first, item.second) for item in drawn):
        part = [item for item in drawn if (item.first, item.second) == pair]
        draw, alt = partial(class_differences, part, result.signs), "Differences by class"
        chart_of(result, f"{name} {pair}", draw, alt=alt)
    rows = partial(class_difference_rows, differences)
    note = "p: two-sided; corrected by Holm over all classes of all pairs."
    numbers_of(result, "classes", "every class", rows, note=note)


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

    arms = result.comparison.arms
    lines: list[BudgetLine] = [
        (result.signs[arm.name], arm.name, arm.curve) for arm in arms if arm.curve is not None
    ]
    if not lines:
        st.caption("Accuracy against budget: no evaluation of these runs has a curve yet.")
        return
    alt = f"Robust accuracy against budget of {', '.join(label for _, label, _ in lines)}"
    draw = partial(budget_curves, lines, epsilon=result.epsilon, norm=result.norm)
    chart_of(result, "budgets", draw, alt=alt)
    notes = []
    if any(len(arm.seeds) > 1 for arm in arms):
        notes.append("Each curve is of the arm's first evaluated seed.")
    if without := [arm.name for arm in arms if arm.curve is None]:
        notes.append(f"No curve of {', '.join(without)} is here.")
    if notes:
        st.caption(plain(" ".join(notes)))
    numbers_of(result, "budgets", "the budgets", partial(budget_rows, lines))


def front(result: Result) -> None:
    """Clean against robust accuracy, with published points where there are any for the same
    threat."""
    from cdp.figures.tradeoffs import matching_arms, pareto, pareto_notes, pareto_rows

    arms = result.comparison.arms
    references = matching_arms(arms)
    alt = "Clean against robust accuracy: " + "; ".join(
        f"{_in_words(arm, 'clean')} clean, {_in_words(arm, 'robust')} robust" for arm in arms
    )
    chart_of(result, "front", partial(pareto, arms, result.signs, references), alt=alt)
    for note in pareto_notes(arms, references):
        st.caption(plain(note))
    numbers_of(result, "front", "the front", partial(pareto_rows, arms, references))


def efficiency(result: Result) -> None:
    """Robust accuracy against synthetic images, where arms differ in their number."""
    lines = result.comparison.efficiency
    if not any(len(line.points) > 1 for line in lines):
        return
    from cdp.figures.tradeoffs import efficiency_curves, efficiency_rows, equal_rows

    st.subheader("How many synthetic images does it take?", anchor=False)
    alt = "Robust accuracy against the number of synthetic images"
    chart_of(result, "efficiency", partial(efficiency_curves, lines, result.signs), alt=alt)
    equal = result.comparison.equal
    for item in equal:
        st.markdown(plain(item.sentence).replace(" %", "\u00a0%"))
    numbers_of(result, "efficiency", "sample efficiency", partial(efficiency_rows, lines))
    if equal:
        numbers_of(result, "equal", "equal counts", partial(equal_rows, equal))
