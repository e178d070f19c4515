"""How near images come to real training images, in an encoder's features, and which are
suspiciously near. Kept on disk by content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from cdp.embedding.neighbours import nearest_distance
from cdp.embedding.rows import Floats
from cdp.errors import InputError
from cdp.files import cache
from cdp.tasks.features import features, identity
from cdp.tasks.sources import COMMON_ROWS, NAME_DATASET, Source, open_source, real_images

VERSION = 1
SAME = 1e-6
"""Images whose features are no further apart are one image."""
RARE = 0.001
"""An image counts as memorised where it is at least as near to a training image as this share of
held-out real images is: 1 in 1,000 real images, which nobody copied, would be flagged too."""


@dataclass(frozen=True)
class Flags:
    """duplicate: (k,) bool, an earlier image of the set is the same, byte for byte or within
    ``SAME`` in features; memorised: (k,) bool, none where ``undefined`` says why that cannot be
    told."""

    duplicate: np.ndarray
    memorised: np.ndarray
    undefined: str = ""


def flagged(source: Source, rows: np.ndarray, encoder: str, dataset: str) -> Flags:
    """Images ``rows`` (k,) of a set that are there twice or look copied. Errors as
    ``scoring.score_rows``."""
    image = images_at(source, rows)
    duplicate = duplicates(image, features(encoder, dataset, image))
    mine = nearest_training(encoder, dataset, image, compute=True)
    real = held_out_distances(encoder, dataset, compute=True)
    for answer in (mine, real):
        if isinstance(answer, str):
            return Flags(duplicate, np.zeros(len(duplicate), bool), answer)
    assert isinstance(mine, np.ndarray) and isinstance(
        real, tuple
    )  # computing leaves nothing unknown
    return Flags(duplicate, mine <= np.quantile(real[0], RARE))


def flagged_in(name: str, encoder: str, dataset: str) -> dict[str, Any]:
    """Rows of a set that are ``duplicates`` and ``memorised``, and why the latter are
    ``undefined``, JSON-ready. Errors as ``flagged``."""
    source = open_source(name)
    flags = flagged(source, np.arange(len(source)), encoder, dataset)
    return {
        "duplicates": np.flatnonzero(flags.duplicate).tolist(),
        "memorised": np.flatnonzero(flags.memorised).tolist(),
        "undefined": flags.undefined,
    }


def images_at(source: Source, rows: np.ndarray) -> np.ndarray:
    """Images ``rows`` of a set, (k,H,W,C) uint8; all of them in their order stay memory-mapped."""
    return source.image if np.array_equal(rows, np.arange(len(source))) else source.image[rows]


def duplicates(image: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """image: (k,H,W,C) uint8, seen: (k, d) features -> (k,) bool, whether the same comes
    earlier."""
    alone = _first_of_equals(image) & _first_of_equals(seen)
    left = np.flatnonzero(alone)
    rows = seen[left].astype(np.float64)
    # Rows as near as that are at least as near along any one direction: only neighbours in the
    # order along one are compared.
    direction = np.random.default_rng(0).normal(size=rows.shape[1])
    along = rows @ (direction / np.linalg.norm(direction))
    order = np.argsort(along, kind="stable")
    for step in range(1, len(order)):
        close = np.flatnonzero(along[order[step:]] - along[order[:-step]] <= 1.001 * SAME)
        if not len(close):
            break
        a, b = order[close], order[close + step]
        same = np.linalg.norm(rows[a] - rows[b], axis=1) <= SAME
        alone[left[np.maximum(a, b)[same]]] = False
    return ~alone


def nearest_training(
    encoder: str, dataset: str, image: np.ndarray, *, compute: bool
) -> Floats | str | None:
    """(k,) distances of images (k,H,W,C) to the nearest of the training images that every machine
    has; why there are none, as text; None where they would have to be computed and that is not
    asked for."""
    train = _real(dataset, "train")
    if isinstance(train, str):
        return train
    key = cache.digest(
        VERSION, identity(encoder, dataset, image), identity(encoder, dataset, train[0])
    )
    found = cache.load_array("nearest", key)
    if found is not None and found.shape == (len(image),) and found.dtype == np.float64:
        return found
    if not compute:
        return None
    seen, known = features(encoder, dataset, image), features(encoder, dataset, train[0])
    if seen.shape[1] != known.shape[1]:
        return (
            f"these images have another shape than those of {dataset}: choose an encoder or a data"
            " set of their own"
        )
    made = nearest_distance(seen, known)
    cache.keep("nearest", key, made)
    return made


def held_out_distances(
    encoder: str, dataset: str, *, compute: bool
) -> tuple[Floats, np.ndarray] | str | None:
    """The same of held-out real images, with their labels: how near is normal."""
    held_out = _real(dataset, "test")
    if isinstance(held_out, str):
        return held_out
    found = nearest_training(encoder, dataset, held_out[0], compute=compute)
    return found if found is None or isinstance(found, str) else (found, held_out[1])


def _real(dataset: str, split: str) -> tuple[np.ndarray, np.ndarray] | str:
    if not dataset:
        return (
            "the set's card names no data set, so there are no real images to compare with: "
            + NAME_DATASET
        )
    try:
        return real_images(dataset, split, COMMON_ROWS)
    except InputError as error:  # not here, or no match for the training images
        return str(error)


def _first_of_equals(rows: np.ndarray) -> np.ndarray:
    """rows: (k, ...) -> (k,) bool, whether no earlier row has the same bytes."""
    known: set[bytes] = set()
    out = np.zeros(len(rows), bool)
    for number, row in enumerate(rows):
        mark = hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=16).digest()
        out[number] = mark not in known
        known.add(mark)
    return out
