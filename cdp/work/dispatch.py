"""The process that starts one user's runs when their turn comes: ``python -m cdp.work.dispatch
QUEUE_FOLDER``. It looks at one folder and at the locks of the slots, and at the runs only where one
is free; it ends when nothing waits. It may be killed at any moment: the next starts nothing twice."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from cdp.files.private import make_private
from cdp.work import queue

if TYPE_CHECKING:
    from cdp.work.records import Run

POLL_SECONDS = 0.3
_LONGEST_POLL_SECONDS = 2.0
"""While a slot is free that the next run cannot have: a process before it is still loading."""
_HANDOVER_SECONDS = 2.0
"""Another may be on its way out, or just looking whether there is one."""

logger = logging.getLogger(__name__)


def main() -> int:
    """Start what waits, to the last; at once 0 where another process does."""
    lock = FileLock(queue.lock_path())
    while queue.ours("waits", "begun"):  # again: one may have come while the lock was given back
        try:
            lock.acquire(timeout=_HANDOVER_SECONDS)
        except Timeout:
            return 0
        try:
            _serve()
        finally:
            lock.release()
    return 0


def _serve() -> None:
    # After the lock was had: this loads what runs are made of, which is not worth it for nothing.
    from cdp.files.atomic import write_json
    from cdp.work.launchers import signature
    from cdp.work.slots import free_slots

    with contextlib.suppress(OSError):
        write_json(queue.process_path(os.geteuid()), signature(os.getpid()))
    seen, slots, pause = -1, 1, POLL_SECONDS
    while slots:
        if (stamp := queue.stamp()) != seen or free_slots(slots):
            seen = stamp
            started, slots = advance()
            pause = POLL_SECONDS if started else min(2 * pause, _LONGEST_POLL_SECONDS)
        else:
            pause = POLL_SECONDS
        if slots:
            time.sleep(pause)


def advance() -> tuple[int, int]:
    """Start the runs whose turn has come. Returns how many, and of how many slots those that wait
    still may take one; 0 where none waits."""
    from cdp.work.launch import launching
    from cdp.work.slots import free_slots, in_line

    with launching():
        unsettled = [run_id for run_id in queue.ours("begun") if not _settle(run_id)]
        ours, line = queue.ours("waits"), in_line()
        for run_id in set(ours) - {run.id for run in line}:
            queue.withdraw(run_id)  # stopped, or gone
        loading = started = 0
        waiting: list[queue.Start] = []
        for run in line:
            start = queue.start_of(run.id)
            if start is None and run.id in ours:
                queue.withdraw(run.id)
                _fail(run, "what starts it cannot be read: resume it")
            elif start is None:  # a process of its own waits for its slot, or it is somebody else's
                loading += 1
            elif waiting or free_slots(start.slots) <= loading:
                waiting.append(start)
            elif _begin(run, start):
                loading += 1
                started += 1
        return started, max((s.slots for s in waiting), default=1 if unsettled else 0)


def _begin(run: Run, start: queue.Start) -> bool:
    """Start its process; False where it was stopped meanwhile, or cannot be started."""
    from cdp.work.failures import sentence
    from cdp.work.launch import mark_queued, start_process

    if not queue.claim(run.id):
        return False
    os.environ.clear()
    os.environ.update(start.environment)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.chdir(start.folder)
        mark_queued(run.folder)
        start_process(run.folder, start.command)
    except OSError as error:
        logger.exception("%s cannot be started", run.id)
        _fail(run, sentence(error))
        return False
    finally:
        queue.release(run.id)
    return True


def _fail(run: Run, error: str) -> None:
    from cdp.files.atomic import write_json
    from cdp.work.records import FORMAT, STATUS

    last = {"format": FORMAT, "state": "failed", "error": error, "ended": time.time()}
    with contextlib.suppress(OSError):
        write_json(run.folder / STATUS, last)


def _settle(run_id: str) -> bool:
    """Whether nothing is left of a start that was cut short: its process lives or has come to its
    end, or it waits again."""
    from cdp import paths
    from cdp.work.launch import mark_queued
    from cdp.work.records import STOP, read_run

    folder = paths.runs_dir() / run_id
    run = read_run(folder)
    # One that is being started is over by its worker's own last word alone (cdp.work.records).
    if not folder.is_dir() or run.over or run.pid is not None:
        queue.release(run_id)
        return True
    if not queue.put_back(run_id):
        return False
    if (folder / STOP).exists():
        queue.withdraw(run_id)
    else:
        mark_queued(folder)
    return True


def begin(arguments: Sequence[str]) -> int:
    """What the process does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    return main()


if __name__ == "__main__":
    make_private()
    sys.exit(begin(sys.argv[1:]))
