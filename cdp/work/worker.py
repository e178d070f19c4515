"""What a process does that works on one background run, in its run folder.

It may be killed at any moment: what it finished is on disk, and another start goes on from there.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from cdp.errors import Cancelled, CdpError, Halted, InputError
from cdp.files.atomic import write_json
from cdp.work.failures import sentence
from cdp.work.journal import JOURNAL
from cdp.work.launchers import PROCESS, process_of, signature
from cdp.work.points import SteadyJournal
from cdp.work.records import STOP, Run, State, read_run
from cdp.work.reporter import Reporter, jsonable
from cdp.work.resources import RESOURCES, Sampler
from cdp.work.session import Session
from cdp.work.slots import device_slot, give_way, pin_device
from cdp.work.task import Task
from cdp.work.tracking import Tracker

logger = logging.getLogger(__name__)

_HANDOVER_SECONDS = 20.0
"""A run may be resumed while the process that ended it is still on its way out, telling MLflow how
it ended."""


@dataclass(frozen=True)
class Ending:
    """How a run ended. code: of the process, 0 done or stopped, 2 bad input, 1 failure."""

    state: State
    error: str | None = None
    result: dict[str, Any] | None = None
    code: int = 0


class Tracks(Protocol):
    """What follows a run from outside: ``Tracker``, or a stand-in of tests. No method raises or
    takes long."""

    def start(self) -> None: ...

    def sync(self) -> None: ...

    def finish(
        self, state: str, error: str | None = None, result: dict[str, Any] | None = None
    ) -> None: ...


def main(
    folder: Path,
    tasks: Mapping[str, Task[Any, Any]],
    track: Callable[[Run], Tracks] = Tracker,
) -> int:
    """Work on the run in ``folder`` to its end and return the exit code: 0 done or stopped, 2 bad
    input, 1 failure. tasks: by the kinds of runs that they are the work of."""
    lock = FileLock(folder / "worker.lock")
    try:
        lock.acquire(timeout=_HANDOVER_SECONDS)
    except Timeout:
        logger.error("another process works on %s already", folder)
        return 1
    give_way()
    _sign(folder)
    reporter = Reporter(folder)
    run = read_run(folder)
    tracker = track(run)
    ending = _ending(lambda: _in_turn(run, tasks, reporter, tracker))
    reporter.end(ending.state, ending.error, ending.result)
    tracker.finish(ending.state, ending.error, ending.result)
    return ending.code


def _sign(folder: Path) -> None:
    """Say who works on it. The launcher said so already, unless this was started by hand or its
    disk was full; what another launcher said stays."""
    if "launcher" in process_of(folder):
        return
    try:
        write_json(folder / PROCESS, signature(os.getpid()))
    except OSError as error:
        logger.warning("the worker could not write its process id: %s", error)


def _ending(work: Callable[[], Ending | dict[str, Any] | None]) -> Ending:
    """Do it, and say how it ended, whatever that was. Nothing of the work outlives this."""
    try:
        found = work()
        return found if isinstance(found, Ending) else Ending("finished", result=jsonable(found))
    except Cancelled as stopped:
        logger.info("%s", stopped)
        return Ending("stopped")
    except Halted as halted:
        logger.info("%s", halted)
        return Ending("stopped", str(halted), jsonable(halted.result))
    except Exception as error:
        logger.exception("the run failed")
        return Ending(
            "failed", sentence(error), code=error.exit_code if isinstance(error, CdpError) else 1
        )


def _in_turn(
    run: Run, tasks: Mapping[str, Task[Any, Any]], reporter: Reporter, tracker: Tracks
) -> Ending:
    """Wait for a slot, then work."""
    if run.config is None:
        raise InputError(run.error or f"{run.folder} has no settings: delete this run")
    should_stop = (run.folder / STOP).exists
    with device_slot(run, should_stop) as slot:
        pin_device(slot)
        reporter.running()
        logger.info("%s: %s begins", tasks[run.kind].title, run.name)
        tracker.start()
        journal = SteadyJournal(
            run.folder / JOURNAL,
            notice=lambda text: reporter.notice(text, "journal"),
            on_append=lambda point: tracker.sync(),
        )
        session = Session(
            run.folder,
            name=run.name,
            before=run.progress,
            on_progress=reporter.progress,
            on_notice=reporter.notice,
            should_stop=should_stop,
            journal=journal,
        )
        with Sampler(run.folder / RESOURCES):
            ending = _ending(lambda: tasks[run.kind].do(run.config, session))
        journal.close()
        _free_device()
        return ending


def _free_device() -> None:
    """Give the GPU's memory back before the slot: this process may live some seconds longer."""
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        gc.collect()
        cuda.empty_cache()
