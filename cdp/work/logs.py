"""What runs print, in files that stay small however long a run prints."""

from __future__ import annotations

import os
from pathlib import Path

from cdp.files.atomic import atomic_file
from cdp.files.reading import read_tail
from cdp.work.launchers import LOG

BEFORE = "log.1.txt"
"""What was printed before ``log.txt`` began anew."""
MOST = 8 << 20
"""Bytes of either file."""


def bound(folder: Path) -> None:
    """Where the log of a run has grown over its size, keep its end in ``BEFORE``, in place of what was
    there, and let it begin anew. The processes that print into it go on with the same open file, so
    what is printed between the copy and the cut, a millisecond, may be lost. Raises OSError."""
    path = folder / LOG
    if not path.exists() or path.stat().st_size <= MOST:
        return
    with atomic_file(folder / BEFORE) as file:
        file.write(_end_of(path, MOST))
    os.truncate(path, 0)


def tail(folder: Path, size: int) -> bytes:
    """The last ``size`` bytes of what was printed; empty where nothing was."""
    end = _end_of(folder / LOG, size)
    return (_end_of(folder / BEFORE, size - len(end)) if len(end) < size else b"") + end


def earlier(folder: Path) -> bytes:
    """What was printed before ``log.txt`` began anew."""
    return _end_of(folder / BEFORE, MOST)


def _end_of(path: Path, size: int) -> bytes:
    try:
        return read_tail(path, size)[0]
    except FileNotFoundError:
        return b""
