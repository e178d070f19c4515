"""How far a set is from real images, by the Frechet distance, by a classifier and by the maximum
mean discrepancy; and how it lies on the unit sphere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.embedding.classes import FOLDS, held_out_shares
from cdp.embedding.intervals import Estimate, estimate, jackknife, without_interval
from cdp.embedding.rows import (
    Floats,
    Ints,
    Parts,
    UndefinedError,
    balanced_sample,
    class_numbers,
    deal,
    feature_rows,
    leave_out,
)

DIRECTIONS, COARSE, MOST = 256, 8, 2000
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

    first: (n, d), second: (m, d) -> ``|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))``,
    covariances with n - 1. With C = F F' the last trace is the sum of the singular values of F1'
    F2: exact, symmetric, and real also where a covariance is singular. Biased upwards for small
    sets: compare only at the same n.
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
) -> Estimate:
    """Frechet distance of the two distributions: extrapolated to infinitely many images of each.

    The distance of finite sets lies too high by about a/n + b/m (Chong and Forsyth 2020); what
    leaving a group of either side out adds to it says how much, and that is taken off. So it lies
    below 0 at times, and sets of different sizes can be compared. Labels: classes of which every
    set has as many images. Above ``DIRECTIONS`` features both are taken from those of largest
    variance. Without an interval, or undefined below 0, where there are too few images for the
    features.
    """
    a, b = (
        feature_rows("real", real, at_least=2),
        feature_rows("fake", fake, at_least=2, width=np.shape(real)[1]),
    )
    value, n = frechet_distance(a, b), len(b)
    if a.shape[1] > DIRECTIONS:
        a, b = _leading(a, b, DIRECTIONS)
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
    together = np.stack([_distances(moments, coarse[1].without) for moments in coarse[0].without])
    figure = jackknife(value - bias, [own, theirs], n, together=together, sizes=(len(a), len(b)))
    # The next term of the expansion in 1/n is about the first one times features over images, and
    # part of it is left.
    rest = bias * a.shape[1] / fewest
    if rest > REST * figure.error or fewest < A_DIRECTION * max(
        _spread(first.whole[1]), _spread(second.whole[1])
    ):
        said = (
            f"{fewest:,} images are too few for {a.shape[1]:,} features to extrapolate to the"
            " distance of the distributions: measure more images"
        )
        if value < bias:
            raise UndefinedError(said)
        return without_interval(value - bias, n, said)
    return figure


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
            spread = square - part.T @ part - left * np.outer(mean, mean)
            without.append((centre + mean, spread / max(left - 1, 1)))
        return cls((centre, square / (len(rows) - 1)), without)


def _distances(fixed: tuple[Floats, Floats], others: list[tuple[Floats, Floats]]) -> Floats:
    """``frechet_of_moments`` of one Gaussian and each of the others."""
    mean, covariance = fixed
    root = _root(covariance)
    away = []
    for other, spread in others:
        cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root.T @ spread @ root), 0)).sum()
        apart = np.square(mean - other).sum() + np.trace(covariance) + np.trace(spread)
        away.append(float(apart - 2 * cross))
    return np.asarray(away)


def _leading(a: Floats, b: Floats, count: int) -> tuple[Floats, Floats]:
    """Both in the coordinates of the directions in which they vary most together."""
    both = np.concatenate([a, b])
    directions = np.linalg.eigh(_covariance(both))[1][:, -count:]
    return a @ directions, b @ directions


def _spread(covariance: Floats) -> float:
    """In how many directions a set varies: d where evenly in all, 1 in one, 0 in none."""
    total = float(np.square(covariance).sum())
    return float(np.trace(covariance)) ** 2 / total if total > 0 else 0.0


def _covariance(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred.T @ centred / (len(rows) - 1))


def _root(covariance: Floats) -> Floats:
    """F with F F' = covariance, (d, d)."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def classifier_auc(
    real: np.ndarray, fake: np.ndarray, parts: Parts | None = None, *, seed: int = 0
) -> Estimate:
    """AUC of a cross-validated logistic regression that tells real (n, d) from fake (m, d): 0.5 is
    indistinguishable (Lopez-Paz and Oquab 2017). The interval trains it again in each part."""
    rows = feature_rows("real", real, at_least=FOLDS)
    others = feature_rows("fake", fake, at_least=FOLDS, width=rows.shape[1])
    parts = parts or Parts.of(
        np.zeros(len(others), np.int64), np.zeros(len(rows), np.int64), seed=seed
    )
    value = _auc(rows, others, seed)
    smallest = min(len(others), len(rows)) // parts.count
    if smallest < FOLDS:
        raise UndefinedError(
            f"an interval of the AUC takes {FOLDS} images of each side in every part, and there are"
            f" {smallest}: measure more images"
        )
    values = parts.values(lambda own, theirs: [_auc(rows[theirs], others[own], seed)])
    return estimate(value, values[:, :, 0], len(rows) + len(others), scale="share")


def _auc(real: Floats, fake: Floats, seed: int) -> float:
    from scipy.stats import rankdata

    both, side = np.concatenate([real, fake]), np.repeat([0, 1], [len(real), len(fake)])
    score = held_out_shares(both, side, seed=seed)[:, 1]
    # Mann-Whitney's U, ties counting half.
    above = rankdata(score)[side == 1].sum() - len(fake) * (len(fake) + 1) / 2
    return float(above / (len(real) * len(fake)))


def mmd(
    real: np.ndarray,
    fake: np.ndarray,
    real_labels: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    seed: int = 0,
) -> Estimate:
    """Unbiased squared maximum mean discrepancy (Gretton 2012, Eq. 3), Gaussian kernel at the
    median distance, of real (n, d) and fake (m, d). The interval leaves groups of either side out,
    with the kernel as it is."""
    rows = feature_rows("real", real, at_least=2)
    others = feature_rows("fake", fake, at_least=2, width=rows.shape[1])
    both = np.concatenate([rows, others])
    both = both - both.mean(axis=0)
    squared = _squared_distances(both)
    pairs = np.concatenate([row[at + 1 :] for at, row in enumerate(squared)])
    scale = float(np.median(pairs))
    if scale == 0:
        raise UndefinedError("MMD of features that never vary: the kernel has no width")
    kernel = np.exp(-squared / scale)
    np.fill_diagonal(kernel, 0)
    n, m = len(rows), len(others)
    first, second = _members(n, real_labels, seed), _members(m, labels, seed)
    inner, outer, cross = (
        first.T @ kernel[:n, :n] @ first,
        second.T @ kernel[n:, n:] @ second,
        first.T @ kernel[:n, n:] @ second,
    )
    left, right = n - first.sum(axis=0), m - second.sum(axis=0)
    within = inner.sum() / (n * (n - 1)), outer.sum() / (m * (m - 1))
    value = within[0] + within[1] - 2 * cross.sum() / (n * m)
    # Without a group there may be one image only, which has no pairs.
    with np.errstate(divide="ignore", invalid="ignore"):
        own = (
            within[0]
            + without_each(outer) / (right * (right - 1))
            - 2 * (cross.sum() - cross.sum(axis=0)) / (n * right)
        )
        theirs = (
            within[1]
            + without_each(inner) / (left * (left - 1))
            - 2 * (cross.sum() - cross.sum(axis=1)) / (left * m)
        )
        both = cross.sum() - cross.sum(axis=0) - cross.sum(axis=1)[:, None] + cross
        together = -2 * both / (left[:, None] * right)
    return jackknife(float(value), [own, theirs], n + m, together=together, sizes=(n, m))


def _members(size: int, labels: np.ndarray | None, seed: int) -> Floats:
    """(size, G) which group each image is in."""
    groups, count = leave_out(np.zeros(size, np.int64) if labels is None else labels, seed=seed)
    return (groups[:, None] == np.arange(count)).astype(np.float64)


def _squared_distances(rows: Floats) -> Floats:
    norms = np.square(rows).sum(axis=1)
    return np.asarray(np.maximum(norms[:, None] + norms - 2 * rows @ rows.T, 0))


def alignment(features: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> Estimate:
    """Mean squared distance of two images of one class on the sphere (their Eq. 1, alpha 2): 0 is a
    point a class, 4 the largest. Exact over all pairs, as |u - v|^2 = 2 - 2 u.v. Classes weigh as
    their pairs. The interval leaves groups of images out."""
    rows = _unit(features)
    classes = class_numbers("labels", labels, len(rows))
    names, coded = np.unique(classes, return_inverse=True)
    if np.bincount(coded).max() < 2:
        raise UndefinedError(
            "every class has one image only, and alignment compares images of one class: use 2 or"
            " more"
        )
    groups, count = leave_out(classes, seed=seed)
    sums, sizes = np.zeros((count, len(names), rows.shape[1])), np.zeros((count, len(names)))
    np.add.at(sums, (groups, coded), rows)
    np.add.at(sizes, (groups, coded), 1)
    value = float(_aligned(sums.sum(axis=0), sizes.sum(axis=0)))
    return jackknife(
        value, [_aligned(sums.sum(axis=0) - sums, sizes.sum(axis=0) - sizes)], len(rows)
    )


def uniformity(
    features: np.ndarray, labels: np.ndarray | None = None, *, seed: int = 0
) -> Estimate:
    """Log mean of exp(-2 |u - v|^2) over pairs on the sphere (their Eq. 2, t 2): 0 is collapsed,
    lower more evenly spread. Above ``MOST`` rows of a seeded sample. The interval leaves groups
    out."""
    rows = _unit(features)
    count = len(rows)
    classes = (
        np.zeros(count, np.int64) if labels is None else class_numbers("labels", labels, count)
    )
    if count > MOST:
        some = balanced_sample(classes, MOST, seed)
        rows, classes = rows[some], classes[some]
    groups, number = leave_out(classes, seed=seed)
    member = (groups[:, None] == np.arange(number)).astype(np.float64)
    kernel = np.exp(-2 * np.maximum(2 - 2 * rows @ rows.T, 0))
    np.fill_diagonal(kernel, 0)
    sums, sizes = member.T @ kernel @ member, member.sum(axis=0)
    # Without a group there may be one image only, which has no pairs.
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log(without_each(sums) / (_pairs(len(rows) - sizes)))
    return jackknife(float(np.log(sums.sum() / _pairs(np.float64(len(rows))))), [values], count)


def without_each(sums: Floats) -> Floats:
    """sums (G, G) over pairs of two groups -> (G,) over the pairs without each group."""
    return np.asarray(sums.sum() - sums.sum(axis=0) - sums.sum(axis=1) + np.diag(sums))


def _pairs(size: Floats | np.float64) -> Floats:
    return np.asarray(size * (size - 1))


def _aligned(sums: Floats, sizes: Floats) -> Floats:
    """sums: (..., K, d) of the unit features of each class; sizes: (..., K) -> (...)."""
    together = (np.square(sums).sum(axis=-1) - sizes).sum(axis=-1)
    # Without a group every class may have one image only.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2 - 2 * together / _pairs(sizes).sum(axis=-1))


def _unit(features: np.ndarray) -> Floats:
    rows = feature_rows("features", features, at_least=2)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if (length == 0).any():
        raise UndefinedError(
            f"features of row {int((length == 0).argmax())} are all zero: they have no direction on"
            " the sphere"
        )
    return np.asarray(rows / length)
