"""What a training draws from: which real images train and which are held out, images left where
they lie, and which of them a step sees, as a pure function of (seed, step)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from cdp.errors import InputError

_HELD_OUT_SEED = 20_230_729
"""Fixed: runs of any seed and subset are validated on the same images, so they can be compared
image by image."""
MOST_HELD_OUT = 5
"""At most one image in this many is held out."""


def hold_out(label: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to validate on, ascending; a function of the labels (N,) alone.
    Every class gives its share; at most a fifth of the set. Raises InputError for fewer than ten
    images."""
    if len(label) < 10:
        raise InputError(
            f"the data set has {len(label)} training images, too few to hold some out: give it 10"
            " or more"
        )
    size = min(wanted, len(label) // MOST_HELD_OUT)
    chosen = (
        _turns(label, np.random.default_rng([_HELD_OUT_SEED, len(label)]))
        < _shares(np.bincount(label), size)[label]
    )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def real_rows(
    label: np.ndarray, real: int, *, held_out: int, seed: int, balanced: bool = True
) -> np.ndarray:
    """The rows of ``label`` that a training on ``real`` images sees, ascending. held_out: that it
    validates on. Raises InputError where there are too few."""
    rows = hold_out(label, held_out)[0] if held_out else np.arange(len(label))
    if real > len(rows):
        raise InputError(
            f"real: {real:,} images were asked for, but the data set has {len(rows):,} besides"
            f" {held_out:,} for validation: lower real, or leave it empty for all"
        )
    return rows[nested_subset(label[rows], real, seed=seed, balanced=balanced)]


def nested_subset(label: np.ndarray, size: int, *, seed: int, balanced: bool) -> np.ndarray:
    """``size`` of the rows of ``label``, ascending; a larger subset of the same seed contains the
    smaller one.

    balanced: the same number of every class (give or take one) as far as there are enough, then
    more of the others.
    """
    generator = np.random.default_rng([seed, len(label)])
    if not balanced:
        return np.sort(generator.permutation(len(label))[:size])
    turn = _turns(label, generator)
    # Classes take turns, in a seeded order, so that the odd ones out are not always the first
    # classes.
    place = generator.permutation(int(label.max(initial=0)) + 1)[label]
    return np.sort(np.lexsort((place, turn))[:size])


def _shares(sizes: np.ndarray, total: int) -> np.ndarray:
    """``total`` in proportion to the sizes (K,), by largest remainders."""
    exact = total * sizes / sizes.sum()
    shares = np.floor(exact).astype(np.int64)
    shares[np.argsort(shares - exact, kind="stable")[: total - shares.sum()]] += 1
    return shares


def _turns(label: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """For every row its place (from 0) in a random order of its class."""
    turn = np.empty(len(label), np.int64)
    for value in np.unique(label):
        where = np.flatnonzero(label == value)
        turn[where] = generator.permutation(len(where))
    return turn


_KEPT = 2
"""Permutations remembered at once: a batch can reach from one pass into the next."""
_REAL, _SYNTHETIC = 0, 1


class Endless:
    """Endless passes over ``count`` rows, each in a fresh seeded order, cut into batches of
    ``size``.

    A batch that reaches the end of a pass goes on with the next one, so every pass shows every row
    exactly once.
    """

    def __init__(self, count: int, size: int, *, seed: int, stream: int = 0) -> None:
        """stream: a number that sets this sequence apart from others of the same seed."""
        self.count, self.size, self._key = count, size, (seed, stream)
        self._orders: OrderedDict[int, np.ndarray] = OrderedDict()

    def rows(self, step: int) -> np.ndarray:
        """Rows of batch ``step`` (from 0), (size,) int64."""
        position, end = step * self.size, (step + 1) * self.size
        parts = [np.empty(0, np.int64)]
        while position < end:
            turn, first = divmod(position, self.count)
            part = self._order(turn)[first : first + end - position]
            parts.append(part.astype(np.int64))
            position += len(part)
        return np.concatenate(parts)

    def _order(self, turn: int) -> np.ndarray:
        if turn not in self._orders:
            if len(self._orders) >= _KEPT:
                self._orders.popitem(last=False)
            # 32 bits: synthetic sets have up to tens of millions of rows.
            self._orders[turn] = np.random.default_rng([*self._key, turn]).permutation(
                np.arange(self.count, dtype=np.uint32)
            )
        return self._orders[turn]


def steps_per_epoch(real: int, synthetic: int, *, batch: int, synthetic_per_batch: int) -> int:
    """Optimiser steps of one pass over ``real`` images at their share of the batch, over
    ``synthetic`` ones where it has no real ones. At least 1, also where a batch is larger than a
    pass."""
    share = batch - synthetic_per_batch
    return max(1, real // share if share else synthetic // batch)


class Mixture:
    """Batches of exactly ``synthetic_per_batch`` synthetic rows, the others real. Either kind may
    be absent.

    An epoch is one pass over the real rows at their share of the batch, as in the published code
    (``steps_per_epoch``).
    """

    def __init__(
        self, real: int, synthetic: int, *, batch: int, synthetic_per_batch: int, seed: int
    ) -> None:
        """real, synthetic: rows of each kind. Both parts of the batch need rows."""
        if (
            not 0 <= synthetic_per_batch <= batch
            or (synthetic_per_batch and not synthetic)
            or (synthetic_per_batch < batch and not real)
        ):
            raise ValueError(
                f"{synthetic_per_batch} of {batch} images cannot come from {synthetic} synthetic"
                f" and {real} real ones"
            )
        self.batch, self.synthetic_per_batch = batch, synthetic_per_batch
        self.steps_per_epoch = steps_per_epoch(
            real, synthetic, batch=batch, synthetic_per_batch=synthetic_per_batch
        )
        self._real = Endless(real, batch - synthetic_per_batch, seed=seed, stream=_REAL)
        self._synthetic = Endless(synthetic, synthetic_per_batch, seed=seed, stream=_SYNTHETIC)

    def rows(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Real rows and synthetic rows of batch ``step`` (from 0), both int64."""
        return self._real.rows(step), self._synthetic.rows(step)


class Pool:
    """Labelled images of several arrays, numbered through, mapped until they are taken."""

    def __init__(
        self, parts: list[tuple[np.ndarray, np.ndarray]], rows: np.ndarray | None = None
    ) -> None:
        """parts: (image, label) each, of one image shape; rows: which of them, None for all."""
        self._parts, self._rows = parts, rows
        self._ends = np.cumsum([len(label) for _, label in parts])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._rows is None else len(self._rows)

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images (B,H,W,C) uint8 and labels (B,) int64 of these rows, in this order."""
        if self._rows is not None:
            rows = self._rows[rows]
        which = np.searchsorted(self._ends, rows, side="right")
        image = np.empty((len(rows), *self._parts[0][0].shape[1:]), np.uint8)
        label = np.empty(len(rows), np.int64)
        for number in np.unique(which):
            images, labels = self._parts[number]
            chosen = which == number
            inside = rows[chosen] - (self._ends[number] - len(labels))
            image[chosen], label[chosen] = images[inside], labels[inside]
        return image, label


@dataclass(frozen=True)
class TrainingData:
    """What a robust training sees. real, synthetic: None where a batch has none; validation images
    (n,H,W,C) uint8 are in neither.

    classes: number of classes; label: of the validation images, (n,) int64.
    """

    real: Pool | None
    synthetic: Pool | None
    image: np.ndarray
    label: np.ndarray
    classes: int
