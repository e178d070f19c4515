"""Decoded copies of data sets under CDP_HOME/cache, memory-mapped; where nothing can be written,
memory serves."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from cdp import paths
from cdp.data import limits
from cdp.data.rows import write_arrays
from cdp.data.samples import IMAGE, LABEL
from cdp.errors import CdpError, InputError
from cdp.files import atomic, npy

Arrays = tuple[np.ndarray, np.ndarray]
# What a decoder answers: (N,H,W,C) of all images, and the images with their labels a few megabytes
# at a time.
Decoded = tuple[tuple[int, ...], Iterator[Arrays]]

MAX_IN_MEMORY = 1 << 30
_KEPT = 4
_in_memory: dict[str, Arrays] = {}


def decoded(kind: str, sources: Sequence[Path], decode: Callable[[], Decoded]) -> Arrays:
    """(image (N,H,W,C) uint8, label (N,) int64) of ``sources``, decoded only where no fresh copy is
    cached.

    kind: names the way of decoding; sources: the files, whose path, size and time make the key.
    What ``decode`` raises passes through and leaves no trace in the cache.
    """
    where, version = _key(kind, sources)
    folder = paths.cache_dir() / "data" / f"{where}-{version}"
    cached = _open(folder)
    if cached is not None:
        return cached
    if folder.name in _in_memory:
        return _in_memory[folder.name]
    total, chunks = decode()
    limits.check_image_header(total, np.dtype(np.uint8), str(sources[0]))
    if not _can_hold(folder, total):
        return _decode_to_memory(folder.name, total, chunks)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with atomic.new_folder(folder) as new:
            write_arrays(new, total, chunks, str(sources[0]))
    except InputError:
        # Another process may have finished the same copy first; then its copy is as good.
        cached = _open(folder)
        if cached is None:
            raise
        return cached
    for old in folder.parent.glob(f"{where}-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    return npy.open_npy(folder / IMAGE), npy.open_npy(folder / LABEL)


def _key(kind: str, sources: Sequence[Path]) -> tuple[str, str]:
    """(what is decoded, in which state): a changed source gets a new copy, and the old one can be
    found and dropped."""
    stats = [path.stat() for path in sources]
    names = "\n".join(map(str, sources))
    states = "\n".join(f"{stat.st_size} {stat.st_mtime_ns}" for stat in stats)
    return f"{kind}-{_short_hash(names)}", _short_hash(f"{names}\n{states}")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _open(folder: Path) -> Arrays | None:
    """The cached pair, or None where there is none or it is damaged: it can be computed again."""
    if not folder.is_dir():
        return None
    try:
        image, label = npy.open_npy(folder / IMAGE), npy.open_npy(folder / LABEL)
        limits.check_image_header(image.shape, image.dtype, str(folder))
        limits.check_label_header(label.shape, label.dtype, len(image), str(folder))
    except InputError:
        return None
    return image, label


def _can_hold(folder: Path, shape: tuple[int, ...]) -> bool:
    """Whether the cache can be written and has the room."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        atomic.require_space(folder.parent, int(np.prod(shape, dtype=np.int64)))
    except (OSError, CdpError):
        return False
    return os.access(folder.parent, os.W_OK | os.X_OK)


def _decode_to_memory(key: str, shape: tuple[int, ...], chunks: Iterator[Arrays]) -> Arrays:
    size = int(np.prod(shape, dtype=np.int64))
    if size > MAX_IN_MEMORY:
        raise CdpError(
            f"{paths.cache_dir()} cannot take {size >> 20} MB, which are too many for memory: set"
            " CDP_HOME to another disk"
        )
    images, labels = zip(*chunks, strict=True)
    result = np.concatenate(images), np.concatenate(labels).astype(np.int64)
    for array in result:
        array.flags.writeable = False
    while len(_in_memory) >= _KEPT:
        _in_memory.pop(next(iter(_in_memory)))
    _in_memory[key] = result
    return result
