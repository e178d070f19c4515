"""Results by the content they follow from, under CDP_HOME/cache: everything in it can be computed
again. An entry is ``kind/key.json``, ``kind/key.npy`` or a folder ``kind/key``. What is damaged
counts as not there; where nothing can be kept, that only costs the time again. Several processes
may read and write at once. What was not used for a long time goes, and so does what was not used
for the longest time where the cache has grown over its limit."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from pydantic import TypeAdapter

from cdp import paths
from cdp.errors import CdpError, InputError
from cdp.files import atomic, npy
from cdp.files.reading import parse_object, read_bytes

LIMIT = "CDP_CACHE_GB"
"""The environment variable with the size that the cache may have, in gigabytes."""
DEFAULT_GB = 20.0
MOST_DAYS = 180
"""An entry that nobody used for so long goes."""
MAX_JSON = 256 << 20
UNSAVED, UNSAVED_DAYS = "unsaved", 7
"""A kind of entries that only time computes again, the generations that nobody has saved, and the
days after which one that nobody opened goes."""
SMALL = 16 << 10
"""Entries of up to so many bytes only age: a choice of precision has to stay as long as it is used,
and a thousand of them are no room gained."""
_TOUCH = 3600
"""Seconds between two notes of when an entry was used."""

T = TypeVar("T")
S = TypeVar("S")
Report = Callable[[float, str], None]
"""How whoever waits is told where work stands: the share done in [0, 1], and what comes next."""
_DAMAGED = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)

logger = logging.getLogger(__name__)
_unseen = math.inf  # bytes that this process has kept since it last looked at the whole cache


def ignore(share: float, words: str) -> None:
    """Nobody waits."""


@dataclass(frozen=True)
class Cached(Generic[T]):
    """A result that may lie in the cache. key: its name, equal exactly where the result is. known:
    the result where nothing has to be computed, else None. make: computes it; called with
    ``report``, which takes the share done in [0, 1] and what comes next. keep: puts it into the
    cache."""

    key: str
    known: Callable[[], T | None]
    make: Callable[[Report], T]
    keep: Callable[[T], None]

    def get(self, report: Report = ignore) -> T:
        """From the cache, else computed now and kept."""
        result = self.known()
        if result is None:
            result = self.make(report)
            self.keep(result)
        return result

    def then(self, wrap: Callable[[T], S]) -> Cached[S]:
        """The same with ``wrap`` around the result, which must be cheap: it is not kept."""

        def known() -> S | None:
            result = self.known()
            return None if result is None else wrap(result)

        def make(report: Report) -> S:
            return wrap(self.get(report))

        return Cached(self.key, known, make, lambda result: None)


def cached_json(
    kind: str,
    key: str,
    make: Callable[[Report], T],
    *,
    encode: Callable[[T], Mapping[str, Any]],
    decode: Callable[[Mapping[str, Any]], T],
) -> Cached[T]:
    """A result kept as JSON. decode: raises KeyError, TypeError, ValueError or the like for
    anything that ``encode`` did not give."""

    def known() -> T | None:
        stored = load_json(kind, key)
        if stored is not None:
            with contextlib.suppress(*_DAMAGED):
                return decode(stored)
        return None

    return Cached(key, known, make, lambda result: keep(kind, key, encode(result)))


def cached_value(kind: str, key: str, of: type[T], make: Callable[[Report], T]) -> Cached[T]:
    """A result that is a dataclass of plain values, kept as JSON."""
    adapter = TypeAdapter(of)
    return cached_json(
        kind,
        key,
        make,
        encode=lambda result: adapter.dump_python(result, mode="json"),
        decode=adapter.validate_python,
    )


def cached_array(
    kind: str, key: str, make: Callable[[Report], np.ndarray], sound: Callable[[np.ndarray], bool]
) -> Cached[np.ndarray]:
    """An array. sound: whether one from the disk may be the result."""

    def known() -> np.ndarray | None:
        stored = load_array(kind, key)
        return stored if stored is not None and sound(stored) else None

    return Cached(key, known, make, lambda result: keep(kind, key, result))


def digest(*parts: object) -> str:
    """A name for these parts in this order: arrays by their bytes and shape, anything else by its
    text."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"{part.dtype} {part.shape} ".encode())
            for chunk in [part] if part.flags.c_contiguous else part:
                state.update(np.ascontiguousarray(chunk).data)
        else:
            text = str(part).encode("utf-8", "surrogateescape")
            state.update(f"{len(text)} ".encode() + text)
    return state.hexdigest()[:24]


def load_array(kind: str, key: str) -> np.ndarray | None:
    """The array kept under this key, None where no sound one is."""
    path = _path(kind, key, ".npy")
    try:
        value = np.array(npy.open_npy(path))
    except (OSError, ValueError, MemoryError):
        return None
    _used(path)
    return value


def load_json(kind: str, key: str) -> dict[str, Any] | None:
    """The JSON object kept under this key, None where no sound one is."""
    path = _path(kind, key, ".json")
    try:
        value = parse_object(read_bytes(path, MAX_JSON))
    except (OSError, ValueError):
        return None
    _used(path)
    return value


def load_folder(kind: str, key: str) -> Path | None:
    """The folder kept under this key. What is in it has to be checked: a disk may damage it."""
    path = _path(kind, key)
    if not path.is_dir():
        return None
    _used(path)
    return path


def keep(kind: str, key: str, value: np.ndarray | Mapping[str, Any]) -> None:
    """Keep an array, or a JSON object without NaN and infinities; one that has them is not kept,
    nor is anything where home cannot be written."""
    path = _path(kind, key, ".npy" if isinstance(value, np.ndarray) else ".json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.atomic_file(path) as file:
            if isinstance(value, np.ndarray):
                np.save(file, np.require(value, requirements="C"), allow_pickle=False)
            else:
                file.write(json.dumps(value, allow_nan=False).encode())
            size = file.tell()
    except (OSError, ValueError, CdpError):
        return
    _grown(size)


def keep_folder(kind: str, key: str, write: Callable[[Path], object]) -> None:
    """Keep a folder that ``write`` fills, in place of one of that name. Raises OSError and what
    ``write`` raises, and leaves no trace then."""
    path = _path(kind, key)
    with atomic.new_folder(path, replace=True) as new:
        write(new)
    _grown(size_of(path))


@dataclass(frozen=True)
class CacheEntry:
    """What lies in the cache under one key. size: bytes; used: Unix time of the last use."""

    path: Path
    size: int
    used: float

    @property
    def kind(self) -> str:
        """Of what is in the cache."""
        return self.path.parent.name


def entries() -> list[CacheEntry]:
    """Everything in the cache but what is being written, the one not used for the longest time
    first."""
    result = []
    for path in _children(paths.cache_dir()):
        inside = _children(path) if path.is_dir() else [path]
        result += [entry for item in inside if (entry := _entry(item)) is not None]
    return sorted(result, key=lambda entry: entry.used)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; of a link its own. Raises OSError where it is
    not there; what goes meanwhile of a folder, as in that of a run at work, counts nothing."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                size += Path(folder, name).lstat().st_size
    return size


def remove(entry: CacheEntry) -> bool:
    """Delete one entry; whether it is gone. Of a link only the link goes."""
    with contextlib.suppress(OSError):
        atomic.delete(entry.path)
    return not os.path.lexists(entry.path)


def limit_bytes() -> int:
    """The size that the cache may have. Raises InputError where CDP_CACHE_GB is no size."""
    text = os.environ.get(LIMIT) or str(DEFAULT_GB)
    try:
        size = float(text) * 1e9
    except ValueError:
        size = math.nan
    if not 0 <= size < 1e18:
        raise InputError(f"{LIMIT} is {text[:40]!r}, which is no size: give gigabytes, such as 20")
    return int(size)


def trim() -> None:
    """Delete what is too old, and of the rest what was not used for the longest time until the
    limit is met. The newest entry stays."""
    global _unseen
    _unseen = 0
    try:
        limit = limit_bytes()
    except InputError as error:
        logger.warning("%s", error)
        limit = int(DEFAULT_GB * 1e9)
    result = entries()
    total, now = sum(entry.size for entry in result), time.time()
    for entry in result[:-1]:
        days = UNSAVED_DAYS if entry.kind == UNSAVED else MOST_DAYS
        if entry.used < now - days * 86_400 or (total > limit and entry.size > SMALL):
            remove(entry)
            total -= entry.size


def _grown(size: int) -> None:
    """Look at the whole cache at the first entry of a process, and each time that much was kept."""
    global _unseen
    _unseen += size
    with contextlib.suppress(InputError):
        if _unseen > 0.02 * limit_bytes():
            trim()


def _path(kind: str, key: str, suffix: str = "") -> Path:
    return paths.cache_dir() / kind / f"{key}{suffix}"


def _used(path: Path) -> None:
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > _TOUCH:
            os.utime(path)


def _children(folder: Path) -> Iterator[Path]:
    """What lies in a folder: no links, and nothing hidden."""
    try:
        result = list(os.scandir(folder))
    except OSError:
        return
    for item in result:
        with contextlib.suppress(OSError):
            info = item.stat(follow_symlinks=False)
            if not stat.S_ISLNK(info.st_mode) and not item.name.startswith("."):
                yield Path(item.path)


def _entry(path: Path) -> CacheEntry | None:
    try:
        return CacheEntry(path, size_of(path), path.stat().st_mtime)
    except OSError:  # another process has just removed it
        return None
