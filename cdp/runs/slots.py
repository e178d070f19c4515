"""Turns on the device: a run holds one slot while it works, and the oldest waiting run gets the next free one.

A slot is a file lock, which the operating system frees however its holder ends; no server keeps the queue.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from cdp import paths
from cdp.errors import Cancelled, InputError
from cdp.runs.records import Run, list_runs

_POLL_SECONDS = 0.3


def slot_count() -> int:
    """How many runs may work at a time: the environment variable CDP_SLOTS, else 1. Raises InputError."""
    given = os.environ.get("CDP_SLOTS", "1")
    if not given.isdecimal() or not 1 <= int(given) <= 64:
        raise InputError(f"CDP_SLOTS is {given[:40]!r}: set it to a whole number from 1 to 64, or leave it out")
    return int(given)


@contextmanager
def device_slot(run: Run, should_stop: Callable[[], bool]) -> Iterator[None]:
    """Wait for this run's turn and hold a slot for the block. Raises Cancelled where it is stopped while waiting."""
    folder = paths.runs_dir() / ".slots"
    folder.mkdir(parents=True, exist_ok=True)
    locks = [FileLock(folder / f"{i}.lock") for i in range(slot_count())]
    while not should_stop():
        lock = _take_one(locks) if _is_next(run) else None
        if lock is None:
            time.sleep(_POLL_SECONDS)
            continue
        try:
            yield
        finally:
            lock.release()
        return
    raise Cancelled("stopped while waiting for its turn: resume it to go on")


def _is_next(run: Run) -> bool:
    return not any(other.state == "queued" and (other.created, other.id) < (run.created, run.id) for other in list_runs())


def _take_one(locks: list[FileLock]) -> FileLock | None:
    for lock in locks:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return lock
    return None
