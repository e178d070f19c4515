"""Whether samples are copies of training images: nearest distances over all of them, held against
held-out real images."""

from __future__ import annotations

import numpy as np

from benchmarks.results import Figure
from cdp.embedding.intervals import without_interval
from cdp.embedding.neighbours import nearest_distance
from cdp.statistics.shares import quantile_of, wilson
from cdp.values.types import Interval

NEAR = 0.001
"""A near copy is nearer to a training image than all but this share of held-out real images are."""


def figures(
    image: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    mine: np.ndarray,
    train_features: np.ndarray,
    test_features: np.ndarray,
) -> list[Figure]:
    """image, train, test: (n,H,W,C) uint8 of samples, training and held-out images; the rest: their
    features (n,d)."""
    size = min(len(train), len(test))
    pixels = distances_by_part(image, train, size)
    return [
        *_space(
            "pixels",
            pixels.min(axis=0),
            distances_by_part(test, train, size).min(axis=0),
            len(train),
        ),
        *_space(
            "features",
            nearest_distance(mine, train_features),
            nearest_distance(test_features, train_features),
            len(train),
        ),
        Figure.of_interval(
            "nearer to a training image than to a held-out one, pixels, as many of each: 50 %"
            " without copying",
            nearer_share(
                pixels[: len(train) // size], nearest_distance(flat(image), flat(test[:size]))
            ),
            "%",
            key="nearer_to_training",
        ),
    ]


def _space(name: str, nearest: np.ndarray, real: np.ndarray, known: int) -> list[Figure]:
    """nearest, real: distance of each sample and of each held-out real image to the nearest
    training image."""
    n, count = len(nearest), int((nearest < np.quantile(real, NEAR)).sum())
    bounds = wilson(count, n)
    expected = f"{NEAR * n:g} of {n:,} real images would be"
    return [
        Figure.of_interval(
            f"distance to the nearest of {known:,} training images over that of held-out real"
            f" images, {name}",
            mean_ratio(nearest, real),
            key=f"nearest_ratio_{name}",
        ),
        Figure(
            f"near copies of training images, {name} ({expected})",
            float(count),
            "",
            bounds.low * n,
            bounds.high * n,
            n,
            "95 %",
            key=f"near_copies_{name}",
        ),
    ]


def flat(image: np.ndarray) -> np.ndarray:
    """(n,H,W,C) uint8 -> (n, H*W*C) fp32 in [0,1]."""
    return np.asarray(image, np.float32).reshape(len(image), -1) / 255


def distances_by_part(image: np.ndarray, known: np.ndarray, size: int) -> np.ndarray:
    """Pixel distance of each image to the nearest within each run of ``size`` known images, (parts,
    n); parts keep memory small."""
    rows = flat(image)
    return np.stack(
        [
            nearest_distance(rows, flat(known[start : start + size]))
            for start in range(0, len(known), size)
        ]
    )


def nearer_share(to_training: np.ndarray, to_held_out: np.ndarray) -> Interval:
    """Share of images that are nearer to training than to held-out images, averaged over parts (p,
    n) of equal size.

    A model that copies is nearer to what it copied from than to other images of the same kind
    (Meehan 2020, data-copying).
    """
    share = float((to_training < to_held_out).mean())
    return wilson(round(share * len(to_held_out)), len(to_held_out))


def mean_ratio(top: np.ndarray, bottom: np.ndarray, *, level: float = 0.95) -> Interval:
    """Mean of ``top`` over mean of ``bottom``, two independent sets of independent values: the
    normal interval of its logarithm.

    Without an interval where all of ``top`` is 0, as of exact copies.
    """
    value = float(top.mean() / bottom.mean())
    if value == 0:
        return without_interval(value, len(top), "every distance is 0")
    error = np.hypot(
        *(values.std(ddof=1) / values.mean() / np.sqrt(len(values)) for values in (top, bottom))
    )
    factor = float(np.exp(quantile_of(level) * error))
    return Interval(value, value / factor, value * factor, len(top), level)
