"""Tests: two arms over a few seeds, two networks on the same images, several shares or counts at
once; and how many more seeds would settle a difference."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from cdp.errors import InputError
from cdp.statistics.shares import Values, finite, proper, share_difference
from cdp.values.types import Interval

WELCH_SEEDS = 3
"""Seeds that Welch's test takes of each arm: with two in one of them it rejects equal means up to
12 of 100 times (``welch_test``)."""
ALPHA = 0.05
_ROUNDING = 16 * np.finfo(np.float64).eps
_CERTAIN = 1e16


@dataclass(frozen=True)
class Test:
    """A two-sided test of ``second`` minus ``first``. p: in 0..1, None where no test is defined,
    and ``method`` then says why. method: in words, with its numbers ("paired t, 5 shared seeds");
    count: seeds or images the test rests on, of both arms together where they are not paired."""

    difference: Interval
    p: float | None
    method: str
    count: int


def mean_interval(values: Values, *, level: float = 0.95) -> Interval:
    """Mean of n >= 2 seeds with Student's t interval, exact where seeds are normal. Values that are
    all equal give a width of zero."""
    row, n = finite("values", values, least=2), len(values)
    proper("level", level)
    return _t_interval(float(row.mean()), _error(row, float(np.abs(row).max())), n - 1, n, level)


def paired_test(first: Values, second: Values, *, level: float = 0.95) -> Test:
    """Paired t test and interval of ``second`` minus ``first``, value i of both from the same seed,
    n >= 2 seeds. Differences that are all equal leave a t test undefined. Where they are all 0
    nothing speaks for a difference and p is 1; otherwise p is None, as a spread of zero in a few
    seeds is chance and no evidence beyond all bounds. The interval then has a width of zero."""
    before, after, scale = _arms(first, second, 2, level)
    n = len(before)
    if n != len(after):
        raise InputError(
            f"first has {n} seeds and second {len(after)}: pass the seeds that both share, in one"
            " order"
        )
    mean, error = float((after - before).mean()), _error(after - before, scale)
    interval, p = _t_test(mean, error, n - 1, n, level, scale)
    undefined = f"no paired t test: all {n} shared seeds differ by the same"
    return Test(interval, p, undefined if p is None else f"paired t, {n} shared seeds", n)


def welch_test(first: Values, second: Values, *, level: float = 0.95) -> Test:
    """Welch's t test (1947) and interval of ``second`` minus ``first``, at least 3 seeds each,
    degrees of freedom by Satterthwaite (1946).

    An approximation: at level 0.95 and equal means it rejects 3 to 7 of 100 times from 3 to 12
    seeds each (100,000 simulated experiments a pair of sizes, spreads up to 5 times as large in one
    arm). With 2 seeds in one arm and more in the other it would reject up to 12 times, so they are
    refused. Where seeds are shared, ``paired_test`` is exact. Where no arm varies: as in
    ``paired_test``, p is 1 for equal arms and None for others.
    """
    before, after, scale = _arms(first, second, WELCH_SEEDS, level)
    n, m = len(before), len(after)
    errors = np.square([_error(part, scale) for part in (before, after)])
    total = float(errors.sum())
    parts = errors / total if total else np.array([0.5, 0.5])
    freedom = 1 / float((parts**2 / [n - 1, m - 1]).sum())
    value = float(after.mean() - before.mean())
    interval, p = _t_test(value, total**0.5, freedom, n + m, level, scale)
    undefined = f"no Welch t test: neither arm varies over its {n} and {m} seeds"
    return Test(interval, p, undefined if p is None else f"Welch t, {n} and {m} seeds", n + m)


def mcnemar(first: np.ndarray, second: np.ndarray, *, level: float = 0.95) -> Test:
    """McNemar's test (1947) of ``second`` minus ``first``, exact and two-sided: right or not (n,)
    bool, the same n >= 1 images in one order.

    Among images that one of the two gets right and the other does not, either is as likely where
    the two are equally good; without any such image p is 1. The interval is that of
    ``share_difference``, whose level is approximate, so that near the border it and p can disagree.
    It speaks of these two networks: other seeds of the same method vary too.
    """
    for name, part in (("first", first), ("second", second)):
        if part.dtype != np.bool_:
            raise InputError(
                f"{name} holds {part.dtype}: pass True for an image that is right and False for one"
                " that is not"
            )
    difference = share_difference(second, first, level=level)
    p = _sign_p(int((second & ~first).sum()), int((first & ~second).sum()))
    return Test(difference, p, f"McNemar, {len(first):,} shared images", len(first))


def fisher_p(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Fisher's exact test of two shares of different images, two-sided. Each: hits, images."""
    from scipy.stats import fisher_exact

    return min(1.0, float(fisher_exact([[hits, n - hits] for hits, n in (first, second)])[1]))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p values adjusted by Holm's step-down method (1979): rejecting those up to 0.05 errs anywhere
    in at most 5 of 100 such families. The k-th smallest of m is multiplied by m - k + 1, is no
    smaller than the one before it and at most 1. None, a test that could not be made, stays None
    and is not counted."""
    known = [p for p in p_values if p is not None]
    if not all(0 <= p <= 1 for p in known):
        raise InputError(f"p values {known} cannot be adjusted: pass numbers from 0 to 1, or None")
    adjusted, floor = list(p_values), 0.0
    ascending = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    for rank, (p, place) in enumerate(ascending):
        floor = max(floor, min(1.0, p * (len(known) - rank)))
        adjusted[place] = floor
    return adjusted


def weakest(hits: Sequence[int], images: Sequence[int]) -> tuple[int, list[int]]:
    """The place of the lowest share hits/images, and those of the shares that cannot be told from
    it: Fisher's exact test against each other one, adjusted by Holm over all of them. images: at
    least 1 each."""
    parts = list(zip(hits, images, strict=True))
    low = min(range(len(parts)), key=lambda place: hits[place] / images[place])
    others = [place for place in range(len(parts)) if place != low]
    adjusted = holm([fisher_p(parts[low], parts[place]) for place in others])
    return low, [place for place, p in zip(others, adjusted, strict=True) if (p or 0.0) > ALPHA]


def most_frequent(counts: np.ndarray) -> tuple[int, int]:
    """The place of the highest of m counts, and how many of the others cannot be told from it:
    given their sum, either is as likely (binomial test, two-sided), adjusted by Holm over all of
    them."""
    flat = counts.ravel()
    top = int(flat.argmax())
    against = cache(lambda other: _sign_p(int(flat[top]), other))
    adjusted = holm([against(int(other)) for other in np.delete(flat, top)])
    return top, sum((p or 0.0) > ALPHA for p in adjusted)


def power_of(n: int, effect: float, *, level: float = 0.95) -> float:
    """Chance that a two-sided paired t test of n >= 2 pairs finds a difference of ``effect``
    standard deviations of the differences. By the noncentral t distribution with n - 1 degrees of
    freedom and noncentrality sqrt(n) effect; computed as its square, a noncentral F, which scipy
    evaluates in both tails."""
    proper("level", level)
    if n < 2 or not np.isfinite(effect):
        raise InputError(
            f"no power of {n} pairs at an effect of {effect}: pass at least 2 pairs and a finite"
            " effect"
        )
    # Not scipy.stats, which takes ten times as long to import: a page waits for this.
    from scipy.special import ncfdtr, stdtrit

    critical = float(stdtrit(n - 1, (1 + level) / 2))
    noncentral = min(n * float(effect) ** 2, _CERTAIN)
    power = 1 - float(ncfdtr(1, n - 1, noncentral, critical**2))
    # At a noncentrality of 0 scipy's series breaks down; power starts at 1 - level and grows.
    return min(1.0, max(1 - level, power))


def more_seeds(
    differences: Values, *, power: float = 0.8, level: float = 0.95, most: int = 1000
) -> int | None:
    """Further paired seeds with which a paired t test finds a difference of the size seen here with
    this power: 0 where those at hand would. differences: (n,), one a shared seed. None where that
    is unknown: fewer than 2 seeds, a mean of 0, differences without a spread; or more than
    ``most``. Mean and spread of a few seeds are rough, and so is the answer. With m pairs of arms
    under correction pass 1 - (1 - level) / m as level."""
    row, n = finite("differences", differences, least=0), len(differences)
    proper("power", power)
    proper("level", level)
    spread = _error(row, float(np.abs(row).max())) * n**0.5 if n >= 2 else 0.0
    if spread == 0 or row.mean() == 0:
        return None
    effect = float(row.mean()) / spread
    further = bisect_left(
        range(most + 1), power, key=lambda more: power_of(n + more, effect, level=level)
    )
    return further if further <= most else None


def _arms(
    first: Values, second: Values, least: int, level: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Both checked, and the largest size of any of their values."""
    before, after = finite("first", first, least=least), finite("second", second, least=least)
    proper("level", level)
    return before, after, float(max(np.abs(before).max(), np.abs(after).max()))


def _error(values: np.ndarray, scale: float) -> float:
    """Standard error of the mean; 0 where values differ by no more than rounding of numbers as
    large as ``scale``."""
    if float(np.ptp(values)) <= _ROUNDING * scale:
        return 0.0
    return float(values.std(ddof=1)) / len(values) ** 0.5


def _t_interval(value: float, error: float, freedom: float, n: int, level: float) -> Interval:
    from scipy.special import stdtrit

    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    return Interval(value, value - half, value + half, n, level)


def _t_test(
    value: float, error: float, freedom: float, n: int, level: float, scale: float
) -> tuple[Interval, float | None]:
    """A mean difference and its standard error -> interval and p, None where the error is 0 and the
    difference is not."""
    from scipy.special import stdtr

    if error == 0 and abs(value) <= _ROUNDING * scale:
        return Interval(0.0, 0.0, 0.0, n, level), 1.0
    p = 2 * float(stdtr(freedom, -abs(value) / error)) if error else None
    return _t_interval(value, error, freedom, n, level), p


def _sign_p(ups: int, downs: int) -> float:
    """Two-sided sign test: that either is as likely. Without any, p is 1."""
    from scipy.stats import binomtest

    return float(binomtest(ups, ups + downs).pvalue) if ups + downs else 1.0
