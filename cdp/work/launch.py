"""Starting, stopping, resuming and deleting background runs. They outlive the page, the browser and
the app."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from cdp import paths
from cdp.config.knobs import Frozen
from cdp.config.registry import write_config
from cdp.data.limits import MAX_LENGTH, valid_name
from cdp.data.sets import trash_dir
from cdp.errors import InputError
from cdp.files.atomic import new_folder, read_json, write_json
from cdp.work.records import (
    CONFIG,
    LOG,
    PROCESS,
    RESUMABLE,
    STATUS,
    STOP,
    get_run,
    list_runs,
    read_run,
)
from cdp.work.task import Task

GRACE_SECONDS = 4.0
"""A run that has not stopped by itself after this long is killed, so that every stop is over within
5 seconds."""

WORKER = (sys.executable, "-m", "cdp.tasks.worker")
"""The entry above this room that hands the tasks to ``cdp.work.worker``."""
AnyTask = Task[Any, Any]


def launch(task: AnyTask, config: Frozen, name: str, *, command: Sequence[str] = WORKER) -> str:
    """Start a run in a process of its own; returns its id.

    name: of the run, and of the set, model or encoder it makes.
    command: what works on a run, given its folder. Raises InputError where the name is no name, or
    taken.
    """
    with _launching():
        run_id = _create(task, config, name)
        _start(paths.runs_dir() / run_id, command)
    return run_id


def create(task: AnyTask, config: Frozen, name: str) -> str:
    """A run that nothing works on yet; returns its id. For a process that will work on it itself
    (``cdp.work.worker.main``). Raises as ``launch``."""
    with _launching():
        return _create(task, config, name)


def _create(task: AnyTask, config: Frozen, name: str) -> str:
    config = task.name_config(name, config)
    task.require(name, config)
    _refuse_rival(task, config, name)
    run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    with new_folder(paths.runs_dir() / run_id) as folder:
        write_json(
            folder / CONFIG,
            {
                "kind": task.name,
                "name": name,
                "created": time.time(),
                "config": write_config(config),
            },
        )
        _mark_queued(folder)
    return run_id


def free_name(task: AnyTask, wanted: str) -> str:
    """``wanted`` where a run of this task can have it, else with the first of -2, -3, ... that is
    free."""
    taken = {run.name for run in list_runs() if run.kind == task.name} | task.taken()
    numbered = (f"{wanted[: MAX_LENGTH - 7]}-{number}" for number in itertools.count(2))
    return next(
        name for name in itertools.chain([valid_name(wanted)], numbered) if name not in taken
    )


def resume(run_id: str, *, command: Sequence[str] = WORKER) -> None:
    """Start a run again where it was left. Raises InputError unless it failed, was stopped or was
    interrupted."""
    with _launching():
        run = get_run(run_id)
        if run.config is None:
            raise InputError(run.error or f"run {run_id} has no settings: delete it")
        if run.state not in RESUMABLE:
            raise InputError(
                f"run {run_id} is {run.state}: only a run that failed, was stopped or was"
                " interrupted can be resumed"
            )
        _mark_queued(run.folder)
        for leftover in (PROCESS, STOP):
            (run.folder / leftover).unlink(missing_ok=True)
        _start(run.folder, command)


def stop(run_id: str) -> None:
    """Ask a run to stop; what it finished is kept. Returns at once; it is over within 5 seconds, or
    killed then."""
    run = get_run(run_id)
    if run.over:
        return
    (run.folder / STOP).touch()
    # Not a daemon: a command line that ends right after this call still sees the stop through.
    threading.Thread(target=_see_through, args=(run.folder, run.pid), name=f"stop-{run_id}").start()


def delete(run_id: str, tasks: Mapping[str, AnyTask]) -> Path:
    """Move a run that is over, and what it left unfinished elsewhere, to the trash; returns where
    it lies now.

    tasks: which know what a run leaves elsewhere. A finished set, model or encoder stays. Raises
    InputError where a process still works on the run.
    """
    with _launching():
        run = get_run(run_id)
        if not run.over:
            raise InputError(f"run {run_id} is {run.state}: stop it first")
        trash_dir().mkdir(parents=True, exist_ok=True)
        target = trash_dir() / f"run-{run_id}"
        shutil.move(run.folder, target)
        if run.state != "finished" and run.config is not None:
            tasks[run.kind].discard(run.name, run.config, target)
    return target


@contextlib.contextmanager
def _launching() -> Iterator[None]:
    """One at a time: two tabs may press the same button at once."""
    paths.runs_dir().mkdir(parents=True, exist_ok=True)
    with FileLock(paths.runs_dir() / ".launch.lock"):
        yield


def _refuse_rival(task: AnyTask, config: Frozen, name: str) -> None:
    """InputError where another run has the name: an unfinished one that makes the same, or, where
    all is kept in the run, any."""
    place = task.place(name, config)
    for run in list_runs():
        if (run.kind, run.name) != (task.name, name) or (
            place is not None and run.state == "finished"
        ):
            continue
        if run.config is None or task.place(name, run.config) == place:
            verb = f"makes {task.makes} called" if task.makes else "is called"
            other = f"choose another name, such as {free_name(task, name)!r}"
            way = f"resume or delete it, or {other}" if run.state != "finished" else other
            raise InputError(f"run {run.id} ({run.state}) {verb} {name!r} already: {way}")


def _mark_queued(folder: Path) -> None:
    progress = (read_json(folder / STATUS) or {}).get("progress")
    write_json(folder / STATUS, {"state": "queued", "progress": progress, "updated": time.time()})


def _start(folder: Path, command: Sequence[str]) -> None:
    """A process in a session of its own, so that it outlives this one and its children can be
    stopped with it."""
    search = os.pathsep.join(
        part for part in (str(paths.ROOT), os.environ.get("PYTHONPATH")) if part
    )
    environment = os.environ | {"CDP_HOME": str(paths.home()), "PYTHONPATH": search}
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [*command, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment,
        )
    with contextlib.suppress(OSError, psutil.Error):  # the worker says so itself as well
        write_json(
            folder / PROCESS,
            {"pid": process.pid, "began": psutil.Process(process.pid).create_time()},
        )
    # Collects its exit code whenever it ends, so that no zombie is left while the app lives.
    threading.Thread(target=process.wait, name=f"wait-{folder.name}", daemon=True).start()


def _see_through(folder: Path, pid: int | None) -> None:
    """Wait for a run to stop by itself, then end its process group. pid: of its worker; a later one
    of a resumption is let be."""
    end = time.monotonic() + GRACE_SECONDS
    while folder.exists():
        run = read_run(folder)
        if run.over or not (folder / STOP).exists() or (pid is not None and run.pid != pid):
            return
        pid = run.pid
        if pid is not None and time.monotonic() >= end:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            return
        time.sleep(0.1)
