"""Intervals of what is measured on images: agreement with labels in closed form, the percentile bootstrap for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cdp.embedding.checks import Floats, Ints, UndefinedError, class_numbers
from cdp.errors import InputError
from cdp.statistics.shares import quantile_of, share_difference, wilson
from cdp.types import Interval

Statistic = Callable[..., float]
_DRAWS_AT_ONCE = 1 << 21


def agreement(predicted: np.ndarray, labels: np.ndarray, *, level: float = 0.95) -> Interval:
    """Share of images predicted as labelled. predicted, labels: (n,) class numbers."""
    labels = class_numbers("labels", labels, len(labels))
    predicted = class_numbers("predicted", predicted, len(labels))
    if not len(labels):
        raise UndefinedError("agreement of no images: pass at least 1")
    return wilson(int((predicted == labels).sum()), len(labels), level=level)


def agreement_difference(first: np.ndarray, second: np.ndarray, labels: np.ndarray, *, level: float = 0.95) -> Interval:
    """Agreement of ``first`` minus that of ``second``, on the same n labelled images: predictions (n,) each; ``share_difference``'s interval."""
    labels = class_numbers("labels", labels, len(labels))
    if not len(labels):
        raise UndefinedError("agreement of no images: pass at least 1")
    right, other = (class_numbers("predicted", part, len(labels)) == labels for part in (first, second))
    return share_difference(right, other, level=level)


def bootstrap(
    statistic: Statistic,
    *arrays: np.ndarray,
    n_boot: int = 500,
    seed: int = 0,
    level: float = 0.95,
    strata: np.ndarray | None = None,
) -> Interval:
    """Percentile bootstrap (Efron 1979) of ``statistic(*arrays)``, resampling the rows of all arrays together.

    arrays: n >= 2 rows each. strata: (n,) class numbers; classes then keep their sizes, as in a class-balanced set.
    ``between_within_ratio`` has its own, faster and less biased: ``separation_interval``.
    """
    n = _common_length(arrays)
    values = [statistic(*(array[rows] for array in arrays)) for rows in _resamples(n, n_boot, seed, strata)]
    return percentile(statistic(*arrays), np.asarray(values), n, level)


def paired_bootstrap(
    statistic: Statistic,
    first: tuple[np.ndarray, ...],
    second: tuple[np.ndarray, ...],
    *,
    n_boot: int = 500,
    seed: int = 0,
    level: float = 0.95,
    strata: np.ndarray | None = None,
) -> Interval:
    """Percentile bootstrap of ``statistic(*first) - statistic(*second)`` where row i of both arms came from the same noise.

    Both arms take the same resampled rows, so what they have in common cancels. Arguments as in ``bootstrap``.
    """
    n = _common_length(first + second)
    values = [
        statistic(*(array[rows] for array in first)) - statistic(*(array[rows] for array in second))
        for rows in _resamples(n, n_boot, seed, strata)
    ]
    return percentile(statistic(*first) - statistic(*second), np.asarray(values), n, level)


def percentile(value: float, resampled: Floats, n: int, level: float) -> Interval:
    """The central ``level`` of the resampled values. Raises UndefinedError where the bounds are not finite."""
    if len(resampled) < 2:
        raise InputError(f"{len(resampled)} resamples give no interval: raise n_boot")
    quantile_of(level)
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UndefinedError(f"{n} images are too few for an interval of this figure: generate more a class")
    return Interval(float(value), float(low), float(high), n, level)


def draws(n: int, n_boot: int, seed: int | tuple[int, ...], strata: np.ndarray | None) -> Iterator[Ints]:
    """Blocks (b, n) of row numbers drawn with replacement, n_boot rows in all; row i is replaced from its own stratum."""
    rng = np.random.default_rng(seed)
    groups = [np.arange(n)] if strata is None else [np.flatnonzero(strata == c) for c in np.unique(strata)]
    block = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, n_boot, block):
        rows = np.empty((min(block, n_boot - start), n), np.int64)
        for members in groups:
            rows[:, members] = members[rng.integers(0, len(members), (len(rows), len(members)))]
        yield rows


def _resamples(n: int, n_boot: int, seed: int, strata: np.ndarray | None) -> Iterator[Ints]:
    strata = None if strata is None else class_numbers("strata", strata, n)
    for block in draws(n, n_boot, seed, strata):
        yield from block


def _common_length(arrays: tuple[np.ndarray, ...]) -> int:
    lengths = sorted({len(array) for array in arrays})
    if len(lengths) != 1:
        raise InputError(f"arrays of {lengths} rows cannot be resampled together: pass one row an image in each")
    if lengths[0] < 2:
        raise UndefinedError(f"{lengths[0]} images give no bootstrap interval: pass at least 2")
    return lengths[0]
