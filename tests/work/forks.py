"""Worker processes forked from one that has loaded the code already: a start of Python takes half a
second of a core, and tests kill and resume dozens. Each is a process and a group of its own, which
outlives the test process and can be killed, as one that ``Local`` starts.

``python -m tests.work.forks SOCKET`` forks a process for every request, until its stdin closes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from cdp.paths import ROOT
from cdp.work import dispatch, queue
from cdp.work.launchers import LAUNCHERS, LOG, Local, environment, signature
from cdp.work.queue import DISPATCH

SCRIPTS = {
    str(ROOT / "tests" / name): "tests." + name.removesuffix(".py").replace("/", ".")
    for name in ("work/stub_worker.py", "experiments/quick_worker.py")
} | {DISPATCH[-1]: DISPATCH[-1]}
"""What is loaded, by the word of a command that starts it: modules with a ``begin(arguments)``."""


class Forked(Local):
    """A launcher of workers of ``SCRIPTS``; every other command is a start of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.server: subprocess.Popen[bytes] | None = None

    def start(self, folder: Path, command: Sequence[str]) -> dict[str, Any]:
        if SCRIPTS.keys().isdisjoint(command):
            return super().start(folder, command)
        request = {
            "script": (script := next(word for word in command if word in SCRIPTS)),
            "arguments": [*command[command.index(script) + 1 :], str(folder)],
            "log": str(folder / LOG),
            "environment": environment(),
        }
        with socket.socket(socket.AF_UNIX) as asked:
            self._connect(asked)
            asked.sendall(json.dumps(request).encode() + b"\n")
            pid = int(asked.makefile().readline())
        try:
            return signature(pid)
        except psutil.Error:  # over already
            return {"pid": pid}

    def _connect(self, asked: socket.socket) -> None:
        """To the server, which this process starts unless it was started in it."""
        if self.server is None and not self.path.exists():
            self.server = subprocess.Popen(
                [sys.executable, "-m", "tests.work.forks", str(self.path)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert self.server.stdout is not None
            assert self.server.stdout.readline() == b"ready\n"
        asked.connect(str(self.path))

    def close(self) -> None:
        if self.server is not None:
            self.server.communicate(timeout=60)


def serve(path: Path) -> None:
    modules = {script: __import__(name, fromlist=["begin"]) for script, name in SCRIPTS.items()}
    dispatch.POLL_SECONDS, queue.START_SECONDS = 0.05, 5.0
    LAUNCHERS["local"] = Forked(path)
    os.fsync = lambda file: None  # as in the test process
    signal.signal(signal.SIGCHLD, _collect)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen(100)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([door, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            asked, _ = door.accept()
            # Who asked may be killed at any moment.
            with asked, asked.makefile() as lines, contextlib.suppress(ConnectionError):
                line = lines.readline()
                if not line.endswith("\n"):
                    continue
                request = json.loads(line)
                pid = os.fork()
                if not pid:
                    door.close()
                    asked.close()
                    _work(modules[request["script"]].begin, request)
                asked.sendall(f"{pid}\n".encode())


def _collect(*_: object) -> None:
    """No zombie is left of what was forked here."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _work(begin: Any, request: Mapping[str, Any]) -> None:
    """In a forked process: what the script does when it is started."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for stream, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), log, log)):
            os.dup2(descriptor, stream)
        os.environ.clear()
        os.environ.update(request["environment"])
        code = begin(request["arguments"])
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
