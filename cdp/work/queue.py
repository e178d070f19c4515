"""Runs that wait for their turn on this machine: each is a file, and no process, until it comes.
One process a user (``cdp.work.dispatch``) starts them. Whoever lets a run wait, works on one, looks
at a page or gives a command sees to it that it lives (``ensure_dispatcher``).

ID.json     how to start the run: command, environment, folder to be in, slots it may take one of.
            Its owner alone can read it, as an environment may hold passwords; it goes when the run
            begins
ID.begun    the same while its process is being started
UID.lock    held by the dispatcher of a user while it lives
UID.process what names its process
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from cdp import paths

DISPATCH = (sys.executable, "-m", "cdp.work.dispatch")
BACKGROUND = 5
"""Niceness of background runs and of the helper process: beside the live page they get about a
quarter of a core, alone all of it."""
_WAITS, _BEGUN = ".json", ".begun"
START_SECONDS = 8.0
"""How long Python may take from the launch to the worker's first sign of life in its run's folder."""

Place = Literal["waits", "begun"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """How to start a run that waits. folder: the process's working folder; slots: it may take one
    of so many."""

    command: Sequence[str]
    environment: dict[str, str]
    folder: str
    slots: int


def place_of(run_id: str) -> Place | None:
    """Whether it waits here, or its process is being started; None for neither."""
    if _path(run_id, _WAITS).exists():
        return "waits"
    return "begun" if _path(run_id, _BEGUN).exists() else None


def put(run_id: str, start: Start) -> None:
    """Let a run wait. Launches are locked out meanwhile (``launching``)."""
    queue_dir().mkdir(parents=True, exist_ok=True)
    # Not beside it and renamed: the dispatcher reads with launches locked out, and drops a torn one.
    descriptor = os.open(_path(run_id, _WAITS), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(start), file)
        file.flush()
        os.fsync(descriptor)


def start_of(run_id: str) -> Start | None:
    """How to start a run of this user's that waits here. None for all others: what somebody else
    wrote is not executed."""
    try:
        # Not waiting for whoever writes to a pipe that somebody put there.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(_path(run_id, _WAITS), flags)
        with open(descriptor, encoding="utf-8") as file:
            if not _is_ours(os.fstat(descriptor)):
                return None
            # As json writes it: an environment may hold what parse_json refuses, such as half a
            # character.
            start = Start(**json.load(file))
        words = [*start.command, *start.environment, *start.environment.values(), start.folder]
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    whole = type(start.slots) is int and start.slots > 0
    return start if whole and all(isinstance(word, str) for word in words) else None


def withdraw(run_id: str) -> bool:
    """Take a run out that waits; False where it does not, or no longer."""
    try:
        _path(run_id, _WAITS).unlink()
    except OSError:
        return False
    return True


def claim(run_id: str) -> bool:
    """Begin to start it; False where it was taken out meanwhile. Of this and ``withdraw`` exactly
    one comes through."""
    try:
        _path(run_id, _WAITS).rename(_path(run_id, _BEGUN))
    except OSError:
        return False
    return True


def release(run_id: str) -> None:
    """Its process is started, or cannot be."""
    _path(run_id, _BEGUN).unlink(missing_ok=True)


def put_back(run_id: str) -> bool:
    """Let a run wait again whose start was cut short; False while its process may still come."""
    begun = _path(run_id, _BEGUN)
    with contextlib.suppress(FileNotFoundError):
        if abs(time.time() - begun.stat().st_ctime) < START_SECONDS:
            return False
        begun.rename(_path(run_id, _WAITS))
    return True


def ours(*places: Place) -> list[str]:
    """Ids of the runs of this user's at these places. With none waiting, the look at one folder."""
    suffixes = {"waits": _WAITS, "begun": _BEGUN}
    wanted = tuple(suffixes[place] for place in places)
    run_ids = []
    try:
        entries = list(os.scandir(queue_dir()))
    except FileNotFoundError:
        return []
    for entry in entries:
        if entry.name.endswith(wanted) and not entry.name.startswith("."):
            with contextlib.suppress(FileNotFoundError):  # taken out meanwhile
                if _is_ours(entry.stat(follow_symlinks=False)):
                    run_ids.append(entry.name.rpartition(".")[0])
    return run_ids


def stamp() -> int:
    """Another number once a run was put, taken out or begun."""
    try:
        return queue_dir().stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def ensure_dispatcher() -> None:
    """See to it that a dispatcher lives where a run of this user's waits. One that gives its runs a
    lower priority than this process would is replaced: it can be ended at any moment. Where that
    cannot be, what asked goes on, and the log says why."""
    try:
        if ours("waits", "begun"):
            _ensure_dispatcher()
    except OSError as error:
        logger.warning("what waits in %s cannot be started now: %s", queue_dir(), error)


def _ensure_dispatcher() -> None:
    from filelock import FileLock, Timeout

    from cdp.work.launchers import LAUNCHERS, LOCAL

    lock = FileLock(lock_path())
    try:
        lock.acquire(timeout=0)
    except Timeout:
        process = _process(os.geteuid())
        if _niceness_of(process) <= niceness() + BACKGROUND:
            return
        LAUNCHERS[LOCAL].kill(process)
    else:
        lock.release()
    LAUNCHERS[LOCAL].start(queue_dir(), DISPATCH)


def is_served(run_id: str) -> bool:
    """Whether somebody will start a run that waits here. Of other users' those whose dispatcher
    does not live count for nobody."""
    from cdp.work.launchers import LAUNCHERS, LOCAL

    try:
        owner = _path(run_id, _WAITS).lstat().st_uid
    except OSError:
        return True  # begun
    return owner == os.geteuid() or LAUNCHERS[LOCAL].alive(_process(owner))


def niceness() -> int:
    """Of this process."""
    return os.getpriority(os.PRIO_PROCESS, 0)


def queue_dir() -> Path:
    return paths.runs_dir() / ".queue"


def lock_path() -> Path:
    return queue_dir() / f"{os.geteuid()}.lock"


def process_path(user: int) -> Path:
    return queue_dir() / f"{user}.process"


def _process(user: int) -> dict[str, object]:
    from cdp.files.reading import read_json

    return read_json(process_path(user)) or {}


def _niceness_of(process: Mapping[str, object]) -> int:
    """The lowest there is where it does not live."""
    from cdp.work.launchers import LAUNCHERS, LOCAL

    if not LAUNCHERS[LOCAL].alive(process):
        return -20
    try:
        return os.getpriority(os.PRIO_PROCESS, int(str(process["pid"])))
    except ProcessLookupError:
        return -20


def _is_ours(entry: os.stat_result) -> bool:
    return stat.S_ISREG(entry.st_mode) and entry.st_uid == os.geteuid()


def _path(run_id: str, suffix: str) -> Path:
    return queue_dir() / f"{run_id}{suffix}"
