"""Frechet distance between two feature sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.embedding.checks import Floats, Ints, UndefinedError, feature_rows
from cdp.embedding.intervals import Estimate, deal, jackknife, leave_out, without_interval

DIRECTIONS, COARSE = 256, 8
REST = 3.0
"""Without an interval where the next term of the expansion may be more than so many standard
errors; a tenth of it is left."""
A_DIRECTION = 16
"""Images for each direction in which a set varies (the square of the summed eigenvalues over the
sum of their squares), from which on that is so: of ten classes in 16 features the interval covers
42 % at 50 images, 83 % at 100 and 95 % at 200."""


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Frechet distance of the Gaussians fitted to both sets (Dowson and Landau 1982; the
    FID's formula, Heusel 2017).

    first: (n, d), second: (m, d), n, m >= 2 -> ``|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1
    C2)^(1/2))``, in squared feature units, covariances with n - 1. With square roots C = F F' from
    eigenvalues, the last trace is the sum of the singular values of F1' F2: exact, symmetric, and
    real also where a covariance is singular.
    Biased upwards for small sets: compare only at the same n, and with n well above d.
    """
    a = feature_rows("first", first, at_least=2)
    b = feature_rows("second", second, at_least=2, width=a.shape[1])
    return frechet_of_moments(a.mean(axis=0), _covariance(a), b.mean(axis=0), _covariance(b))


def frechet_of_moments(mean_a: Floats, cov_a: Floats, mean_b: Floats, cov_b: Floats) -> float:
    """``frechet_distance`` of two Gaussians. Means (d,), covariances (d, d)."""
    cross = float(np.linalg.svd(_root(cov_a).T @ _root(cov_b), compute_uv=False).sum())
    return max(
        0.0,
        float(np.square(mean_a - mean_b).sum())
        + float(np.trace(cov_a) + np.trace(cov_b))
        - 2 * cross,
    )


def frechet_interval(
    real: np.ndarray,
    fake: np.ndarray,
    real_labels: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    directions: int = DIRECTIONS,
) -> Estimate:
    """Frechet distance of the two distributions, not of the two samples: extrapolated to infinitely
    many images of each.

    The distance of finite sets lies too high by about a/n + b/m (Chong and Forsyth 2020). What
    leaving a group of either side out adds to it on average says how much, and that is taken off;
    so the estimate scatters about the distance of the distributions, below 0 at times where they
    are alike, and sets of different sizes can be compared. The interval is for that distance, too.
    real_labels (n,), labels (m,): classes, where every set has as many images of each. Above
    ``directions`` features both are taken from so many of largest variance.

    Without an interval where there are too few images for the features: the extrapolation in 1/n
    would be off by more than it says, and the value is no more than a hint. Raises UndefinedError
    where it then lies below 0, which is not even that.
    """
    a, b = (
        feature_rows("real", real, at_least=2),
        feature_rows("fake", fake, at_least=2, width=np.shape(real)[1]),
    )
    value, n = frechet_distance(a, b), len(b)
    if a.shape[1] > directions:
        a, b = _leading(a, b, directions)
    fewest = min(len(a), len(b))
    zeros = [
        np.zeros(len(side), np.int64) if classes is None else classes
        for side, classes in ((a, real_labels), (b, labels))
    ]
    first, second = (
        _Left.of(side, *leave_out(classes, seed=seed))
        for side, classes in zip((a, b), zeros, strict=True)
    )
    plain = frechet_of_moments(*first.whole, *second.whole)
    theirs, own = _distances(second.whole, first.without), _distances(first.whole, second.without)
    bias = sum((len(side) - 1) * (float(side.mean()) - plain) for side in (own, theirs))
    few = [min(COARSE, len(side)) for side in (a, b)]
    coarse = [
        _Left.of(side, deal(classes, count, seed=seed)[0], count)
        for side, classes, count in zip((a, b), zeros, few, strict=True)
    ]
    together = np.stack([_distances(one, coarse[1].without) for one in coarse[0].without])
    found = jackknife(
        value - bias, [own, theirs], n, together=together, sizes=(len(a), len(b)), level=level
    )
    # The next term of the expansion in 1/n is about the first one times features over images, and
    # part of it is left.
    rest = bias * a.shape[1] / fewest
    if rest > REST * found.error or fewest < A_DIRECTION * max(
        _spread(first.whole[1]), _spread(second.whole[1])
    ):
        said = (
            f"{fewest:,} images are too few for {a.shape[1]:,} features to extrapolate to the"
            " distance of the distributions: measure more images"
        )
        if value < bias:
            raise UndefinedError(said)
        return without_interval(value - bias, n, said, level=level)
    return found


@dataclass(frozen=True)
class _Left:
    """Mean and covariance of a set, and those without each group of images."""

    whole: tuple[Floats, Floats]
    without: list[tuple[Floats, Floats]]

    @classmethod
    def of(cls, rows: Floats, groups: Ints, count: int) -> _Left:
        centre = rows.mean(axis=0)
        parts = [rows[groups == group] - centre for group in range(count)]
        square = sum(part.T @ part for part in parts)
        without = []
        for part in parts:
            left = len(rows) - len(part)
            mean = -part.sum(axis=0) / left
            without.append(
                (
                    centre + mean,
                    (square - part.T @ part - left * np.outer(mean, mean)) / max(left - 1, 1),
                )
            )
        return cls((centre, square / (len(rows) - 1)), without)


def _distances(fixed: tuple[Floats, Floats], others: list[tuple[Floats, Floats]]) -> Floats:
    """``frechet_of_moments`` of one Gaussian and each of the others, with the root of the one taken
    once."""
    mean, covariance = fixed
    root = _root(covariance)
    found = []
    for other, spread in others:
        cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root.T @ spread @ root), 0)).sum()
        found.append(
            float(
                np.square(mean - other).sum() + np.trace(covariance) + np.trace(spread) - 2 * cross
            )
        )
    return np.asarray(found)


def _leading(a: Floats, b: Floats, count: int) -> tuple[Floats, Floats]:
    """Both in the coordinates of the directions in which they vary most together."""
    both = np.concatenate([a, b])
    directions = np.linalg.eigh(_covariance(both))[1][:, -count:]
    return a @ directions, b @ directions


def _spread(covariance: Floats) -> float:
    """In how many directions a set varies: d where it does so evenly in all, 1 in a single one, 0
    where it does not vary."""
    total = float(np.square(covariance).sum())
    return float(np.trace(covariance)) ** 2 / total if total > 0 else 0.0


def _covariance(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred.T @ centred / (len(rows) - 1))


def _root(covariance: Floats) -> Floats:
    """F with F F' = covariance, (d, d)."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))
