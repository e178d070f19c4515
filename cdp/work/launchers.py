"""What starts the process of a background run: one entry a way of starting it. CDP_LAUNCHER names
the one for new starts, else it is a process on this machine. The process may run anywhere: it has
to see CDP_HOME and does what the command says, and reports in the run's folder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil

from cdp import paths
from cdp.errors import InputError
from cdp.files.reading import read_json

PROCESS, LOG = "process.json", "log.txt"
LOCAL = "local"
NICENESS = "CDP_NICENESS"
"""The environment variable with the niceness of whoever asked for a process."""
_SAME_START = 2.0
"""Two readings of one process's start time differ by less than this many seconds; a reused pid's do
not. Where Linux says in which boot and at which tick of it a process began, that decides: the time
follows from the wall clock there, and is another one once the clock was set."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_BEGAN = 19
"""Place of the start's tick in what /proc/PID/stat says after the name (proc(5), field 22)."""


class Launcher(Protocol):
    """start: runs the command for a run's folder, with what it prints at the end of ``log.txt``;
    returns what names the process later, JSON-ready. alive: whether it lives, or waits to. kill:
    ends it with its children at once; nothing happens to one that is gone. Runs of ``LOCAL`` are
    started when their turn comes; all others at once, as a cluster lets its jobs wait itself."""

    def start(self, folder: Path, command: Sequence[str]) -> dict[str, Any]: ...

    def alive(self, process: Mapping[str, Any]) -> bool: ...

    def kill(self, process: Mapping[str, Any]) -> None: ...


class Local:
    """A process on this machine, in a session of its own: it outlives the app, and its children can
    be stopped with it."""

    def start(self, folder: Path, command: Sequence[str]) -> dict[str, Any]:
        with (folder / LOG).open("ab") as log:
            process = subprocess.Popen(
                [*command, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment(),
            )
        # Collects its exit code whenever it ends, so that no zombie is left while the app lives.
        threading.Thread(target=process.wait, name=f"wait-{folder.name}", daemon=True).start()
        try:
            return signature(process.pid)
        except psutil.Error:  # over already
            return {"pid": process.pid}

    def alive(self, process: Mapping[str, Any]) -> bool:
        """A zombie is dead; so is a stranger with a reused pid."""
        pid, began = process.get("pid"), process.get("began")
        if not isinstance(pid, int) or pid <= 0 or not isinstance(began, int | float):
            return False
        try:
            result = psutil.Process(pid)
            tick = _tick(pid)
            if tick and "tick" in process:
                same = all(process.get(name) == value for name, value in tick.items())
            else:
                same = abs(result.create_time() - began) < _SAME_START
            return same and result.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OverflowError, ValueError):
            return False

    def kill(self, process: Mapping[str, Any]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process["pid"], signal.SIGKILL)


def signature(pid: int) -> dict[str, Any]:
    """What names a process of this machine. Raises psutil.Error where it is gone."""
    return {"pid": pid, "began": psutil.Process(pid).create_time(), **_tick(pid)}


def _tick(pid: int) -> dict[str, Any]:
    """The boot that a process began in, and the tick of it; {} where the system does not say."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return {"boot": _BOOT.read_text().strip(), "tick": int(after_name[_BEGAN])}
    except (OSError, ValueError, IndexError):
        return {}


def environment() -> dict[str, str]:
    """The environment in which a process of this software finds its code and its home, and who asked
    for it: this process, unless it starts what another one asked for (cdp.work.dispatch)."""
    given = os.environ.get("PYTHONPATH")
    search = os.pathsep.join(part for part in (str(paths.ROOT), given) if part)
    known = {"CDP_HOME": str(paths.home()), "PYTHONPATH": search}
    asked_by = {NICENESS: str(os.getpriority(os.PRIO_PROCESS, 0))}
    return asked_by | dict(os.environ) | known


LAUNCHERS: dict[str, Launcher] = {LOCAL: Local()}


def chosen() -> str:
    """The launcher for new starts. Raises InputError where CDP_LAUNCHER names none."""
    name = os.environ.get("CDP_LAUNCHER") or LOCAL
    if name not in LAUNCHERS:
        raise InputError(
            f"CDP_LAUNCHER is {name[:40]!r}: choose one of {', '.join(LAUNCHERS)}, or leave it out"
        )
    return name


def process_of(folder: Path) -> dict[str, Any]:
    """What names the process of a run, with its launcher; empty where nothing readable does."""
    return read_json(folder / PROCESS) or {}


def launcher_of(process: Mapping[str, Any]) -> Launcher | None:
    """What started it; None where that is not here."""
    return LAUNCHERS.get(str(process.get("launcher", LOCAL)))
