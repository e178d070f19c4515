"""Pairs of arms under test: over shared seeds, over seeds, or over the same images, as a whole and
class by class, each with one correction for all pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, TypeVar

import numpy as np

from cdp.results.fairness import beside, withheld
from cdp.results.measured import MeasuredGroup, OutcomeReader
from cdp.statistics.shares import newcombe, share_interval
from cdp.statistics.significance import (
    WELCH_SEEDS,
    Test,
    fisher_p,
    holm,
    mcnemar,
    more_seeds,
    paired_test,
    welch_test,
)
from cdp.statistics.verdicts import LEAST_A_CLASS, Unit, verdict
from cdp.values.comparison import ClassDifference, Difference, Metric
from cdp.values.evaluation import ClassFigures
from cdp.values.types import Interval

METRICS: tuple[Metric, ...] = ("robust", "clean")
MAX_ARMS = 16
"""With more arms only the first is tested against the others: so many pairs are read by nobody, and
each of them blunts all tests."""
LEVEL = 0.95
BY_IMAGES = (
    "Differences by class of arms with one seed rest on images alone and say nothing of other"
    " seeds."
)
FEW_IMAGES = f"Of classes with fewer than {LEAST_A_CLASS} images nothing is claimed."
UNFAIR = (
    "Of the classes of arms that are not compared fairly nothing is claimed: the verdicts say why."
)

T = TypeVar("T")
Tested = tuple[Interval, float | None]
"""A difference and its p, None where no test is defined."""


@dataclass(frozen=True)
class _Pair:
    """A pair under its test. reason: why there is none; seeds, paired: the shared seeds and the
    difference of each, () where the test is another; same: whether both answer every image alike.
    """

    first: MeasuredGroup
    second: MeasuredGroup
    unit: Unit
    test: Test | None = None
    seeds: tuple[int, ...] = ()
    paired: tuple[float, ...] = ()
    reason: str = ""
    same: bool = False


def pairs_of(things: Sequence[T]) -> list[tuple[T, T]]:
    """Every pair in order; of more than MAX_ARMS things, only those with the first."""
    if len(things) <= MAX_ARMS:
        return list(combinations(things, 2))
    return [(things[0], other) for other in things[1:]]


def differences(arms: Sequence[MeasuredGroup], reader: OutcomeReader) -> list[Difference]:
    """Both metrics of every pair (``pairs_of``), p adjusted by Holm within a metric."""
    results = []
    for metric in METRICS:
        pairs = [_pair(first, second, metric, reader) for first, second in pairs_of(arms)]
        p_values = [None if pair.test is None else pair.test.p for pair in pairs]
        # Of the tests there are: one that could not be made counts in no correction.
        tests = sum(p is not None for p in p_values)
        results += [
            _difference(pair, metric, adjusted, tests)
            for pair, adjusted in zip(pairs, holm(p_values), strict=True)
        ]
    return results


def against_control(
    control: MeasuredGroup,
    arms: Sequence[MeasuredGroup],
    metric: Metric,
    reader: OutcomeReader,
    *,
    level: float = LEVEL,
) -> list[Difference]:
    """Each arm against ``control``, p adjusted by Holm over these arms. level: of the intervals,
    and 1 - level that of the tests."""
    pairs = [_pair(control, arm, metric, reader, level) for arm in arms]
    p_values = [None if pair.test is None else pair.test.p for pair in pairs]
    tests = sum(p is not None for p in p_values)
    return [
        _difference(pair, metric, adjusted, tests, level)
        for pair, adjusted in zip(pairs, holm(p_values), strict=True)
    ]


def _pair(
    first: MeasuredGroup,
    second: MeasuredGroup,
    metric: Metric,
    reader: OutcomeReader,
    level: float = LEVEL,
) -> _Pair:
    """Paired over shared seeds where there are two, else Welch where both have three seeds, else
    McNemar where both have one."""
    before, after = first.values(metric), second.values(metric)
    if reason := _untestable(first, second, metric):
        return _Pair(first, second, "seeds", reason=reason)
    test = _seed_test(before, after, level)
    shared = sorted(before.keys() & after.keys())
    if len(shared) >= 2:
        paired = tuple(after[seed] - before[seed] for seed in shared)
        return _Pair(first, second, "paired seeds", test, tuple(shared), paired)
    if test is not None:
        return _Pair(first, second, "seeds", test)
    return _same_images(first, second, metric, reader, level)


def _seed_test(before: dict[int, float], after: dict[int, float], level: float) -> Test | None:
    """Second minus first from the spread over seeds: paired where two are shared, else Welch where
    both have three; None where there are too few."""
    shared = sorted(before.keys() & after.keys())
    if len(shared) >= 2:
        return paired_test([before[s] for s in shared], [after[s] for s in shared], level=level)
    if min(len(before), len(after)) >= WELCH_SEEDS:
        return welch_test(list(before.values()), list(after.values()), level=level)
    return None


def _untestable(first: MeasuredGroup, second: MeasuredGroup, metric: Metric) -> str:
    """Why nothing can be tested whatever the seeds, "" where something may."""
    for arm in (first, second):
        if not arm.values(metric):
            return f"{arm.name} has no {metric} accuracy yet"
    if first.setting == second.setting:
        return ""
    return (
        f"{first.name} was measured by {first.setting} and {second.name} by {second.setting}:"
        " evaluate both with the same settings"
    )


def _same_images(
    first: MeasuredGroup,
    second: MeasuredGroup,
    metric: Metric,
    reader: OutcomeReader,
    level: float,
) -> _Pair:
    """McNemar where each arm is one model whose outcomes of the same images are here."""
    pair = _Pair(first, second, "shared images")
    n_first, n_second = len(first.values(metric)), len(second.values(metric))
    if min(n_first, n_second) > 1:
        reason = (
            f"they share fewer than two seeds, and {n_first} and {n_second} are too few for a test"
            f" that is not paired: train both with the same seeds, or at least {WELCH_SEEDS} of"
            " each"
        )
        return replace(pair, reason=reason)
    if max(n_first, n_second) > 1:
        single, several = (second, first) if n_first > 1 else (first, second)
        reason = f"{single.name} has one seed: train at least one more, with a seed that"
        return replace(pair, reason=f"{reason} {several.name} has")
    before, after = (reader.of(arm.measured[0]) for arm in (first, second))
    if before is None or after is None:
        reason = (
            "each is one seed without outcomes image by image: evaluate both, or train two seeds or"
            " more of each"
        )
        return replace(pair, reason=reason)
    if not before.same_images(after):
        reason = "each is one seed, and their evaluations list other images: evaluate both again"
        return replace(pair, reason=reason)
    right = before.right(metric), after.right(metric)
    return replace(pair, test=mcnemar(*right, level=level), same=np.array_equal(*right))


def _difference(
    pair: _Pair, metric: Metric, adjusted: float | None, tests: int, level: float = LEVEL
) -> Difference:
    first, second, test = pair.first.name, pair.second.name, pair.test
    measured = pair.first.measured and pair.second.measured
    against = withheld(pair.first, pair.second, pair.seeds) if measured else ""
    if test is None:
        # Said at once, as the remedy for one would lead into the other.
        reason = pair.reason + (f"; besides, {against}" if against else "")
        sentence = f"{first} and {second} cannot be compared in {metric} accuracy: {reason}."
        return Difference(metric, first, second, None, None, None, "", 0, None, sentence, against)
    known = beside(pair.first, pair.second, metric, pair.seeds)
    known += ["both are right on the very same images"] * pair.same
    more = None
    if pair.paired and not against and (adjusted is None or adjusted >= 1 - level):
        # Holm asks most of the smallest p of all pairs; a power for that level promises too little
        # rather than too much.
        more = more_seeds(pair.paired, level=1 - (1 - level) / max(1, tests))
    rests: dict[str, Any] = {"count": test.count, "unit": pair.unit, "more": more, "level": level}
    rests |= {"corrected": tests > 1, "withheld": against, "beside": known}
    sentence = verdict(first, second, test.difference, adjusted, **rests)
    figures = (test.difference, _number(test.p), _number(adjusted), test.method, test.count)
    return Difference(metric, first, second, *figures, more, sentence, against)


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def class_shares(arm: MeasuredGroup) -> dict[str, Interval]:
    """By class name, the share of all seeds' images together, with Wilson's interval for as many
    answers as there are different images: seeds that see the same images are no further images.
    Empty where the arm was not evaluated."""
    shares = {}
    for name, figures in _by_class(arm).items():
        of = [(each.robust.value, each.n) for each in figures.values() if each.robust is not None]
        share = sum(value * n for value, n in of) / sum(n for _, n in of)
        most = max(n for _, n in of)
        shares[name] = share_interval(min(1.0, share), most, most)
    return shares


def class_differences(
    arms: Sequence[MeasuredGroup], reader: OutcomeReader
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
    rows: list[ClassDifference] = []
    notes: set[str] = set()
    for other in arms[1:]:
        first = arms[0]
        if first.setting != other.setting:
            continue
        tests = _class_tests(first, other, reader)
        seeds = [arm.values("robust") for arm in (first, other)]
        shared = sorted(seeds[0].keys() & seeds[1].keys())
        unfair = bool(withheld(first, other, shared if len(shared) >= 2 else ()))
        images = {name: share.n for name, share in class_shares(first).items()}
        for name, (difference, p) in tests.items():
            few = images.get(name, 0) < LEAST_A_CLASS
            notes |= {BY_IMAGES} if min(map(len, seeds)) < 2 else set()
            notes |= ({FEW_IMAGES} if few else set()) | ({UNFAIR} if unfair else set())
            # A t interval of few seeds can be wider than what there is.
            low, high = max(-1.0, difference.low), min(1.0, difference.high)
            clipped, p = replace(difference, low=low, high=high), None if few or unfair else p
            rows.append(ClassDifference(name, first.name, other.name, clipped, p))
    adjusted = holm([each.p for each in rows])
    rows = [replace(each, adjusted=p) for each, p in zip(rows, adjusted, strict=True)]
    return rows, [note for note in (BY_IMAGES, FEW_IMAGES, UNFAIR) if note in notes]


def _by_class(arm: MeasuredGroup) -> dict[str, dict[int, ClassFigures]]:
    """Figures by class name and seed, of classes that have any image."""
    figures: dict[str, dict[int, ClassFigures]] = {}
    for seed, number in arm.by_seed.items():
        for each in number.report.main.classes if number.report is not None else ():
            if each.robust is not None and each.n > 0:
                figures.setdefault(each.name, {})[seed] = each
    return figures


def _class_tests(
    first: MeasuredGroup, second: MeasuredGroup, reader: OutcomeReader
) -> dict[str, Tested]:
    if len(first.measured) == len(second.measured) == 1:
        paired = _by_image(first, second, reader)
        if paired:
            return paired
    before, after = (
        {
            name: {seed: each.robust.value for seed, each in of.items() if each.robust is not None}
            for name, of in _by_class(arm).items()
        }
        for arm in (first, second)
    )
    shares = class_shares(first), class_shares(second)
    tests: dict[str, Tested] = {}
    for name in (name for name in shares[0] if name in shares[1]):
        test = _seed_test(before[name], after[name], LEVEL)
        pair = [part[name] for part in shares]
        hits = ((round(share.value * share.n), share.n) for share in pair)
        tests[name] = (
            (newcombe(*pair), fisher_p(*hits)) if test is None else (test.difference, test.p)
        )
    return tests


def _by_image(
    first: MeasuredGroup, second: MeasuredGroup, reader: OutcomeReader
) -> dict[str, Tested]:
    """Second minus first on the images that both saw; empty where those are not known one by
    one."""
    left, right = reader.of(first.measured[0]), reader.of(second.measured[0])
    report = first.measured[0].report
    if left is None or right is None or report is None or not left.same_images(right):
        return {}
    tests = {}
    for number, name in enumerate(report.class_names):
        images = left.label == number
        if images.any():
            test = mcnemar(left.robust[images], right.robust[images])
            tests[name] = (test.difference, test.p)
    return tests
