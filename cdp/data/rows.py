"""Images and labels as .npy files, written by rows; decoded copies in the cache, mapped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from cdp import paths
from cdp.data import limits
from cdp.data.samples import IMAGE, LABEL
from cdp.errors import CdpError, InputError
from cdp.files import atomic, cache, npy

Chunk = tuple[np.ndarray, np.ndarray | None]
"""Some images (n,H,W,C) uint8 and their labels (n,), None where the set has none."""
Arrays = tuple[np.ndarray, np.ndarray]
Decoded = tuple[tuple[int, ...], Iterator[Arrays]]
"""What a decoder answers: (N,H,W,C) of all images, and the images with their labels a few megabytes
at a time."""

MAX_IN_MEMORY = 1 << 30
_KIND = "data"
_MOST_COPIES = 4
_in_memory: dict[str, Arrays] = {}


class RowFile:
    """One .npy file written in place by rows; mapped pages would count as memory."""

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
    """Write image.npy and label.npy chunk by chunk; returns the highest label or None."""
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
    """(count,) int64, None for a set without. Raises InputError for any others."""
    if (labels is not None) != labelled:
        raise InputError(
            f"{where} has images with labels and images without: give labels for all of them, or"
            " for none"
        )
    if labels is None:
        return None
    limits.check_label_header(labels.shape, labels.dtype, count, f"{where}: label")
    return limits.as_labels(labels, limits.MAX_CLASSES, f"{where}: label")


def decoded(kind: str, sources: Sequence[Path], decode: Callable[[], Decoded]) -> Arrays:
    """(image (N,H,W,C) uint8, label (N,) int64) of ``sources``, decoded only where the cache has no
    fresh copy; where it cannot be written, memory serves. kind: the way of decoding; path, size and
    time of the files make the key."""
    stamps = [(path, path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
    key = f"{kind}-{cache.digest(*stamps)}"
    copy = _copy(key) or _in_memory.get(key)
    if copy is not None:
        return copy
    total, chunks = decode()
    limits.check_image_header(total, np.dtype(np.uint8), str(sources[0]))
    if not _has_room(total):
        return _decode_to_memory(key, total, chunks)
    cache.keep_folder(_KIND, key, lambda new: write_arrays(new, total, chunks, str(sources[0])))
    copy = _copy(key)
    if copy is None:
        raise CdpError(f"{paths.cache_dir()} lost what was just written: try again")
    return copy


def _copy(key: str) -> Arrays | None:
    """The pair in the cache, or None where there is none or it is damaged."""
    folder = cache.load_folder(_KIND, key)
    if folder is None:
        return None
    try:
        image, label = npy.open_npy(folder / IMAGE), npy.open_npy(folder / LABEL)
        limits.check_image_header(image.shape, image.dtype, str(folder))
        limits.check_label_header(label.shape, label.dtype, len(image), str(folder))
    except InputError:
        return None
    return image, label


def _has_room(shape: tuple[int, ...]) -> bool:
    """Whether the cache can be written and the disk takes so many bytes."""
    folder = paths.cache_dir() / _KIND
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.require_space(folder, int(np.prod(shape, dtype=np.int64)))
    except (OSError, CdpError):
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _decode_to_memory(key: str, shape: tuple[int, ...], chunks: Iterator[Arrays]) -> Arrays:
    size = int(np.prod(shape, dtype=np.int64))
    if size > MAX_IN_MEMORY:
        raise CdpError(
            f"{paths.cache_dir()} cannot take {size >> 20} MB, which are too many for memory: set"
            " CDP_HOME to another disk"
        )
    images, labels = zip(*chunks, strict=True)
    pair = np.concatenate(images), np.concatenate(labels).astype(np.int64)
    for array in pair:
        array.flags.writeable = False
    while len(_in_memory) >= _MOST_COPIES:
        _in_memory.pop(next(iter(_in_memory)))
    _in_memory[key] = pair
    return pair
