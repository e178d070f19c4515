"""Writing .npy files by rows, in flat memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cdp.data import limits
from cdp.data.samples import IMAGE, LABEL
from cdp.errors import InputError
from cdp.files import npy

Chunk = tuple[np.ndarray, np.ndarray | None]
"""Some images (n,H,W,C) uint8 and their labels (n,), None where the set has none."""


class RowFile:
    """One .npy file of a known shape, written in place by rows. Plain writes: mapped pages would
    count as memory."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype
        header = npy.header_bytes(shape, dtype)
        self._offset = len(header)
        self._row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        size = self._offset + shape[0] * self._row_bytes
        new = not path.exists()
        self._file = path.open("w+b" if new else "r+b")
        if new:
            self._file.write(header)
            self._file.truncate(size)
        elif self._file.read(self._offset) != header or path.stat().st_size != size:
            self._file.close()
            raise InputError(
                f"{path} is not the file this writer began: delete {path.parent} and start again"
            )

    def write(self, first: int, rows: np.ndarray) -> None:
        """Rows ``first``.. in the file's dtype."""
        self._file.seek(self._offset + first * self._row_bytes)
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)

    def sync(self) -> None:
        """Return when everything written is on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def write_arrays(
    folder: Path,
    shape: tuple[int, ...],
    chunks: Iterable[Chunk],
    where: str,
    *,
    labelled: bool = True,
) -> int | None:
    """Write image.npy and, where ``labelled``, label.npy chunk by chunk, checked; returns the
    highest label, None without labels."""
    image = RowFile(folder / IMAGE, shape, np.dtype(np.uint8))
    label = RowFile(folder / LABEL, shape[:1], np.dtype(np.int64)) if labelled else None
    try:
        done, top = 0, 0
        for images, labels in chunks:
            if images.dtype != np.uint8 or images.shape[1:] != shape[1:]:
                raise InputError(
                    f"{where} has images of {images.dtype} {images.shape[1:]} among uint8"
                    f" {shape[1:]}: make them alike"
                )
            if done + len(images) > shape[0]:
                raise InputError(
                    f"{where} gave more than the {shape[0]} images announced: give exactly those"
                )
            checked = checked_labels(labels, len(images), where, labelled=labelled)
            image.write(done, images)
            if label is not None and checked is not None:
                label.write(done, checked)
                top = max(top, int(checked.max(initial=0)))
            done += len(images)
        if done != shape[0]:
            raise InputError(
                f"{where} gave {done} images where {shape[0]} were announced: give all of them"
            )
        image.sync()
        if label is not None:
            label.sync()
    finally:
        image.close()
        if label is not None:
            label.close()
    return top if labelled else None


def checked_labels(
    labels: np.ndarray | None, count: int, where: str, *, labelled: bool
) -> np.ndarray | None:
    """Labels of ``count`` images as (count,) int64, None for a set without. Raises InputError for
    any others."""
    if (labels is not None) != labelled:
        raise InputError(
            f"{where} has images with labels and images without: give labels for all of them, or"
            " for none"
        )
    if labels is None:
        return None
    limits.check_label_header(labels.shape, labels.dtype, count, f"{where}: label")
    return limits.as_labels(labels, limits.MAX_CLASSES, f"{where}: label")
