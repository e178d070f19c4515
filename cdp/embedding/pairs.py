"""Class against class: which classes lie among which, and how far any two are apart. Each figure
has an interval."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cdp.embedding.around import Around, look_around
from cdp.embedding.checks import Floats, Ints, UndefinedError
from cdp.embedding.classes import class_rows
from cdp.embedding.intervals import (
    Parts,
    difference,
    estimate,
    jackknife,
    p_value,
    without_interval,
)
from cdp.embedding.scatter import Groups
from cdp.errors import InputError
from cdp.statistics.significance import holm
from cdp.values.types import Interval

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
    level: float = 0.95,
    around: Around | None = None,
    parts: Parts | None = None,
) -> Pairs:
    """features (n, d) with n > k, labels (n,) of at least 2 classes.

    The interval of a confusion looks for neighbours in each part again; that of a separation leaves
    groups of images out. around: of these images with at least k neighbours, where they were looked
    for already; parts: as they were dealt already. Raises UndefinedError for one class or too few
    images.
    """
    rows, classes = class_rows(features, labels)
    if k < 1:
        raise InputError(f"k is {k}: choose a whole number of neighbours from 1 up")
    if len(rows) <= k:
        raise UndefinedError(f"{len(rows)} images have no {k} neighbours each: use more images")
    near = (around or look_around(rows, classes, k=k)).near[:, :k]
    names = tuple(int(value) for value in np.unique(classes))
    parts = parts or Parts.of(classes, seed=seed)
    return Pairs(
        names,
        _confusion(rows, classes, near, names, parts, level),
        _separation(rows, classes, seed, level),
    )


def pair_difference(first: Pairs, second: Pairs) -> Pairs:
    """``first`` minus ``second`` of two independent sets, where both have the pair; intervals as
    ``difference`` makes them."""
    return Pairs(
        tuple(value for value in first.classes if value in second.classes),
        _changes(first.confusion, second.confusion),
        _changes(first.separation, second.separation),
    )


def clear_pairs(changes: Mapping[Pair, Interval], *, level: float = 0.95) -> set[Pair]:
    """The pairs whose change can be told, all of them corrected together by Holm's method: none in
    ``level`` of comparisons without any."""
    adjusted = holm([None if change.note else p_value(change) for change in changes.values()])
    return {
        pair for pair, p in zip(changes, adjusted, strict=True) if p is not None and p <= 1 - level
    }


def _changes(
    first: Mapping[Pair, Interval], second: Mapping[Pair, Interval]
) -> dict[Pair, Interval]:
    return {
        pair: difference(figure, second[pair]) for pair, figure in first.items() if pair in second
    }


def _confusion(
    rows: Floats, classes: Ints, near: Ints, names: tuple[int, ...], parts: Parts, level: float
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
    found: dict[Pair, Interval] = {}
    for (number, name), (place, other) in itertools.product(enumerate(names), enumerate(names)):
        n = int((coded == number).sum())
        try:
            found[name, other] = estimate(
                float(whole[number, place]),
                values[:, :, number, place],
                n,
                scale="share",
                level=level,
            )
        except UndefinedError as error:
            found[name, other] = without_interval(
                float(whole[number, place]), n, str(error), level=level
            )
    return found


def _shares(coded: Ints, near: Ints, classes: int) -> Floats:
    """(K, K) share of each class among the neighbours of each class's images; NaN for a class
    without images."""
    votes = np.zeros((classes, classes))
    np.add.at(votes, (np.repeat(coded, near.shape[1]), coded[near].ravel()), 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def _separation(rows: Floats, classes: Ints, seed: int, level: float) -> dict[Pair, Interval]:
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
    found: dict[Pair, Interval] = {}
    for a, b in zip(*np.triu_indices(len(groups.names), 1), strict=True):
        if np.isfinite(value[a, b]):
            pair, n = (
                (int(groups.names[a]), int(groups.names[b])),
                int(groups.sizes[a] + groups.sizes[b]),
            )
            try:
                found[pair] = jackknife(
                    float(value[a, b]), [without[:, a, b]], n, scale="ratio", level=level
                )
            except UndefinedError as error:
                found[pair] = without_interval(float(value[a, b]), n, str(error), level=level)
    return found


def _ratios(means: Floats, within: Floats, sizes: Floats | Ints) -> Floats:
    """``between_within_ratio`` of any two classes. means (b, K, d), within (b, K) sums of squares,
    sizes (b, K) -> (b, K, K)."""
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
