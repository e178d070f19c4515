"""Nearest neighbours in feature space: memorisation, precision, recall, density, coverage. Distances are made block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cdp.embedding.checks import Floats, feature_rows
from cdp.embedding.intervals import bootstrap, wilson
from cdp.errors import InputError
from cdp.types import Interval

_BLOCK_BYTES = 32 << 20


@dataclass(frozen=True)
class PrecisionRecall:
    """Shares with Wilson intervals. precision: of generated images that look real; recall: of real images that are covered."""

    precision: Interval
    recall: Interval


@dataclass(frozen=True)
class DensityCoverage:
    """density: how crowded with real images the places of generated ones are, 1 where both sets are alike; coverage: share
    of real images that have a generated one nearby."""

    density: Interval
    coverage: Interval


def nearest_distance(features: np.ndarray, reference: np.ndarray) -> Floats:
    """Euclidean distance of each row to its nearest reference row; exactly 0 for a copy.

    features: (n, d); reference: (m, d), m >= 1 -> (n,).
    """
    rows, others = _pair("features", features, "reference", reference)
    nearest = np.concatenate([block.argmin(axis=1) for _, block in _squared(rows, others)])
    # The expanded square loses digits where it matters most, close to 0: compute the chosen one again, directly.
    return np.sqrt(np.square(rows - others[nearest]).sum(axis=1))


def precision_recall(real: np.ndarray, fake: np.ndarray, *, k: int = 3, level: float = 0.95) -> PrecisionRecall:
    """Improved precision and recall (Kynkaanniemi 2019, Eqs. 1-2).

    real: (n, d), fake: (m, d), both with more than k rows. Precision: share of fake rows within the k-nearest-neighbour ball
    of some real row; recall: the same with the roles swapped. Intervals hold the other set's balls fixed.
    """
    rows, others = _pair("real", real, "fake", fake, k)
    real_radius, fake_radius = _radius(rows, k), _radius(others, k)
    inside_real = _covered(others, rows, real_radius)
    inside_fake = _covered(rows, others, fake_radius)
    return PrecisionRecall(wilson(int(inside_real.sum()), len(others), level=level), wilson(int(inside_fake.sum()), len(rows), level=level))


def density_coverage(
    real: np.ndarray, fake: np.ndarray, *, k: int = 5, n_boot: int = 500, seed: int = 0, level: float = 0.95
) -> DensityCoverage:
    """Density and coverage (Naeem 2020, Eqs. 3-4).

    real: (n, d) with more than k rows, fake: (m, d), m >= 2. Density: mean over fake rows of the number of real k-nearest-neighbour
    balls that hold it, divided by k (bootstrapped over fake rows); coverage: share of real rows whose ball holds some fake row
    (Wilson). Balls are closed. Both hold the real balls fixed.
    """
    rows, others = _pair("real", real, "fake", fake, k, both=False)
    radius = _radius(rows, k)
    crowd = np.empty(len(others))
    hit = np.zeros(len(rows), bool)
    for part, block in _squared(others, rows):
        inside = block <= radius
        crowd[part] = inside.sum(axis=1) / k
        hit |= inside.any(axis=0)
    return DensityCoverage(
        bootstrap(lambda share: float(share.mean()), crowd, n_boot=n_boot, seed=seed, level=level),
        wilson(int(hit.sum()), len(rows), level=level),
    )


def _pair(name: str, rows: np.ndarray, other_name: str, others: np.ndarray, k: int = 0, *, both: bool = True) -> tuple[Floats, Floats]:
    """Both sets as float64, moved so that expanded squares cancel less; more than k rows in the first (in both)."""
    first = feature_rows(name, rows, at_least=k + 1)
    second = feature_rows(other_name, others, at_least=k + 1 if both else 2, width=first.shape[1])
    centre = second.mean(axis=0)
    return first - centre, second - centre


def _squared(rows: Floats, others: Floats) -> Iterator[tuple[slice, Floats]]:
    """Blocks (slice of rows, squared distances to all others (b, m)); never all of them at once."""
    norms = np.square(others).sum(axis=1)
    step = max(1, _BLOCK_BYTES // (8 * len(others)))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        block = rows[part] @ others.T
        block *= -2
        block += norms
        block += np.square(rows[part]).sum(axis=1)[:, None]
        yield part, np.maximum(block, 0, out=block)


def _radius(rows: Floats, k: int) -> Floats:
    """Squared distance of each row to its k-th nearest other row. (n, d) -> (n,)."""
    if k < 1 or int(k) != k:
        raise InputError(f"k is {k}: choose a whole number of neighbours from 1 up")
    out = np.empty(len(rows))
    for part, block in _squared(rows, rows):
        own = np.arange(part.start, part.stop)
        block[np.arange(len(own)), own] = np.inf
        out[part] = np.partition(block, k - 1, axis=1)[:, k - 1]
    return out


def _covered(rows: Floats, centres: Floats, radius: Floats) -> np.ndarray:
    """(n,) bool: whether a row lies in any of the closed balls."""
    return np.concatenate([(block <= radius).any(axis=1) for _, block in _squared(rows, centres)])
