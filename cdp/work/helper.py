"""Work of seconds that a page asks for (features, projections, figures): one helper process, shared
by all browser tabs.

A process of its own, because importing umap and compiling it holds Python's lock for seconds, in
which no page would paint. It answers through the disk caches of ``cdp.tasks``, so nothing is
computed twice, and pages read results without loading torch. The process starts at the first
question, is warmed while nobody waits, and is ended to cancel what it is doing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import IO, Any, Literal

from cdp import paths

State = Literal["queued", "running", "done", "failed", "cancelled"]

WORKER = (sys.executable, "-m", "cdp.tasks.helper")
KEPT = 64
"""Errands that are over and can still be found."""
GONE = (
    "the helper process ended unexpectedly, perhaps for lack of memory: choose fewer points, and"
    " try again"
)

logger = logging.getLogger(__name__)


class Errand:
    """One question and where it stands. Any thread may read it; ``Side`` alone moves it on."""

    def __init__(
        self,
        name: str,
        payload: Mapping[str, Any],
        *,
        kind: str = "",
        size: int = 1,
        expected: float | None = None,
    ) -> None:
        """name: of a task in side_worker; payload: its argument, JSON-ready; kind, size: what its
        duration depends on; expected: seconds it should take, None where unknown."""
        self.name, self.payload, self.expected = name, dict(payload), expected
        self.kind, self.size = f"{name} {kind}", size
        self.state: State = "queued"
        self.share, self.words = 0.0, ""
        self.result: Any = None
        self.error: str | None = None
        self.began: float | None = None
        self._over = threading.Event()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    @property
    def seconds_left(self) -> float | None:
        """By what the same kind of work took before, else by the share that is done; None where
        neither tells."""
        if self.began is None or self.over:
            return None
        spent = time.monotonic() - self.began
        if self.expected is not None:
            return max(0.0, self.expected - spent)
        return spent * (1 - self.share) / self.share if self.share >= 0.1 else None

    @property
    def progress(self) -> float:
        """In [0, 1]: the share reported, or that of the expected time where it is further."""
        if self.began is None or self.expected is None:
            return self.share
        return max(self.share, min(0.95, (time.monotonic() - self.began) / max(self.expected, 0.1)))

    def wait(self, timeout: float | None = None) -> bool:
        """Until it is over; False where that took longer than ``timeout`` seconds."""
        return self._over.wait(timeout)

    def end(self, state: State, *, result: Any = None, error: str | None = None) -> None:
        """The last word."""
        self.result, self.error, self.state = result, error, state
        self._over.set()


class Side:
    """Asks the helper process one thing after another. Every method returns at once and may be
    called from any thread."""

    def __init__(self, command: Sequence[str] = WORKER) -> None:
        """command: the helper process, which reads and writes JSON lines (see side_worker)."""
        self._command = command
        self._wake = threading.Condition()
        self._errands: OrderedDict[str, Errand] = OrderedDict()
        self._queue: list[Errand] = []
        self._current: Errand | None = None
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._seconds: dict[str, float] = {}
        self._closed = False

    def ask(
        self, name: str, payload: Mapping[str, Any], *, kind: str = "", size: int = 1, of: str = ""
    ) -> Errand:
        """The errand of this name and payload: the one there is, however it ended (``forget`` it to
        try again), else a new one.

        kind, size: what its duration depends on, to tell the time left: seconds are taken as
        proportional to ``size`` within a kind. of: what else it depends on, such as the state of a
        file.
        """
        key = json.dumps([name, payload, of], sort_keys=True)
        with self._wake:
            known = self._errands.get(key)
            if known is not None:
                return known
            rate = self._seconds.get(f"{name} {kind}")
            errand = Errand(
                name, payload, kind=kind, size=size, expected=None if rate is None else rate * size
            )
            self._errands[key] = errand
            self._drop_oldest()
            self._queue.append(errand)
            self._start()
            self._wake.notify_all()
        return errand

    def forget(self, errand: Errand) -> None:
        """Ask anew next time; nothing happens to one that is on its way."""
        with self._wake:
            for key in [
                key for key, known in self._errands.items() if known is errand and errand.over
            ]:
                del self._errands[key]

    def cancel(self, errand: Errand) -> None:
        """Take it out of the queue, or end the process that works on it; the next errand gets a new
        process."""
        with self._wake:
            if errand in self._queue:
                self._queue.remove(errand)
                errand.end("cancelled")
            elif errand is self._current and not errand.over:
                errand.end("cancelled")
                self._kill()

    def close(self) -> None:
        """End the process and everything that waits for it."""
        with self._wake:
            self._closed = True
            for errand in [*self._queue, *([self._current] if self._current else [])]:
                if not errand.over:
                    errand.end("cancelled")
            self._queue.clear()
            self._kill()
            self._wake.notify_all()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="cdp-side", daemon=True)
            self._thread.start()

    def _drop_oldest(self) -> None:
        over = [key for key, errand in self._errands.items() if errand.over]
        for key in over[: max(0, len(over) - KEPT)]:
            del self._errands[key]

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _serve(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._queue)
                if self._closed:
                    return
                errand = self._current = self._queue.pop(0)
                errand.state, errand.began = "running", time.monotonic()
            try:
                self._run(errand)
            except OSError as error:
                logger.warning("helper process: %s", error)
                if not errand.over:
                    errand.end("failed", error=GONE)
            with self._wake:
                self._current = None

    def _run(self, errand: Errand) -> None:
        """Hand it to the process and follow what that says, to the end of either."""
        process = self._alive()
        assert process.stdin is not None and process.stdout is not None  # both are pipes
        _write(process.stdin, {"task": errand.name, "payload": errand.payload})
        for line in process.stdout:
            said = json.loads(line)
            if "share" in said:
                errand.share, errand.words = float(said["share"]), str(said["words"])
                continue
            if errand.over:
                return
            if "error" in said:
                errand.end("failed", error=str(said["error"]))
            else:
                self._learn(errand)
                errand.end("done", result=said["result"])
            return
        process.wait()
        if not errand.over:
            errand.end("failed", error=GONE)

    def _learn(self, errand: Errand) -> None:
        assert errand.began is not None  # it ran
        self._seconds[errand.kind] = (time.monotonic() - errand.began) / max(errand.size, 1)

    def _alive(self) -> subprocess.Popen[str]:
        """The process, started where there is none."""
        with self._wake:
            if self._process is None or self._process.poll() is not None:
                search = os.pathsep.join(
                    part for part in (str(paths.ROOT), os.environ.get("PYTHONPATH")) if part
                )
                environment = os.environ | {"CDP_HOME": str(paths.home()), "PYTHONPATH": search}
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    env=environment,
                )
            return self._process


def _write(pipe: IO[str], message: Mapping[str, Any]) -> None:
    pipe.write(json.dumps(message) + "\n")
    pipe.flush()
