"""Turns and precedence on the device: a run holds one slot while it works, and the waiting run that
was brought forward last, else the oldest, gets the next free one. A slot is a file lock, which the
operating system frees however its holder ends. CDP_SLOTS says how many there are. On a machine with
several GPUs each slot has its own, so give as many slots as GPUs."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cdp import paths
from cdp.errors import Cancelled, InputError
from cdp.work import queue
from cdp.work.launchers import NICENESS
from cdp.work.queue import BACKGROUND
from cdp.work.records import Run, active_runs
from cdp.work.registry import TASKS

_POLL_SECONDS = 0.3
_DEVICES = Path("/dev")
_AUTOGROUP = Path("/proc/self/autogroup")
LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Environment variables of the computing libraries, read when they are loaded."""


def slot_count() -> int:
    """How many runs may work at a time: the environment variable CDP_SLOTS, else 1. Raises
    InputError."""
    given = os.environ.get("CDP_SLOTS", "1")
    if not (given.isascii() and given.isdecimal()) or not 1 <= int(given) <= 64:
        raise InputError(
            f"CDP_SLOTS is {given[:40]!r}: set it to a whole number from 1 to 64, or leave it out"
        )
    return int(given)


def core_count() -> int:
    """Cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def threads_of_a_slot() -> int:
    """Threads of each computing library, of one of several runs at a time; 0 leaves it to the
    libraries, as for one run, and where the environment has a number already. Two trainings that
    both take all cores wait for each other at every operation: on two cores they were more than ten
    times as slow as with one thread each."""
    if any(name in os.environ for name in LIBRARIES):
        return 0
    try:
        slots = slot_count()
    except InputError:
        return 0  # said where the run begins
    return max(1, core_count() // slots) if slots > 1 else 0


@contextmanager
def device_slot(run: Run, should_stop: Callable[[], bool]) -> Iterator[int]:
    """Wait for this run's turn and hold a slot for the block; yields its number. Raises Cancelled
    where it is stopped while waiting."""
    locks = _locks(slot_count())
    while not should_stop():
        slot = _take_one(locks)
        try:
            if slot is not None and not is_behind(run):
                yield slot
                return
        finally:
            if slot is not None:
                locks[slot].release()
        time.sleep(_POLL_SECONDS)
    raise Cancelled("stopped while waiting for its turn: resume it to go on")


def give_way() -> None:
    """Let the live page go first: lower this process's priority. Where Linux groups processes by
    session (autogroup, the default of desktops), niceness counts within a session only, and a run
    has one of its own so that it outlives the app: there the niceness of the whole session is set
    as well."""
    own = queue.niceness()
    asked_by = int(os.environ.pop(NICENESS, "") or own)  # what this one asks for is its own
    os.nice(max(0, asked_by + BACKGROUND - own))
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # no autogroups here, or not ours to set
            _AUTOGROUP.write_text(str(BACKGROUND))


def pin_device(slot: int) -> None:
    """Give this process the slot's own GPU, where there are several and the user has not chosen.
    Call it before torch is loaded."""
    gpus = _gpu_count()
    if gpus > 1 and slot_count() > 1 and "CUDA_VISIBLE_DEVICES" not in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(slot % gpus)


def _gpu_count() -> int:
    """NVIDIA's devices that this process can open; 0 where they cannot be told without loading
    CUDA, and then none is pinned."""
    return sum(re.fullmatch(r"nvidia\d+", path.name) is not None for path in _DEVICES.glob("*"))


def in_line() -> list[Run]:
    """The runs that wait for a slot, in the order of their turns, with or without a process."""
    return [
        run
        for run in active_runs()
        if run.state == "queued"
        and (task := TASKS.get(run.kind)) is not None
        and task.slot
        and queue.is_served(run.id)
    ]


def is_behind(run: Run) -> bool:
    """Whether another waits before it. Turns change while they wait."""
    line = in_line()
    now = next((other for other in line if other.id == run.id), run)
    return any(other.turn < now.turn for other in line if other.id != run.id)


def free_slots(count: int) -> int:
    """How many of the first ``count`` nobody holds at this moment."""
    free = 0
    for lock in _locks(count):
        if _take_one([lock]) is not None:
            lock.release()
            free += 1
    return free


def _locks(count: int) -> list[FileLock]:
    folder = paths.runs_dir() / ".slots"
    folder.mkdir(parents=True, exist_ok=True)
    return [FileLock(folder / f"{i}.lock") for i in range(count)]


def _take_one(locks: list[FileLock]) -> int | None:
    for slot, lock in enumerate(locks):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return slot
    return None
