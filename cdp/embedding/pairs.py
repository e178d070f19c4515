"""Class against class: which classes lie among which, and how far any two are apart. Each figure has an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cdp.embedding.around import Around, look_around
from cdp.embedding.checks import Floats, Ints, UndefinedError
from cdp.embedding.classes import class_rows
from cdp.embedding.intervals import difference, p_value, percentile
from cdp.embedding.scatter import Groups
from cdp.errors import InputError
from cdp.statistics.holm import holm
from cdp.statistics.shares import share_interval
from cdp.types import Interval

Pair = tuple[int, int]


@dataclass(frozen=True)
class Pairs:
    """confusion: by ordered pair (a, b), the share of class b among the nearest other images of a's images; over b, own class included,
    these sum to 1. separation: by pair a < b, the between/within ratio of these two classes alone; missing where it is undefined.
    """

    classes: tuple[int, ...]
    confusion: Mapping[Pair, Interval]
    separation: Mapping[Pair, Interval]


def class_pairs(
    features: np.ndarray, labels: np.ndarray, *, k: int = 10, n_boot: int = 500, seed: int = 0, level: float = 0.95,
    around: Around | None = None,
) -> Pairs:  # fmt: skip
    """features (n, d) with n > k, labels (n,) of at least 2 classes.

    Confusion has Wilson's interval with Kish's effective size, because the k answers of one image depend on each other; neighbours are held
    fixed. Separation has the bootstrap of ``separation_interval``, one for all pairs. around: of these images with at least k
    neighbours, where they were looked for already. Raises UndefinedError for one class or too few images.
    """
    rows, classes = class_rows(features, labels)
    if k < 1:
        raise InputError(f"k is {k}: choose a whole number of neighbours from 1 up")
    if len(rows) <= k:
        raise UndefinedError(f"{len(rows)} images have no {k} neighbours each: pass more, or lower k")
    near = (around or look_around(rows, classes, k=k)).near[:, :k]
    names = tuple(int(value) for value in np.unique(classes))
    return Pairs(names, _confusion(classes, near, names, level), _separation(rows, classes, n_boot, seed, level))


def pair_difference(first: Pairs, second: Pairs) -> Pairs:
    """``first`` minus ``second`` of two independent sets, where both have the pair; intervals as ``difference`` makes them."""
    return Pairs(
        tuple(value for value in first.classes if value in second.classes),
        _changes(first.confusion, second.confusion),
        _changes(first.separation, second.separation),
    )


def clear_pairs(changes: Mapping[Pair, Interval], *, level: float = 0.95) -> set[Pair]:
    """The pairs whose change can be told, all of them corrected together by Holm's method: none in ``level`` of comparisons without any."""
    adjusted = holm([p_value(change) for change in changes.values()])
    return {pair for pair, p in zip(changes, adjusted, strict=True) if p is not None and p <= 1 - level}


def _changes(first: Mapping[Pair, Interval], second: Mapping[Pair, Interval]) -> dict[Pair, Interval]:
    return {pair: difference(figure, second[pair]) for pair, figure in first.items() if pair in second}


def _confusion(classes: Ints, near: Ints, names: tuple[int, ...], level: float) -> dict[Pair, Interval]:
    coded = np.searchsorted(names, classes)
    shares = np.zeros((len(classes), len(names)))
    for rank in range(near.shape[1]):
        shares[np.arange(len(classes)), coded[near[:, rank]]] += 1
    shares /= near.shape[1]
    found = {}
    for number, name in enumerate(names):
        mine = shares[coded == number]
        means, variances = mine.mean(axis=0), mine.var(axis=0)
        for other, share, variance in zip(names, means, variances, strict=True):
            answers = len(mine) * share * (1 - share) / variance if variance > 0 else len(mine)
            found[name, other] = share_interval(float(share), float(answers), len(mine), level=level)
    return found


def _separation(rows: Floats, classes: Ints, n_boot: int, seed: int, level: float) -> dict[Pair, Interval]:
    try:
        groups = Groups.of(rows, classes)
    except UndefinedError:
        return {}
    squares = np.add.reduceat(np.square(groups.residuals).sum(axis=1), np.cumsum(groups.sizes) - groups.sizes)
    squares[squares < 1e-24 * (np.square(groups.means).sum() + squares.sum())] = 0.0
    value = _ratios(groups.means[None], squares[None], groups.sizes)[0]
    size = groups.sizes[:, None] + groups.sizes
    # Resampling adds the noise of the class means a second time, as in separation_interval.
    drawn = np.concatenate([_ratios(*block, groups.sizes) for block in groups.resampled(classes, n_boot, seed)]) - 1 / size
    found = {}
    for a, b in zip(*np.triu_indices(len(groups.names), 1), strict=True):
        try:
            if np.isfinite(value[a, b]):
                found[int(groups.names[a]), int(groups.names[b])] = percentile(value[a, b], drawn[:, a, b], int(size[a, b]), level)
        except UndefinedError:
            continue  # too few images of these two for finite bounds
    return found


def _ratios(means: Floats, within: Floats, sizes: Ints) -> Floats:
    """``between_within_ratio`` of any two classes. means (b, K, d), within (b, K) sums of squares, sizes (K,) -> (b, K, K)."""
    centred = means - means.mean(axis=1, keepdims=True)
    inner = centred @ centred.transpose(0, 2, 1)
    norms = np.einsum("bkk->bk", inner)
    apart = norms[:, :, None] + norms[:, None] - 2 * inner
    size = sizes[:, None] + sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (within[:, :, None] + within[:, None]) / (size - 2)
        return np.asarray(sizes[:, None] * sizes / size**2 * apart / variance - 1 / size)
