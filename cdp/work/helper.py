"""Work of seconds that a page asks for (features, projections, figures): a helper process, shared
by all browser tabs.

A process of its own, because importing umap and compiling it holds Python's lock for seconds, in
which no page would paint. It answers through the disk caches of ``cdp.tasks``, so nothing is
computed twice, and pages read results without loading torch. The process starts at the first
question, is warmed while nobody waits, and is ended to cancel what it is doing.

It reads one JSON line a question, {"task": name, "settings": {...}}, and answers in JSON lines: any
number of {"share": 0..1, "words": text}, then one {"result": JSON} or {"error": sentence}. Results
of size are not sent: they lie in the caches, where the asker finds them.
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
from typing import IO, Any

from cdp.config.knobs import parse
from cdp.errors import CdpError
from cdp.work.cost import known_rates, learn_rates
from cdp.work.failures import sentence
from cdp.work.launchers import environment
from cdp.work.session import Progress, Session
from cdp.work.slots import give_way
from cdp.work.task import Task
from cdp.work.ticket import Queue, Ticket

WORKER = (sys.executable, "-m", "cdp.tasks.helper")
"""The entry above this room that hands the tasks to ``serve``."""
KEPT = 64
"""Errands that are over and can still be found."""
GONE = (
    "the helper process ended unexpectedly, perhaps for lack of memory: choose fewer points, and"
    " try again"
)
_WATCH_SECONDS = 1.0
_PARENT = "CDP_HELPER_OF"
"""The environment variable with the process id of the asker."""

logger = logging.getLogger(__name__)


class Errand(Ticket):
    """One question to the helper process."""

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        *,
        kind: str = "",
        size: int = 1,
        title: str = "",
        lasting: bool = False,
        **ticket: Any,
    ) -> None:
        """name: of the task; settings: its config, JSON-ready; kind, size: what its duration
        depends on."""
        super().__init__(title or name, lasting=lasting, **ticket)
        self.name, self.settings = name, dict(settings)
        self.kind, self.size = f"{name} {kind}", size


class Helper:
    """Asks a helper process one thing after another. Every method returns at once and may be called
    from any thread."""

    def __init__(self, command: Sequence[str] = WORKER) -> None:
        """command: the helper process, which reads and writes JSON lines."""
        self._command = command
        self.queue = Queue(self._end_current)
        self._wake = self.queue.wake
        self._errands: OrderedDict[str, Errand] = OrderedDict()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None

    def ask(
        self,
        name: str,
        settings: Mapping[str, Any],
        *,
        kind: str = "",
        size: int = 1,
        of: str = "",
        **ticket: Any,
    ) -> Errand:
        """The errand of this task and these settings: the one there is, however it ended else a new
        one where there is none, or it was forgotten. kind, size: what its duration depends on, to
        tell the time left: seconds are taken as proportional to ``size`` within a kind. of: what
        else it depends on, such as the state of a file. ticket: title, urgent, lasting."""
        key = json.dumps([name, settings, of], sort_keys=True)
        with self._wake:
            known = self._errands.get(key)
            if known is not None and not known.forgotten:
                known.watch()
                return known
            rates = known_rates("helper", f"{name} {kind}")
            expected = None if rates is None else rates["unit"] * size
            more: dict[str, Any] = {"kind": kind, "size": size, "expected": expected} | ticket
            errand = Errand(name, settings, queue=self.queue, **more)
            self._errands[key] = errand
            self._drop_oldest()
            self._start()
            self.queue.put(errand)
        return errand

    def close(self) -> None:
        """End the process and everything that waits for it."""
        with self._wake:
            self.queue.close()
            self._kill()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="cdp-helper", daemon=True)
            self._thread.start()

    def _drop_oldest(self) -> None:
        over = [key for key, errand in self._errands.items() if errand.over]
        for key in over[: max(0, len(over) - KEPT)]:
            del self._errands[key]

    def _end_current(self, ticket: Ticket) -> None:
        """The next errand gets a new process."""
        ticket.end("cancelled")
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _serve(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self.queue.closed or len(self.queue))
                if self.queue.closed:
                    return
                errand = self.queue.take()
            if not isinstance(errand, Errand):
                continue
            try:
                self._run(errand)
            except OSError as error:
                logger.warning("helper process: %s", error)
                errand.end("failed", error=GONE)

    def _run(self, errand: Errand) -> None:
        """Hand it to the process and follow what that says, to the end of either."""
        process = self._alive()
        assert process.stdin is not None and process.stdout is not None  # both are pipes
        _say(process.stdin, {"task": errand.name, "settings": errand.settings})
        for line in process.stdout:
            answer = json.loads(line)
            if "share" in answer:
                errand.share, errand.words = float(answer["share"]), str(answer["words"])
                continue
            if "error" in answer:
                errand.end("failed", error=str(answer["error"]))
            elif not errand.over:
                learn_rates(("helper", errand.kind), unit=errand.spent / max(errand.size, 1))
                errand.end("done", result=answer["result"])
            return
        process.wait()
        errand.end("failed", error=GONE)

    def _alive(self) -> subprocess.Popen[str]:
        """The process, started where there is none."""
        with self._wake:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    env=environment() | {_PARENT: str(os.getpid())},
                )
            return self._process


def serve(tasks: Mapping[str, Task[Any, Any]]) -> int:
    """The helper process: answers until standard input ends. What libraries print goes to standard
    error; the answers have standard output to themselves."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    give_way()
    # Not whoever it is now: the asker may have died while this was loading.
    parent = int(os.environ.get(_PARENT, os.getppid()))
    threading.Thread(target=_end_with, args=(parent,), name="watch", daemon=True).start()
    for line in sys.stdin:
        question = json.loads(line)
        _say(answers, answer(tasks, question["task"], question["settings"], answers))
    return 0


def answer(
    tasks: Mapping[str, Task[Any, Any]],
    name: str,
    settings: Mapping[str, Any],
    answers: IO[str] | None = None,
) -> dict[str, Any]:
    """Do one task; its result or its failure, as the asker reads it."""

    def tell(progress: Progress) -> None:
        if answers is not None:
            _say(answers, {"share": progress.share, "words": session.words})

    session = Session(on_progress=tell)
    try:
        task = tasks[name]
        result = task.do(parse(task.config, settings), session)
        return {"result": None if task.encode is None else task.encode(result)}
    except CdpError as error:  # foreseen: the sentence says it all
        logger.warning("task %s: %s", name, error)
        return {"error": sentence(error)}
    except Exception as error:  # the process outlives every failure, and the asker is told
        logger.exception("task %s failed", name)
        return {"error": sentence(error)}


def _end_with(parent: int) -> None:
    """End in the middle of a task whose asker is gone: its answer would reach nobody, and it costs
    a core."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(0)


def _say(pipe: IO[str], message: Mapping[str, Any]) -> None:
    try:
        pipe.write(json.dumps(message) + "\n")
        pipe.flush()
    except BrokenPipeError:  # the asker is gone: see ``_end_with``, which looks now and then
        os._exit(0)
