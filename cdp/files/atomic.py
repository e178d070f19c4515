"""Writing so that a reader sees the old state or the new one, never a half, and nothing of it is lost
to a kill: one way for a file, one for a folder. Both are built under a hidden name beside their
place, ``.NAME.new-<16 hex digits>``, locked for as long as the writer lives, and then renamed. What
a killed writer leaves is told from what is being written by that lock, whatever the clock says, and
is cleared by ``sweep``."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from cdp.errors import CdpError, InputError

_NEW = re.compile(r"\.(?P<name>.+)\.new-[0-9a-f]{16}")
_EARLIER = re.compile(r"\.(?P<name>.+)\.(?:[0-9a-f]{16}|[0-9a-f]{8}\.(?:tmp|partial|old))")
"""What earlier versions called files and folders that they were writing, or had set aside. Nothing
locked those."""
_LOCK, _CONTENT, _BEFORE, _GONE = "lock", "content", "before", "gone"
"""In the hidden folder of a writer: what it holds for its life, what it builds, and the folder that
it takes the place of, or removes."""
_EARLIER_SECONDS = 86_400
"""A day is longer than any earlier version wrote one thing."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under ``path`` complete and on disk when the block ends, and not at all
    when it raises."""
    file = _begin(path)
    temporary = Path(file.name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _begin(path: Path) -> IO[bytes]:
    """A hidden file beside ``path``, locked. Not tempfile's: its files are the owner's alone whatever
    the umask says, which holds for what a person asks for elsewhere."""
    while True:
        file = _hidden(path).open("xb")
        if _hold(file):
            return file
        file.close()


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.new-{secrets.token_hex(8)}")


def _hold(file: IO[bytes]) -> bool:
    """Lock a file for the life of this process; whether it is still there, as a sweep may have come
    between. Where the file system has no locks, nothing there is ever swept."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return os.path.lexists(file.name)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """One JSON object, atomically. Raises ValueError for NaN and infinities, which JSON does not
    have."""
    with atomic_file(path) as file:
        file.write(json.dumps(value, indent=1, allow_nan=False).encode())


def jsonable(value: Any) -> Any:
    """The same in plain JSON values: numpy's numbers become Python's, NaN and infinities None, all
    else text."""
    if isinstance(value, dict):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


@contextlib.contextmanager
def new_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """An empty hidden folder to fill, which takes the name ``path`` when the block ends, and is
    deleted when it raises. replace: a folder of that name makes way in the same instant; without,
    InputError where ``path`` is taken, before the block or by someone else during it."""
    if not replace:
        refuse_existing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in leftovers_in(path.parent, path.name):
        clear(left)
    with _workplace(path) as place:
        content = place / _CONTENT
        content.mkdir()
        yield content
        publish(content, path, replace=replace)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside ``path``, which need not be there, that is gone when the block ends,
    or once it is swept after a kill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _workplace(path) as place:
        yield place


@contextlib.contextmanager
def _workplace(path: Path) -> Iterator[Path]:
    """A hidden folder beside ``path``, locked, and cleared in the end."""
    place, lock = _locked_folder(path)
    with lock:
        try:
            yield place
        finally:
            _settle(place)


def _locked_folder(path: Path) -> tuple[Path, IO[bytes]]:
    while True:
        place = _hidden(path)
        place.mkdir()
        with contextlib.suppress(FileNotFoundError):  # swept before it was locked
            lock = (place / _LOCK).open("xb")
            if _hold(lock):
                return place, lock
            lock.close()


def publish(folder: Path, path: Path, *, replace: bool = False) -> None:
    """Rename a finished folder to its final name, on disk when this returns. Raises InputError where
    something has that name already, unless it is to be replaced: then ``folder`` lies in a hidden
    folder of ``new_folder``, and what was replaced is there afterwards."""
    for root, _, names in os.walk(folder):
        for name in names:
            _sync(Path(root, name))
        _sync(Path(root))
    if replace and os.path.lexists(path):
        _exchange(folder, path)
    else:
        refuse_existing(path)
        try:
            folder.rename(path)
        except OSError:
            refuse_existing(path)  # somebody else was faster
            raise
    _sync(path.parent)


def _exchange(new: Path, old: Path) -> None:
    """Let two folders swap names. Where the system cannot do that at one instant, the old one is set
    aside first, and a kill between the two is mended by the next sweep."""
    if _swap(new, old):
        return
    old.rename(new.with_name(_BEFORE))
    new.rename(old)


def _swap(one: Path, other: Path) -> bool:
    """Linux's exchange of two names (renameat2(2)); False where kernel or file system has none."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if not rename(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def _sync(path: Path) -> None:
    """On disk when this returns."""
    if path.is_symlink():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_folder(path: Path) -> None:
    """Delete a folder, if it is there: whole for every reader until it is gone, and never half of one
    after a kill."""
    if not os.path.lexists(path):
        return
    try:
        with _workplace(path) as place:
            path.rename(place / _GONE)
    except OSError:  # a full disk has no room for another folder, and deleting is the remedy
        shutil.rmtree(path, ignore_errors=True)


def move_folder(source: Path, target: Path) -> None:
    """Rename a folder, also to another disk, as a store may be a link to one."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with new_folder(target) as new:
            shutil.copytree(source, new, symlinks=True, dirs_exist_ok=True)
        remove_folder(source)


def refuse_existing(path: Path) -> None:
    """InputError where something already has this name."""
    if os.path.lexists(path):
        raise InputError(f"{path} already exists: choose another name or delete it first")


def leftovers(root: Path) -> list[Path]:
    """What killed writers left in ``root`` and below. What a living process writes is not among it."""
    result = []
    for folder, names, _ in os.walk(root):
        left = leftovers_in(Path(folder))
        result += left
        names[:] = [name for name in names if not is_hidden_work(name)]
    return result


def is_hidden_work(name: str) -> bool:
    """Whether this is the name of what is being written, or was."""
    return (_NEW.fullmatch(name) or _EARLIER.fullmatch(name)) is not None


def leftovers_in(folder: Path, name: str | None = None) -> list[Path]:
    """Directly in a folder. name: of what was to be written; any where None."""
    try:
        entries = [item.name for item in folder.iterdir()]
    except OSError:
        return []
    result = []
    for entry in entries:
        match = _NEW.fullmatch(entry) or _EARLIER.fullmatch(entry)
        if match is not None and name in (None, match["name"]):
            claim = _claim(folder / entry)
            if claim is not None:
                with claim:
                    result.append(folder / entry)
    return result


def sweep(root: Path) -> None:
    """Clear what killed writers left in ``root`` and below."""
    for left in leftovers(root):
        clear(left)


def clear(left: Path) -> bool:
    """Delete what a killed writer left, or end what it was about to do; whether it is gone."""
    # An empty folder may be a writer's that has just begun: it notices that it is gone, and once
    # its lock is in it, this fails.
    with contextlib.suppress(OSError):
        left.rmdir()
    claim = _claim(left)
    if claim is not None:
        with claim:
            _settle(left)
    return not os.path.lexists(left)


def _claim(left: Path) -> contextlib.AbstractContextManager[Any] | None:
    """None where somebody may still write this, else what keeps other sweeps away from it."""
    lock = left / _LOCK if left.is_dir() else left
    if not (_NEW.fullmatch(left.name) and lock.is_file()):
        return contextlib.nullcontext() if _is_abandoned(left) else None
    try:
        file = lock.open("r+b")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _is_abandoned(left: Path) -> bool:
    """Whether nobody writes an unlocked thing any more. An earlier version's is told by its age,
    unless what it had set aside is missing in its place."""
    try:
        if _NEW.fullmatch(left.name) and left.is_dir() and not any(left.iterdir()):
            return True
        old = abs(time.time() - left.lstat().st_mtime) > _EARLIER_SECONDS
    except OSError:
        return False
    if left.suffix == ".old":
        return old or not os.path.lexists(_target(left))
    if left.suffix == ".partial":  # a set's unfinished images are called so too, and stay
        return old and not any((left / name).exists() for name in (_LOCK, "config.json"))
    return old


def _target(left: Path) -> Path:
    match = _NEW.fullmatch(left.name) or _EARLIER.fullmatch(left.name)
    assert match is not None, f"{left} is no hidden work"
    return left.with_name(match["name"])


def _settle(left: Path) -> None:
    """Clear a writer's hidden file or folder. What was to be replaced and had been set aside gives
    its place to the new folder; where that is missing it comes back."""
    if left.is_symlink() or not left.is_dir():
        left.unlink(missing_ok=True)
        return
    target = _target(left)
    aside = left if left.suffix == ".old" else left / _BEFORE
    if aside.exists() and not os.path.lexists(target):
        content = left / _CONTENT
        (content if content.exists() else aside).rename(target)
    with contextlib.suppress(FileNotFoundError):
        # The lock last, or a kill would leave what is nobody's.
        for child in left.iterdir():
            if child.name != _LOCK:
                delete(child)
        (left / _LOCK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            left.rmdir()


def delete(path: Path) -> None:
    """Delete a file or folder; of a link only the link goes. What cannot go of a folder stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


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
