"""The HTML report of a comparison: verdicts first, then figures with their numbers, runs, settings
and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cdp import __version__
from cdp.figures.comparison import (
    METRICS,
    arm_dots,
    arm_rows,
    class_difference_rows,
    class_differences,
    difference_forest,
    difference_rows,
    labels_of,
)
from cdp.figures.evaluation import budget_curves, budget_rows
from cdp.figures.frame import Row
from cdp.figures.palette import Sign, named_signs
from cdp.figures.tradeoffs import (
    efficiency_curves,
    efficiency_rows,
    equal_rows,
    matching_arms,
    pareto,
    pareto_notes,
    pareto_rows,
)
from cdp.reports.page import NUMBERS, Page, Section, Table, page_html, settings_rows
from cdp.values.comparison import Arm, Comparison, Difference, compute_text
from cdp.values.text import counted, share_with_bounds


def comparison_html(
    comparison: Comparison, *, title: str, link: str = "", created: str = ""
) -> str:
    """One file that opens offline. link: where the app shows the same comparison, printed as text;
    created: when, ISO 8601."""
    robust = [one for one in comparison.differences if one.metric == "robust"]
    lead = robust[0].verdict if len(robust) == 1 else _lead(comparison)
    verdicts = [_verdict(one) for one in robust] if len(robust) > 1 else []
    under = (
        *verdicts,
        *(one.sentence for one in comparison.equal),
        f"Numbers: {labels_of(comparison.arms)}.",
    )
    warnings = (*(f"Missing: {text}" for text in comparison.missing), *comparison.notes)
    footer = (
        f"Written by Contrastive-DP Studio {__version__}{f', {created}' if created else ''}. The"
        " file needs no network."
    )
    return page_html(Page(title, lead, under, warnings, tuple(_sections(comparison, link)), footer))


def _lead(comparison: Comparison) -> str:
    count = len(comparison.arms)
    compared = sum(one.difference is not None for one in comparison.differences)
    if not compared:
        return f"{counted(count, 'arm')}, and no two whose accuracies can be compared."
    return (
        f"{count} arms, {counted(compared, 'difference')} in robust and clean"
        " accuracy; p values are corrected for their number (Holm)."
    )


def _verdict(one: Difference) -> str:
    """A verdict that stands among others names its pair."""
    return f"{one.second} against {one.first}, {METRICS[one.metric]}: {one.verdict}"


def _sections(comparison: Comparison, link: str) -> Iterator[Section]:
    arms, signs = comparison.arms, named_signs([arm.name for arm in comparison.arms])
    label = labels_of(arms)
    yield Section(
        "Arms",
        (),
        (),
        (Table(f"Means over seeds in per cent; {label}.", [_arm_row(arm) for arm in arms]),),
    )
    for metric, name in METRICS.items():
        if any(getattr(arm, metric) for arm in arms):
            table = Table(
                f"{name.capitalize()} in per cent; {label}.", arm_rows(arms, metric), NUMBERS
            )
            yield Section(
                f"{name.capitalize()}, seed by seed", (), (arm_dots(arms, metric, signs),), (table,)
            )
    if comparison.differences:
        table = Table(f"In points; {label}.", difference_rows(comparison.differences), NUMBERS)
        yield Section(
            "Differences", (), (difference_forest(comparison.differences, signs),), (table,)
        )
    yield from _shapes(comparison, signs)
    yield from _efficiency(comparison, signs)
    yield _settings(comparison)
    yield Section("How to cite", (), (), (), _citation(comparison, link))


def _arm_row(arm: Arm) -> Row:
    return {
        "arm": arm.name,
        "seeds": len(arm.seeds),
        "robust": share_with_bounds(arm.robust, level=True) if arm.robust else "not measured",
        "clean": share_with_bounds(arm.clean, level=True) if arm.clean else "not measured",
        "interval": arm.interval,
        "compute": compute_text(arm.compute),
        "synthetic images": arm.synthetic_images,
        "sets": ", ".join(arm.sets),
        "called": labels_of([arm], len(arm.seeds)),
    }


def _shapes(comparison: Comparison, signs: Mapping[str, Sign]) -> Iterator[Section]:
    """Budget, Pareto front, classes."""
    arms = comparison.arms
    lines = [(signs[arm.name], arm.name, arm.curve) for arm in arms if arm.curve]
    if lines:
        norms, budgets = ({arm.settings.get(key) for arm in arms} for key in ("norm", "epsilon"))
        norm, epsilon = (found.pop() if len(found) == 1 else None for found in (norms, budgets))
        figure = budget_curves(
            lines,
            epsilon=epsilon if isinstance(epsilon, float) else None,
            norm=norm if isinstance(norm, str) else "the norm trained for",
        )
        yield Section(
            "Accuracy against budget",
            ("Of the first evaluated seed of each arm.",),
            (figure,),
            (
                Table(
                    "Robust accuracy in per cent, by the attack and n of each line.",
                    budget_rows(lines),
                    NUMBERS,
                ),
            ),
        )
    if any(arm.clean and arm.robust for arm in arms):
        references = matching_arms(arms)
        table = Table(
            f"In per cent; {labels_of(arms)}. Published numbers: as their sources state them.",
            pareto_rows(arms, references),
            NUMBERS,
        )
        yield Section(
            "Clean against robust accuracy",
            pareto_notes(arms, references),
            (pareto(arms, signs, references),),
            (table,),
        )
    if comparison.classes:
        table = Table(
            f"In points; {labels_of(arms)}.", class_difference_rows(comparison.classes), NUMBERS
        )
        corrected = (
            "p is corrected by Holm over all classes of all pairs; an interval is of its class"
            " alone."
        )
        yield Section(
            "Class by class",
            (corrected,),
            (class_differences(comparison.classes, signs),),
            (table,),
        )


def _efficiency(comparison: Comparison, arms: Mapping[str, Sign]) -> Iterator[Section]:
    if not any(len(line.points) > 1 for line in comparison.efficiency):
        return
    # A line that is called as an arm is drawn as that is.
    signs = named_signs(
        list(dict.fromkeys([*arms, *(line.name for line in comparison.efficiency)]))
    )
    tables = [
        Table(
            f"Robust accuracy in per cent; {labels_of(comparison.arms)}.",
            efficiency_rows(comparison.efficiency),
            NUMBERS,
        )
    ]
    if comparison.equal:
        tables.append(
            Table(
                "Synthetic images with which one line equals another.",
                equal_rows(comparison.equal),
                "Where they are equal",
            )
        )
    yield Section(
        "Robustness per synthetic image",
        tuple(one.sentence for one in comparison.equal),
        (efficiency_curves(comparison.efficiency, signs),),
        tuple(tables),
    )


def _settings(comparison: Comparison) -> Section:
    arms = comparison.arms
    differs = [
        {"setting": name} | dict(zip(_columns(arms), values, strict=True))
        for name, values in comparison.differs.items()
    ]
    runs = [
        {
            "arm": arm.name,
            "run": seed.name,
            "id": seed.id,
            "seed": "unknown" if seed.seed is None else str(seed.seed),
            "state": seed.state,
            "steps": seed.steps,
            "images seen": seed.images_seen,
            "evaluation": seed.evaluation or "none, validation images",
            "called": seed.label,
        }
        for arm in arms
        for seed in arm.seeds
    ]
    tables = [Table("Settings in which the arms differ.", differs), Table("Runs.", runs)]
    tables += [
        Table("", settings_rows(arm.settings), f"All settings of {arm.name}")
        for arm in arms
        if arm.settings
    ]
    return Section(
        "Runs and settings",
        () if differs else ("The arms differ in no setting.",),
        (),
        tuple(tables),
    )


def _columns(arms: tuple[Arm, ...]) -> list[str]:
    """Names of arms as keys, told apart where two are equal."""
    names = [arm.name for arm in arms]
    return [f"{name} ({k + 1})" if names.count(name) > 1 else name for k, name in enumerate(names)]


def _citation(comparison: Comparison, link: str) -> str:
    arms = "\n".join(
        f"{arm.name}: robust {share_with_bounds(arm.robust, level=True) if arm.robust else 'not measured'}, clean"
        f" {share_with_bounds(arm.clean, level=True) if arm.clean else 'not measured'}; {arm.interval};"
        f" {compute_text(arm.compute)}; {labels_of([arm], len(arm.seeds))}; runs"
        f" {', '.join(seed.id for seed in arm.seeds)}."
        for arm in comparison.arms
    )
    verdicts = "\n".join(_verdict(one) for one in comparison.differences)
    return f"{arms}\n\n{verdicts}\n\nContrastive-DP Studio {__version__}{f', {link}' if link else ''}".strip()
