"""What can be said from a few seeds: intervals of a mean, differences of two arms with t tests, and
how many more seeds would settle it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from cdp.errors import InputError
from cdp.statistics.checks import Values, finite, share_of
from cdp.values.types import Interval

WELCH_SEEDS = 3
"""Seeds that Welch's test takes of each arm: with two in one of them it rejects equal means up to
12 of 100 times (``welch_test``)."""
_ROUNDING = 16 * np.finfo(np.float64).eps
_CERTAIN = 1e16


@dataclass(frozen=True)
class Test:
    """A two-sided test of ``second`` minus ``first``. p: in 0..1, None where no test is defined,
    and ``method`` then says why.

    method: in words, with its numbers ("paired t, 5 shared seeds"); count: seeds or images the test
    rests on, of both arms together where they are not paired.
    """

    difference: Interval
    p: float | None
    method: str
    count: int


def mean_interval(values: Values, *, level: float = 0.95) -> Interval:
    """Mean of n >= 2 seeds with Student's t interval, exact where seeds are normal. Values that are
    all equal give a width of zero."""
    found = finite("values", values, least=2)
    share_of("level", level)
    return _t_interval(
        float(found.mean()),
        _error(found, float(np.abs(found).max())),
        len(found) - 1,
        len(found),
        level,
    )


def paired_test(first: Values, second: Values, *, level: float = 0.95) -> Test:
    """Paired t test and interval of ``second`` minus ``first``, value i of both from the same seed,
    n >= 2 seeds.

    Differences that are all equal leave a t test undefined. Where they are all 0 nothing speaks for
    a difference and p is 1; otherwise p is None, as a spread of zero in a few seeds is chance and
    no evidence beyond all bounds. The interval then has a width of zero.
    """
    before, after = finite("first", first, least=2), finite("second", second, least=2)
    share_of("level", level)
    if len(before) != len(after):
        raise InputError(
            f"first has {len(before)} seeds and second {len(after)}: pass the seeds that both"
            " share, in one order"
        )
    n, scale = len(before), float(max(np.abs(before).max(), np.abs(after).max()))
    difference = after - before
    found, p = _t_test(float(difference.mean()), _error(difference, scale), n - 1, n, level, scale)
    method = (
        f"paired t, {n} shared seeds"
        if p is not None
        else f"no paired t test: all {n} shared seeds differ by the same"
    )
    return Test(found, p, method, n)


def welch_test(first: Values, second: Values, *, level: float = 0.95) -> Test:
    """Welch's t test (1947) and interval of ``second`` minus ``first``, at least 3 seeds each,
    degrees of freedom by Satterthwaite (1946).

    An approximation: at level 0.95 and equal means it rejects 3 to 7 of 100 times from 3 to 12
    seeds each (100,000 simulated experiments a pair of sizes, spreads up to 5 times as large in one
    arm). With 2 seeds in one arm and more in the other it would reject up to 12 times, so they are
    refused. Where seeds are shared, ``paired_test`` is exact. Where no arm varies: as in
    ``paired_test``, p is 1 for equal arms and None for others.
    """
    before, after = (
        finite("first", first, least=WELCH_SEEDS),
        finite("second", second, least=WELCH_SEEDS),
    )
    share_of("level", level)
    scale = float(max(np.abs(before).max(), np.abs(after).max()))
    errors = np.square([_error(part, scale) for part in (before, after)])
    total = float(errors.sum())
    parts = errors / total if total else np.array([0.5, 0.5])
    freedom = 1 / float((parts**2 / [len(before) - 1, len(after) - 1]).sum())
    found, p = _t_test(
        float(after.mean() - before.mean()),
        total**0.5,
        freedom,
        len(before) + len(after),
        level,
        scale,
    )
    seeds = f"{len(before)} and {len(after)} seeds"
    return Test(
        found,
        p,
        (
            f"Welch t, {seeds}"
            if p is not None
            else f"no Welch t test: neither arm varies over its {seeds}"
        ),
        found.n,
    )


def power_of(n: int, effect: float, *, level: float = 0.95) -> float:
    """Chance that a two-sided paired t test of n >= 2 pairs finds a difference of ``effect``
    standard deviations of the differences.

    By the noncentral t distribution with n - 1 degrees of freedom and noncentrality sqrt(n) effect;
    computed as its square, a noncentral F, which scipy evaluates in both tails.
    """
    share_of("level", level)
    if n < 2 or not np.isfinite(effect):
        raise InputError(
            f"no power of {n} pairs at an effect of {effect}: pass at least 2 pairs and a finite"
            " effect"
        )
    from scipy.stats import ncf, t

    critical = float(t.ppf((1 + level) / 2, n - 1))
    found = float(ncf.sf(critical**2, 1, n - 1, min(n * float(effect) ** 2, _CERTAIN)))
    # At a noncentrality of 0 scipy's series breaks down; power starts at 1 - level and grows.
    return min(1.0, max(1 - level, found))


def more_seeds(
    differences: Values, *, power: float = 0.8, level: float = 0.95, most: int = 1000
) -> int | None:
    """Further paired seeds with which a paired t test finds a difference of the size seen here with
    this power: 0 where those at hand would.

    differences: (n,), one a shared seed. None where that is unknown: fewer than 2 seeds, a mean of
    0, differences without a spread; or more than ``most``. Mean and spread of a few seeds are
    rough, and so is the answer. With m pairs of arms under correction pass 1 - (1 - level) / m as
    level.
    """
    found = finite("differences", differences, least=0)
    share_of("power", power)
    share_of("level", level)
    n = len(found)
    if n < 2 or not found.any():
        return None
    spread = _error(found, float(np.abs(found).max())) * n**0.5
    if spread == 0 or found.mean() == 0:
        return None
    effect = float(found.mean()) / spread
    further = bisect_left(
        range(most + 1), power, key=lambda more: power_of(n + more, effect, level=level)
    )
    return further if further <= most else None


def _error(values: np.ndarray, scale: float) -> float:
    """Standard error of the mean; 0 where values differ by no more than rounding of numbers as
    large as ``scale``."""
    if float(np.ptp(values)) <= _ROUNDING * scale:
        return 0.0
    return float(values.std(ddof=1)) / len(values) ** 0.5


def _t_interval(value: float, error: float, freedom: float, n: int, level: float) -> Interval:
    from scipy.stats import t

    half = float(t.ppf((1 + level) / 2, freedom)) * error
    return Interval(value, value - half, value + half, n, level)


def _t_test(
    value: float, error: float, freedom: float, n: int, level: float, scale: float
) -> tuple[Interval, float | None]:
    """A mean difference and its standard error -> interval and p, None where the error is 0 and the
    difference is not."""
    from scipy.stats import t

    if error == 0 and abs(value) <= _ROUNDING * scale:
        return Interval(0.0, 0.0, 0.0, n, level), 1.0
    found = _t_interval(value, error, freedom, n, level)
    return found, 2 * float(t.sf(abs(value) / error, freedom)) if error else None
