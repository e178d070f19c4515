"""Writing so that a reader sees the old state or the new one, never a half: temporary name beside
it, then rename."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from cdp.errors import CdpError, InputError, MissingError


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under ``path`` complete and on disk when the block ends, and not at all
    when it raises."""
    temporary = path.with_name(f".{path.name}.{_unique()}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _unique() -> str:
    """A name part no other process takes. Not tempfile's: those files are private, and a set may be
    shared."""
    return secrets.token_hex(8)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """One JSON object, atomically. Raises ValueError for NaN and infinities, which JSON does not
    have."""
    with atomic_file(path) as file:
        file.write(json.dumps(value, indent=1, allow_nan=False).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None where there is no file or no JSON object in it. Raises other
    OSErrors."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_small_text(path: Path, most: int, what: str, *, missing: str, remedy: str) -> str:
    """The UTF-8 text of a regular file of at most ``most`` bytes. what: it should be ("a card");
    missing, remedy: what to do. Raises MissingError where there is none, InputError where it is too
    large, no regular file, or no text."""
    try:
        if path.stat().st_size > most:
            raise InputError(f"{path} is over {most} bytes, too large for {what}: {remedy}")
        if not path.is_file():
            raise InputError(f"{path} is not a regular file: {remedy}")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist: {missing}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({str(error)[:120]}): {remedy}") from error


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A hidden temporary folder that takes the name ``path`` when the block ends, and is deleted
    when it raises. Raises InputError when ``path`` is taken, before the block or by someone else
    during it."""
    refuse_existing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(path)
    folder = path.with_name(f".{path.name}.new-{_unique()}")
    folder.mkdir()
    try:
        yield folder
        publish(folder, path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _clear_leftovers(path: Path) -> None:
    """Delete what writers of the same name left when they were killed. A day is longer than any of
    them takes."""
    for old in path.parent.glob(f".{path.name}.new-*"):
        if time.time() - old.stat().st_mtime > 86_400:
            shutil.rmtree(old, ignore_errors=True)


def refuse_existing(path: Path) -> None:
    """InputError where something already has this name."""
    if os.path.lexists(path):
        raise InputError(f"{path} already exists: choose another name or delete it first")


def publish(folder: Path, path: Path) -> None:
    """Rename a finished folder to its final name, on disk when this returns. Never replaces
    anything."""
    refuse_existing(path)
    folder.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_space(folder: Path, size: int) -> None:
    """CdpError where the disk that holds ``folder`` (or will) has less than ``size`` bytes and some
    headroom free."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < size + (64 << 20):
        raise CdpError(
            f"{folder} has {free >> 20} MB free of the {(size >> 20) + 64} MB needed: free some or"
            " set CDP_HOME to another disk"
        )


def require_same(
    before: Mapping[str, Any], now: Mapping[str, Any], *, what: str, remedy: str
) -> None:
    """Raises InputError, which names the first difference, where unfinished work was begun with
    something else than what it would go on with. Both: JSON objects."""
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise InputError(
                f"{name}: {what} was begun with {str(before.get(name))[:120]}, not"
                f" {str(now.get(name))[:120]}: {remedy}"
            )
