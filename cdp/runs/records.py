"""Background runs on disk: one folder each under CDP_HOME/runs, readable while the run writes and after it died.

config.json    what to do; written once by the launcher
status.json    state, progress and error; written by the worker and renewed while it lives (by the launcher at a start)
process.json   pid and start time of the worker process; written by the worker as it begins
stop           asks the worker to stop; its presence also tells a stop from a crash afterwards
log.txt        what the worker printed
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from cdp import paths
from cdp.config import GenerateConfig, unflatten
from cdp.errors import InputError, MissingError
from cdp.runs.generation import Progress
from cdp.runs.jsonfile import read_json

State = Literal["queued", "running", "stopping", "finished", "failed", "stopped", "interrupted"]

CONFIG, PROCESS, STATUS, STOP, LOG = "config.json", "process.json", "status.json", "stop", "log.txt"
RESUMABLE: tuple[State, ...] = ("failed", "stopped", "interrupted")

_START_SECONDS = 8.0
"""How long Python may take from the launch to the worker's first sign of life."""
_SAME_START = 2.0
"""Two readings of one process's start time differ by less than this many seconds; a reused pid's do not."""


@dataclass(frozen=True)
class Run:
    """One background run as it is at this moment. created, started, ended: unix times; error: one sentence."""

    id: str
    folder: Path
    name: str
    config: GenerateConfig | None
    state: State
    created: float
    started: float | None = None
    ended: float | None = None
    progress: Progress | None = None
    error: str | None = None
    pid: int | None = None

    @property
    def over(self) -> bool:
        """Whether no process works on it any more."""
        return self.state in ("finished", *RESUMABLE)

    @property
    def out(self) -> Path:
        """Where its sample set is, or will be."""
        return paths.sets_dir() / self.name


def run_folder(run_id: str) -> Path:
    """The folder of a run. Raises MissingError where there is none of that id."""
    folder = paths.runs_dir() / run_id
    if folder.parent != paths.runs_dir() or run_id.startswith(".") or not folder.is_dir():
        raise MissingError(f"run {run_id[:80]!r} is unknown: choose one of the list of runs")
    return folder


def get_run(run_id: str) -> Run:
    """The run of that id. Raises MissingError where there is none."""
    return read_run(run_folder(run_id))


def list_runs() -> list[Run]:
    """All runs, newest first. A damaged one is listed as failed, with the reason."""
    try:
        folders = [Path(entry.path) for entry in os.scandir(paths.runs_dir()) if entry.is_dir() and not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    return sorted((read_run(folder) for folder in folders), key=lambda run: (run.created, run.id), reverse=True)


def read_run(folder: Path) -> Run:
    """What the files of one run and the process table say together."""
    # Order matters: a process that ends between the two readings has written its last status by the second.
    alive, pid = _alive(folder)
    status = read_json(folder / STATUS) or {}
    record = read_json(folder / CONFIG) or {}
    created = _number(record.get("created")) or 0.0
    try:
        config, error = unflatten(record["config"]), None
    except (InputError, KeyError, TypeError, AttributeError) as broken:
        config, error = None, f"{folder / CONFIG} cannot be used ({broken}): delete this run"
    said = status.get("error")
    state: State = "failed" if config is None and not alive else _state(folder, status, alive=alive)
    return Run(
        id=folder.name,
        folder=folder,
        name=str(record.get("name", folder.name)),
        config=config,
        state=state,
        created=created,
        started=_number(status.get("started")),
        ended=_number(status.get("ended")),
        progress=_progress(status.get("progress")),
        error=error or (said if isinstance(said, str) else None),
        pid=pid if alive and state in ("queued", "running", "stopping") else None,
    )


def _state(folder: Path, status: dict[str, Any], *, alive: bool) -> State:
    """The worker's own word where it reached an end; else what its process and the stop file say."""
    written: State = status.get("state", "queued")
    if written in ("finished", "failed", "stopped"):
        return written
    stop = (folder / STOP).exists()
    if alive:
        return "stopping" if stop else ("running" if written == "running" else "queued")
    if stop:
        return "stopped"
    launched = _number(status.get("updated")) or 0.0
    starting = not (folder / PROCESS).exists() and time.time() - launched < _START_SECONDS
    return "queued" if starting else "interrupted"


def _alive(folder: Path) -> tuple[bool, int | None]:
    """Whether the worker process of this run lives, and its pid. A zombie is dead; so is a stranger with a reused pid."""
    record = read_json(folder / PROCESS) or {}
    pid, began = record.get("pid"), _number(record.get("began"))
    if not isinstance(pid, int) or pid <= 0 or began is None:
        return False, None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - began) < _SAME_START and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False, pid
    return same, pid


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _progress(value: Any) -> Progress | None:
    try:
        return Progress(**value)
    except TypeError:
        return None


def log_tail(run: Run, size: int = 16384) -> str:
    """The last ``size`` bytes of what the worker printed; empty where it printed nothing."""
    try:
        with (run.folder / LOG).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - size))
            return log.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
