"""Alignment and uniformity on the unit sphere (Wang and Isola 2020), with labels in the place of
augmentations."""

from __future__ import annotations

import numpy as np

from cdp.embedding.checks import Floats, UndefinedError, class_numbers, feature_rows
from cdp.embedding.intervals import Estimate, balanced_sample, jackknife, leave_out


def alignment(
    features: np.ndarray, labels: np.ndarray, *, seed: int = 0, level: float = 0.95
) -> Estimate:
    """Mean squared distance of two images of one class on the sphere (their Eq. 1, alpha 2): 0 is a
    point a class, 4 the largest.

    Exact over all pairs: |u - v|^2 = 2 - 2 u.v, so a class needs the sum of its unit features only.
    Classes weigh as their pairs. features (n, d) without zero rows, labels (n,). The interval
    leaves groups of images out.
    """
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
        value,
        [_aligned(sums.sum(axis=0) - sums, sizes.sum(axis=0) - sizes)],
        len(rows),
        level=level,
    )


def uniformity(
    features: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    most: int = 2000,
) -> Estimate:
    """Log mean of exp(-2 |u - v|^2) over pairs on the sphere (their Eq. 2, t 2): 0 is collapsed,
    lower is more evenly spread.

    features (n, d) without zero rows. Above ``most`` rows a seeded sample of that many, because
    pairs are squared. labels (n,): classes, where every set has as many images of each. The
    interval
    leaves groups of images out.
    """
    rows = _unit(features)
    count = len(rows)
    classes = (
        np.zeros(count, np.int64) if labels is None else class_numbers("labels", labels, count)
    )
    if count > most:
        some = balanced_sample(classes, most, seed)
        rows, classes = rows[some], classes[some]
    groups, number = leave_out(classes, seed=seed)
    member = (groups[:, None] == np.arange(number)).astype(np.float64)
    kernel = np.exp(-2 * np.maximum(2 - 2 * rows @ rows.T, 0))
    np.fill_diagonal(kernel, 0)
    sums, sizes = member.T @ kernel @ member, member.sum(axis=0)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # without a group there may be one image only, which has no pairs
        values = np.log(without_each(sums) / (_pairs(len(rows) - sizes)))
    return jackknife(
        float(np.log(sums.sum() / _pairs(np.float64(len(rows))))), [values], count, level=level
    )


def without_each(sums: Floats) -> Floats:
    """sums: (G, G) over pairs of images of two groups -> (G,) sum over the pairs without each
    group."""
    return np.asarray(sums.sum() - sums.sum(axis=0) - sums.sum(axis=1) + np.diag(sums))


def _pairs(size: Floats | np.float64) -> Floats:
    return np.asarray(size * (size - 1))


def _aligned(sums: Floats, sizes: Floats) -> Floats:
    """sums: (..., K, d) of the unit features of each class; sizes: (..., K) -> (...)."""
    together = (np.square(sums).sum(axis=-1) - sizes).sum(axis=-1)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # without a group every class may have one image only
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
