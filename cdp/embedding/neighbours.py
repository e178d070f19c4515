"""Nearest neighbours in feature space: memorisation, precision, recall, density, coverage, and what
lies around each image of a set. Distances are made block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cdp.embedding.intervals import Scale, estimate, without_interval
from cdp.embedding.rows import Floats, Ints, Parts, feature_rows
from cdp.errors import InputError
from cdp.values.types import Interval

_BLOCK_BYTES = 32 << 20
FEWEST_RECALLED = 100
"""Images of either side without which recall has no interval: with 20 to 50 generated images
against 500 real ones it covers 84 to 91 % instead of 95 %."""
EXACT_ROWS = 2000
"""Up to so many images on either side distances are in float64."""


def nearest_distance(features: np.ndarray, reference: np.ndarray) -> Floats:
    """Euclidean distance of each row to its nearest reference row; exactly 0 for a copy.

    features: (n, d); reference: (m, d), m >= 1 -> (n,).
    """
    rows = feature_rows("features", features)
    others = feature_rows("reference", reference, width=rows.shape[1])
    centre = others.mean(axis=0)  # so that expanded squares cancel less
    rows, others = rows - centre, others - centre
    nearest = np.concatenate([block.argmin(axis=1) for _, block in squared(*_quick(rows, others))])
    # The expanded square loses digits where it matters most, close to 0: compute the chosen one
    # again, directly.
    return np.sqrt(np.square(rows - others[nearest]).sum(axis=1))


def fidelity(
    real: np.ndarray,
    fake: np.ndarray,
    parts: Parts | None = None,
    *,
    near: int | None = 3,
    wide: int | None = 5,
    seed: int = 0,
) -> dict[str, Interval]:
    """Improved precision and recall (Kynkaanniemi 2019, Eqs. 1-2), density and coverage (Naeem
    2020, Eqs. 3-4), by these names. real: (n, d), fake: (m, d).

    precision: share of fake rows within the ball of some real row, to its ``near``-th neighbour;
    recall: the roles swapped. density: how many real balls to the ``wide``-th neighbour hold a fake
    row, over ``wide``; coverage: share of real balls that hold one. None leaves a pair out.
    Intervals draw the balls anew in each of ``parts``; none where a part has too few images.
    """
    rows = feature_rows("real", real, at_least=max(near or 0, wide or 0) + 1)
    others = feature_rows("fake", fake, at_least=(near or 1) + 1, width=rows.shape[1])
    centre = others.mean(axis=0)  # so that expanded squares cancel less
    rows, others = rows - centre, others - centre
    no_classes = [np.zeros(len(side), np.int64) for side in (others, rows)]
    parts = parts or Parts.of(*no_classes, seed=seed)
    whole = _fidelity(rows, others, near, wide, 1)
    smallest, fewest = min(len(rows), len(others)) // parts.count, max(near or 0, wide or 0)
    note = ""
    if smallest <= fewest:
        note = (
            f"an interval takes more than {fewest} images of each side in every part, and there are"
            f" {smallest}: measure more images"
        )
    else:
        values = parts.values(
            lambda own, theirs: [
                *_fidelity(rows[theirs], others[own], near, wide, parts.count).values()
            ]
        )
    few = min(len(rows), len(others))
    figures: dict[str, Interval] = {}
    for at, (name, value) in enumerate(whole.items()):
        n = len(rows if name in ("recall", "coverage") else others)
        why = note
        if name == "recall" and few < FEWEST_RECALLED and not note:
            why = (
                f"the {few} images reach into few places, and which of the real ones those are"
                f" varies more than parts of them say: measure {FEWEST_RECALLED} or more of each"
                " side"
            )
        scale: Scale = "ratio" if name == "density" else "share"
        figures[name] = (
            without_interval(value, n, why)
            if why
            else estimate(value, values[:, :, at], n, scale=scale)
        )
    return figures


def _fidelity(
    real: Floats, fake: Floats, near: int | None, wide: int | None, parts: int
) -> dict[str, float]:
    """The figures alone. parts: how many the images were dealt to."""
    real, fake = _quick(real, fake)
    # Density counts fewer neighbours in halves and thirds, so that balls are about as large, and as
    # much shared by their neighbours, as those of the whole.
    few = wide if wide is None or parts == 1 or parts > 3 else max(1, round(wide / 2 + 0.1))
    ks = [k for k in (near, wide, few) if k is not None]
    radii = dict(zip(ks, _radii(real, *ks).T, strict=True))
    inside, covered = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    crowd, hit = np.zeros(len(fake)), np.zeros(len(real), bool)
    fake_radius = None if near is None else _radii(fake, near)[:, 0]
    for part, block in squared(fake, real):
        if near is not None and fake_radius is not None:
            inside[part] = (block <= radii[near]).any(axis=1)
            covered |= (block <= fake_radius[part, None]).any(axis=0)
        if wide is not None and few is not None:
            crowd[part] = (block <= radii[few]).sum(axis=1)
            hit |= (block <= radii[wide]).any(axis=0)
    figures: dict[str, float] = {}
    if near is not None:
        figures |= {"precision": float(inside.mean()), "recall": float(covered.mean())}
    if few is not None:
        figures |= {"density": float(crowd.mean()) / few, "coverage": float(hit.mean())}
    return figures


def _quick(rows: Floats, others: Floats) -> tuple[np.ndarray, np.ndarray]:
    """In single precision where there are many: twice as fast, and as good as the same."""
    if max(len(rows), len(others)) <= EXACT_ROWS:
        return rows, others
    return rows.astype(np.float32), others.astype(np.float32)


def squared(rows: np.ndarray, others: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks (rows, squared distances to all others (b, m)); never all of them at once."""
    norms = np.square(others).sum(axis=1)
    step = max(1, _BLOCK_BYTES // (rows.itemsize * len(others)))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        block = (-2 * rows[part]) @ others.T
        block += norms
        block += np.square(rows[part]).sum(axis=1)[:, None]
        yield part, np.maximum(block, 0, out=block)


def _radii(rows: Floats, *ks: int) -> Floats:
    """Squared distance of each row to its k-th nearest other, for each k: (n, len(ks))."""
    for k in ks:
        if k < 1 or int(k) != k:
            raise InputError(f"k is {k}: choose a whole number of neighbours from 1 up")
    at = [k - 1 for k in ks]
    out = np.empty((len(rows), len(ks)))
    for part, block in squared(rows, rows):
        own = np.arange(part.start, part.stop)
        block[np.arange(len(own)), own] = np.inf
        out[part] = np.sort(np.partition(block, max(at), axis=1)[:, : max(at) + 1], axis=1)[:, at]
    return out


_SPARE = 6
"""Above ``EXACT_ROWS`` images float32 finds candidates, whose distances are then taken again in
float64: so many beyond k, among which rounding may have changed the order."""
_GATHER_BYTES = 32 << 20


@dataclass(frozen=True)
class Around:
    """near, distance: (n, k) row numbers of the nearest other images, nearest first, and how far
    they are; other: (n,) distance to the nearest image of another class; silhouette: (n,) in [-1,
    1], 0 for the only image of its class (Rousseeuw 1987)."""

    near: Ints
    distance: Floats
    other: Floats
    silhouette: Floats


def look_around(rows: Floats, classes: Ints, *, k: int = 10) -> Around:
    """rows: (n, d) float64; classes: (n,) numbers, at least 2 different ones; k: at most n - 1
    neighbours are found.

    Never holds more than a block of the n x n distances.
    """
    count = len(rows)
    k = min(k, count - 1)
    candidates = min(k + _SPARE, count - 1)
    order = np.argsort(classes, kind="stable")
    exact = rows[order] - rows.mean(axis=0)
    fast = exact if count <= EXACT_ROWS else exact.astype(np.float32)
    groups = _Classes(classes[order], fast.dtype)
    near, other = np.empty((count, candidates), np.int64), np.empty(count, np.int64)
    silhouette = np.empty(count)
    for part, block in squared(fast, fast):
        own = np.arange(part.stop - part.start), np.arange(part.start, part.stop)
        block[own] = np.inf
        near[part] = np.argpartition(block, candidates - 1, axis=1)[:, :candidates]
        block[own] = 0
        silhouette[part] = groups.silhouettes(np.sqrt(block), part)
        other[part] = groups.nearest_other(block, part)
    distance = _distances(exact, near)
    first = np.argsort(distance, axis=1, kind="stable")[:, :k]
    back = np.argsort(order)
    return Around(
        order[np.take_along_axis(near, first, axis=1)][back],
        np.take_along_axis(distance, first, axis=1)[back],
        _distances(exact, other[:, None])[back, 0],
        silhouette[back],
    )


class _Classes:
    """Columns of the distances by class; images are in the order of their classes."""

    def __init__(self, classes: Ints, dtype: np.dtype) -> None:
        names, self.of, self.sizes = np.unique(classes, return_inverse=True, return_counts=True)
        self.stops = np.cumsum(self.sizes)
        self.member = (self.of[:, None] == np.arange(len(names))).astype(dtype)

    def silhouettes(self, away: np.ndarray, part: slice) -> Floats:
        """away: (b, n) distances of the images in ``part`` to all -> (b,)."""
        at, own = np.arange(len(away)), self.of[part]
        total = (away @ self.member).astype(np.float64)
        size = self.sizes[own]
        inside = total[at, own] / np.maximum(size - 1, 1)
        mean = total / self.sizes
        mean[at, own] = np.inf
        outside = mean.min(axis=1)
        scale = np.maximum(inside, outside)
        return np.divide(
            outside - inside, scale, out=np.zeros(len(away)), where=(scale > 0) & (size > 1)
        )

    def nearest_other(self, block: np.ndarray, part: slice) -> Ints:
        """block: (b, n) squared, overwritten -> (b,) the nearest of another class."""
        for value in np.unique(self.of[part]):
            own_class = slice(self.stops[value] - self.sizes[value], self.stops[value])
            block[self.of[part] == value, own_class] = np.inf
        return np.asarray(block.argmin(axis=1))


def _distances(rows: Floats, near: Ints) -> Floats:
    """Distances of each row to the rows ``near``, (n, m), not by expanded squares."""
    out = np.empty(near.shape)
    step = max(1, _GATHER_BYTES // (8 * near.shape[1] * rows.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        apart = rows[near[part]] - rows[part, None]
        out[part] = np.sqrt(np.einsum("nmd,nmd->nm", apart, apart))
    return out
