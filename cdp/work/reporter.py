"""The word of a worker on its run: status.json, true at every change and renewed while the process
lives."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import signal
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cdp.files.atomic import read_json, write_json
from cdp.work.records import STATUS, STOP
from cdp.work.session import Progress

logger = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 2.0
_TICK_SECONDS = 0.5
"""How old the progress on disk may be; work reports every step and never waits for the disk."""
_GRACE_SECONDS = 4.0
"""Work that has not answered a stop by then is ended with its process: the app that would do it may
be gone."""


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
        self._change(
            state=state,
            error=error,
            result=None if result is None else jsonable(result),
            ended=time.time(),
        )

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
            with self._lock:
                if not self._over.is_set() and (self._stale or now - written >= _HEARTBEAT_SECONDS):
                    self._write()
                    written = now

    def _end_process(self) -> None:
        logger.warning(
            "the work did not stop within %g seconds: its process is ended", _GRACE_SECONDS
        )
        with self._lock:
            if not self._over.is_set():
                # The children too, where the process leads a group of its own, as a launched one
                # does.
                (os.killpg if os.getpgid(0) == os.getpid() else os.kill)(
                    os.getpid(), signal.SIGKILL
                )

    def _write(self) -> None:
        """Never raises for a full disk: the work decides how the run ends, not its heartbeat."""
        self._stale = False
        status = self._status | {"updated": time.time()}
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
