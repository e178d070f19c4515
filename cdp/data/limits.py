"""What images and labels this release takes, checked in one place for every format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdp.errors import InputError

MAX_SIDE = 64
MAX_CHANNELS = 4
MAX_CLASSES = 1000
MAX_ROWS = 100_000_000
CHUNK_BYTES = 8 << 20


def chunk_rows(shape: Sequence[int]) -> int:
    """How many images of shape (H,W,C) are read or written at once, so that memory stays flat."""
    return max(1, CHUNK_BYTES // int(np.prod(shape)))


def check_image_header(shape: tuple[int, ...], dtype: np.dtype, where: str) -> None:
    """Refuse what is not (N,H,W,C) uint8 with 1..64 px sides and 1..4 channels. where: the file, for the message."""
    if dtype != np.uint8:
        raise InputError(f"{where} holds {dtype} where images must be uint8: scale to 0..255 and convert with image.astype('uint8')")
    if len(shape) != 4:
        raise InputError(f"{where} has shape {shape} where (N, H, W, C) is needed: add the channel axis, image[..., None] for grey images")
    if not 1 <= shape[0] <= MAX_ROWS:
        raise InputError(f"{where} holds {shape[0]} images: give a file with 1 to {MAX_ROWS}")
    check_shape(shape[1:], where)


def check_shape(shape: tuple[int, ...], where: str) -> None:
    """Refuse an image shape (H,W,C) outside the limits of this release."""
    if len(shape) != 3:
        raise InputError(f"{where} has images of shape {shape} where (H, W, C) is needed: add the missing axis")
    height, width, channels = shape
    if 1 <= height <= MAX_CHANNELS < channels:
        raise InputError(f"{where} has images of shape {shape}, channels first: move them last with numpy.moveaxis(image, 1, -1)")
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(f"{where} has {channels} channels: give images with 1 to {MAX_CHANNELS}")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise InputError(f"{where} has images of {height} x {width} px: resize them to 1 to {MAX_SIDE} px a side")


def check_label_header(shape: tuple[int, ...], dtype: np.dtype, count: int, where: str) -> None:
    """Refuse what is not one integer label for each of ``count`` images."""
    if dtype.kind not in "iu":
        raise InputError(f"{where} holds {dtype} where labels must be integers: convert with label.astype('int64')")
    if len(shape) != 1:
        raise InputError(f"{where} has shape {shape} where labels must be (N,): give one class number an image")
    if shape[0] != count:
        raise InputError(f"{where} holds {shape[0]} labels for {count} images: give exactly one an image")


def as_labels(values: np.ndarray, classes: int, where: str) -> np.ndarray:
    """Integers of any width and byte order -> (N,) int64, all in 0..classes-1 or InputError."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < 0 or high >= classes:
        raise InputError(f"{where} has label {low if low < 0 else high}, outside 0..{classes - 1}: number the classes from 0 without gaps")
    return values.astype(np.int64)
