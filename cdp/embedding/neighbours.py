"""Nearest neighbours in feature space: memorisation, precision, recall, density, coverage.
Distances are made block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cdp.embedding.checks import Floats, feature_rows
from cdp.embedding.intervals import Parts, Scale, estimate, without_interval
from cdp.errors import InputError
from cdp.values.types import Interval

_BLOCK_BYTES = 32 << 20
EXACT_ROWS = 2000
"""Up to so many images on either side distances are in float64."""


@dataclass(frozen=True)
class PrecisionRecall:
    """precision: share of generated images that look real; recall: of real images that are
    covered."""

    precision: Interval
    recall: Interval


@dataclass(frozen=True)
class DensityCoverage:
    """density: how crowded with real images the places of generated ones are, 1 where both sets are
    alike; coverage: share of real images that have a generated one nearby."""

    density: Interval
    coverage: Interval


def nearest_distance(features: np.ndarray, reference: np.ndarray) -> Floats:
    """Euclidean distance of each row to its nearest reference row; exactly 0 for a copy.

    features: (n, d); reference: (m, d), m >= 1 -> (n,).
    """
    rows, others = _pair("features", features, "reference", reference)
    nearest = np.concatenate([block.argmin(axis=1) for _, block in squared(*_quick(rows, others))])
    # The expanded square loses digits where it matters most, close to 0: compute the chosen one
    # again, directly.
    return np.sqrt(np.square(rows - others[nearest]).sum(axis=1))


def precision_recall(
    real: np.ndarray,
    fake: np.ndarray,
    parts: Parts | None = None,
    *,
    k: int = 3,
    seed: int = 0,
    level: float = 0.95,
) -> PrecisionRecall:
    """Improved precision and recall (Kynkaanniemi 2019, Eqs. 1-2).

    real: (n, d), fake: (m, d), both with more than k rows. Precision: share of fake rows within the
    k-nearest-neighbour ball of some real row; recall: the same with the roles swapped. Intervals
    draw the balls of both sides anew in each of ``parts``.
    """
    rows, others = _pair("real", real, "fake", fake, k)

    def shares(a: Floats, b: Floats, _: int) -> tuple[float, ...]:
        found = _inside(a, b, _radii(a, k)[:, 0], fake_radius=_radii(b, k)[:, 0])
        return float(found.fake.mean()), float(found.real.mean())

    return PrecisionRecall(
        *_over_parts(shares, rows, others, parts, k, ("precision", "recall"), seed, level)
    )


def density_coverage(
    real: np.ndarray,
    fake: np.ndarray,
    parts: Parts | None = None,
    *,
    k: int = 5,
    seed: int = 0,
    level: float = 0.95,
) -> DensityCoverage:
    """Density and coverage (Naeem 2020, Eqs. 3-4).

    real: (n, d) with more than k rows, fake: (m, d), m >= 2. Density: mean over fake rows of the
    number of real k-nearest-neighbour balls that hold it, divided by k; coverage: share of real
    rows whose ball holds some fake row. Balls are closed. Intervals as in ``precision_recall``.
    """
    rows, others = _pair("real", real, "fake", fake, k, both=False)

    def figures(a: Floats, b: Floats, parts: int) -> tuple[float, ...]:
        few = _crowding(k, parts)
        radii = _radii(a, k, few)
        found = _inside(a, b, radii[:, 0], crowd_radius=radii[:, 1])
        return float(found.crowd.mean()) / few, float(found.hit.mean())

    return DensityCoverage(
        *_over_parts(figures, rows, others, parts, k, ("density", "coverage"), seed, level)
    )


def fidelity(
    real: np.ndarray,
    fake: np.ndarray,
    parts: Parts | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[PrecisionRecall, DensityCoverage]:
    """``precision_recall`` (k 3) and ``density_coverage`` (k 5) from half the distances that both
    would take."""
    rows, others = _pair("real", real, "fake", fake, 5)

    def figures(a: Floats, b: Floats, parts: int) -> tuple[float, ...]:
        a, b = _quick(a, b)
        few = _crowding(5, parts)
        radii = _radii(a, 3, 5, few)
        found = _inside(a, b, radii[:, 0], radii[:, 1], _radii(b, 3)[:, 0], radii[:, 2])
        return (
            float(found.fake.mean()),
            float(found.real.mean()),
            float(found.crowd.mean()) / few,
            float(found.hit.mean()),
        )

    found = _over_parts(
        figures, rows, others, parts, 5, ("precision", "recall", "density", "coverage"), seed, level
    )
    return PrecisionRecall(*found[:2]), DensityCoverage(*found[2:])


def _crowding(k: int, parts: int) -> int:
    """Neighbours of the balls that density counts in a part: fewer where images are few, so that
    balls are about as large, and as much shared by their neighbours, as those of the whole."""
    return k if parts == 1 or parts > 3 else max(1, round(k / 2 + 0.1))


def _over_parts(
    figures: Callable[[Floats, Floats, int], tuple[float, ...]],
    real: Floats,
    fake: Floats,
    parts: Parts | None,
    k: int,
    names: tuple[str, ...],
    seed: int,
    level: float,
) -> list[Interval]:
    """Each figure of (real, fake) with its interval; without one where a part has too few images
    for balls."""
    parts = parts or Parts.of(
        np.zeros(len(fake), np.int64), np.zeros(len(real), np.int64), seed=seed
    )
    whole = figures(real, fake, 1)
    sizes = [len(real) if name in ("recall", "coverage") else len(fake) for name in names]
    scales: list[Scale] = ["ratio" if name == "density" else "share" for name in names]
    smallest = min(len(real), len(fake)) // parts.count
    if smallest <= k:
        note = (
            f"an interval takes more than {k} images of each side in every part, and there are"
            f" {smallest}: measure more images"
        )
        return [
            without_interval(value, n, note, level=level)
            for value, n in zip(whole, sizes, strict=True)
        ]
    found = parts.values(lambda own, theirs: figures(real[theirs], fake[own], parts.count))
    return [
        estimate(value, found[:, :, at], n, scale=scale, level=level)
        for at, (value, n, scale) in enumerate(zip(whole, sizes, scales, strict=True))
    ]


@dataclass(frozen=True)
class _Inside:
    """fake: (m,) fake rows in some real ball; real: (n,) real rows in some fake ball; crowd: (m,)
    wide real balls that hold a fake row; hit: (n,) wide real balls that hold some fake row."""

    fake: np.ndarray
    real: np.ndarray
    crowd: np.ndarray
    hit: np.ndarray


def _inside(
    real: Floats,
    fake: Floats,
    radius: Floats,
    wide: Floats | None = None,
    fake_radius: Floats | None = None,
    crowd_radius: Floats | None = None,
) -> _Inside:
    """radius, wide, crowd_radius: (n,) squared radii of real balls, wide as radius and crowd_radius
    as wide where not given; fake_radius: (m,)."""
    wide = radius if wide is None else wide
    crowd_radius = wide if crowd_radius is None else crowd_radius
    inside, crowd = np.zeros(len(fake), bool), np.zeros(len(fake))
    covered, hit = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for part, block in squared(fake, real):
        inside[part] = (block <= radius).any(axis=1)
        within = block <= wide
        crowd[part] = (block <= crowd_radius).sum(axis=1)
        hit |= within.any(axis=0)
        if fake_radius is not None:
            covered |= (block <= fake_radius[part, None]).any(axis=0)
    return _Inside(inside, covered, crowd, hit)


def _pair(
    name: str,
    rows: np.ndarray,
    other_name: str,
    others: np.ndarray,
    k: int = 0,
    *,
    both: bool = True,
) -> tuple[Floats, Floats]:
    """Both sets as float64, moved so that expanded squares cancel less; more than k rows in the
    first (in both)."""
    first = feature_rows(name, rows, at_least=k + 1)
    second = feature_rows(other_name, others, at_least=k + 1 if both else 2, width=first.shape[1])
    centre = second.mean(axis=0)
    return first - centre, second - centre


def _quick(rows: Floats, others: Floats) -> tuple[np.ndarray, np.ndarray]:
    """In single precision where there are many: twice as fast, and of thousands of images one at
    most changes sides of a radius."""
    if max(len(rows), len(others)) <= EXACT_ROWS:
        return rows, others
    return rows.astype(np.float32), others.astype(np.float32)


def squared(rows: np.ndarray, others: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks (slice of rows, squared distances to all others (b, m)) in the rows' precision; never
    all of them at once."""
    norms = np.square(others).sum(axis=1)
    step = max(1, _BLOCK_BYTES // (rows.itemsize * len(others)))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        block = rows[part] @ others.T
        block *= -2
        block += norms
        block += np.square(rows[part]).sum(axis=1)[:, None]
        yield part, np.maximum(block, 0, out=block)


def _radii(rows: Floats, *ks: int) -> Floats:
    """Squared distance of each row to its k-th nearest other row, for each k. (n, d) -> (n,
    len(ks))."""
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
