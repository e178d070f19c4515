"""Whether two arms may be ranked at all: equal compute, enough images; and what has to be known
beside a verdict on them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from cdp.config.choices import QUICK_COUNT, SUITES
from cdp.data.catalog import CATALOG
from cdp.results.measured import VALIDATION, MeasuredGroup, config_of
from cdp.results.reached import best_card, trained_budget
from cdp.statistics.shares import near_chance
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.values.comparison import COMPUTE_TOLERANCE, Compute, Metric, compute_text, equal_compute
from cdp.values.text import counted, listed
from cdp.work.records import Run

_NAMED = 3
"""Runs that a sentence names before it counts the rest."""
_RESUMABLE = ("stopped", "interrupted")
_AS_MUCH = 1 + COMPUTE_TOLERANCE

Spent = tuple[Run, Compute | None]
"""A run and what it took."""


def withheld(first: MeasuredGroup, second: MeasuredGroup, seeds: Sequence[int] = ()) -> str:
    """Why neither arm may be called better, with the remedies; "" where nothing stands against it.
    seeds: that a paired test rests on; without them all seeds of both arms count."""
    return "; and ".join(filter(None, (_unequal(first, second, seeds), _few(first, second))))


def beside(
    first: MeasuredGroup, second: MeasuredGroup, metric: Metric, seeds: Sequence[int] = ()
) -> list[str]:
    """What has to be known with any verdict on two arms of one ``metric``, a clause each. seeds: as
    of ``withheld``."""
    arms = (first, second)
    spent = [compute for arm in arms for _, compute in _spent(arm, seeds)]
    clauses = [f"at equal compute ({compute_text(spent)})"] if equal_compute(spent) else []
    if metric == "robust" and _looks(first) != _looks(second):
        clauses.append("their best weights were chosen at other intervals on these very images")
    threats, data = map(_threat, arms), (arm.config.dataset for arm in arms)
    for what, (left, right) in (
        ("against different threats", threats),
        ("on different data sets", data),
    ):
        if left != right:
            clauses.append(f"they were trained {what} ({left} and {right})")
    return clauses + [clause for arm in arms if (clause := never_learned(arm, metric))]


def uneven_seeds(arm: MeasuredGroup) -> list[str]:
    """That seeds of one arm took different compute: one that ended early is no other draw of the
    same training."""
    known = [(run, compute) for run, compute in _spent(arm) if compute is not None]
    if len(known) < 2 or equal_compute(compute for _, compute in known):
        return []
    most = max(compute.steps for _, compute in known)
    short = [_ended(run, c) for run, c in known if _AS_MUCH * c.steps < most]
    how = f"they saw {compute_text(arm.spent)}"
    if short:
        how = f"{listed(short, _NAMED)}, the others {most:,}"
    return [
        f"Seeds of {arm.name} took different compute ({how}): their spread is not of seeds alone."
    ]


def never_learned(arm: MeasuredGroup, metric: Metric) -> str:
    """Which seeds of an arm withstand nothing, or know no more than guessing; "" where all
    learned."""
    robust, clean, classes = arm.shares("robust"), arm.shares("clean"), class_count(arm)
    nothing = [seed for seed, share in robust.items() if share.value <= 0]
    guessing = [
        seed
        for seed, share in clean.items()
        if classes and seed not in nothing and near_chance(share.value, share.n, classes)
    ]
    clauses = [f"robust accuracy is 0 {_of_seeds(nothing, robust)}"] if nothing else []
    if guessing:
        chance = f"{100 / (classes or 1):.3g} %"
        clauses.append(f"clean accuracy is near chance ({chance}) {_of_seeds(guessing, clean)}")
    return f"{arm.name} never learned: {' and '.join(clauses)}" if clauses else ""


def few_images(arm: MeasuredGroup) -> bool:
    """Whether an arm's accuracies rest on too few images for a verdict: fewer than
    ``LEAST_A_CLASS`` of each class on average."""
    classes = class_count(arm)
    return bool(arm.setting and classes and arm.setting.n < LEAST_A_CLASS * classes)


def class_count(arm: MeasuredGroup) -> int | None:
    """Of what its networks tell apart: by a report, a built-in data set, or the card of a best
    classifier; None unknown."""
    for number in arm.measured:
        if number.report is not None:
            return len(number.report.class_names)
    info = CATALOG.get(arm.config.dataset)
    if info is not None:
        return len(info.classes)
    counts = (best_card(run.folder).get("classes") for run in arm.runs)
    return next((count for count in counts if type(count) is int and count > 0), None)


def _spent(arm: MeasuredGroup, seeds: Sequence[int] = ()) -> list[Spent]:
    """Of the runs whose accuracies are compared; of an arm without any, all."""
    return [
        (run, compute)
        for run, compute, number in zip(arm.runs, arm.spent, arm.numbers, strict=True)
        if (number is not None or not arm.measured) and (not seeds or config_of(run).seed in seeds)
    ]


def _unequal(first: MeasuredGroup, second: MeasuredGroup, seeds: Sequence[int]) -> str:
    both = [_spent(arm, seeds) for arm in (first, second)]
    every = [each for part in both for each in part]
    # A paired test compares seed by seed; without one all are one family.
    families = [[c for run, c in every if config_of(run).seed == seed] for seed in seeds]
    if all(map(equal_compute, families or [[compute for _, compute in every]])):
        return ""
    unknown = [run.name for run, compute in every if compute is None]
    if unknown:
        return (
            f"how many optimiser steps {listed(unknown, _NAMED)} took is not known, as"
            " metrics.jsonl in the folder of the run is gone or names none, so compute alone may"
            " make the difference: train again"
        )
    left, right = (compute_text([compute for _, compute in part]) for part in both)
    return (
        f"they took different compute ({left} against {right}; more than"
        f" {100 * COMPUTE_TOLERANCE:g} % apart), which alone may make the difference:"
        f" {_remedy(first, second, every)}"
    )


def _remedy(first: MeasuredGroup, second: MeasuredGroup, every: Sequence[Spent]) -> str:
    """What to do so that all took as much as the one that took most."""
    known = [(run, compute.steps) for run, compute in every if compute is not None]
    most = max(steps for _, steps in known)
    short = [run for run, steps in known if _AS_MUCH * steps < most]
    if not short:
        return f"train {second.name} again with --batch {first.config.batch} --steps {most}"
    working = [run.name for run in short if not run.over]
    if working:
        return f"wait until {listed(working, _NAMED)} {'is' if len(working) == 1 else 'are'} over"
    if all(run.state in _RESUMABLE for run in short):
        commands = [f"python -m cdp resume {shlex.quote(run.id)}" for run in short[:_NAMED]]
        return f"let {listed((run.name for run in short), _NAMED)} go on ({' and '.join(commands)})"
    whole = [arm.name for arm in (first, second) if set(map(_id, arm.runs)) == set(map(_id, short))]
    whom = whole[0] if whole else listed((run.name for run in short), _NAMED)
    batch = "" if first.config.batch == second.config.batch else " and one --batch for both"
    early = " (with --overfitting notice it does not end early for robust overfitting)"
    early *= any(run.state == "failed" for run in short)
    return f"train {whom} again with --steps {most}{batch}{early}"


def _id(run: Run) -> str:
    return run.id


def _few(first: MeasuredGroup, second: MeasuredGroup) -> str:
    arm = next((arm for arm in (first, second) if few_images(arm)), None)
    if arm is None or arm.setting is None:
        return ""
    n, enough = arm.setting.n, LEAST_A_CLASS * (class_count(arm) or 1)
    suite = SUITES.get(arm.setting.suite)
    quick = arm.setting.suite == VALIDATION or (suite is not None and suite.quick)
    return (
        f"{counted(n, 'image')} {'is' if n == 1 else 'are'} {FEW}: evaluate both on at least"
        f" {enough:,} images (--count {enough}{' --attack pgd' * (quick and enough > QUICK_COUNT)})"
    )


def _looks(arm: MeasuredGroup) -> object:
    """How often an arm was validated, where its numbers are of the validations: the best of more
    looks is the luckier."""
    validation = arm.setting is not None and arm.setting.suite == VALIDATION
    return arm.config.validate_every if validation else None


def _threat(arm: MeasuredGroup) -> str:
    budget = trained_budget(arm.config)
    return f"{arm.config.norm} {'conventional budget' if budget is None else f'{budget:.4g}'}"


def _ended(run: Run, compute: Compute) -> str:
    state = "" if run.state == "finished" else f" ({run.state})"
    return f"{run.name} ended at {compute.steps:,} optimiser steps{state}"


def _of_seeds(some: Sequence[int], every: Mapping[int, object]) -> str:
    if len(some) == len(every):
        return "in its one seed" if len(every) == 1 else f"in all {len(every)} seeds"
    return f"in seed{'s' * (len(some) > 1)} {', '.join(map(str, some))}"
