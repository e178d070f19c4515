"""What goes wrong: processes are killed, the disk fills, the store of MLflow is locked, the clock
steps."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from cdp.paths import ROOT

Kind = Literal["app", "helper", "worker", "dispatcher"]

_MODULES: dict[str, Kind] = {
    "cdp.tasks.helper": "helper",
    "cdp.tasks.worker": "worker",
    "cdp.work.dispatch": "dispatcher",
}
_SHIM = Path(__file__).with_name("clock.c")
_STEPS = (-3600, -5, 0, 5, 3600)
"""Seconds that the clock is off after a step."""


class Clock:
    """The wall clock of processes that are started with ``environment``. works: whether it can be
    set, which takes a C compiler."""

    def __init__(self, folder: Path) -> None:
        self._file, self._library = folder / "clock", folder / "clock.so"
        self.set(0)
        build = ["cc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(_SHIM)]
        try:
            subprocess.run(build, check=True, capture_output=True)
            self.works = True
        except (OSError, subprocess.CalledProcessError):
            self.works = False

    @property
    def environment(self) -> dict[str, str]:
        if not self.works:
            return {}
        return {"LD_PRELOAD": str(self._library), "CDP_SOAK_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """Let it be off by so much from now on."""
        with self._file.open("r+b" if self._file.exists() else "w+b") as file:
            file.write(struct.pack("=q", seconds))


def in_own_mounts() -> bool:
    """Whether this process may mount a file system that nobody else sees."""
    return os.environ.get("CDP_SOAK_MOUNTS") == "1"


def enter_own_mounts() -> None:
    """Run this program again where it may mount; returns where the system does not let it."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    enter = ["unshare", "--mount", *user]
    with contextlib.suppress(OSError):
        if subprocess.run([*enter, "true"], capture_output=True).returncode == 0:
            os.environ["CDP_SOAK_MOUNTS"] = "1"
            os.execvp("unshare", [*enter, sys.executable, "-m", "benchmarks.soak", *sys.argv[1:]])


@dataclass
class App:
    """The app on a port of its own, which may be killed and started again. Its processes see the
    clock of ``clock``. died: how often it ended by itself."""

    folder: Path
    port: int = field(init=False)
    clock: Clock = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    died: int = 0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.clock = Clock(self.folder)

    @property
    def home(self) -> Path:
        return self.folder / "disk" / "home"

    @property
    def log(self) -> Path:
        return self.folder / "app.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        own_home = {"CDP_HOME": str(self.home), "OMP_WAIT_POLICY": "PASSIVE"}
        environment = os.environ | own_home | self.clock.environment
        own = [f"--server.port={self.port}", "--server.headless=true"]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", *own],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=out,
            )
        end = time.monotonic() + 180
        while time.monotonic() < end and self.process.poll() is None:
            with (
                contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer,
            ):
                if answer.status == 200:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"the app did not start: {self.log.read_text()[-2000:]}")

    def revive(self) -> None:
        """Start it again where it ended by itself."""
        with self._turn:
            if self.process is not None and self.process.poll() is not None:
                self.died += 1
                self.start()

    def kill(self) -> None:
        """End it at once, and start it again."""
        assert self.process is not None  # it was started
        with self._turn:
            self.process.kill()
            self.process.wait()
            self.start()

    def close(self) -> None:
        """End it as a person would."""
        assert self.process is not None  # it was started
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()

    def processes(self) -> dict[Kind, list[psutil.Process]]:
        """Those at work on this home now."""
        found: dict[Kind, list[psutil.Process]] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                kind = next((_MODULES[word] for word in words[:4] if word in _MODULES), None)
                if kind and process.environ().get("CDP_HOME") == str(self.home):
                    found.setdefault(kind, []).append(process)
        return found

    def memory(self) -> float:
        """Bytes of the app's own share of memory."""
        assert self.process is not None  # it was started
        return float(psutil.Process(self.process.pid).memory_full_info().pss)


@dataclass
class Faults:
    """One after another, at random. counts: how often each came."""

    app: App
    random: random.Random
    counts: Counter[str] = field(default_factory=Counter)

    def kill(self, *, app_too: bool) -> None:
        """End one process at once: the app, a quarter of the time, or one of a kind chosen at random
        among those at work."""
        at_work = self.app.processes()
        kinds = sorted(at_work)
        kind = self.random.choice(kinds) if kinds else "app"
        if app_too and self.random.random() < 1 / 4:
            kind = "app"
        if kind == "app" and not app_too:
            return
        if kind == "app":
            self.app.kill()
        else:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.random.choice(at_work[kind]).kill()
        self.counts[f"kills of {kind}"] += 1

    def fill_disk(self, seconds: float) -> None:
        """To the last byte, then free it again."""
        filler = self.app.folder / "disk" / "filler"
        size = 0
        try:
            with filler.open("wb") as file:
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    free = os.statvfs(filler).f_bavail * os.statvfs(filler).f_frsize
                    with contextlib.suppress(OSError):  # others took some of it meanwhile
                        if free:
                            os.posix_fallocate(file.fileno(), size, free)
                            size += free
                    time.sleep(0.2)
        finally:
            filler.unlink(missing_ok=True)
        self.counts["times the disk was full"] += 1

    def lock_tracking(self, seconds: float) -> None:
        """Hold the store of MLflow so that nobody else reads or writes it."""
        path = self.app.home / "mlflow" / "mlflow.db"
        if not path.is_file():
            return
        with (
            contextlib.closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as store,
            contextlib.suppress(sqlite3.OperationalError),  # never free in 20 seconds
        ):
            store.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            store.execute("ROLLBACK")
            self.counts["times the MLflow store was locked"] += 1

    def step_clock(self) -> None:
        if self.app.clock.works:
            self.app.clock.set(self.random.choice(_STEPS))
            self.counts["steps of the clock"] += 1
