"""Trainings side by side: which of their numbers are compared (the same setting for all where there
is one, and what has to be said where not), what the arms differ in, and what can be said of their
differences. Reads run folders, writes nothing."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cdp.config.choices import SUITES
from cdp.config.train import set_title
from cdp.results.differences import MAX_ARMS, class_differences, class_shares, differences
from cdp.results.efficiency import efficiency
from cdp.results.fairness import few_images, uneven_seeds
from cdp.results.measured import (
    VALIDATION,
    MeasuredGroup,
    Number,
    Numbers,
    OutcomeReader,
    RunGroup,
    SetMark,
    Setting,
    TrainedOn,
    config_of,
    grouped,
    numbers_of,
    select_runs,
    trained_on,
)
from cdp.results.reached import Reached, reached_of
from cdp.values.comparison import Arm, Comparison, Compute, Seed
from cdp.values.evaluation import Curve, EvalReport
from cdp.values.text import listed, span_text
from cdp.work.records import Run

_EMPTY = {"real": "all", "synthetic": "none", "steps": "set in epochs", "epochs": "set in steps"}
_AUTOMATIC = "automatic"
_NAMED = 5
"""Runs that a sentence names before it counts the rest."""


def compare(ids: Sequence[str], *, groups: bool = True) -> Comparison:
    """Trainings by run id, compared in one setting of evaluation where all have one, else by their
    own validation images. groups: runs that differ in their seed only become one arm; False gives
    every run its own. Whatever is missing, deleted, damaged or no training is named in ``missing``;
    whatever else a reader has to know stands in ``notes``. Raises nothing for it."""
    runs, missing = select_runs(ids)
    together, notes = grouped(runs, groups=groups)
    reached = {run.id: reached_of(run) for run in runs}
    numbers, unread = numbers_of(runs, reached)
    spent = {run_id: _compute(each) for run_id, each in reached.items()}
    arms, chosen = choose(together, numbers, spent)
    trained = {run.id: trained_on(run) for run in runs}
    first = {arm.name: _first_known(arm, trained) for arm in arms}
    reader = OutcomeReader()
    tested = differences(arms, reader)
    by_class, class_notes = class_differences(arms, reader)
    # A point of a line is a mean over seeds, also where every run is shown on its own.
    joined = arms if groups else choose(grouped(runs, groups=True)[0], numbers, spent)[0]
    joined_first = {arm.name: _first_known(arm, trained) for arm in joined}
    lines, equal, left_out = efficiency(joined, joined_first)
    notes += [*unread, *chosen]
    notes += [note for arm in joined for note in _mixed_sets(arm, trained)]
    notes += [note for arm in arms for note in uneven_seeds(arm)]
    notes += [*_few_pairs(arms), *reader.notes, *class_notes, *left_out]
    curves = _curves(arms, numbers)
    return Comparison(
        arms=tuple(_arm(arm, first[arm.name], curves[arm.name]) for arm in arms),
        missing=tuple(missing),
        differs=differing(arms, first),
        differences=tuple(tested),
        classes=tuple(by_class),
        efficiency=tuple(lines),
        equal=tuple(equal),
        notes=tuple(dict.fromkeys(notes)),
    )


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """JSON-ready: what is unknown is null, and nothing is NaN. Equal values have no bounds: low and
    high are null there."""
    value: dict[str, Any] = _unbound(asdict(comparison))
    return value


def _unbound(value: Any) -> Any:
    """Intervals of no width without their bounds, at any depth."""
    if isinstance(value, Mapping):
        if {"value", "low", "high", "level"} <= value.keys() and value["low"] == value["high"]:
            return {**value, "low": None, "high": None}
        return {name: _unbound(part) for name, part in value.items()}
    return [_unbound(part) for part in value] if isinstance(value, list | tuple) else value


def choose(
    groups: Sequence[RunGroup], numbers: Mapping[str, Numbers], spent: Mapping[str, Compute | None]
) -> tuple[list[MeasuredGroup], list[str]]:
    """The numbers to compare, and notes on them. numbers, spent: what is known of each run and what
    it took, by id. One setting that every run with any number has, the strongest; else every run's
    own validation images; else, where not even those are there for all, for each arm the setting
    that most of its seeds have. Never two settings within an arm."""
    having = [numbers[run.id] for group in groups for run in group.runs if numbers[run.id]]
    common = _strongest(having, lambda setting: True, all_have=True)
    validated = all(any(setting.suite == VALIDATION for setting in own) for own in having)

    def allowed(setting: Setting) -> bool:
        return setting == common if common else (not validated or setting.suite == VALIDATION)

    arms = []
    for group in groups:
        setting = _strongest([numbers[run.id] for run in group.runs], allowed)
        chosen = tuple(numbers[run.id].get(setting) if setting else None for run in group.runs)
        took = tuple(spent.get(run.id) for run in group.runs)
        arms.append(MeasuredGroup(**vars(group), setting=setting, numbers=chosen, spent=took))
    return arms, _notes(arms, numbers)


def _strongest(
    of: Sequence[Numbers], allowed: Callable[[Setting], bool], *, all_have: bool = False
) -> Setting | None:
    """Of the settings that most of these have (with ``all_have`` all), the strongest, then the
    newest."""
    counts = Counter(setting for own in of for setting in own if allowed(setting))

    def rank(setting: Setting) -> tuple[object, ...]:
        newest = max(own[setting].created for own in of if setting in own)
        return counts[setting], *setting.strength, newest, str(setting)

    fitting = (setting for setting, count in counts.items() if count == len(of) or not all_have)
    return max(fitting, key=rank, default=None)


def _notes(arms: Sequence[MeasuredGroup], numbers: Mapping[str, Numbers]) -> list[str]:
    settings = list(dict.fromkeys(arm.setting for arm in arms if arm.setting is not None))
    notes = []
    if len(settings) > 1:
        notes.append(
            f"The arms were measured in {len(settings)} ways ({'; '.join(map(str, settings))}), so"
            " arms of different ways are not tested against each other: evaluate all with the same"
            " attack, budget and images."
        )
    if any(setting.suite == VALIDATION for setting in settings):
        notes.append(_about_validation(arms, numbers))
    elif any(number.report and number.report.quick for arm in arms for number in arm.measured):
        notes.append(
            "The numbers are quick estimates that stronger attacks will lower: python -m cdp"
            " evaluate RUN --attack autoattack."
        )
    for arm in arms:
        for run, number in zip(arm.runs, arm.numbers, strict=True):
            notes += _run_notes(arm, run, number, numbers[run.id])
    return notes


def _run_notes(arm: MeasuredGroup, run: Run, number: Number | None, own: Numbers) -> Iterable[str]:
    """own: all numbers of the run."""
    if number is None and not own:
        yield f"{run.name} has no numbers yet: no epoch is finished and no evaluation is here."
    elif number is None:
        yield (
            f"{run.name} has no number of the kind that {arm.name} is compared by ({arm.setting}),"
            " so it is left out of the mean."
        )
    elif _is_stale(run, number, own):
        yield (
            f"Evaluation {number.evaluation} of {run.name} is of epoch {number.epoch}, which is no"
            " longer its best: evaluate it again."
        )
    if run.state != "finished":
        yield f"{run.name} is not finished ({run.state}): it is compared by what it has."


def _about_validation(arms: Sequence[MeasuredGroup], numbers: Mapping[str, Numbers]) -> str:
    """That validation is an estimate, and how to get more. The command asks for what most of the
    others were evaluated with."""
    runs = [run for arm in arms for run in arm.runs]
    evaluated = [
        {setting: number for setting, number in numbers[run.id].items() if number.evaluation}
        for run in runs
    ]
    best = _strongest(evaluated, lambda setting: True)
    options = "--attack autoattack"
    if best is not None and best.suite in SUITES:
        part = "" if best.part == "test" else f" --part {shlex.quote(best.part)}"
        options = f"--attack {best.suite} --count {best.n}{part}"
    lacking = [run.name for run, own in zip(runs, evaluated, strict=True) if not own]
    why = (
        f"no evaluation of {listed(lacking, _NAMED)} is here"
        if lacking
        else "the evaluations of these runs have no attack, budget and images in common"
    )
    return (
        "The numbers are of validation images, under a short attack and at the best epoch that was"
        f" chosen on them, because {why}: quick estimates, a little too high. python -m cdp"
        f" evaluate RUN {options} gives numbers to cite."
    )


def _is_stale(run: Run, number: Number, own: Numbers) -> bool:
    """Whether the training went on after this evaluation and found a better epoch."""
    best = next((each.epoch for each in own.values() if each.setting.suite == VALIDATION), 0)
    went_on = not run.over or (run.ended or 0) > number.created
    evaluated = bool(number.evaluation and number.setting.which == "best" and number.epoch)
    return bool(evaluated and best and number.epoch != best and went_on)


def _few_pairs(arms: Sequence[MeasuredGroup]) -> list[str]:
    if len(arms) <= MAX_ARMS:
        return []
    return [
        f"Of {len(arms)} arms only {arms[0].name}, the first, is tested against the others: choose"
        " fewer to test every pair."
    ]


def _compute(reached: Reached) -> Compute | None:
    steps, images = reached.steps, reached.images_seen
    return Compute(steps, images) if steps and images else None


def _arm(arm: MeasuredGroup, trained: TrainedOn, curve: Curve | None) -> Arm:
    return Arm(
        name=arm.name,
        seeds=tuple(map(_seed, arm.runs, arm.numbers, arm.spent)),
        robust=arm.interval("robust"),
        clean=arm.interval("clean"),
        interval=arm.interval_text,
        classes=class_shares(arm),
        curve=curve,
        sets=arm.config.sets,
        synthetic_images=trained.images or 0,
        settings=arm.settings,
        setting=str(arm.setting or ""),
        few=few_images(arm),
    )


def _seed(run: Run, number: Number | None, spent: Compute | None) -> Seed:
    return Seed(
        id=run.id,
        name=run.name,
        seed=config_of(run).seed,
        state=run.state,
        robust=number.robust.value if number and number.robust else None,
        clean=number.clean.value if number and number.clean else None,
        n=number.setting.n if number else 0,
        label=number.label if number else "",
        evaluation=number.evaluation if number else "",
        steps=spent.steps if spent else None,
        images_seen=spent.images if spent else None,
    )


def _first_known(arm: MeasuredGroup, trained: Mapping[str, TrainedOn]) -> TrainedOn:
    """What the arm's first seed of which that is known was trained on."""
    of = [trained[run.id] for run in arm.runs]
    return next((each for each in of if each.images is not None), of[0])


def _mixed_sets(arm: MeasuredGroup, trained: Mapping[str, TrainedOn]) -> Iterable[str]:
    """Seeds that name the same sets and yet saw other images."""
    for name in arm.config.sets:
        marks = [trained[run.id].marks.get(name) for run in arm.runs]
        known = {mark.identity: None for mark in marks if mark is not None}
        if len(known) > 1:
            texts = "; ".join(dict.fromkeys(str(mark) for mark in marks if mark is not None))
            yield (
                f"Seeds of {arm.name} were trained on {len(known)} different sets that are all"
                f" called {name} ({texts}): their spread is not of seeds alone."
            )


def differing(
    arms: Sequence[MeasuredGroup], trained: Mapping[str, TrainedOn]
) -> dict[str, tuple[str, ...]]:
    """Settings in which arms differ, by knob, without the seed; then the compute they took, how
    many synthetic images they had, and sets that share a name only. trained: by name of the arm;
    values as text, one an arm."""
    texts = {
        name: tuple(_text(name, arm.settings[name]) for arm in arms)
        for name in (arms[0].settings if arms else ())
    }
    of = [trained[arm.name] for arm in arms]
    for title, name in (("optimiser_steps", "steps"), ("images_seen", "images")):
        counts = [[getattr(each, name) for each in arm.spent if each is not None] for arm in arms]
        texts[title] = tuple(span_text(each) if each else "unknown" for each in counts)
    texts["synthetic_images"] = tuple(
        "unknown" if each.images is None else f"{each.images:,}" for each in of
    )
    for name in dict.fromkeys(name for each in of for name in each.marks):
        marks: list[SetMark | None] = [each.marks.get(name) for each in of]
        if len({mark.identity for mark in marks if mark is not None}) > 1:
            texts[f"set {name}"] = tuple(str(mark or "not used") for mark in marks)
    return {name: values for name, values in texts.items() if len(set(values)) > 1}


def _text(name: str, value: Any) -> str:
    if value is None or value == []:
        return _EMPTY.get(name, _AUTOMATIC)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    return ", ".join(map(set_title, value)) if isinstance(value, list) else str(value)


def _curves(
    arms: Sequence[MeasuredGroup], numbers: Mapping[str, Numbers]
) -> dict[str, Curve | None]:
    """For each arm accuracy against budget from the evaluation it is compared by, else from the
    strongest of the first seed that has one; all in one norm, as they are drawn over each other."""
    norm = next((arm.setting.norm for arm in arms if arm.setting is not None), "")
    curves = {}
    for arm in arms:
        own = [sorted(numbers[run.id].values(), key=_worth, reverse=True) for run in arm.runs]
        candidates = [*arm.measured, *(number for numbers in own for number in numbers)]
        reports = (n.report for n in candidates if n.report is not None and n.setting.norm == norm)
        curves[arm.name] = next((curve for r in reports if (curve := _curve(r)) is not None), None)
    return curves


def _worth(number: Number) -> tuple[object, ...]:
    return number.setting.suite != VALIDATION, number.setting.strength, number.created


def _curve(report: EvalReport) -> Curve | None:
    """That of the weights whose figures are cited."""
    return next((curve for curve in report.curves if curve.which == report.main.which), None)
