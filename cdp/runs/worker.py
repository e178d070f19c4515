"""The process of one background run: ``python -m cdp.runs.worker RUN_FOLDER``.

It may be killed at any moment: what it finished is on disk, and another start goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from cdp.data.atomic import write_json
from cdp.data.sets import open_set
from cdp.errors import Cancelled, CdpError, InputError
from cdp.runs.failures import sentence
from cdp.runs.generation import Maker, Progress, generate_set
from cdp.runs.jsonfile import read_json
from cdp.runs.records import PROCESS, STATUS, STOP, Run, read_run
from cdp.runs.slots import device_slot

logger = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 2.0
_HANDOVER_SECONDS = 10.0
"""A run may be resumed while the process that ended it is still on its way out."""
_NICENESS = 5
"""Background runs give way to the live page, which shares their device."""


class Reporter:
    """Keeps status.json true: rewritten at every change, and every two seconds while the process lives."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATUS
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._status: dict[str, Any] = {"state": "queued", "progress": (read_json(self._path) or {}).get("progress")}
        self._write()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def running(self) -> None:
        """Its turn has come."""
        self._change(state="running", started=time.time())

    def progress(self, progress: Progress) -> None:
        """One more batch is done."""
        self._change(progress=asdict(progress))

    def end(self, state: str, error: str | None = None) -> None:
        """The last word; the heartbeat stops."""
        self._over.set()
        self._change(state=state, error=error, ended=time.time())

    def _change(self, **fields: Any) -> None:
        with self._lock:
            self._status |= fields
            self._write()

    def _beat(self) -> None:
        while not self._over.wait(_HEARTBEAT_SECONDS):
            with self._lock:
                if not self._over.is_set():
                    self._write()

    def _write(self) -> None:
        """Never raises for a full disk: the images decide how the run ends, not its heartbeat."""
        status = self._status | {"updated": time.time()}
        try:
            write_json(self._path, status)
        except OSError as error:
            logger.warning("the state of the run could not be written: %s", error)
            if self._over.is_set():
                self._overwrite(status)

    def _overwrite(self, status: dict[str, Any]) -> None:
        """The last word on a full disk, where no new file fits but the blocks of the old one can be written again."""
        with contextlib.suppress(OSError), self._path.open("r+b") as file:
            file.write(json.dumps(status).encode())
            file.truncate()


def main(folder: Path, maker: Maker | None = None) -> int:
    """Work on the run in ``folder`` to its end and return the exit code: 0 done or stopped, 2 bad input, 1 failure."""
    lock = FileLock(folder / "worker.lock")
    try:
        lock.acquire(timeout=_HANDOVER_SECONDS)
    except Timeout:
        logger.error("another process works on %s already", folder)
        return 1
    os.nice(_NICENESS)
    write_json(folder / PROCESS, {"pid": os.getpid(), "began": psutil.Process().create_time()})
    reporter = Reporter(folder)
    try:
        _work(read_run(folder), reporter, (folder / STOP).exists, maker)
    except Cancelled as stopped:
        logger.info("%s", stopped)
        reporter.end("stopped")
        return 0
    except Exception as error:
        logger.exception("the run failed")
        reporter.end("failed", sentence(error))
        return error.exit_code if isinstance(error, CdpError) else 1
    reporter.end("finished")
    return 0


def _work(run: Run, reporter: Reporter, should_stop: Callable[[], bool], maker: Maker | None) -> None:
    if run.config is None:
        raise InputError(run.error or f"{run.folder} has no settings: delete this run")
    with device_slot(run, should_stop):
        reporter.running()
        if run.out.exists() and open_set(run.out).card.get("run") == run.id:
            return  # killed between finishing the set and saying so
        generate_set(run.config, run.out, on_progress=reporter.progress, should_stop=should_stop, maker=maker, origin={"run": run.id})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    sys.exit(main(Path(sys.argv[1]).resolve()))
