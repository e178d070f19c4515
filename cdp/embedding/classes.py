"""How well the classes of one set can be told apart: image by image, whose means are figures of the
set; by between-class over within-class scatter; and class against class."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from cdp.embedding.intervals import Estimate, difference, estimate, jackknife, or_value, p_value
from cdp.embedding.neighbours import Around, look_around
from cdp.embedding.rows import (
    Floats,
    Ints,
    Parts,
    UndefinedError,
    class_numbers,
    feature_rows,
    leave_out,
)
from cdp.errors import InputError
from cdp.statistics.significance import holm
from cdp.values.types import Interval

FOLDS = 5
"""Of the cross-validation of a linear classifier."""


@dataclass(frozen=True)
class Probe:
    """Out-of-fold answers: hit (n,) bool; margin (n,), own class minus the best other."""

    hit: np.ndarray
    margin: Floats


def silhouettes(features: np.ndarray, labels: np.ndarray, around: Around | None = None) -> Floats:
    """Silhouette of each image (Rousseeuw 1987), (n,) in [-1, 1]. around: of these images, where it
    was computed already."""
    rows, classes = class_rows(features, labels)
    if len(np.unique(classes)) == len(classes):
        raise UndefinedError(
            "every class has one image only, and a silhouette compares images of one class: use 2"
            " or more"
        )
    return (around or look_around(rows, classes)).silhouette


def centroid_silhouettes(features: np.ndarray, labels: np.ndarray) -> Floats:
    """Silhouette with distances to class means (Hruschka 2004), (n,) in [-1, 1]; 0 where an image
    lies on its own and on another mean."""
    rows, classes = class_rows(features, labels)
    names, coded = np.unique(classes, return_inverse=True)
    means = np.stack([rows[coded == c].mean(axis=0) for c in range(len(names))])
    away = np.stack([np.linalg.norm(rows - mean, axis=1) for mean in means], axis=1)
    at = np.arange(len(rows))
    own = away[at, coded]
    away[at, coded] = np.inf
    other = away.min(axis=1)
    scale = np.maximum(own, other)
    return np.divide(other - own, scale, out=np.zeros(len(rows)), where=scale > 0)


def neighbour_hits(
    features: np.ndarray, labels: np.ndarray, *, k: int = 10, around: Around | None = None
) -> np.ndarray:
    """Whether the k nearest other images vote for the image's own class, (n,) bool; of a tie, the
    class of the nearest wins. around: of these images with k neighbours."""
    rows, classes = class_rows(features, labels)
    if k < 1:
        raise InputError(f"k is {k}: choose a whole number of neighbours from 1 up")
    if len(rows) <= k:
        raise UndefinedError(f"{len(rows)} images have no {k} neighbours each: use more images")
    near = (around or look_around(rows, classes, k=k)).near
    names, coded = np.unique(classes, return_inverse=True)
    votes = np.zeros((len(rows), len(names)))
    for rank in range(k):
        # A nearer neighbour's vote weighs a little more: less than a whole vote in all, so it
        # decides ties only.
        np.add.at(
            votes, (np.arange(len(rows)), coded[near[:, rank]]), 1 + (k - rank) / (k * (k + 1.0))
        )
    return np.asarray(votes.argmax(axis=1) == coded)


def other_class_distances(
    features: np.ndarray, labels: np.ndarray, around: Around | None = None
) -> Floats:
    """Euclidean distance of each image to the nearest of another class, (n,)."""
    rows, classes = class_rows(features, labels)
    return (around or look_around(rows, classes)).other


def linear_probe(features: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> Probe:
    """Cross-validated logistic regression on standardised features: every image is judged by a
    probe that has not seen it. Each class needs ``FOLDS`` images."""
    rows, classes = class_rows(features, labels)
    coded = np.unique(classes, return_inverse=True)[1]
    if np.bincount(coded).min() < FOLDS:
        raise UndefinedError(
            f"a class has fewer than {FOLDS} images: a probe with {FOLDS} folds needs that many of"
            " each"
        )
    share = held_out_shares(rows, coded, seed=seed)
    at = np.arange(len(rows))
    own = share[at, coded]
    share[at, coded] = -np.inf
    margin = own - share.max(axis=1)
    return Probe(margin > 0, margin)


def held_out_shares(rows: Floats, coded: Ints, *, seed: int) -> Floats:
    """(n, K) probability of each class, by linear classifiers that have not seen the image: one a
    fold. coded: (n,) numbers 0 to K - 1."""
    from sklearn import config_context
    from sklearn.model_selection import StratifiedKFold

    # Single precision halves the time; the solver's tolerance is far above what it loses.
    single = rows.astype(np.float32)
    share = np.empty((len(rows), coded.max() + 1))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(single, coded)
    # There are about a thousand fits of milliseconds: checks of what was checked take a third of
    # them, and threads wait for each other, where other work has the cores up to ten times as long.
    plain = config_context(assume_finite=True, skip_parameter_validation=True)
    with plain, _thread_pools().limit(limits=1):
        for known, held_out in folds:
            model = standardised_logistic().fit(single[known], coded[known])
            share[held_out] = model.predict_proba(single[held_out])
    return share


@cache
def _thread_pools() -> Any:
    """Those of the libraries that fit, once scikit-learn is loaded. To look for them takes as long
    as a fit, so it is done once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def standardised_logistic() -> Any:
    """The linear classifier of every probe. Its tolerance stops at a third of scikit-learn's steps;
    held-out answers stay within 0.2 points."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, tol=1e-3))


def class_rows(features: np.ndarray, labels: np.ndarray) -> tuple[Floats, Ints]:
    """Both checked, as float64 and int64. Raises UndefinedError for images of one class."""
    rows = feature_rows("features", features, at_least=2)
    classes = class_numbers("labels", labels, len(rows))
    if len(np.unique(classes)) < 2:
        raise UndefinedError(
            "all images are of one class, so there is none to tell it from: choose 2 classes or"
            " more"
        )
    return rows, classes


FEWEST = 5
"""Images without which there is no interval of a ratio."""


def between_within_ratio(features: np.ndarray, labels: np.ndarray) -> float:
    """Fisher's ratio: trace of the between-class over trace of the within-class covariance, both
    unbiased. features: (n, d); labels: (n,) of K >= 2 classes, n > K. With the sums of squares ``SB
    = sum_c n_c |m_c - m|^2`` and ``SW = sum_i |x_i - m_class(i)|^2``::

        within  = SW / (n - K)                    estimates tr(Sigma)
        between = (SB - (K - 1) * within) / n     estimates sum_c (n_c / n) |mu_c - mu|^2
        ratio   = between / within

    For Gaussian classes N(mu_c, s^2 I_d) of equal size it estimates ``mean_c |mu_c - mu|^2 / (d
    s^2)`` whatever n is; without any separation it scatters about 0. Raises UndefinedError on one
    class, one image a class, or features that do not vary within classes.
    """
    groups = Groups.of(features, labels)
    ratio = float(ratios(groups.means, groups.within, groups.sizes))
    if not np.isfinite(ratio):
        raise UndefinedError(
            "features do not vary within any class, so the ratio has no scale: use another encoder"
            " or more images"
        )
    return ratio


def separation_interval(features: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> Estimate:
    """``between_within_ratio`` with an interval that leaves groups of images out, class by class.
    Raises UndefinedError for too few images."""
    value = between_within_ratio(features, labels)
    return jackknife(value, [_ratios_without(features, labels, seed)], len(labels), scale="ratio")


def separation_difference(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, *, seed: int = 0
) -> Interval:
    """Ratio of ``first`` minus ratio of ``second``, paired: row i of both came from the same noise
    and label, and the same images are left out of both."""
    if np.shape(first) != np.shape(second):
        raise InputError(
            f"arms of shapes {np.shape(first)} and {np.shape(second)} are not paired: pass the same"
            " images of both"
        )
    arms = [separation_interval(arm, labels, seed=seed) for arm in (first, second)]
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
        """Means (G, K, d), squares (G, K), sizes (G, K) without each group; NaN for no images."""
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
    """means (..., K, d), within (...), sizes (..., K) -> (...); infinite or NaN where within is
    0."""
    n, classes = sizes.sum(axis=-1), sizes.shape[-1]
    weight = sizes / n[..., None]
    grand = np.einsum("...k,...kd->...d", weight, means)
    spread = np.einsum("...k,...kd,...kd->...", weight, means, means) - np.square(grand).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.asarray(within) / (n - classes)
        return np.asarray(spread / variance - (classes - 1) / n)


Pair = tuple[int, int]


@dataclass(frozen=True)
class Pairs:
    """confusion: by ordered pair (a, b), the share of class b among the nearest other images of a's
    images; over b, own class included, these sum to 1. separation: by pair a < b, the
    between/within ratio of these two classes alone; missing where it is undefined.
    """

    classes: tuple[int, ...]
    confusion: Mapping[Pair, Interval]
    separation: Mapping[Pair, Interval]


def class_pairs(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    k: int = 10,
    seed: int = 0,
    around: Around | None = None,
    parts: Parts | None = None,
) -> Pairs:
    """features (n, d) with n > k, labels (n,) of at least 2 classes. The interval of a confusion
    looks for neighbours in each part again; that of a separation leaves groups out. Raises
    UndefinedError for one class or too few images."""
    rows, classes = class_rows(features, labels)
    if k < 1:
        raise InputError(f"k is {k}: choose a whole number of neighbours from 1 up")
    if len(rows) <= k:
        raise UndefinedError(f"{len(rows)} images have no {k} neighbours each: use more images")
    near = (around or look_around(rows, classes, k=k)).near[:, :k]
    names = tuple(int(value) for value in np.unique(classes))
    parts = Parts.of(classes, seed=seed)
    return Pairs(
        names, _confusion(rows, classes, near, names, parts), _separation(rows, classes, seed)
    )


def pair_difference(first: Pairs, second: Pairs) -> Pairs:
    """``first`` minus ``second`` of two independent sets, where both have the pair."""
    return Pairs(
        tuple(value for value in first.classes if value in second.classes),
        _changes(first.confusion, second.confusion),
        _changes(first.separation, second.separation),
    )


def clear_pairs(changes: Mapping[Pair, Interval]) -> set[Pair]:
    """The pairs whose change can be told, corrected together by Holm's method at 5 %."""
    adjusted = holm([None if change.note else p_value(change) for change in changes.values()])
    return {
        pair for pair, p in zip(changes, adjusted, strict=True) if p is not None and p <= 1 - 0.95
    }


def _changes(
    first: Mapping[Pair, Interval], second: Mapping[Pair, Interval]
) -> dict[Pair, Interval]:
    return {
        pair: difference(figure, second[pair]) for pair, figure in first.items() if pair in second
    }


def _confusion(
    rows: Floats, classes: Ints, near: Ints, names: tuple[int, ...], parts: Parts
) -> dict[Pair, Interval]:
    coded = np.searchsorted(names, classes)
    whole = _shares(coded, near, len(names))

    def of_part(own: Ints, _: Ints) -> Floats:
        k = min(near.shape[1], len(own) - 1)
        return _shares(
            coded[own], look_around(rows[own], classes[own], k=k).near, len(names)
        ).ravel()

    try:
        values = parts.values(of_part).reshape(
            *parts.own.shape[:1], parts.count, len(names), len(names)
        )
    except UndefinedError:
        values = np.full((1, 2, len(names), len(names)), np.nan)
    figures: dict[Pair, Interval] = {}
    for (number, name), (place, other) in itertools.product(enumerate(names), enumerate(names)):
        value, n = float(whole[number, place]), int((coded == number).sum())
        figure = partial(estimate, value, values[:, :, number, place], n, scale="share")
        figures[name, other] = or_value(figure, value, n)
    return figures


def _shares(coded: Ints, near: Ints, classes: int) -> Floats:
    """(K, K) share of each class among the neighbours of each class; NaN for no images."""
    votes = np.zeros((classes, classes))
    np.add.at(votes, (np.repeat(coded, near.shape[1]), coded[near].ravel()), 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def _separation(rows: Floats, classes: Ints, seed: int) -> dict[Pair, Interval]:
    try:
        groups = Groups.of(rows, classes)
    except UndefinedError:
        return {}
    squares = np.add.reduceat(
        np.square(groups.residuals).sum(axis=1), np.cumsum(groups.sizes) - groups.sizes
    )
    squares[squares < 1e-24 * (np.square(groups.means).sum() + squares.sum())] = 0.0
    value = _ratios(groups.means[None], squares[None], groups.sizes[None])[0]
    without = _ratios(*groups.without_each(classes, seed))
    figures: dict[Pair, Interval] = {}
    for a, b in zip(*np.triu_indices(len(groups.names), 1), strict=True):
        if np.isfinite(ratio := float(value[a, b])):
            n = int(groups.sizes[a] + groups.sizes[b])
            figure = partial(jackknife, ratio, [without[:, a, b]], n, scale="ratio")
            pair = int(groups.names[a]), int(groups.names[b])
            figures[pair] = or_value(figure, ratio, n)
    return figures


def _ratios(means: Floats, within: Floats, sizes: Floats | Ints) -> Floats:
    """``between_within_ratio`` of any two classes, from (b, K, ...) statistics -> (b, K, K)."""
    centred = means - means.mean(axis=1, keepdims=True)
    inner = centred @ centred.transpose(0, 2, 1)
    norms = np.einsum("bkk->bk", inner)
    apart = norms[:, :, None] + norms[:, None] - 2 * inner
    size = sizes[:, :, None] + sizes[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (within[:, :, None] + within[:, None]) / (size - 2)
        return np.asarray(
            sizes[:, :, None] * sizes[:, None] / size**2 * apart / variance - 1 / size
        )
