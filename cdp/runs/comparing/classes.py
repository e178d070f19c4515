"""Robust accuracy class by class: of an arm, and of one arm against another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from cdp.comparison import ClassDifference
from cdp.evaluation import ClassFigures
from cdp.runs.comparing.measured import Measured
from cdp.runs.comparing.outcomes import OutcomeReader
from cdp.statistics.seeds import mean_interval, welch_test
from cdp.statistics.shares import share_difference, share_interval
from cdp.types import Interval

BY_IMAGES = "Differences by class of arms with one seed rest on images alone and say nothing of other seeds; a bar for each class is no test of all classes."


def class_shares(arm: Measured) -> dict[str, Interval]:
    """By class name, the share of all seeds' images together, with Wilson's interval for as many answers as there are different images: seeds
    that see the same images are no further images. Empty where the arm was not evaluated."""
    found = {}
    for name, figures in _by_class(arm).items():
        of = [(one.robust, one.n) for one in figures.values() if one.robust is not None]
        if of:
            share = sum(interval.value * n for interval, n in of) / sum(n for _, n in of)
            most = max(n for _, n in of)
            found[name] = share_interval(min(1.0, share), most, most)
    return found


def class_differences(arms: Sequence[Measured], reader: OutcomeReader) -> tuple[list[ClassDifference], list[str]]:
    """Each other arm minus the first, class by class, where both were measured in the same way; with a note on what the intervals cover.

    Two shared seeds or more: t interval of the differences by seed. Else two seeds or more of both: Welch's. Else, of the one
    seed of each: paired by image (Agresti and Min 2005) where outcomes are here, without them Newcombe's for independent shares,
    which is too wide for the same images rather than too narrow.
    """
    found = []
    by_images = False
    for other in arms[1:]:
        if arms[0].setting == other.setting:
            pairs = _pair(arms[0], other, reader)
            by_images = by_images or (bool(pairs) and min(len(arm.values("robust")) for arm in (arms[0], other)) < 2)
            found += [ClassDifference(name, arms[0].name, other.name, _clipped(one)) for name, one in pairs.items()]
    return found, [BY_IMAGES] if by_images else []


def _by_class(arm: Measured) -> dict[str, dict[int, ClassFigures]]:
    """Figures by class name and seed."""
    found: dict[str, dict[int, ClassFigures]] = {}
    for run, number in zip(arm.group.runs, arm.numbers, strict=True):
        for one in number.report.main.classes if number is not None and number.report is not None else ():
            if one.robust is not None and one.n > 0:
                found.setdefault(one.name, {})[getattr(run.config, "seed", 0)] = one
    return found


def _pair(first: Measured, second: Measured, reader: OutcomeReader) -> dict[str, Interval]:
    if len(first.measured) == len(second.measured) == 1 and (paired := _by_image(first, second, reader)):
        return paired
    before, after, one, other = _by_class(first), _by_class(second), class_shares(first), class_shares(second)
    return {
        name: _over_seeds(_shares(before[name]), _shares(after[name])) or newcombe(one[name], other[name]) for name in one if name in other
    }


def _shares(of: dict[int, ClassFigures]) -> dict[int, float]:
    return {seed: one.robust.value for seed, one in of.items() if one.robust is not None}


def _over_seeds(before: dict[int, float], after: dict[int, float]) -> Interval | None:
    """Second minus first from the spread over seeds; None where there are too few."""
    shared = sorted(before.keys() & after.keys())
    if len(shared) >= 2:
        return mean_interval([after[seed] - before[seed] for seed in shared])
    if len(before) >= 2 and len(after) >= 2:
        return welch_test(list(before.values()), list(after.values())).difference
    return None


def newcombe(first: Interval, second: Interval) -> Interval:
    """``second`` minus ``first``, independent shares with Wilson's intervals (Newcombe 1998, method 10). n: the smaller one."""
    value = second.value - first.value
    low = value - math.hypot(second.value - second.low, first.high - first.value)
    high = value + math.hypot(second.high - second.value, first.value - first.low)
    return Interval(value, low, high, min(first.n, second.n), first.level)


def _by_image(first: Measured, second: Measured, reader: OutcomeReader) -> dict[str, Interval]:
    """Second minus first on the images that both saw; empty where those are not known one by one."""
    one, other = reader.of(first.measured[0]), reader.of(second.measured[0])
    report = first.measured[0].report
    if one is None or other is None or report is None or not one.same_images(other):
        return {}
    places = {name: one.label == number for number, name in enumerate(report.class_names)}
    return {name: share_difference(other.robust[there], one.robust[there]) for name, there in places.items() if there.any()}


def _clipped(one: Interval) -> Interval:
    """A t interval of few seeds can be wider than what there is."""
    return replace(one, low=max(-1.0, one.low), high=min(1.0, one.high))
