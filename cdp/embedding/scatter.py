"""Between-class over within-class scatter: how far apart the classes lie in the full feature space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cdp.embedding.checks import Floats, Ints, UndefinedError, class_numbers, feature_rows
from cdp.embedding.intervals import draws, percentile
from cdp.errors import InputError
from cdp.types import Interval


def between_within_ratio(features: np.ndarray, labels: np.ndarray) -> float:
    """Fisher's ratio: trace of the between-class over trace of the within-class covariance, both unbiased.

    features: (n, d); labels: (n,) class numbers, K >= 2 classes among them, n > K. With the sums of squares
    ``SB = sum_c n_c |m_c - m|^2`` and ``SW = sum_i |x_i - m_class(i)|^2``::

        within  = SW / (n - K)                    estimates tr(Sigma)
        between = (SB - (K - 1) * within) / n     estimates sum_c (n_c / n) |mu_c - mu|^2
        ratio   = between / within

    (one-way analysis of variance). For Gaussian classes N(mu_c, s^2 I_d) of equal size it estimates
    ``mean_c |mu_c - mu|^2 / (d s^2)`` whatever n is, where the plain SB/SW would grow by about (K-1)/(n-K) in small sets.
    Without any separation it scatters about 0, so it can be slightly negative.
    Raises UndefinedError on one class, one image a class, or features that do not vary within classes.
    """
    groups = Groups.of(features, labels)
    ratio = float(groups.ratio(groups.means, groups.within))
    if not np.isfinite(ratio):
        raise UndefinedError("features do not vary within any class, so the ratio has no scale: use another encoder or more images")
    return ratio


def separation_interval(features: np.ndarray, labels: np.ndarray, *, n_boot: int = 500, seed: int = 0, level: float = 0.95) -> Interval:
    """``between_within_ratio`` with a bootstrap interval, stratified by class.

    A class of n_c resampled images varies (n_c - 1)/n_c times too little, which would shift the interval upwards in small
    sets; so deviations from the class mean are first scaled by sqrt(n_c/(n_c - 1)) (Davison and Hinkley 1997, Sec. 6.2.3).
    Resampling also adds the noise of the class means a second time, (K - 1)/n on the ratio, which is taken off again.
    Raises UndefinedError where the ratio is, and where there are too few images a class for finite bounds.
    """
    value = between_within_ratio(features, labels)
    return percentile(value, _resampled_ratios(features, labels, n_boot, seed), len(labels), level)


def separation_difference(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, *, n_boot: int = 500, seed: int = 0, level: float = 0.95
) -> Interval:
    """Ratio of ``first`` minus ratio of ``second``, paired: row i of both came from the same noise and label.

    first, second: (n, d) features; both take the same resampled images. Errors as in ``separation_interval``.
    """
    if np.shape(first) != np.shape(second):
        raise InputError(f"arms of shapes {np.shape(first)} and {np.shape(second)} are not paired: pass the same images of both")
    value = between_within_ratio(first, labels) - between_within_ratio(second, labels)
    with np.errstate(invalid="ignore"):  # a resample without spread is infinite in both arms, and has no difference
        resampled = _resampled_ratios(first, labels, n_boot, seed) - _resampled_ratios(second, labels, n_boot, seed)
    return percentile(value, resampled, len(labels), level)


@dataclass(frozen=True)
class Groups:
    """Sufficient statistics. names: (K,) class numbers; order: rows sorted by class; sizes: (K,); means: (K, d); residuals: (n, d)
    in that order."""

    names: Ints
    order: Ints
    sizes: Ints
    means: Floats
    residuals: Floats

    @classmethod
    def of(cls, features: np.ndarray, labels: np.ndarray) -> Groups:
        rows = feature_rows("features", features)
        numbers = class_numbers("labels", labels, len(rows))
        order = np.argsort(numbers, kind="stable")
        names, starts, sizes = np.unique(numbers[order], return_index=True, return_counts=True)
        if len(sizes) < 2:
            raise UndefinedError("all images are of one class, so there is nothing between classes: choose 2 classes or more")
        if len(rows) <= len(sizes):
            raise UndefinedError("every class has one image only, so nothing varies within classes: use more images")
        means = np.add.reduceat(rows[order], starts, axis=0) / sizes[:, None]
        return cls(names, order, sizes, means, rows[order] - np.repeat(means, sizes, axis=0))

    @property
    def within(self) -> float:
        """Sum of squares within classes; exactly 0 where it is nothing but rounding."""
        total = float(np.square(self.residuals).sum())
        scale = float(np.square(self.means).sum()) + total
        return total if total > 1e-24 * scale else 0.0

    def ratio(self, means: Floats, within: Floats | float) -> Floats:
        """means: (..., K, d), within: (...) sums of squares -> (...) ratios; infinite or NaN where within is 0."""
        n, classes = int(self.sizes.sum()), len(self.sizes)
        weight = self.sizes / n
        grand = np.einsum("k,...kd->...d", weight, means)
        spread = np.einsum("k,...kd,...kd->...", weight, means, means) - np.square(grand).sum(-1)
        variance = np.asarray(within) / (n - classes)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(spread / variance - (classes - 1) / n)

    def resampled(self, labels: np.ndarray, n_boot: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
        """Blocks of resamples stratified by class: means (b, K, d) and sums of squares within each class (b, K)."""
        inflation = np.sqrt(self.sizes / np.maximum(self.sizes - 1, 1))
        residuals = self.residuals * np.repeat(inflation, self.sizes)[:, None]
        squares = np.square(residuals).sum(axis=1)
        parts = [slice(stop - size, stop) for size, stop in zip(self.sizes, np.cumsum(self.sizes), strict=True)]
        for rows in draws(len(self.order), n_boot, seed, np.asarray(labels)):
            counts = _counts(rows)[:, self.order]
            shift = np.stack([counts[:, part] @ residuals[part] / size for part, size in zip(parts, self.sizes, strict=True)], axis=1)
            total = np.stack([counts[:, part] @ squares[part] for part in parts], axis=1)
            within = total - self.sizes * np.square(shift).sum(axis=2)
            # What rounding leaves of a resample that repeats one image a class is not variation.
            within[within < 1e-12 * squares.sum()] = 0.0
            yield self.means + shift, within


def _resampled_ratios(features: np.ndarray, labels: np.ndarray, n_boot: int, seed: int) -> Floats:
    """(n_boot,) ratios of stratified resamples, from counts times residuals: no resampled set is ever built."""
    groups = Groups.of(features, labels)
    n, classes = len(groups.order), len(groups.sizes)
    return np.concatenate([
        groups.ratio(means, within.sum(axis=1)) - (classes - 1) / n for means, within in groups.resampled(labels, n_boot, seed)
    ])  # fmt: skip


def _counts(rows: Ints) -> Floats:
    """rows: (b, n) drawn row numbers -> (b, n) how often each row was drawn."""
    b, n = rows.shape
    flat = (rows + np.arange(b)[:, None] * n).ravel()
    return np.bincount(flat, minlength=b * n).reshape(b, n).astype(np.float64)
