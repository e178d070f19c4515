"""Background runs on disk: one folder each under CDP_HOME/runs, readable while the run writes and
after it died.

config.json    what to do: kind, name, settings; written once by the launcher
status.json    state, progress, error, notice, result; written at a start, then by the worker, which
               renews it while it lives
process.json   the worker process, such as its pid and start time; written at a start, and by the
               worker as it begins; none while the run waits (cdp.work.queue)
stop           asks the worker to stop; its presence also tells a stop from a crash afterwards
forward        puts a waiting run before all others; holds when that was asked for
log.txt        what the worker printed; log.1.txt what before that, once it is long
metrics.jsonl  the journal (cdp.work.journal); beside it resources.jsonl and what the work keeps
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cdp import paths
from cdp.config.knobs import Frozen
from cdp.errors import InputError, MissingError
from cdp.files.reading import MAX_RECORD, is_folder, parse_object, read_bytes, reason_of
from cdp.files.versions import NewerError, require_known
from cdp.values.text import visible
from cdp.work import queue
from cdp.work.launchers import LOG, PROCESS, launcher_of, process_of
from cdp.work.logs import tail
from cdp.work.registry import read_config
from cdp.work.session import Progress, read_progress

State = Literal["queued", "running", "stopping", "finished", "failed", "stopped", "interrupted"]

CONFIG, STATUS, STOP, FORWARD = "config.json", "status.json", "stop", "forward"
FORMAT = 1
"""Of settings and status that are written and read. What has none is from before there were any:
``read_config`` has its settings in today's terms, and its status reads as today's does."""
RESUMABLE: tuple[State, ...] = ("failed", "stopped", "interrupted")
ENDS: tuple[State, ...] = ("finished", "failed", "stopped")
"""What a worker's last word can be; whatever else stands in its status was true while its process
lived."""

LATEST = 253_370_764_800.0
"""Beyond the year 9998 a number in a file is no time."""
_LONGEST_NAME, _LONGEST_TEXT = 200, 4000


@dataclass(frozen=True)
class Run:
    """One background run as it is at this moment. config: None where it cannot be read, and then
    ``error`` says why. created, started, ended: unix times; error, notice: one sentence each;
    result: what its work came to; pid: while it lives; forward: when it was brought forward, a unix
    time, 0 where it was not; problem: which of its files says something else than it should."""

    id: str
    folder: Path
    kind: str
    name: str
    config: Frozen | None
    state: State
    created: float
    started: float | None = None
    ended: float | None = None
    progress: Progress | None = None
    error: str | None = None
    notice: str | None = None
    result: dict[str, Any] | None = None
    pid: int | None = None
    forward: float = 0.0
    problem: str | None = None

    @property
    def turn(self) -> tuple[float, float, str]:
        """Of the runs that wait, the one of the smallest turn is next: who was brought forward last,
        else the oldest."""
        return -self.forward, self.created, self.id

    @property
    def shipped(self) -> bool:
        """Whether it is of the example study, which is read only."""
        return self.folder.parent == _example()

    @property
    def wrong(self) -> str | None:
        """Why it is not as it should be, for a list: how it failed, else what cannot be read."""
        return self.error or self.problem

    @property
    def over(self) -> bool:
        """Whether no process works on it any more."""
        return self.state in ("finished", *RESUMABLE)


def run_folder(run_id: str) -> Path:
    """The folder of a run, also of the example study. Raises MissingError where there is none of
    that id."""
    for parent in (paths.runs_dir(), _example()):
        folder = parent / run_id
        if folder.parent == parent and not run_id.startswith(".") and is_folder(folder):
            return folder
    raise MissingError(f"run {run_id[:80]!r} is unknown: choose one of the list of runs")


def _example() -> Path:
    return paths.example_dir() / "runs"


def require_own(run: Run) -> None:
    """Raises InputError for a run that is shipped and cannot be changed."""
    if run.shipped:
        raise InputError(
            f"run {run.id} is of the example study, which is read only: start one of your own with"
            " its settings"
        )


def shipped_runs() -> list[Run]:
    """The runs of the example study, newest first."""
    runs = [read_run(folder) for folder in _folders(_example())]
    return sorted(runs, key=lambda run: (run.created, run.id), reverse=True)


def run_folders(*, shipped: bool = False) -> list[Path]:
    """The folders of all runs of the user's, by name. shipped: and those of the example study."""
    return [*_folders(paths.runs_dir()), *(_folders(_example()) if shipped else ())]


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            names = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
    except FileNotFoundError:
        return []
    return [parent / name for name in names]


def get_run(run_id: str) -> Run:
    """The run of that id. Raises MissingError where there is none."""
    run = read_run(run_folder(run_id))
    return run if run.config is not None or run.folder.is_dir() else read_run(run_folder(run_id))


def list_runs() -> list[Run]:
    """All runs, newest first. A damaged one is listed as failed, with the reason."""
    runs = [read_run(folder) for folder in run_folders()]
    # One without settings may have been deleted while it was read.
    there = [run for run in runs if run.config is not None or run.folder.is_dir()]
    return sorted(there, key=lambda run: (run.created, run.id), reverse=True)


_over: dict[Path, tuple[int, int] | None] = {}
"""Stamps of the status files of runs that were over when this process looked last."""


def active_runs() -> list[Run]:
    """Those that a process works on, then those that wait, in the order of their turns. One look at
    a file for each of the others."""
    active = []
    for folder in run_folders():
        stamp = _stamp(folder / STATUS)
        if stamp is not None and _over.get(folder) == stamp:
            continue
        run = read_run(folder)
        if run.over:
            _over[folder] = stamp
        else:
            active.append(run)
    return sorted(active, key=lambda run: (run.state == "queued", *run.turn))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def read_run(folder: Path) -> Run:
    """What the files of one run and the process table say together."""
    (status, wrong), (record, unread) = _read(folder / STATUS), _read(folder / CONFIG)
    kind, config, broken = _settings(folder, record, status, unread)
    alive, pid, place = False, None, None
    if config is None or status.get("state") not in ENDS:
        # Order matters: what leaves the queue to begin has said what names its process before.
        place = queue.place_of(folder.name)
        alive, pid = _alive(folder)
        # Order matters: a process that ends between the two readings has written its last status by
        # the second.
        status, wrong = _read(folder / STATUS)
    state: State = _state(folder, status, place, alive=alive)
    if config is None and not alive and state != "finished":
        state = "failed"
    over = state in ("finished", *RESUMABLE)
    result = status.get("result")
    created = _time(record.get("created"))
    if config is not None and created is None:
        wrong = wrong or f"{CONFIG} does not say when the run was created"
    return Run(
        id=folder.name,
        folder=folder,
        kind=kind,
        name=_text(record.get("name"), _LONGEST_NAME) or folder.name,
        config=config,
        state=state,
        created=created or 0.0,
        started=_time(status.get("started")),
        # One that was killed could not say when: its last sign of life.
        ended=_time(status.get("ended")) or (_time(status.get("updated")) if over else None),
        progress=read_progress(status.get("progress")),
        error=broken or _text(status.get("error")),
        notice=_text(status.get("notice")),
        result=result if isinstance(result, dict) else None,
        pid=pid if alive and not over else None,
        forward=_forwarded(folder) if state == "queued" else 0.0,
        problem=wrong,
    )


def _forwarded(folder: Path) -> float:
    return _time(_read(folder / FORWARD)[0].get("asked")) or 0.0


def _settings(
    folder: Path, record: dict[str, Any], status: dict[str, Any], unread: str | None
) -> tuple[str, Frozen | None, str | None]:
    """Kind and settings, or None and why they cannot be used. unread: why there is no record."""
    kind = _text(record.get("kind"), _LONGEST_NAME) or "generate"
    try:
        require_known(folder / CONFIG, record.get("format"), FORMAT)
        require_known(folder / STATUS, status.get("format"), FORMAT)
        return kind, read_config(kind, record["config"]), None
    except NewerError as newer:
        return kind, None, str(newer)
    except (InputError, KeyError, TypeError, AttributeError) as broken:
        if unread:
            return kind, None, f"{unread}: restore it, or delete this run"
        reason = str(broken)[:_LONGEST_TEXT]
        return kind, None, f"{folder / CONFIG} cannot be used ({reason}): delete this run"


def _state(
    folder: Path, status: dict[str, Any], place: queue.Place | None, *, alive: bool
) -> State:
    """The worker's own word where it reached an end; else what its process, its place in the queue
    and the stop file say."""
    written: State = status.get("state", "queued")
    if written in ENDS:
        return written
    stop = (folder / STOP).exists()
    if alive:
        return "stopping" if stop else ("running" if written == "running" else "queued")
    if place == "begun":
        return "stopping" if stop else "queued"
    if stop:
        return "stopped"
    if place == "waits":
        return "queued"
    launched = _time(status.get("updated")) or 0.0
    recent = abs(time.time() - launched) < queue.START_SECONDS
    starting = recent and not (folder / PROCESS).exists()
    return "queued" if starting else "interrupted"


def _alive(folder: Path) -> tuple[bool, int | None]:
    """Whether the worker process of this run lives, and its pid where it is on this machine."""
    process = process_of(folder)
    launcher = launcher_of(process)
    if not process or launcher is None or not launcher.alive(process):
        return False, None
    pid = process.get("pid")
    return True, pid if isinstance(pid, int) else None


def _read(path: Path) -> tuple[dict[str, Any], str | None]:
    """The object in a file of a run, and why there is none: one bad file hides no other run."""
    try:
        return parse_object(read_bytes(path, MAX_RECORD)), None
    except (FileNotFoundError, NotADirectoryError):
        return {}, None
    except (OSError, ValueError) as error:
        return {}, f"{path.name} cannot be read ({reason_of(error)}; it is {path})"


def _time(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value < LATEST else None


def _text(value: Any, longest: int = _LONGEST_TEXT) -> str | None:
    return visible(value[:longest]) if isinstance(value, str) else None


def log_tail(run: Run, size: int = 16384) -> str:
    """The last ``size`` bytes of what the worker printed, or why they cannot be read; empty where it
    printed nothing."""
    try:
        return visible(tail(run.folder, size).decode("utf-8", "replace"))
    except (OSError, ValueError) as error:
        return f"{run.folder / LOG} cannot be read ({reason_of(error)})"
