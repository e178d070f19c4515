"""The arithmetic of curves over training: smoothing, thinning, gap to the best, intervals, and the
mean over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

Z95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Mean:
    """A mean over runs at each step that any of them has. step: (E,) rising; x, value: (E,) means
    over those that have it; n: (E,) how many.

    low, high: (E,) 95 % interval of the mean, value +- t(n-1) x standard error; nan where one run
    alone says nothing of the spread.
    """

    step: np.ndarray
    x: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray


def smooth(values: np.ndarray, reach: int) -> np.ndarray:
    """Exponential moving average of values (E,), debiased at the start (Kingma and Ba 2014, section
    3): a weighted mean of this point and earlier ones only, so the past of a curve never changes.
    Weights fall by 1 - 1/reach a point; 1 leaves all as it is, nan stays nan."""
    if reach <= 1 or not len(values):
        return values
    known = np.isfinite(values)
    total = _decayed(np.where(known, values, 0.0), 1 - 1 / reach)
    weight = _decayed(known.astype(np.float64), 1 - 1 / reach)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, total / weight, np.nan)


def _decayed(parts: np.ndarray, keep: float) -> np.ndarray:
    """y(t) = keep y(t - 1) + parts(t), (E,), in stretches over which powers of ``keep`` stay far
    from the ends of float64."""
    found = np.empty(len(parts))
    size = max(1, int(200 / -np.log(keep)))
    powers = keep ** np.arange(1, size + 1)
    carried = 0.0
    for first in range(0, len(parts), size):
        part = parts[first : first + size]
        scale = powers[: len(part)]
        found[first : first + size] = scale * (np.cumsum(part / scale) + carried)
        carried = found[first + len(part) - 1]
    return found


def thin(values: np.ndarray, limit: int) -> np.ndarray:
    """Indices, rising, of at most ``limit`` of values (E,): the ends, and the smallest and the
    largest of each of equal stretches between.

    A spike is never lost, and the line fills what the whole curve fills at this width.
    """
    count = len(values)
    if count <= limit:
        return np.arange(count)
    inner = values[1:-1]
    width = -(-len(inner) // ((limit - 2) // 2))
    first = np.arange(0, len(inner), width)
    picked = np.zeros(count, bool)
    picked[[0, -1]] = True
    for sign in (1.0, -1.0):
        key = np.full(len(first) * width, np.inf)
        key[: len(inner)] = np.where(np.isfinite(inner), sign * inner, np.inf)
        picked[first + key.reshape(-1, width).argmin(axis=1) + 1] = True
    return np.flatnonzero(picked)


def gap(robust: np.ndarray) -> np.ndarray:
    """Best so far minus current, (E,), never below 0."""
    return np.fmax.accumulate(robust) - robust


def best(robust: np.ndarray, clean: np.ndarray | None = None) -> int | None:
    """Index of the highest robust accuracy (E,); of equal ones that of higher clean accuracy, then
    the last. None where there is none."""
    if not np.isfinite(robust).any():
        return None
    equal = np.flatnonzero(robust == np.nanmax(robust))
    if clean is not None:
        values = np.nan_to_num(clean[equal], nan=-1.0)
        equal = equal[values == values.max()]
    return int(equal[-1])


def share_band(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % score interval (Wilson 1927) of shares (E,) in 0..1 measured on n (E,) images each:
    (low, high); nan where n is not known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        count = np.where(n >= 1, n, np.nan)
        shrink = 1 + Z95**2 / count
        centre = (share + Z95**2 / (2 * count)) / shrink
        half = Z95 / shrink * np.sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2))
    return np.minimum(share, np.maximum(0.0, centre - half)), np.maximum(
        share, np.minimum(1.0, centre + half)
    )


def mean_over(
    steps: Sequence[np.ndarray], xs: Sequence[np.ndarray], values: Sequence[np.ndarray]
) -> Mean:
    """Mean and 95 % interval over runs. steps: a run's (E_i,) rising whole numbers; xs, values:
    (E_i,) each.

    At a step that some runs have not reached yet, the mean is over those that have, and n says how
    many; x never falls.
    """
    step = (
        steps[0]
        if all(np.array_equal(steps[0], own) for own in steps[1:])
        else np.unique(np.concatenate(steps))
    )
    table = np.full((2, len(steps), len(step)), np.nan)
    for row, (own, x, value) in enumerate(zip(steps, xs, values, strict=True)):
        at = slice(None) if len(own) == len(step) else np.searchsorted(step, own)
        table[0, row, at], table[1, row, at] = x, value
    here = np.isfinite(table[1])
    n = here.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, value = np.where(here, table, 0.0).sum(axis=1) / n
        spread = np.sqrt(np.where(here, (table[1] - value) ** 2, 0.0).sum(axis=0) / (n - 1))
        half = _t95(len(steps))[n] * spread / np.sqrt(n)
    return Mean(step, np.fmax.accumulate(x), value, value - half, value + half, n)


@cache
def _t95(most: int) -> np.ndarray:
    """97.5 % quantile of Student's t for a mean over 0..most values, by their number; nan
    below 2."""
    from scipy.special import stdtrit

    return np.array([np.nan, np.nan, *(stdtrit(n - 1, 0.975) for n in range(2, most + 1))])
