"""Pairs of arms under test: over shared seeds, over seeds, or over the same images, with one
correction for all pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

import numpy as np

from cdp.results.comparing.fairness import beside, withheld
from cdp.results.comparing.measured import Measured
from cdp.results.comparing.outcomes import OutcomeReader
from cdp.statistics.holm import holm
from cdp.statistics.mcnemar import mcnemar
from cdp.statistics.seeds import WELCH_SEEDS, Test, more_seeds, paired_test, welch_test
from cdp.statistics.verdicts import Unit, verdict
from cdp.values.comparison import Difference, Metric

METRICS: tuple[Metric, ...] = ("robust", "clean")
MAX_ARMS = 16
"""With more arms only the first is tested against the others: so many pairs are read by nobody, and
each of them blunts all tests."""
LEVEL = 0.95

T = TypeVar("T")


@dataclass(frozen=True)
class _Tested:
    """A pair under its test. reason: why there is none; seeds, paired: the shared seeds and the
    difference of each, () where the test is another; same: whether both answer every image alike.
    """

    first: Measured
    second: Measured
    test: Test | None
    unit: Unit
    seeds: tuple[int, ...] = ()
    paired: tuple[float, ...] = ()
    reason: str = ""
    same: bool = False


def pairs_of(things: Sequence[T]) -> list[tuple[T, T]]:
    """Every pair in order; of more than MAX_ARMS things, only those with the first."""
    return (
        list(combinations(things, 2))
        if len(things) <= MAX_ARMS
        else [(things[0], other) for other in things[1:]]
    )


def differences(arms: Sequence[Measured], reader: OutcomeReader) -> list[Difference]:
    """Both metrics of every pair (``pairs_of``), p adjusted by Holm within a metric."""
    pairs = pairs_of(arms)
    found = []
    for metric in METRICS:
        tested = [_test(first, second, metric, reader) for first, second in pairs]
        adjusted = holm([None if one.test is None else one.test.p for one in tested])
        # Of the tests that were made: one that could not be counts in no correction.
        made = sum(one.test is not None and one.test.p is not None for one in tested)
        found += [
            _difference(one, metric, p, made) for one, p in zip(tested, adjusted, strict=True)
        ]
    return found


def _test(first: Measured, second: Measured, metric: Metric, reader: OutcomeReader) -> _Tested:
    """Paired over shared seeds where there are two, else Welch where both have three seeds, else
    McNemar where both have one."""
    before, after = first.values(metric), second.values(metric)
    shared = sorted(before.keys() & after.keys())
    if reason := _untestable(first, second, metric):
        return _Tested(first, second, None, "seeds", reason=reason)
    if len(shared) >= 2:
        one, other = [before[seed] for seed in shared], [after[seed] for seed in shared]
        paired = tuple(b - a for a, b in zip(one, other, strict=True))
        return _Tested(
            first,
            second,
            paired_test(one, other, level=LEVEL),
            "paired seeds",
            tuple(shared),
            paired,
        )
    if min(len(before), len(after)) >= WELCH_SEEDS:
        return _Tested(
            first,
            second,
            welch_test(list(before.values()), list(after.values()), level=LEVEL),
            "seeds",
        )
    return _same_images(first, second, metric, reader)


def _untestable(first: Measured, second: Measured, metric: Metric) -> str:
    """Why nothing can be tested whatever the seeds, "" where something may."""
    for arm in (first, second):
        if not arm.values(metric):
            return f"{arm.name} has no {metric} accuracy yet"
    if first.setting != second.setting:
        return (
            f"{first.name} was measured by {first.setting} and {second.name} by {second.setting}:"
            " evaluate both with the same settings"
        )
    return ""


def _same_images(
    first: Measured, second: Measured, metric: Metric, reader: OutcomeReader
) -> _Tested:
    """McNemar where each arm is one model whose outcomes of the same images are here."""
    none = _Tested(first, second, None, "shared images")
    several = [arm.name for arm in (first, second) if len(arm.values(metric)) > 1]
    if len(several) == 2:
        counts = [len(arm.values(metric)) for arm in (first, second)]
        said = (
            f"they share fewer than two seeds, and {counts[0]} and {counts[1]} are too few for a"
            " test that is not paired"
        )
        return replace(
            none,
            reason=f"{said}: train both with the same seeds, or at least {WELCH_SEEDS} of each",
        )
    if several:
        single = second.name if several == [first.name] else first.name
        return replace(
            none,
            reason=(
                f"{single} has one seed: train at least one more, with a seed that {several[0]} has"
            ),
        )
    one, other = (reader.of(arm.measured[0]) for arm in (first, second))
    if one is None or other is None:
        return replace(
            none,
            reason=(
                "each is one seed without outcomes image by image: evaluate both, or train two"
                " seeds or more of each"
            ),
        )
    if not one.same_images(other):
        return replace(
            none,
            reason="each is one seed, and their evaluations list other images: evaluate both again",
        )
    right = one.right(metric), other.right(metric)
    return replace(none, test=mcnemar(*right, level=LEVEL), same=np.array_equal(*right))


def _difference(one: _Tested, metric: Metric, adjusted: float | None, tests: int) -> Difference:
    first, second, test = one.first.name, one.second.name, one.test
    if test is None:
        # Said at once, as the remedy for one would lead into the other.
        against = (
            withheld(one.first, one.second) if one.first.measured and one.second.measured else ""
        )
        said = (
            f"{first} and {second} cannot be compared in {metric} accuracy:"
            f" {one.reason}{f'; besides, {against}' * bool(against)}."
        )
        return Difference(metric, first, second, None, None, None, "", 0, None, said, against)
    against = withheld(one.first, one.second, one.seeds)
    known = (
        beside(one.first, one.second, metric, one.seeds)
        + ["both are right on the very same images"] * one.same
    )
    settled = adjusted is not None and adjusted < 1 - LEVEL
    # Holm asks most of the smallest p of all pairs; a power for that level promises too little
    # rather than too much.
    more = (
        more_seeds(one.paired, level=1 - (1 - LEVEL) / max(1, tests))
        if one.paired and not settled and not against
        else None
    )
    said = verdict(
        first,
        second,
        test.difference,
        adjusted,
        count=test.count,
        unit=one.unit,
        more=more,
        level=LEVEL,
        corrected=tests > 1,
        withheld=against,
        beside=known,
    )
    return Difference(
        metric,
        first,
        second,
        test.difference,
        _number(test.p),
        _number(adjusted),
        test.method,
        test.count,
        more,
        said,
        against,
    )


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
