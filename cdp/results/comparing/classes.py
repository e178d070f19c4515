"""Robust accuracy class by class: of an arm, and of one arm against another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from cdp.results.comparing.fairness import withheld
from cdp.results.comparing.measured import Measured
from cdp.results.comparing.outcomes import OutcomeReader
from cdp.statistics.holm import holm
from cdp.statistics.mcnemar import mcnemar
from cdp.statistics.seeds import WELCH_SEEDS, paired_test, welch_test
from cdp.statistics.shares import share_interval
from cdp.statistics.verdicts import LEAST_A_CLASS
from cdp.values.comparison import ClassDifference
from cdp.values.evaluation import ClassFigures
from cdp.values.types import Interval

BY_IMAGES = (
    "Differences by class of arms with one seed rest on images alone and say nothing of other"
    " seeds."
)
FEW_IMAGES = f"Of classes with fewer than {LEAST_A_CLASS} images nothing is claimed."
UNFAIR = (
    "Of the classes of arms that are not compared fairly nothing is claimed: the verdicts say why."
)

Tested = tuple[Interval, float | None]
"""A difference and its p, None where no test is defined."""


def class_shares(arm: Measured) -> dict[str, Interval]:
    """By class name, the share of all seeds' images together, with Wilson's interval for as many
    answers as there are different images: seeds that see the same images are no further images.
    Empty where the arm was not evaluated."""
    found = {}
    for name, figures in _by_class(arm).items():
        of = [(one.robust, one.n) for one in figures.values() if one.robust is not None]
        if of:
            share = sum(interval.value * n for interval, n in of) / sum(n for _, n in of)
            most = max(n for _, n in of)
            found[name] = share_interval(min(1.0, share), most, most)
    return found


def class_differences(
    arms: Sequence[Measured], reader: OutcomeReader
) -> tuple[list[ClassDifference], list[str]]:
    """Each other arm minus the first, class by class, where both were measured in the same way;
    with notes on what is claimed.

    Two shared seeds or more: t interval and test of the differences by seed. Else three seeds or
    more of both: Welch's. Else, of the one seed of each: paired by image (interval of Agresti and
    Min 2005, McNemar's test) where outcomes are here, without them Newcombe's for independent
    shares and Fisher's exact test, which are too careful for the same images rather than too bold.
    p is adjusted by Holm over all classes of all pairs; a class of fewer than ``LEAST_A_CLASS``
    images has none, nor has any class of a pair that is not compared fairly.
    """
    found: list[ClassDifference] = []
    by_images, few, unfair = False, False, False
    for other in arms[1:]:
        if arms[0].setting != other.setting:
            continue
        pairs = _pair(arms[0], other, reader)
        by_images = by_images or (
            bool(pairs) and min(len(arm.values("robust")) for arm in (arms[0], other)) < 2
        )
        against = bool(withheld(arms[0], other, shared_seeds(arms[0], other)))
        images = {name: share.n for name, share in class_shares(arms[0]).items()}
        for name, (difference, p) in pairs.items():
            small = images.get(name, 0) < LEAST_A_CLASS
            few, unfair = few or small, unfair or against
            found.append(
                ClassDifference(
                    name,
                    arms[0].name,
                    other.name,
                    _clipped(difference),
                    None if small or against else p,
                )
            )
    adjusted = holm([one.p for one in found])
    found = [replace(one, adjusted=p) for one, p in zip(found, adjusted, strict=True)]
    return found, [
        said
        for said, holds in ((BY_IMAGES, by_images), (FEW_IMAGES, few), (UNFAIR, unfair))
        if holds
    ]


def shared_seeds(first: Measured, second: Measured) -> tuple[int, ...]:
    """Those that a paired test of robust accuracy rests on; () where there are fewer than two."""
    shared = sorted(first.values("robust").keys() & second.values("robust").keys())
    return tuple(shared) if len(shared) >= 2 else ()


def _by_class(arm: Measured) -> dict[str, dict[int, ClassFigures]]:
    """Figures by class name and seed."""
    found: dict[str, dict[int, ClassFigures]] = {}
    for run, number in zip(arm.group.runs, arm.numbers, strict=True):
        for one in (
            number.report.main.classes if number is not None and number.report is not None else ()
        ):
            if one.robust is not None and one.n > 0:
                found.setdefault(one.name, {})[getattr(run.config, "seed", 0)] = one
    return found


def _pair(first: Measured, second: Measured, reader: OutcomeReader) -> dict[str, Tested]:
    if len(first.measured) == len(second.measured) == 1 and (
        paired := _by_image(first, second, reader)
    ):
        return paired
    before, after, one, other = (
        _by_class(first),
        _by_class(second),
        class_shares(first),
        class_shares(second),
    )
    return {
        name: (
            _over_seeds(_shares(before[name]), _shares(after[name]))
            or (newcombe(one[name], other[name]), _fisher(one[name], other[name]))
        )
        for name in one
        if name in other
    }


def _shares(of: dict[int, ClassFigures]) -> dict[int, float]:
    return {seed: one.robust.value for seed, one in of.items() if one.robust is not None}


def _over_seeds(before: dict[int, float], after: dict[int, float]) -> Tested | None:
    """Second minus first from the spread over seeds; None where there are too few."""
    shared = sorted(before.keys() & after.keys())
    if len(shared) >= 2:
        test = paired_test([before[seed] for seed in shared], [after[seed] for seed in shared])
    elif min(len(before), len(after)) >= WELCH_SEEDS:
        test = welch_test(list(before.values()), list(after.values()))
    else:
        return None
    return test.difference, test.p


def _fisher(first: Interval, second: Interval) -> float:
    """Fisher's exact test of two shares of different images, two-sided."""
    from scipy.stats import fisher_exact

    hits = [round(share.value * share.n) for share in (first, second)]
    table = [[hit, share.n - hit] for hit, share in zip(hits, (first, second), strict=True)]
    return min(1.0, float(fisher_exact(table)[1]))


def newcombe(first: Interval, second: Interval) -> Interval:
    """``second`` minus ``first``, independent shares with Wilson's intervals (Newcombe 1998, method
    10). n: the smaller one."""
    value = second.value - first.value
    low = value - math.hypot(second.value - second.low, first.high - first.value)
    high = value + math.hypot(second.high - second.value, first.value - first.low)
    return Interval(value, low, high, min(first.n, second.n), first.level)


def _by_image(first: Measured, second: Measured, reader: OutcomeReader) -> dict[str, Tested]:
    """Second minus first on the images that both saw; empty where those are not known one by
    one."""
    one, other = reader.of(first.measured[0]), reader.of(second.measured[0])
    report = first.measured[0].report
    if one is None or other is None or report is None or not one.same_images(other):
        return {}
    places = {name: one.label == number for number, name in enumerate(report.class_names)}
    tests = {
        name: mcnemar(one.robust[there], other.robust[there])
        for name, there in places.items()
        if there.any()
    }
    return {name: (test.difference, test.p) for name, test in tests.items()}


def _clipped(one: Interval) -> Interval:
    """A t interval of few seeds can be wider than what there is."""
    return replace(one, low=max(-1.0, one.low), high=min(1.0, one.high))
