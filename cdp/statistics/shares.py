"""Shares of images and their intervals: one set of images, or two predictions of the same
images; and what every function here asks of its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from cdp.errors import InputError
from cdp.values.types import Interval

Values = Sequence[float] | np.ndarray


def wilson(hits: int, n: int, *, level: float = 0.95) -> Interval:
    """Share hits/n with Wilson's score interval (1927): keeps its level for small n and for shares
    near 0 or 1."""
    if not 0 <= hits <= n or n < 1:
        raise InputError(f"{hits} hits of {n}: pass 0 to n hits of at least 1")
    return share_interval(hits / n, n, n, level=level)


def share_of(hits: np.ndarray) -> Interval:
    """Of (n,) bool."""
    return wilson(int(hits.sum()), len(hits))


def share_interval(share: float, answers: float, n: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share that rests on as many independent yes-or-no ``answers``,
    from n images. For a mean of shares, as of neighbours, the answers are n times the variance of a
    yes-or-no over that of the shares (Kish's effective sample size)."""
    return Interval(share, *wilson_bounds(share, answers, quantile_of(level)), n, level)


def wilson_bounds(share: float, answers: float, z: float) -> tuple[float, float]:
    """Wilson's score bounds for a quantile z: the normal one, or Student's t where the number of
    answers is an estimate itself."""
    shrink = 1 + z * z / answers
    centre = (share + z * z / (2 * answers)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / answers + z * z / (4 * answers * answers))
    # At shares of 0 and 1 the bound is the share itself; rounding must not put it outside.
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


def near_chance(share: float, n: int, classes: int) -> bool:
    """Whether a share right of n images is no more than guessing among so many classes gives, two
    standard errors allowed."""
    chance = 1 / classes
    return share <= chance + 2 * math.sqrt(chance * (1 - chance) / n)


def share_difference(first: np.ndarray, second: np.ndarray, *, level: float = 0.95) -> Interval:
    """Share of ``first`` minus that of ``second``, yes or no (n,) bool of the same n >= 1 images.
    Interval: Agresti and Min 2005, Wald on the paired table with 1/2 added to each cell. A
    bootstrap would report a width of zero where the two happen to agree on every image."""
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise InputError(
            f"answers of shapes {first.shape} and {second.shape} cannot be paired: pass one of each"
            " an image"
        )
    n, gains, losses = len(first), int((first & ~second).sum()), int((second & ~first).sum())
    net, z = gains - losses, quantile_of(level)
    centre = net / (n + 2)
    half = z * math.sqrt(gains + losses + 1 - net**2 / (n + 2)) / (n + 2)
    return Interval(net / n, max(-1.0, centre - half), min(1.0, centre + half), n, level)


def newcombe(first: Interval, second: Interval) -> Interval:
    """``second`` minus ``first``, independent shares with Wilson's intervals (Newcombe 1998, method
    10). n: the smaller one."""
    value = second.value - first.value
    low = value - math.hypot(second.value - second.low, first.high - first.value)
    high = value + math.hypot(second.high - second.value, first.value - first.low)
    return Interval(value, low, high, min(first.n, second.n), first.level)


def quantile_of(level: float) -> float:
    """Two-sided normal quantile: 1.96 at level 0.95."""
    return NormalDist().inv_cdf((1 + proper("level", level)) / 2)


def proper(name: str, value: float) -> float:
    """value, a number strictly between 0 and 1. Raises InputError otherwise."""
    if not 0 < value < 1:
        raise InputError(f"{name} is {value}: choose a number between 0 and 1, such as 0.95")
    return value


def finite(name: str, values: Values, *, least: int = 1) -> np.ndarray:
    """values as (n,) float64. Raises InputError where they are fewer than ``least``, not in one
    row, or not finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < least:
        raise InputError(f"{name} has shape {array.shape}: pass a row of at least {least}")
    if not np.isfinite(array).all():
        raise InputError(
            f"{name} holds values that are not finite: leave out seeds without a result"
        )
    return array
