"""Frechet distance between two feature sets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cdp.embedding.checks import Floats, feature_rows
from cdp.embedding.intervals import percentile
from cdp.types import Interval

_GROUPS, _DIRECTIONS = 250, 128


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Frechet distance of the Gaussians fitted to both sets (Dowson and Landau 1982; the FID's formula, Heusel 2017).

    first: (n, d), second: (m, d), n, m >= 2 -> ``|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))``, in squared feature
    units, covariances with n - 1. With square roots C = F F' from eigenvalues, the last trace is the sum of the singular values of
    F1' F2: exact, symmetric, and real also where a covariance is singular.
    Biased upwards for small sets: compare only at the same n, and with n well above d.
    """
    a = feature_rows("first", first, at_least=2)
    b = feature_rows("second", second, at_least=2, width=a.shape[1])
    return frechet_of_moments(a.mean(axis=0), _covariance(a), b.mean(axis=0), _covariance(b))


def frechet_of_moments(mean_a: Floats, cov_a: Floats, mean_b: Floats, cov_b: Floats) -> float:
    """``frechet_distance`` of two Gaussians. Means (d,), covariances (d, d)."""
    cross = float(np.linalg.svd(_root(cov_a).T @ _root(cov_b), compute_uv=False).sum())
    return max(0.0, float(np.square(mean_a - mean_b).sum()) + float(np.trace(cov_a) + np.trace(cov_b)) - 2 * cross)


def frechet_interval(
    real: np.ndarray, fake: np.ndarray, *, n_boot: int = 200, seed: int = 0, level: float = 0.95, directions: int = _DIRECTIONS
) -> Interval:  # fmt: skip
    """Frechet distance with a bootstrap interval over both sides, moved back by the bootstrap's own bias.

    The distance grows with the noise of its moments, so resampled values lie too high; their spread is what the interval takes.
    Each side is dealt at random into at most 250 groups, which are drawn in the place of images: a draw then costs a sum of 250
    moments, whatever the size of the set. Above ``directions`` features the spread is that within so many of largest variance.
    """
    value = frechet_distance(real, fake)
    a, b = feature_rows("real", real), feature_rows("fake", fake)
    if a.shape[1] > directions:
        a, b = _leading(a, b, directions)
    rng = np.random.default_rng(seed)
    values = np.array([
        frechet_of_moments(*one, *other) for one, other in zip(_drawn(a, n_boot, rng), _drawn(b, n_boot, rng), strict=True)
    ])  # fmt: skip
    moved = percentile(value, values - values.mean() + value, len(fake), level)
    return Interval(value, max(0.0, moved.low), moved.high, moved.n, level)


def _drawn(rows: Floats, n_boot: int, rng: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
    """Mean and covariance of n_boot sets, each made of groups of ``rows`` drawn with replacement."""
    centre = rows.mean(axis=0)
    groups = np.array_split(rng.permutation(rows) - centre, min(len(rows), _GROUPS))
    sizes = np.array([len(group) for group in groups], np.float64)
    sums = np.stack([group.sum(axis=0) for group in groups])
    squares = np.stack([group.T @ group for group in groups]).reshape(len(groups), -1)
    for times in rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), n_boot):
        count = times @ sizes
        mean = times @ sums / count
        square = (times @ squares).reshape(len(mean), -1)
        yield centre + mean, (square - count * np.outer(mean, mean)) / (count - 1)


def _leading(a: Floats, b: Floats, count: int) -> tuple[Floats, Floats]:
    """Both in the coordinates of the directions in which they vary most together."""
    both = np.concatenate([a, b])
    directions = np.linalg.eigh(_covariance(both))[1][:, -count:]
    return a @ directions, b @ directions


def _covariance(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred.T @ centred / (len(rows) - 1))


def _root(covariance: Floats) -> Floats:
    """F with F F' = covariance, (d, d)."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))
