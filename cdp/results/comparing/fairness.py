"""Whether two arms may be ranked at all: equal compute, enough images; and what has to be known
beside a verdict on them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdp.config.choices import QUICK_COUNT, SUITES
from cdp.config.train import TrainConfig
from cdp.data.catalog import CATALOG
from cdp.errors import InputError
from cdp.models.checkpoints import read_json
from cdp.results.comparing.measured import Measured
from cdp.results.comparing.numbers import VALIDATION
from cdp.statistics.shares import near_chance
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.values.comparison import COMPUTE_TOLERANCE, Compute, Metric, compute_text, equal_compute
from cdp.values.text import listed
from cdp.work.records import Run

_NAMED = 3
"""Runs that a sentence names before it counts the rest."""
_RESUMED = ("stopped", "interrupted")
_APART = f"more than {100 * COMPUTE_TOLERANCE:g} % apart"
_AS_MUCH = 1 + COMPUTE_TOLERANCE


@dataclass(frozen=True)
class _Spent:
    """A run and what it took."""

    run: Run
    compute: Compute | None


def withheld(first: Measured, second: Measured, seeds: Sequence[int] = ()) -> str:
    """Why neither arm may be called better, with the remedies; "" where nothing stands against it.
    seeds: that a paired test rests on; without them all seeds of both arms count."""
    return "; and ".join(filter(None, (_unequal(first, second, seeds), _few(first, second))))


def beside(
    first: Measured, second: Measured, metric: Metric, seeds: Sequence[int] = ()
) -> list[str]:
    """What has to be known with any verdict on two arms of one ``metric``, a clause each. seeds: as
    of ``withheld``."""
    spent = [one.compute for one in (*_spent(first, seeds), *_spent(second, seeds))]
    found = [f"at equal compute ({compute_text(spent)})"] if equal_compute(spent) else []
    if metric == "robust" and _looks(first) != _looks(second):
        found.append("their best weights were chosen at other intervals on these very images")
    for name, of in (("against different threats", _threat), ("on different data sets", _data)):
        values = [of(arm) for arm in (first, second)]
        if values[0] != values[1]:
            found.append(f"they were trained {name} ({values[0]} and {values[1]})")
    return found + [said for arm in (first, second) if (said := never_learned(arm, metric))]


def uneven_seeds(arm: Measured) -> list[str]:
    """That seeds of one arm took different compute: one that ended early is no other draw of the
    same training."""
    spent = _spent(arm)
    known = [one.compute.steps for one in spent if one.compute is not None]
    if len(known) < 2 or equal_compute(one.compute for one in spent if one.compute is not None):
        return []
    short = [
        one
        for one in spent
        if one.compute is not None and _AS_MUCH * one.compute.steps < max(known)
    ]
    told = (
        f"{listed((_ended(one) for one in short), _NAMED)}, the others {max(known):,}"
        if short
        else f"they saw {compute_text(arm.spent)}"
    )
    return [
        f"Seeds of {arm.name} took different compute ({told}): their spread is not of seeds alone."
    ]


def never_learned(arm: Measured, metric: Metric) -> str:
    """Which seeds of an arm withstand nothing, or know no more than guessing; "" where all
    learned."""
    robust, clean, classes = arm.shares("robust"), arm.shares("clean"), class_count(arm)
    nothing = [seed for seed, share in robust.items() if share.value <= 0]
    guessing = [
        seed
        for seed, share in clean.items()
        if classes and seed not in nothing and near_chance(share.value, share.n, classes)
    ]
    found = []
    if nothing:
        found.append(f"robust accuracy is 0 {_of_seeds(nothing, robust)}")
    if guessing:
        found.append(
            f"clean accuracy is near chance ({100 / (classes or 1):.3g} %)"
            f" {_of_seeds(guessing, clean)}"
        )
    return f"{arm.name} never learned: {' and '.join(found)}" if found else ""


def few_images(arm: Measured) -> bool:
    """Whether an arm's accuracies rest on too few images for a verdict: fewer than
    ``LEAST_A_CLASS`` of each class on average."""
    classes = class_count(arm)
    return bool(arm.setting and classes and arm.setting.n < LEAST_A_CLASS * classes)


def class_count(arm: Measured) -> int | None:
    """Of what its networks tell apart: by a report, a built-in data set, or the card of a best
    classifier; None unknown."""
    for number in arm.measured:
        if number.report is not None:
            return len(number.report.class_names)
    info = CATALOG.get(arm.group.config.dataset)
    if info is not None:
        return len(info.classes)
    return next((count for run in arm.group.runs if (count := _of_card(run)) is not None), None)


def _of_card(run: Run) -> int | None:
    try:
        count = read_json(run.folder / "best" / "card.json").get("classes")
    except InputError:
        return None
    return count if type(count) is int and count > 0 else None


def _spent(arm: Measured, seeds: Sequence[int] = ()) -> list[_Spent]:
    """Of the runs whose accuracies are compared; of an arm without any, all."""
    runs = [
        _Spent(run, spent)
        for run, spent, number in zip(arm.group.runs, arm.spent, arm.numbers, strict=True)
        if number is not None or not arm.measured
    ]
    return [
        one
        for one in runs
        if not seeds or (isinstance(one.run.config, TrainConfig) and one.run.config.seed in seeds)
    ]


def _unequal(first: Measured, second: Measured, seeds: Sequence[int]) -> str:
    both = [_spent(arm, seeds) for arm in (first, second)]
    if seeds and all(
        equal_compute(one.compute for part in both for one in part if _seed(one) == seed)
        for seed in seeds
    ):
        return ""
    every = [one for part in both for one in part]
    if not seeds and equal_compute(one.compute for one in every):
        return ""
    unknown = [one.run.name for one in every if one.compute is None]
    if unknown:
        return (
            f"how many optimiser steps {listed(unknown, _NAMED)} took is not known, as metrics.jsonl in the"
            " folder of the run is gone or names none, so compute alone may make the difference:"
            " train again"
        )
    texts = [compute_text([one.compute for one in part]) for part in both]
    return (
        f"they took different compute ({texts[0]} against {texts[1]}; {_APART}), which alone may"
        f" make the difference: {_remedy(first, second, every)}"
    )


def _seed(one: _Spent) -> int | None:
    return one.run.config.seed if isinstance(one.run.config, TrainConfig) else None


def _remedy(first: Measured, second: Measured, every: Sequence[_Spent]) -> str:
    """What to do so that all took as much as the one that took most."""
    known = {one.run.id: one.compute for one in every if one.compute is not None}
    most = max(compute.steps for compute in known.values())
    short = [one.run for one in every if _AS_MUCH * known[one.run.id].steps < most]
    if not short:
        batches = [arm.group.config.batch for arm in (first, second)]
        return f"train {second.name} again with --batch {batches[0]} --steps {most}"
    working = [run.name for run in short if not run.over]
    if working:
        return f"wait until {listed(working, _NAMED)} {'is' if len(working) == 1 else 'are'} over"
    resumed = [run for run in short if run.state in _RESUMED]
    if len(resumed) == len(short):
        return (
            f"let {listed((run.name for run in short), _NAMED)} go on"
            f" ({' and '.join(f'python -m cdp resume {shlex.quote(run.id)}' for run in short[:_NAMED])})"
        )
    same_batch = first.group.config.batch == second.group.config.batch
    arms = [arm.name for arm in (first, second) if all(run in short for run in arm.group.runs)]
    whom = (
        arms[0]
        if len(arms) == 1 and len(short) == len(_members(first, second, arms[0]))
        else listed((run.name for run in short), _NAMED)
    )
    early = any(run.state == "failed" for run in short)
    return (
        f"train {whom} again with --steps {most}{'' if same_batch else ' and one --batch for both'}"
        f"{' (with --overfitting notice it does not end early for robust overfitting)' if early else ''}"
    )


def _members(first: Measured, second: Measured, name: str) -> Sequence[Run]:
    return next(arm.group.runs for arm in (first, second) if arm.name == name)


def _few(first: Measured, second: Measured) -> str:
    arm = next((arm for arm in (first, second) if few_images(arm)), None)
    if arm is None or arm.setting is None:
        return ""
    enough = LEAST_A_CLASS * (class_count(arm) or 1)
    suite = SUITES.get(arm.setting.suite)
    few_at_most = arm.setting.suite == VALIDATION or (suite is not None and suite.quick)
    attack = " --attack pgd" if few_at_most and enough > QUICK_COUNT else ""
    return (
        f"{arm.setting.n:,} images are {FEW}: evaluate both on at least {enough:,} images (--count"
        f" {enough}{attack})"
    )


def _looks(arm: Measured) -> object:
    """How often an arm was validated, where its numbers are of the validations: the best of more
    looks is the luckier."""
    return (
        arm.group.config.validate_every
        if arm.setting is not None and arm.setting.suite == VALIDATION
        else None
    )


def _threat(arm: Measured) -> str:
    config = arm.group.config
    info = CATALOG.get(config.dataset)
    budget = (
        config.epsilon
        if config.epsilon is not None
        else info.conventional(config.norm)
        if info
        else None
    )
    return f"{config.norm} {'conventional budget' if budget is None else f'{budget:.4g}'}"


def _data(arm: Measured) -> str:
    return arm.group.config.dataset


def _ended(one: _Spent) -> str:
    steps = one.compute.steps if one.compute is not None else 0
    state = "" if one.run.state == "finished" else f" ({one.run.state})"
    return f"{one.run.name} ended at {steps:,} optimiser steps{state}"


def _of_seeds(some: Sequence[int], every: Mapping[int, object]) -> str:
    if len(some) == len(every):
        return "in its one seed" if len(every) == 1 else f"in all {len(every)} seeds"
    return f"in seed{'s' * (len(some) > 1)} {', '.join(map(str, some))}"
