"""Which real images train and which are kept apart for validation."""

from __future__ import annotations

import numpy as np

from cdp.errors import InputError

_HELD_OUT_SEED = 20_230_729
"""Fixed: runs of any seed and subset are validated on the same images, so they can be compared
image by image."""
MOST_HELD_OUT = 5
"""At most one image in this many is held out."""


def hold_out(label: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to validate on, both ascending; a function of the labels alone.

    label: (N,) of the whole training set. Every class gives its share of the ``wanted`` rows; at
    most a fifth of the set. Raises InputError for a set of fewer than ten images.
    """
    if len(label) < 10:
        raise InputError(
            f"the data set has {len(label)} training images, too few to hold some out: give it 10"
            " or more"
        )
    size = min(wanted, len(label) // MOST_HELD_OUT)
    held = (
        _turns(label, np.random.default_rng([_HELD_OUT_SEED, len(label)]))
        < _shares(np.bincount(label), size)[label]
    )
    return np.flatnonzero(~held), np.flatnonzero(held)


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
    """``total`` divided in proportion to the sizes (K,), each less than one from its exact share
    (largest remainders)."""
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
