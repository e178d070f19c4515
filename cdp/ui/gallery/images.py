"""Which images of a set the gallery shows, and how: few rows read from the memory map, as PNG
bytes. Pure, no streamlit."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from cdp.data.samples import SampleSet
from cdp.ui.kit.sheet import tile

THUMBNAILS = 10
"""Images on a card: the first of every class, then the second, and so on."""


def rows_by_turn(label: np.ndarray, limit: int) -> np.ndarray:
    """Up to ``limit`` row numbers: the first image of every class in order of class, then the
    second of every class, ..."""
    turn = np.empty(len(label), np.int64)
    for value in np.unique(label):
        where = np.flatnonzero(label == value)
        turn[where] = np.arange(len(where))
    return np.lexsort((label, turn))[:limit]


def first_rows(samples: SampleSet, limit: int) -> np.ndarray:
    """Up to ``limit`` row numbers for a picture of the whole set: classes by turn, the first images
    of a set without labels."""
    return (
        np.arange(min(limit, len(samples)))
        if samples.label is None
        else rows_by_turn(samples.label, limit)
    )


def rows_of_page(samples: SampleSet, value: int | None, page: int, size: int) -> np.ndarray:
    """Row numbers of one page (from 0) of ``size`` images of class ``value``; None is all images in
    file order."""
    if value is None:
        return np.arange(page * size, min((page + 1) * size, len(samples)))
    return rows_of_class(samples.labels("a class"), value, page, size)


def rows_of_class(label: np.ndarray, value: int, page: int, size: int) -> np.ndarray:
    """Row numbers of one page (from 0) of ``size`` images of class ``value``, of all labels
    (n,)."""
    return np.flatnonzero(label == value)[page * size : (page + 1) * size]


def page_count(images: int, size: int) -> int:
    """Pages of ``size`` that ``images`` fill; an empty class still has one, empty, page."""
    return max(1, -(-images // size))


def classes_in(*labels: np.ndarray | None) -> list[int]:
    """Class numbers that appear in any of the arrays, ascending; sets without labels have none."""
    return sorted({int(v) for label in labels if label is not None for v in np.unique(label)})


def names_in(sets: Sequence[SampleSet]) -> list[str]:
    """Names of the classes that have images in any of the sets: those of the first in its order,
    then what the others have besides."""
    return list(
        dict.fromkeys(one.class_names[value] for one in sets for value in classes_in(one.label))
    )


def number_in(samples: SampleSet, name: str) -> int:
    """The number that a set gives the class of this name, -1 where it does not know it."""
    return samples.class_names.index(name) if name in samples.class_names else -1


def showable(image: np.ndarray) -> np.ndarray:
    """(N,H,W,C) uint8 of any C as grey or RGB: 3 channels and more show their first three, 2 their
    first."""
    return image[..., :3] if image.shape[-1] >= 3 else image[..., :1]


def grid_png(image: np.ndarray, columns: int, *, scale: int, gap: int = 2) -> bytes:
    """Images as one PNG, row by row; gaps and a short last row are transparent, so that it stands
    on any theme."""
    from PIL import Image

    shown = showable(image)
    pixels = np.broadcast_to(shown, (*shown.shape[:3], 3)) if shown.shape[-1] == 1 else shown
    colour = tile(np.ascontiguousarray(pixels), columns, scale=scale, gap=gap)
    # Where a tiling of zeros stayed white, there is no image.
    empty = tile(
        np.zeros((len(pixels), *pixels.shape[1:3], 1), np.uint8), columns, scale=scale, gap=gap
    )
    out = io.BytesIO()
    Image.fromarray(np.concatenate([colour, 255 - empty], axis=-1)).save(
        out, "PNG", compress_level=3
    )
    return out.getvalue()


def thumbnail_png(samples: SampleSet) -> bytes:
    """The picture of a set's card: one image of each of the first classes, or simply the first
    images."""
    rows = (
        first_rows(samples, THUMBNAILS)
        if samples.label is None
        else rows_by_turn(samples.label[:5000], THUMBNAILS)
    )
    return grid_png(samples.image[rows], 5, scale=scale_for(samples.image.shape[1:]))


def scale_for(shape: Sequence[int], target: int = 56) -> int:
    """The whole factor that brings an image of (H, W, C) near ``target`` screen pixels without
    smoothing."""
    return max(1, round(target / max(shape[0], shape[1])))
