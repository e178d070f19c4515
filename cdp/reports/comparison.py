"""The HTML report of a comparison: verdicts first, then figures with their numbers, runs, settings
and what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from cdp import __version__
from cdp.figures.comparison import (
    METRICS,
    accuracy_of,
    arm_dots,
    arm_rows,
    class_difference_rows,
    class_differences,
    difference_forest,
    difference_rows,
    labels_of,
)
from cdp.figures.evaluation import budget_curves, budget_rows
from cdp.figures.palette import Signs
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
from cdp.results.signs import arm_signs
from cdp.values.comparison import Arm, Comparison, Difference, Metric, compute_text
from cdp.values.naming import told_apart
from cdp.values.text import counted, share_with_bounds


def comparison_html(
    comparison: Comparison, *, title: str, link: str = "", created: str = ""
) -> str:
    """One file that opens offline. link: where the app shows the same comparison, printed as text;
    created: when, ISO 8601."""
    robust = [result for result in comparison.differences if result.metric == "robust"]
    lead = robust[0].verdict if len(robust) == 1 else _lead(comparison)
    under = [_verdict(result) for result in robust] if len(robust) > 1 else []
    under += [result.sentence for result in comparison.equal]
    under.append(f"Numbers: {labels_of(comparison.arms)}.")
    warnings = [*(f"Missing: {text}" for text in comparison.missing), *comparison.notes]
    when = f", {created}" if created else ""
    footer = f"Written by Contrastive-DP Studio {__version__}{when}. The file needs no network."
    return page_html(Page(title, lead, under, warnings, tuple(_sections(comparison, link)), footer))


def _lead(comparison: Comparison) -> str:
    arms = counted(len(comparison.arms), "arm")
    compared = sum(result.difference is not None for result in comparison.differences)
    if not compared:
        return f"{arms}, and no two whose accuracies can be compared."
    return (
        f"{arms}, {counted(compared, 'difference')} in robust and clean accuracy; p values are"
        " corrected for their number (Holm)."
    )


def _verdict(result: Difference) -> str:
    """A verdict that stands among others names its pair."""
    return f"{result.second} against {result.first}, {METRICS[result.metric]}: {result.verdict}"


def _sections(comparison: Comparison, link: str) -> Iterator[Section]:
    arms = comparison.arms
    signs, label = arm_signs(arms), labels_of(arms)
    rows = [
        {"arm": arm.name, "seeds": len(arm.seeds)}
        | {metric: _accuracy(arm, metric) for metric in METRICS}
        | {"interval": arm.interval, "compute": compute_text(arm.compute)}
        | {"synthetic images": arm.synthetic_images, "sets": ", ".join(arm.sets)}
        | {"called": labels_of([arm], len(arm.seeds))}
        for arm in arms
    ]
    yield Section("Arms", tables=[Table(f"Means over seeds in per cent; {label}.", rows)])
    for metric, name in METRICS.items():
        if any(accuracy_of(arm, metric) for arm in arms):
            title, caption = name.capitalize(), f"{name.capitalize()} in per cent; {label}."
            table = Table(caption, arm_rows(arms, metric), NUMBERS)
            figure = arm_dots(arms, metric, signs)
            yield Section(f"{title}, seed by seed", (), [figure], [table])
    if comparison.differences:
        table = Table(f"In points; {label}.", difference_rows(comparison.differences), NUMBERS)
        groups = {
            metric: [diff for diff in comparison.differences if diff.metric == metric]
            for metric in METRICS
        }
        figures = [difference_forest(group, signs) for group in groups.values() if group]
        yield Section("Differences", (), figures, [table])
    yield from _shapes(comparison, signs)
    yield _settings(comparison)
    yield Section("How to cite", quoted=_citation(comparison, link))


def _accuracy(arm: Arm, metric: Metric) -> str:
    interval = accuracy_of(arm, metric)
    return share_with_bounds(interval, level=True) if interval else "not measured"


def _shapes(comparison: Comparison, signs: Signs) -> Iterator[Section]:
    """Budget, Pareto front, classes, synthetic images."""
    arms, label = comparison.arms, labels_of(comparison.arms)
    lines = [(signs[arm.name], arm.name, arm.curve) for arm in arms if arm.curve]
    if lines:
        norms, budgets = ({arm.settings.get(key) for arm in arms} for key in ("norm", "epsilon"))
        norm, epsilon = (values.pop() if len(values) == 1 else None for values in (norms, budgets))
        norm = norm if isinstance(norm, str) else "the norm trained for"
        epsilon = epsilon if isinstance(epsilon, float) else None
        figure = budget_curves(lines, epsilon=epsilon, norm=norm)
        caption = "Robust accuracy in per cent, by the attack and n of each line."
        text = "Of the first evaluated seed of each arm."
        table = Table(caption, budget_rows(lines), NUMBERS)
        yield Section("Accuracy against budget", [text], [figure], [table])
    if any(arm.clean and arm.robust for arm in arms):
        published = matching_arms(arms)
        caption = f"In per cent; {label}. Published numbers: as their sources state them."
        table = Table(caption, pareto_rows(arms, published), NUMBERS)
        notes, figure = pareto_notes(arms, published), pareto(arms, signs, published)
        yield Section("Clean against robust accuracy", notes, [figure], [table])
    if comparison.classes:
        text = (
            "p is corrected by Holm over all classes of all pairs; an interval is of its class"
            " alone."
        )
        table = Table(f"In points; {label}.", class_difference_rows(comparison.classes), NUMBERS)
        pairs = dict.fromkeys((item.first, item.second) for item in comparison.classes)
        figures = [
            class_differences([c for c in comparison.classes if (c.first, c.second) == pair], signs)
            for pair in pairs
        ]
        yield Section("Class by class", [text], figures, [table])
    if any(len(line.points) > 1 for line in comparison.efficiency):
        figure = efficiency_curves(comparison.efficiency, signs)
        caption, rows = f"Robust accuracy in per cent; {label}.", comparison.efficiency
        equal = "Synthetic images with which one line equals another."
        tables = [Table(caption, efficiency_rows(rows), NUMBERS)]
        tables.append(Table(equal, equal_rows(comparison.equal), "Where they are equal"))
        sentences = [values.sentence for values in comparison.equal]
        yield Section("Robustness per synthetic image", sentences, [figure], tables)


def _settings(comparison: Comparison) -> Section:
    names = [arm.name for arm in comparison.arms]
    columns = told_apart(names, [str(k + 1) for k in range(len(names))])
    differs = [
        {"setting": name} | dict(zip(columns, values, strict=True))
        for name, values in comparison.differs.items()
    ]
    runs = [
        {"arm": arm.name, "run": seed.name, "id": seed.id}
        | {"seed": "unknown" if seed.seed is None else str(seed.seed), "state": seed.state}
        | {"steps": seed.steps, "images seen": seed.images_seen}
        | {"evaluation": seed.evaluation or "none, validation images", "called": seed.label}
        for arm in comparison.arms
        for seed in arm.seeds
    ]
    tables = [Table("Settings in which the arms differ.", differs), Table("Runs.", runs)]
    tables += [
        Table("", settings_rows(arm.settings), f"All settings of {arm.name}")
        for arm in comparison.arms
    ]
    text = [] if differs else ["The arms differ in no setting."]
    return Section("Runs and settings", text, (), tables)


def _citation(comparison: Comparison, link: str) -> str:
    arms = [
        f"{arm.name}: robust {_accuracy(arm, 'robust')}, clean {_accuracy(arm, 'clean')};"
        f" {arm.interval}; {compute_text(arm.compute)}; {labels_of([arm], len(arm.seeds))}; runs"
        f" {', '.join(seed.id for seed in arm.seeds)}."
        for arm in comparison.arms
    ]
    verdicts = [_verdict(result) for result in comparison.differences]
    studio = f"Contrastive-DP Studio {__version__}{f', {link}' if link else ''}"
    return "\n".join([*arms, "", *verdicts, "", studio]).strip()
