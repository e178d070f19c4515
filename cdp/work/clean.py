"""What takes room under CDP_HOME and can go: the cache, generations that nobody saved, the trash,
checkpoints of trainings that are finished, and what killed processes left half written. Nothing
else is ever touched."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cdp import paths
from cdp.data.sets import notes_in, trash_dir
from cdp.errors import InputError
from cdp.files import atomic, cache
from cdp.files.cache import UNSAVED, CacheEntry
from cdp.work.records import list_runs

CHECKPOINTS = "checkpoints"
"""The folder of a run in which a training keeps the states it can go on from."""
_UNITS = {"h": 3600, "d": 86_400, "w": 604_800}


def removable(parts: Sequence[str], *, older_than: float = 0.0) -> dict[str, list[CacheEntry]]:
    """What could be deleted, by part of ``PARTS``. older_than: seconds since it was last used, put
    into the trash, or written."""
    before = time.time() - older_than
    return {part: [entry for entry in PARTS[part]() if entry.used <= before] for part in parts}


def remove(entries: Sequence[CacheEntry]) -> int:
    """Delete them for good; returns the bytes that were freed."""
    return sum(entry.size for entry in entries if _remove(entry))


def _remove(entry: CacheEntry) -> bool:
    hidden = atomic.is_hidden_work(entry.path.name)
    return atomic.clear(entry.path) if hidden else cache.remove(entry)


def sweep() -> None:
    """Clear what killed processes left, as every start of the app does."""
    remove(_leftovers())


def seconds_of(text: str) -> float:
    """An age as people write it: "30d", "12h", "2w", or days without a unit. Raises InputError."""
    parts = re.fullmatch(r"(\d{1,6})([hdw]?)", text.strip())
    if parts is None:
        raise InputError(
            f"older-than: {text[:20]!r} is no age: give hours, days or weeks, such as 12h, 30d, 2w"
        )
    return float(parts[1]) * _UNITS[parts[2] or "d"]


def _trash() -> list[CacheEntry]:
    """Moving a folder changes the time of its status, not that of its content."""
    folder = trash_dir()
    return [
        CacheEntry(path, cache.size_of(path), path.lstat().st_ctime)
        for path in (folder.iterdir() if folder.is_dir() else ())
    ]


def _checkpoints() -> list[CacheEntry]:
    """A finished run is never resumed, and its classifiers lie beside its checkpoints."""
    runs = [run for run in list_runs() if run.kind == "train" and run.state == "finished"]
    states: list[Path] = [
        path for run in runs for path in (run.folder / CHECKPOINTS).glob("state-*.safetensors")
    ]
    return [CacheEntry(path, cache.size_of(path), path.lstat().st_mtime) for path in states]


def _leftovers() -> list[CacheEntry]:
    """Half-written files and folders, which no living process writes any more."""
    home = paths.home()
    # Each by itself, as any of them may be a link to another disk.
    left = atomic.leftovers_in(home)
    for root in home.iterdir() if home.is_dir() else ():
        if root.is_dir() and not atomic.is_hidden_work(root.name):
            left += atomic.leftovers(root)
    left += atomic.leftovers_in(home.parent, home.name)  # of a restore
    with contextlib.suppress(OSError):
        for folder in paths.sets_dir().iterdir():
            left += [] if folder.name.startswith(".") else notes_in(folder)
    entries = []
    for path in left:
        with contextlib.suppress(OSError):  # gone by now
            entries.append(CacheEntry(path, cache.size_of(path), path.lstat().st_mtime))
    return entries


PARTS: Mapping[str, Callable[[], list[CacheEntry]]] = {
    "cache": lambda: [entry for entry in cache.entries() if entry.kind != UNSAVED],
    "unsaved": lambda: [entry for entry in cache.entries() if entry.kind == UNSAVED],
    "trash": _trash,
    "checkpoints": _checkpoints,
    "leftovers": _leftovers,
}
