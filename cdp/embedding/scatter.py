"""Between-class over within-class scatter: how far apart the classes lie in the full feature
space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.embedding.checks import Floats, Ints, UndefinedError, class_numbers, feature_rows
from cdp.embedding.intervals import Estimate, difference, jackknife, leave_out
from cdp.errors import InputError
from cdp.values.types import Interval

FEWEST = 5
"""Images without which there is no interval of a ratio."""


def between_within_ratio(features: np.ndarray, labels: np.ndarray) -> float:
    """Fisher's ratio: trace of the between-class over trace of the within-class covariance, both
    unbiased.

    features: (n, d); labels: (n,) class numbers, K >= 2 classes among them, n > K. With the sums of
    squares
    ``SB = sum_c n_c |m_c - m|^2`` and ``SW = sum_i |x_i - m_class(i)|^2``::

        within  = SW / (n - K)                    estimates tr(Sigma)
        between = (SB - (K - 1) * within) / n     estimates sum_c (n_c / n) |mu_c - mu|^2
        ratio   = between / within

    (one-way analysis of variance). For Gaussian classes N(mu_c, s^2 I_d) of equal size it estimates
    ``mean_c |mu_c - mu|^2 / (d s^2)`` whatever n is, where the plain SB/SW would grow by about
    (K-1)/(n-K) in small sets. Without any separation it scatters about 0, so it can be slightly
    negative.
    Raises UndefinedError on one class, one image a class, or features that do not vary within
    classes.
    """
    groups = Groups.of(features, labels)
    ratio = float(ratios(groups.means, groups.within, groups.sizes))
    if not np.isfinite(ratio):
        raise UndefinedError(
            "features do not vary within any class, so the ratio has no scale: use another encoder"
            " or more images"
        )
    return ratio


def separation_interval(
    features: np.ndarray, labels: np.ndarray, *, seed: int = 0, level: float = 0.95
) -> Estimate:
    """``between_within_ratio`` with an interval that leaves groups of images out, class by class.

    Raises UndefinedError where the ratio is, and where there are too few images a class for the
    ratio without some group.
    """
    value = between_within_ratio(features, labels)
    return jackknife(
        value, [_ratios_without(features, labels, seed)], len(labels), scale="ratio", level=level
    )


def separation_difference(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, *, seed: int = 0, level: float = 0.95
) -> Interval:
    """Ratio of ``first`` minus ratio of ``second``, paired: row i of both came from the same noise
    and label.

    first, second: (n, d) features; the same images are left out of both. Errors as in
    ``separation_interval``.
    """
    if np.shape(first) != np.shape(second):
        raise InputError(
            f"arms of shapes {np.shape(first)} and {np.shape(second)} are not paired: pass the same"
            " images of both"
        )
    arms = [separation_interval(arm, labels, seed=seed, level=level) for arm in (first, second)]
    return difference(arms[0], arms[1])


@dataclass(frozen=True)
class Groups:
    """Sufficient statistics. names: (K,) class numbers; order: rows sorted by class; sizes: (K,);
    means: (K, d); residuals: (n, d) in that order."""

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
            raise UndefinedError(
                "all images are of one class, so there is nothing between classes: choose 2 classes"
                " or more"
            )
        if len(rows) <= len(sizes):
            raise UndefinedError(
                "every class has one image only, so nothing varies within classes: use more images"
            )
        means = np.add.reduceat(rows[order], starts, axis=0) / sizes[:, None]
        return cls(names, order, sizes, means, rows[order] - np.repeat(means, sizes, axis=0))

    @property
    def within(self) -> float:
        """Sum of squares within classes; exactly 0 where it is nothing but rounding."""
        total = float(np.square(self.residuals).sum())
        scale = float(np.square(self.means).sum()) + total
        return total if total > 1e-24 * scale else 0.0

    def without_each(self, labels: np.ndarray, seed: int) -> tuple[Floats, Floats, Floats]:
        """Without each group of images: means (G, K, d), sums of squares within each class (G, K),
        sizes (G, K); NaN for a class of none."""
        groups, count = leave_out(np.asarray(labels), seed=seed)
        group, coded = groups[self.order], np.repeat(np.arange(len(self.sizes)), self.sizes)
        shift, size = np.zeros((count, *self.means.shape)), np.zeros((count, len(self.sizes)))
        squares = np.zeros_like(size)
        np.add.at(shift, (group, coded), self.residuals)
        np.add.at(size, (group, coded), 1)
        np.add.at(squares, (group, coded), np.square(self.residuals).sum(axis=1))
        left = self.sizes - size
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = -shift / left[:, :, None]
        within = squares.sum(axis=0) - squares - left * np.square(moved).sum(axis=2)
        # What rounding leaves of a class that repeats one image is not variation.
        within[within < 1e-12 * squares.sum()] = 0.0
        return self.means + moved, within, left


def _ratios_without(features: np.ndarray, labels: np.ndarray, seed: int) -> Floats:
    """(G,) ratios without each group of images."""
    if len(labels) < FEWEST:
        raise UndefinedError(
            f"{len(labels)} images are too few for an interval of this figure: generate more a"
            " class"
        )
    means, within, left = Groups.of(features, labels).without_each(labels, seed)
    return ratios(means, within.sum(axis=1), left)


def ratios(means: Floats, within: Floats | float, sizes: Floats | Ints) -> Floats:
    """means: (..., K, d), within: (...) sums of squares, sizes: (..., K) -> (...) ratios; infinite
    or NaN where within is 0."""
    n, classes = sizes.sum(axis=-1), sizes.shape[-1]
    weight = sizes / n[..., None]
    grand = np.einsum("...k,...kd->...d", weight, means)
    spread = np.einsum("...k,...kd,...kd->...", weight, means, means) - np.square(grand).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.asarray(within) / (n - classes)
        return np.asarray(spread / variance - (classes - 1) / n)
