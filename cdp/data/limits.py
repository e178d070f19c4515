"""What images, labels and names this release takes, checked in one place for every format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cdp.errors import InputError
from cdp.values.text import counted

MAX_SIDE = 64
MAX_CHANNELS = 4
MAX_CLASSES = 1000
MAX_ROWS = 100_000_000
CHUNK_BYTES = 8 << 20


_TO_UINT8 = {
    "f": (
        "(255 * image).round().astype('uint8') where they lie in 0..1, (127.5 * (image +"
        " 1)).round().astype('uint8') where they lie in -1..1 and some are negative,"
        " image.round().astype('uint8') where they lie in 0..255"
    ),
    "u": (
        "(image >> 8).astype('uint8') where they have 16 bits, image.astype('uint8') where they lie"
        " in 0..255"
    ),
    "i": (
        "image.astype('uint8') where they lie in 0..255, (image.astype('int64') +"
        " 128).astype('uint8') where they lie in -128..127 and some are negative"
    ),
    "b": "255 * image.astype('uint8')",
}
_TO_LABELS = {
    "f": "label.astype('int64') where they are whole numbers",
    "b": "label.astype('int64')",
    **dict.fromkeys(
        "US",
        "numpy.unique(label, return_inverse=True)[1], and give numpy.unique(label) as class names",
    ),
}
"""What makes images and labels of arrays of another kind, as a person would type it."""


def chunk_rows(shape: Sequence[int]) -> int:
    """How many images of shape (H,W,C) are read or written at once, so that memory stays flat."""
    return max(1, CHUNK_BYTES // int(np.prod(shape)))


def check_image_header(shape: tuple[int, ...], dtype: np.dtype, where: str) -> None:
    """Refuse what is not (N,H,W,C) uint8 with 1..64 px sides and 1..4 channels."""
    if dtype != np.uint8:
        raise InputError(
            f"{where} holds {dtype} where images must be uint8 in 0..255: save"
            f" {_TO_UINT8.get(dtype.kind, 'pixel values')}"
        )
    if len(shape) != 4:
        raise InputError(
            f"{where} has shape {shape} where (N, H, W, C) is needed: save an array of images, one"
            " pixel grid each"
        )
    if not 1 <= shape[0] <= MAX_ROWS:
        raise InputError(f"{where} holds {shape[0]} images: give a file with 1 to {MAX_ROWS}")
    check_shape(shape[1:], where)


def check_shape(shape: tuple[int, ...], where: str) -> None:
    """Refuse an image shape (H,W,C) outside the limits of this release."""
    if len(shape) != 3:
        raise InputError(
            f"{where} has images of shape {shape} where (H, W, C) is needed: add the missing axis"
        )
    height, width, channels = shape
    if 1 <= height <= MAX_CHANNELS < channels:
        raise InputError(
            f"{where} has images of shape {shape}, channels first: save numpy.moveaxis(image,"
            " 1, -1)"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(f"{where} has {channels} channels: give images with 1 to {MAX_CHANNELS}")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise InputError(
            f"{where} has images of {height} x {width} px: resize them to 1 to {MAX_SIDE} px a side"
        )


def check_label_header(shape: tuple[int, ...], dtype: np.dtype, count: int, where: str) -> None:
    """Refuse what is not one integer label for each of ``count`` images."""
    if dtype.kind not in "iu":
        raise InputError(
            f"{where} holds {dtype} where labels must be integers: save"
            f" {_TO_LABELS.get(dtype.kind, 'class numbers')}"
        )
    if len(shape) != 1:
        way = (
            "label.reshape(-1)"
            if int(np.prod(shape)) == count
            else "label.argmax(axis=1), where a row marks its class"
            if len(shape) == 2
            else ""
        )
        raise InputError(
            f"{where} has shape {shape} where labels must be (N,): save"
            f" {way or 'one class number an image'}"
        )
    if shape[0] != count:
        raise InputError(
            f"{where} holds {counted(shape[0], 'label')} for"
            f" {counted(count, 'image')}: give exactly one an image"
        )


def as_labels(values: np.ndarray, classes: int, where: str) -> np.ndarray:
    """Integers of any width and byte order -> (N,) int64, all in 0..classes-1 or InputError."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < 0 or high >= classes:
        raise InputError(
            f"{where} has label {low if low < 0 else high}, outside 0..{classes - 1}: number the"
            " classes from 0 without gaps"
        )
    return values.astype(np.int64)


@dataclass(frozen=True)
class Numbering:
    """Class numbers for the labels of a file. values: (K,) the labels that class 0, 1, ... have
    there, rising; None where they are the numbers."""

    values: np.ndarray | None = None

    def apply(self, labels: np.ndarray, where: str) -> np.ndarray:
        """(n,) int64 in 0..K-1. Raises InputError for a label that no class has."""
        if self.values is None:
            return as_labels(labels, MAX_CLASSES, where)
        # As Python's integers: numpy compares int64 with uint64 as floats, which hold no large ones
        # exactly.
        place = {int(value): k for k, value in enumerate(self.values)}
        present, inverse = np.unique(labels, return_inverse=True)
        unknown = [int(value) for value in present if int(value) not in place]
        if unknown:
            raise InputError(
                f"{where} has label {unknown[0]}, which no class has: use the labels"
                f" {_numbers(self.values)}"
            )
        return np.array([place[int(value)] for value in present], np.int64)[inverse]


def numbering(labels: np.ndarray, classes: int, where: str, *, renumber: bool) -> Numbering:
    """How the labels (N,) of a whole file become class numbers: as they are or, where asked for,
    without gaps. classes: how many are named. Raises InputError where they do not fit."""
    present = np.unique(labels)
    k, low, high = len(present), int(present[0]), int(present[-1])
    if low >= 0 and high < (classes or k):
        return Numbering()
    if k > MAX_CLASSES:
        raise InputError(
            f"{where} has {k} different labels, up to label {high}: give at most {MAX_CLASSES}"
            " classes"
        )
    if renumber and (not classes or classes == k):
        return Numbering(present)
    said = (
        f"{where} has label {low if low < 0 else high}"
        f" {f'among {k} different ones ({_numbers(present)})' if k > 1 else 'alone'}"
    )
    if renumber:
        raise InputError(f"{said}, but {classes} classes are named: name {k}")
    if classes and classes != k:
        raise InputError(
            f"{said}, outside 0..{classes - 1} of the {classes} classes that are named: name"
            f" {high + 1 if low >= 0 else k} classes, or none"
        )
    raise InputError(
        f"{said}, not 0..{k - 1}: set renumber to number them so in this order"
        + ("" if classes else ", or name all classes, also those without images")
    )


def _numbers(values: np.ndarray) -> str:
    first_few = [str(int(value)) for value in values[:5]]
    return ", ".join(first_few) + (f" to {int(values[-1])}" if len(values) > 5 else "")


MAX_LENGTH = 100
# The first character keeps hidden folders (partial sets) and "..", and options of commands, out of
# reach.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)
# Windows opens a device under these names, whatever the folder.
_PORTS = [f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)]
_DEVICES = frozenset(["con", "prn", "aux", "nul", *_PORTS])


def valid_name(name: str) -> str:
    """The name where it is one folder name of plain characters; else InputError."""
    quoted = repr(name[:60])
    if len(name) > MAX_LENGTH:
        raise InputError(
            f"name {quoted} is {len(name)} characters long: choose one of 1 to {MAX_LENGTH}"
        )
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise InputError(
            f"name {quoted} cannot be a folder: use letters, digits, '.', '_' and '-', starting"
            " with a letter, digit or '_'"
        )
    if name.split(".")[0].lower() in _DEVICES:
        raise InputError(f"name {quoted} is a device on some systems: choose another name")
    return name


def name_like(text: str) -> str:
    """A name made of any text by hyphens; empty where nothing is left."""
    return (
        "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in text)
        .strip("-._")[:MAX_LENGTH]
        .rstrip("-._")
    )
