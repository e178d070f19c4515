"""What this software makes is for its owner's eyes alone: the umask of its processes, and the store
of an earlier version put right."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

TOKEN = "CDP_TOKEN"
"""The environment variable that has the app ask for a token."""
NO_TOKEN = ("", "0", "off", "false")
"""What it holds where the app asks for none."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO
_given: list[int] = []


def make_private() -> None:
    """From now on nobody but the owner can read what this process and its children make. Called
    where a process begins, never on import."""
    before = os.umask(OTHERS)
    _given.append(before)


@contextlib.contextmanager
def as_given() -> Iterator[None]:
    """Within the block the person's own umask holds again: for a file that they ask for by its
    place, such as a report. Not where other threads write."""
    before = os.umask(_given[0]) if _given else None
    try:
        yield
    finally:
        if before is not None:
            os.umask(before)


def open_to_others(folder: Path) -> list[Path]:
    """The folder and what is in it, as far as the group or others may do anything with it. Links are
    not followed, and what is not the owner's is left out; empty where there are no such rights."""
    if os.name != "posix":
        return []
    inside = (
        Path(root) / name for root, folders, files in os.walk(folder) for name in (*folders, *files)
    )
    return [path for path in (folder, *inside) if _is_open(path)]


def _is_open(path: Path) -> bool:
    try:
        info = path.lstat()
    except OSError:  # gone meanwhile
        return False
    return (
        not stat.S_ISLNK(info.st_mode)
        and bool(info.st_mode & OTHERS)
        and info.st_uid == os.geteuid()
    )


def close_to_others(folder: Path) -> int:
    """Take those rights away; how many files and folders that changed."""
    closed = 0
    for path in open_to_others(folder):
        with contextlib.suppress(OSError):
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~OTHERS)
            closed += 1
    return closed
