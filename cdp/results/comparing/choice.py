"""Which of the numbers of several arms are compared: the same setting for all where there is one,
and what has to be said where not."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from cdp.config.choices import SUITES
from cdp.results.comparing.arms import Group
from cdp.results.comparing.measured import Measured
from cdp.results.comparing.numbers import VALIDATION, Number, Numbers, Setting
from cdp.values.comparison import Compute
from cdp.values.text import listed
from cdp.work.records import Run

_NAMED = 5
"""Runs that a sentence names before it counts the rest."""


def choose(
    groups: Sequence[Group], numbers: Mapping[str, Numbers], spent: Mapping[str, Compute | None]
) -> tuple[list[Measured], list[str]]:
    """The numbers to compare, and notes on them. numbers, spent: what is known of each run and what
    it took, by id.

    One setting that every run with any number has, the strongest; else every run's own validation
    images; else, where not even those are there for all, for each arm the setting that most of its
    seeds have. Never two settings within an arm.
    """
    having = [numbers[run.id] for group in groups for run in group.runs if numbers[run.id]]
    common = _strongest(having, lambda setting: True, everyone=True)
    validated = all(any(setting.suite == VALIDATION for setting in one) for one in having)

    def allowed(setting: Setting) -> bool:
        return setting == common if common else (not validated or setting.suite == VALIDATION)

    arms = []
    for group in groups:
        setting = _strongest([numbers[run.id] for run in group.runs], allowed)
        chosen = tuple(numbers[run.id].get(setting) if setting else None for run in group.runs)
        arms.append(
            Measured(group, setting, chosen, tuple(spent.get(run.id) for run in group.runs))
        )
    return arms, _notes(arms, numbers)


def _strongest(
    of: Sequence[Numbers], allowed: Callable[[Setting], bool], *, everyone: bool = False
) -> Setting | None:
    """Of the settings that most of these have (with ``everyone`` all), the strongest, then the
    newest."""
    held = Counter(setting for one in of for setting in one if allowed(setting))
    newest = {
        setting: max(one[setting].created for one in of if setting in one) for setting in held
    }
    fitting = [setting for setting, count in held.items() if count == len(of) or not everyone]
    return max(
        fitting,
        key=lambda setting: (held[setting], *setting.strength, newest[setting], str(setting)),
        default=None,
    )


def _notes(arms: Sequence[Measured], numbers: Mapping[str, Numbers]) -> list[str]:
    settings = list(dict.fromkeys(arm.setting for arm in arms if arm.setting is not None))
    found = []
    if len(settings) > 1:
        found.append(
            f"The arms were measured in {len(settings)} ways ({'; '.join(map(str, settings))}), so"
            " arms of different ways are not tested against each other: evaluate all with the same"
            " attack, budget and images."
        )
    if any(setting.suite == VALIDATION for setting in settings):
        found += _about_validation(arms, numbers)
    elif any(
        number.report is not None and number.report.quick for arm in arms for number in arm.measured
    ):
        found.append(
            "The numbers are quick estimates that stronger attacks will lower: python -m cdp"
            " evaluate RUN --attack autoattack."
        )
    for arm in arms:
        found += [
            _without(arm, run, numbers[run.id]) for run, number in _pairs(arm) if number is None
        ]
        found += [
            _stale(run, number)
            for run, number in _pairs(arm)
            if number is not None and _is_stale(run, number, numbers[run.id])
        ]
        found += [
            f"{run.name} is not finished ({run.state}): it is compared by what it has."
            for run, _ in _pairs(arm)
            if _short(run)
        ]
    return found


def _pairs(arm: Measured) -> Iterable[tuple[Run, Number | None]]:
    return zip(arm.group.runs, arm.numbers, strict=True)


def _about_validation(arms: Sequence[Measured], numbers: Mapping[str, Numbers]) -> list[str]:
    """That validation is an estimate, and how to get more. The command asks for what most of the
    others were evaluated with."""
    runs = [run for arm in arms for run in arm.group.runs]
    evaluated = [
        {
            setting: number
            for setting, number in numbers[run.id].items()
            if setting.suite != VALIDATION
        }
        for run in runs
    ]
    best = _strongest(evaluated, lambda setting: True)
    options = "--attack autoattack"
    if best is not None and best.suite in SUITES:
        part = "" if best.part == "test" else f" --part {shlex.quote(best.part)}"
        options = f"--attack {best.suite} --count {best.n}{part}"
    lacking = [run.name for run, one in zip(runs, evaluated, strict=True) if not one]
    why = (
        f"no evaluation of {listed(lacking, _NAMED)} is here"
        if lacking
        else "the evaluations of these runs have no attack, budget and images in common"
    )
    said = (
        "The numbers are of validation images, under a short attack and at the best epoch that was"
        f" chosen on them, because {why}: quick estimates, a little too high. python -m cdp"
        f" evaluate RUN {options} gives numbers to cite."
    )
    return [said]


def _without(arm: Measured, run: Run, own: Numbers) -> str:
    if not own:
        return f"{run.name} has no numbers yet: no epoch is finished and no evaluation is here."
    return (
        f"{run.name} has no number of the kind that {arm.name} is compared by ({arm.setting}), so"
        " it is left out of the mean."
    )


def _is_stale(run: Run, number: Number, own: Numbers) -> bool:
    """Whether the training went on after this evaluation and found a better epoch."""
    best = next((one.epoch for setting, one in own.items() if setting.suite == VALIDATION), 0)
    went_on = not run.over or (run.ended or 0) > number.created
    return bool(
        number.evaluation
        and number.setting.which == "best"
        and number.epoch
        and best
        and number.epoch != best
        and went_on
    )


def _stale(run: Run, number: Number) -> str:
    return (
        f"Evaluation {number.evaluation} of {run.name} is of epoch {number.epoch}, which is no"
        " longer its best: evaluate it again."
    )


def _short(run: Run) -> bool:
    return run.state != "finished"
