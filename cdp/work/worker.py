"""What a process does that works on one background run, in its run folder. It may be killed at any
moment: what it finished is on disk, and another start goes on from there."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from cdp.errors import Cancelled, CdpError, Halted, InputError
from cdp.files.atomic import jsonable, sweep, write_json
from cdp.files.reading import read_json
from cdp.work import queue
from cdp.work.failures import sentence
from cdp.work.journal import JOURNAL, Journal
from cdp.work.launchers import PROCESS, process_of, signature
from cdp.work.logs import bound
from cdp.work.records import FORMAT, STATUS, STOP, Run, State, read_run
from cdp.work.resources import RESOURCES, ResourceSampler
from cdp.work.session import Progress, Session
from cdp.work.slots import device_slot, give_way, pin_device
from cdp.work.task import Task
from cdp.work.tracking import Tracker

logger = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 2.0
_TICK_SECONDS = 0.5
"""How old the progress on disk may be; work reports every step and never waits for the disk."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _KEPT_BYTES = -1, -3, 2**30
"""Of glibc's mallopt: from how much free memory at its end the heap shrinks, and from which size on
a block is mapped by itself."""
_GRACE_SECONDS = 4.0
"""Work that has not answered a stop by then is ended with its process: the app that would do it may
be gone."""
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
    folder: Path, tasks: Mapping[str, Task[Any, Any]], track: Callable[[Run], Tracks] = Tracker
) -> int:
    """Work on the run in ``folder`` to its end and return the exit code: 0 done or stopped, 2 bad
    input, 1 failure. tasks: by the kinds of runs that they are the work of."""
    lock = FileLock(folder / "worker.lock")
    try:
        lock.acquire(timeout=_HANDOVER_SECONDS)
    except Timeout:
        logger.error("another process works on %s already", folder)
        return 1
    try:
        give_way()
        keep_memory()
        sweep(folder)
        _sign(folder)
        reporter = Reporter(folder)
        run = read_run(folder)
        tracker = track(run)
        ending = _ending(lambda: _in_turn(run, tasks, reporter, tracker))
        reporter.end(ending.state, ending.error, ending.result)
        tracker.finish(ending.state, ending.error, ending.result)
    finally:
        lock.release()
        queue.ensure_dispatcher()
    return ending.code


def keep_memory() -> None:
    """Hand freed memory to what asks for it next, not to the system, where the C library is GNU's:
    else every large tensor is paged in anew, a sixth of the time of an attack in fp32."""
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            mallopt(option, _KEPT_BYTES)


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
        result = work()
        return result if isinstance(result, Ending) else Ending("finished", result=jsonable(result))
    except Cancelled as stopped:
        logger.info("%s", stopped)
        return Ending("stopped")
    except Halted as halted:
        logger.info("%s", halted)
        return Ending("stopped", str(halted), jsonable(halted.result))
    except Exception as error:
        logger.exception("the run failed")
        code = error.exit_code if isinstance(error, CdpError) else 1
        return Ending("failed", sentence(error), code=code)


def _in_turn(
    run: Run, tasks: Mapping[str, Task[Any, Any]], reporter: Reporter, tracker: Tracks
) -> Ending:
    """Wait for a slot, then work."""
    if run.config is None:
        raise InputError(run.error or f"{run.folder} has no settings: delete this run")
    should_stop = (run.folder / STOP).exists
    task = tasks[run.kind]
    turn = device_slot(run, should_stop) if task.slot else contextlib.nullcontext()
    with turn as slot:
        if slot is not None:
            pin_device(slot)
        reporter.running()
        logger.info("%s: %s begins", task.title, run.name)
        tracker.start()
        path, notice = run.folder / JOURNAL, partial(reporter.notice, about="journal")
        journal = Journal(path, notice=notice, on_append=lambda point: tracker.sync())
        session = Session(
            run.folder,
            name=run.name,
            before=run.progress,
            on_progress=reporter.progress,
            on_notice=reporter.notice,
            should_stop=should_stop,
            journal=journal,
        )
        with ResourceSampler(run.folder / RESOURCES):
            ending = _ending(lambda: task.do(run.config, session))
        journal.close()
        _free_device()
        return ending


def _free_device() -> None:
    """Give the GPU's memory back before the slot: this process may live some seconds longer."""
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        gc.collect()
        cuda.empty_cache()


class Reporter:
    """Keeps status.json, and sees to it that a stop is over within five seconds whatever the work
    does."""

    def __init__(self, folder: Path) -> None:
        """Say "queued", and begin the heartbeat. Progress of an earlier start stays until there is
        new."""
        self._path, self._stop = folder / STATUS, folder / STOP
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._stale = False
        self._notices: dict[str, str] = {}
        self._status: dict[str, Any] = {
            "state": "queued",
            "progress": (read_json(self._path) or {}).get("progress"),
        }
        self._change()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def running(self) -> None:
        """Its turn has come."""
        self._change(state="running", started=time.time())

    def progress(self, progress: Progress) -> None:
        """One more step or batch is done; on disk soon, and at once where it was the last."""
        if progress.done >= progress.count:
            self._change(progress=asdict(progress))
            return
        with self._lock:
            self._status["progress"] = asdict(progress)
            self._stale = True

    def notice(self, text: str | None, about: str = "work") -> None:
        """Show a sentence beside the run, or take it away; each thing it can be ``about``
        has one."""
        with self._lock:
            self._notices.pop(about, None)
            if text:
                self._notices[about] = text
            said = " ".join(self._notices.values()) or None
        if said != self._status.get("notice"):
            self._change(notice=said)

    def end(
        self, state: str, error: str | None = None, result: dict[str, Any] | None = None
    ) -> None:
        """The last word; the heartbeat stops."""
        self._over.set()
        known = None if result is None else jsonable(result)
        self._change(state=state, error=error, result=known, ended=time.time())

    def _change(self, **fields: Any) -> None:
        with self._lock:
            self._status |= fields
            self._write()

    def _beat(self) -> None:
        written, asked = time.monotonic(), None
        while not self._over.wait(_TICK_SECONDS):
            now = time.monotonic()
            asked = (asked or now) if self._stop.exists() else None
            if asked is not None and now - asked > _GRACE_SECONDS:
                self._end_process()
            beat = now - written >= _HEARTBEAT_SECONDS
            with self._lock:
                if not self._over.is_set() and (self._stale or beat):
                    self._write()
                    written = now
            with contextlib.suppress(OSError):  # a full disk: once there is room again
                bound(self._path.parent)
            if beat:
                queue.ensure_dispatcher()

    def _end_process(self) -> None:
        logger.warning(
            "the work did not stop within %g seconds: its process is ended", _GRACE_SECONDS
        )
        with self._lock:
            if not self._over.is_set():
                # The children too where it leads a group of its own, as a launched process does.
                kill = os.killpg if os.getpgid(0) == os.getpid() else os.kill
                kill(os.getpid(), signal.SIGKILL)

    def _write(self) -> None:
        """Never raises for a full disk: the work decides how the run ends, not its heartbeat."""
        self._stale = False
        status = {"format": FORMAT} | self._status | {"updated": time.time()}
        try:
            write_json(self._path, status)
        except OSError as error:
            logger.warning("the state of the run could not be written: %s", error)
            if self._over.is_set():
                self._overwrite(status)

    def _overwrite(self, status: dict[str, Any]) -> None:
        """The last word on a full disk, where no new file fits but the blocks of the old one can be
        written again."""
        with contextlib.suppress(OSError), self._path.open("r+b") as file:
            file.write(json.dumps(status).encode())
            file.truncate()
