"""Alignment and uniformity on the unit sphere (Wang and Isola 2020), with labels in the place of augmentations."""

from __future__ import annotations

import numpy as np

from cdp.embedding.checks import Floats, UndefinedError, class_numbers, feature_rows
from cdp.embedding.intervals import draws, percentile
from cdp.types import Interval


def alignment(features: np.ndarray, labels: np.ndarray, *, n_boot: int = 500, seed: int = 0, level: float = 0.95) -> Interval:
    """Mean squared distance of two images of one class on the sphere (their Eq. 1, alpha 2): 0 is a point a class, 4 the largest.

    Exact over all pairs: |u - v|^2 = 2 - 2 u.v, so a class needs the sum of its unit features only. Classes weigh as their pairs.
    features (n, d) without zero rows, labels (n,). Images are drawn class by class; pairs of an image with itself are left out.
    """
    rows = _unit(features)
    classes = class_numbers("labels", labels, len(rows))
    members = [np.flatnonzero(classes == value) for value in np.unique(classes)]
    if all(len(group) < 2 for group in members):
        raise UndefinedError("alignment of one image a class: pass at least 2 of some class")
    groups = [rows[group] for group in members]
    value = _aligned(groups, [np.ones((1, len(group))) for group in groups])[0]
    rng = np.random.default_rng(seed)
    times = [rng.multinomial(len(g), np.full(len(g), 1 / len(g)), n_boot).astype(np.float64) for g in groups]
    return percentile(float(value), _aligned(groups, times), len(rows), level)


def uniformity(features: np.ndarray, *, n_boot: int = 200, seed: int = 0, level: float = 0.95, most: int = 2000) -> Interval:
    """Log mean of exp(-2 |u - v|^2) over pairs on the sphere (their Eq. 2, t 2): 0 is collapsed, lower is more evenly spread.

    features (n, d) without zero rows. Above ``most`` rows a seeded sample of that many, because pairs are squared.
    """
    rows = _unit(features)
    if len(rows) > most:
        rows = rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])]
    kernel = np.exp(-2 * np.maximum(2 - 2 * rows @ rows.T, 0))
    np.fill_diagonal(kernel, 0)
    times = np.stack([np.bincount(at, minlength=len(rows)) for block in draws(len(rows), n_boot, seed, None) for at in block])
    times = np.vstack([np.ones(len(rows)), times])
    total = (times * (kernel @ times.T).T).sum(axis=1)
    pairs = times.sum(axis=1) ** 2 - np.square(times).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw of one image only has no pairs, and no value
        values = np.log(total / pairs)
    return percentile(float(values[0]), values[1:], len(rows), level)


def _aligned(groups: list[Floats], times: list[Floats]) -> Floats:
    """Alignment for each row of multiplicities: times[c] is (b, n_c) -> (b,)."""
    together = np.zeros(len(times[0]))
    pairs = np.zeros(len(times[0]))
    for rows, weight in zip(groups, times, strict=True):
        copies = np.square(weight).sum(axis=1)
        together += np.square(weight @ rows).sum(axis=1) - copies
        pairs += weight.sum(axis=1) ** 2 - copies
    return np.asarray(2 - 2 * together / pairs)


def _unit(features: np.ndarray) -> Floats:
    rows = feature_rows("features", features, at_least=2)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if (length == 0).any():
        raise UndefinedError(f"features of row {int((length == 0).argmax())} are all zero: they have no direction on the sphere")
    return np.asarray(rows / length)
