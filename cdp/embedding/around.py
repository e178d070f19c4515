"""What lies around each image of a set. One pass over the distances within it serves every figure
that asks for neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.embedding.checks import Floats, Ints
from cdp.embedding.neighbours import EXACT_ROWS, squared

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
        """block: (b, n) squared distances, overwritten -> (b,) the nearest image of another
        class."""
        for value in np.unique(self.of[part]):
            mine = slice(self.stops[value] - self.sizes[value], self.stops[value])
            block[self.of[part] == value, mine] = np.inf
        return np.asarray(block.argmin(axis=1))


def _distances(rows: Floats, near: Ints) -> Floats:
    """Distances of each row to the rows ``near``, (n, m), without the cancellation of expanded
    squares."""
    out = np.empty(near.shape)
    step = max(1, _GATHER_BYTES // (8 * near.shape[1] * rows.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        apart = rows[near[part]] - rows[part, None]
        out[part] = np.sqrt(np.einsum("nmd,nmd->nm", apart, apart))
    return out
