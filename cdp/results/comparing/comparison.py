"""Trainings side by side: arms, what they differ in, and what can be said of their differences.
Reads run folders, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cdp.config.train import TrainConfig, set_title
from cdp.results.comparing.arms import found_runs, grouped
from cdp.results.comparing.choice import choose
from cdp.results.comparing.classes import class_differences, class_shares
from cdp.results.comparing.differences import MAX_ARMS, differences
from cdp.results.comparing.efficiency import efficiency
from cdp.results.comparing.fairness import few_images, uneven_seeds
from cdp.results.comparing.measured import Measured
from cdp.results.comparing.numbers import VALIDATION, Number, Numbers, numbers_of
from cdp.results.comparing.outcomes import OutcomeReader
from cdp.results.comparing.trained_on import SetMark, TrainedOn, trained_on
from cdp.results.table.reached import Reached, reached_of
from cdp.values.comparison import Arm, Comparison, Compute, Seed
from cdp.values.evaluation import Curve, EvalReport
from cdp.values.text import span_text
from cdp.work.records import Run

_EMPTY = {"real": "all", "synthetic": "none", "steps": "set in epochs", "epochs": "set in steps"}
_AUTOMATIC = "automatic"


def compare(ids: Sequence[str], *, groups: bool = True) -> Comparison:
    """Trainings by run id, compared in one setting of evaluation where all have one, else by their
    own validation images.

    groups: runs that differ in their seed only become one arm; False gives every run its own.
    Whatever is missing, deleted, damaged or no training is named in ``missing``; whatever else a
    reader has to know stands in ``notes``. Raises nothing for it.
    """
    runs, missing = found_runs(ids)
    together, notes = grouped(runs, groups=groups)
    reached = {run.id: reached_of(run) for run in runs}
    numbers, unread = numbers_of(runs, reached)
    spent = {run_id: _compute(one) for run_id, one in reached.items()}
    arms, chosen = choose(together, numbers, spent)
    trained = {run.id: trained_on(run, arm.group.config) for arm in arms for run in arm.group.runs}
    first = {arm.name: _first_known(arm, trained) for arm in arms}
    reader = OutcomeReader()
    found = differences(arms, reader) if len(arms) > 1 else []
    by_class, said = class_differences(arms, reader) if len(arms) > 1 else ([], [])
    # A point of a line is a mean over seeds, also where every run is shown on its own.
    joined = arms if groups else choose(grouped(runs, groups=True)[0], numbers, spent)[0]
    lines, equal, left_out = efficiency(
        joined, {arm.name: _first_known(arm, trained) for arm in joined}
    )
    notes += [
        *unread,
        *chosen,
        *(note for arm in joined for note in _mixed_sets(arm, trained)),
        *(note for arm in arms for note in uneven_seeds(arm)),
        *_few_pairs(arms),
        *reader.notes,
        *said,
        *left_out,
    ]
    curves = _curves(arms, numbers)
    return Comparison(
        tuple(_arm(arm, first[arm.name], curves[arm.name]) for arm in arms),
        tuple(missing),
        differing(arms, first),
        tuple(found),
        tuple(by_class),
        tuple(lines),
        tuple(equal),
        tuple(dict.fromkeys(notes)),
    )


def _few_pairs(arms: Sequence[Measured]) -> list[str]:
    if len(arms) <= MAX_ARMS:
        return []
    return [
        f"Of {len(arms)} arms only {arms[0].name}, the first, is tested against the others: choose"
        " fewer to test every pair."
    ]


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """JSON-ready: what is unknown is null, and nothing is NaN. Equal values have no bounds: low and
    high are null there."""
    found: dict[str, Any] = _unbound(asdict(comparison))
    return found


def _unbound(value: Any) -> Any:
    """Intervals of no width without their bounds, at any depth."""
    if isinstance(value, Mapping):
        if {"value", "low", "high", "level"} <= value.keys() and value["low"] == value["high"]:
            return {**value, "low": None, "high": None}
        return {name: _unbound(one) for name, one in value.items()}
    return [_unbound(one) for one in value] if isinstance(value, list | tuple) else value


def _compute(reached: Reached) -> Compute | None:
    return (
        Compute(reached.steps, reached.images_seen)
        if reached.steps and reached.images_seen
        else None
    )


def _arm(arm: Measured, trained: TrainedOn, curve: Curve | None) -> Arm:
    seeds = tuple(
        _seed(run, number, spent)
        for run, number, spent in zip(arm.group.runs, arm.numbers, arm.spent, strict=True)
    )
    return Arm(
        arm.name,
        seeds,
        arm.interval("robust"),
        arm.interval("clean"),
        arm.words,
        class_shares(arm),
        curve,
        arm.group.config.sets,
        trained.images or 0,
        arm.group.settings,
        str(arm.setting or ""),
        few_images(arm),
    )


def _seed(run: Run, number: Number | None, spent: Compute | None) -> Seed:
    seed = run.config.seed if isinstance(run.config, TrainConfig) else None
    took = (None, None) if spent is None else (spent.steps, spent.images)
    if number is None:
        return Seed(run.id, run.name, seed, run.state, None, None, 0, "", "", *took)
    robust, clean = (
        None if share is None else share.value for share in (number.robust, number.clean)
    )
    return Seed(
        run.id,
        run.name,
        seed,
        run.state,
        robust,
        clean,
        number.setting.n,
        number.label,
        number.evaluation,
        *took,
    )


def _first_known(arm: Measured, trained: Mapping[str, TrainedOn]) -> TrainedOn:
    """What the arm's first seed of which that is known was trained on."""
    of = [trained[run.id] for run in arm.group.runs]
    return next((one for one in of if one.images is not None), of[0])


def _mixed_sets(arm: Measured, trained: Mapping[str, TrainedOn]) -> list[str]:
    """Seeds that name the same sets and yet saw other images."""
    found = []
    for name in arm.group.config.sets:
        marks = [
            trained[run.id].marks[name] for run in arm.group.runs if name in trained[run.id].marks
        ]
        if len({mark.identity for mark in marks}) > 1:
            found.append(
                f"Seeds of {arm.name} were trained on {len({mark.identity for mark in marks})}"
                f" different sets that are all called {name}"
                f" ({'; '.join(dict.fromkeys(map(str, marks)))}): their spread is not of seeds"
                " alone."
            )
    return found


def differing(
    arms: Sequence[Measured], trained: Mapping[str, TrainedOn]
) -> dict[str, tuple[str, ...]]:
    """Settings in which arms differ, by knob, without the seed; then the compute they took, how
    many synthetic images they had, and sets that share a name only. trained: by name of the arm;
    values as text, one an arm."""
    found = {
        name: tuple(_text(name, arm.group.settings[name]) for arm in arms)
        for name in (arms[0].group.settings if arms else ())
    }
    of = [trained[arm.name] for arm in arms]
    for name in ("steps", "images"):
        counts = [[getattr(one, name) for one in arm.spent if one is not None] for arm in arms]
        title = "optimiser_steps" if name == "steps" else "images_seen"
        found[title] = tuple(span_text(one) if one else "unknown" for one in counts)
    found["synthetic_images"] = tuple(
        "unknown" if one.images is None else f"{one.images:,}" for one in of
    )
    for name in dict.fromkeys(name for one in of for name in one.marks):
        marks: list[SetMark | None] = [one.marks.get(name) for one in of]
        if len({mark.identity for mark in marks if mark is not None}) > 1:
            found[f"set {name}"] = tuple(
                "not used" if mark is None else str(mark) for mark in marks
            )
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def _text(name: str, value: Any) -> str:
    if value is None or value == []:
        return _EMPTY.get(name, _AUTOMATIC)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return (
        ", ".join(set_title(str(one)) for one in value) if isinstance(value, list) else str(value)
    )


def _curves(arms: Sequence[Measured], numbers: Mapping[str, Numbers]) -> dict[str, Curve | None]:
    """For each arm accuracy against budget from the evaluation it is compared by, else from the
    strongest of the first seed that has one; all in one norm, as they are drawn over each other."""
    norms = [arm.setting.norm for arm in arms if arm.setting is not None]
    found: dict[str, Curve | None] = {}
    for arm in arms:
        others = [
            own
            for run in arm.group.runs
            for own in sorted(numbers[run.id].values(), key=_worth, reverse=True)
        ]
        reports = [
            number.report
            for number in (*arm.measured, *others)
            if number.report is not None and number.setting.norm == norms[0]
        ]
        found[arm.name] = next(
            (curve for report in reports if (curve := _curve(report)) is not None), None
        )
    return found


def _worth(number: Number) -> tuple[object, ...]:
    return number.setting.suite != VALIDATION, number.setting.strength, number.created


def _curve(report: EvalReport) -> Curve | None:
    """That of the weights whose figures are cited."""
    return next((curve for curve in report.curves if curve.which == report.main.which), None)
