"""What every figure is taken of: rows of features with class numbers, checked, and how they are
dealt to independent parts. Each refusal names the argument and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdp.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PART_IMAGES, MOST_PARTS = 300, 10
"""Parts have at least so many images where there are enough for two of them, and there are at most
so many."""
FREEDOM, LEAST_FREEDOM, PAIRS = 24, 10, 1.5e8
"""Images are dealt anew until the variance has so many degrees of freedom; the lower number where
distances of so many pairs of images would be exceeded."""
FEWEST_GROUPS, MOST_GROUPS = 20, 40


class UndefinedError(InputError):
    """The input is sound, but the figure does not exist for it, as for one class."""


def feature_rows(
    name: str, features: np.ndarray, *, at_least: int = 1, width: int | None = None
) -> Floats:
    """(n, d) finite numbers, n >= at_least, d = width where given -> the same as float64."""
    rows = np.asarray(features)
    if rows.ndim != 2 or rows.shape[1] == 0 or rows.dtype.kind not in "fiu":
        raise InputError(
            f"{name} has shape {rows.shape} and type {rows.dtype}: pass rows of numbers (n, d)"
        )
    if width is not None and rows.shape[1] != width:
        raise InputError(
            f"{name} has {rows.shape[1]} features a row where {width} are expected: take both from"
            " the same encoder"
        )
    if len(rows) < at_least:
        raise UndefinedError(f"{name} has {len(rows)} rows: at least {at_least} are needed")
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows)).any(axis=1).argmax())
        raise InputError(
            f"{name} has NaN or infinity in row {bad}: the encoder failed on that image, so leave"
            " it out"
        )
    return rows.astype(np.float64, copy=False)


def class_numbers(name: str, labels: np.ndarray, count: int) -> Ints:
    """labels: (count,) integers -> the same as int64."""
    numbers = np.asarray(labels)
    if numbers.shape != (count,) or numbers.dtype.kind not in "iu":
        raise InputError(
            f"{name} has shape {numbers.shape} and type {numbers.dtype}: pass {count} integer class"
            " numbers"
        )
    return numbers.astype(np.int64, copy=False)


def deal(labels: np.ndarray, parts: int, times: int = 1, *, seed: int = 0) -> Ints:
    """Deal n images to parts of equal size, so many times over, with the same share of each class:
    (times, n) part numbers. Equal labels are dealt alike."""
    classes = class_numbers("labels", labels, len(labels))
    rng = np.random.default_rng((seed, len(classes)))
    dealt = np.empty((times, len(classes)), np.int64)
    for row in dealt:
        mixed = rng.permutation(len(classes))
        order = mixed[np.argsort(classes[mixed], kind="stable")]
        row[order] = np.arange(len(classes)) % parts
    return dealt


@dataclass(frozen=True)
class Parts:
    """Images of a set, and the real ones it is compared with, dealt to ``count`` parts. own:
    (times, n), real: (times, m) part numbers."""

    own: Ints
    real: Ints
    count: int

    @classmethod
    def of(
        cls,
        labels: np.ndarray,
        real_labels: np.ndarray | None = None,
        *,
        seed: int = 0,
        freedom: int = FREEDOM,
    ) -> Parts:
        """labels (n,), real_labels (m,): classes, all equal where not known; None without."""
        others = np.empty(0, np.int64) if real_labels is None else real_labels
        few = len(labels) if real_labels is None else min(len(labels), len(others))
        count = min(max(few // PART_IMAGES, 2), MOST_PARTS)
        affordable = int(PAIRS * count / max(len(labels) + len(others), 1) ** 2)
        times = max(-(-LEAST_FREEDOM // (count - 1)), min(-(-freedom // (count - 1)), affordable))
        return cls(
            deal(labels, count, times, seed=seed), deal(others, count, times, seed=seed + 1), count
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(times, count)."""
        return len(self.own), self.count

    def halved(self, labels: np.ndarray, *, seed: int = 0) -> Parts:
        """The set's images alone, dealt as often to twice as many parts. labels: (n,)."""
        own = deal(labels, 2 * self.count, len(self.own), seed=seed + 2)
        return Parts(own, own[:, :0], 2 * self.count)

    def only(self, own: Ints, real: Ints) -> Parts:
        """The same dealing of these rows alone."""
        return Parts(self.own[:, own], self.real[:, real], self.count)

    def values(self, figures: Callable[[Ints, Ints], Sequence[float] | Floats]) -> Floats:
        """figures: of the set's rows and the real rows of one part -> (times, count, how many)."""
        where, parts = np.flatnonzero, range(self.count)
        values = [
            [figures(where(own == part), where(real == part)) for part in parts]
            for own, real in zip(self.own, self.real, strict=True)
        ]
        return np.array(values, dtype=np.float64)


def balanced_sample(labels: np.ndarray, most: int, seed: int) -> Ints:
    """At most so many rows, seeded, of every class its share, in their order."""
    if len(labels) <= most:
        return np.arange(len(labels))
    mixed = np.random.default_rng(seed).permutation(len(labels))
    order = mixed[np.argsort(labels[mixed], kind="stable")]
    return np.sort(order[(np.arange(most) * len(labels)) // most])


def leave_out(labels: np.ndarray, *, seed: int = 0) -> tuple[Ints, int]:
    """Deal n images to 20 to 40 groups to be left out in turn: (n,) group numbers and how many. The
    number is the one that divides the classes best."""
    sizes = np.unique(labels, return_counts=True)[1].tolist()
    most, fewest = min(len(labels), MOST_GROUPS), min(len(labels), FEWEST_GROUPS)
    count = min(
        range(most, fewest - 1, -1), key=lambda g: sum((s % g) * (g - s % g) / s for s in sizes)
    )
    return deal(labels, count, seed=seed)[0], count
