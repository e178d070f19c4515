"""Starting, stopping, resuming and deleting background runs. They outlive the page, the browser and the app."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from cdp import paths
from cdp.config import GenerateConfig, flatten
from cdp.data.atomic import new_folder, refuse_existing, write_json
from cdp.data.names import valid_name
from cdp.data.sets import trash_dir
from cdp.errors import InputError
from cdp.runs.jsonfile import read_json
from cdp.runs.records import CONFIG, LOG, PROCESS, RESUMABLE, STATUS, STOP, Run, get_run, list_runs, read_run

GRACE_SECONDS = 4.0
"""A run that has not stopped by itself after this long is killed, so that every stop is over within 5 seconds."""

WORKER = (sys.executable, "-m", "cdp.runs.worker")


def launch_generation(config: GenerateConfig, name: str, *, command: Sequence[str] = WORKER) -> str:
    """Start generating the sample set ``name`` in a process of its own; returns the run's id.

    command: what works on a run, given its folder. Raises InputError where the name is no name, or taken by a set or by
    a run that is not finished.
    """
    with _launching():
        refuse_existing(paths.sets_dir() / valid_name(name))
        for run in list_runs():
            if run.name == name and run.state != "finished":
                raise InputError(
                    f"run {run.id} ({run.state}) makes a set called {name!r} already: resume or delete it, or choose another name"
                )
        run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
        with new_folder(paths.runs_dir() / run_id) as folder:
            write_json(folder / CONFIG, {"kind": "generate", "name": name, "created": time.time(), "config": flatten(config)})
            _mark_queued(folder)
        _start(paths.runs_dir() / run_id, command)
    return run_id


def resume(run_id: str, *, command: Sequence[str] = WORKER) -> None:
    """Start a run again where it was left. Raises InputError unless it failed, was stopped or was interrupted."""
    with _launching():
        run = get_run(run_id)
        if run.config is None:
            raise InputError(run.error or f"run {run_id} has no settings: delete it")
        if run.state not in RESUMABLE:
            raise InputError(f"run {run_id} is {run.state}: only a run that failed, was stopped or was interrupted can be resumed")
        for leftover in (STOP, PROCESS):
            (run.folder / leftover).unlink(missing_ok=True)
        _mark_queued(run.folder)
        _start(run.folder, command)


def stop(run_id: str) -> None:
    """Ask a run to stop; its finished batches are kept. Returns at once; it is over within 5 seconds, or killed then."""
    run = get_run(run_id)
    if run.over:
        return
    (run.folder / STOP).touch()
    # Not a daemon: a command line that ends right after this call still sees the stop through.
    threading.Thread(target=_see_through, args=(run.folder,), name=f"stop-{run_id}").start()


def delete(run_id: str) -> Path:
    """Move a run that is over, and what is left of an unfinished set of its, to the trash; returns where it lies now.

    A finished set stays. Raises InputError where a process still works on the run.
    """
    with _launching():
        run = get_run(run_id)
        if not run.over:
            raise InputError(f"run {run_id} is {run.state}: stop it first")
        trash_dir().mkdir(parents=True, exist_ok=True)
        target = trash_dir() / f"run-{run_id}"
        shutil.move(run.folder, target)
        if run.state != "finished":
            _discard_partial(run, target)
    return target


@contextlib.contextmanager
def _launching() -> Iterator[None]:
    """One at a time: two tabs may press the same button at once."""
    paths.runs_dir().mkdir(parents=True, exist_ok=True)
    with FileLock(paths.runs_dir() / ".launch.lock"):
        yield


def _mark_queued(folder: Path) -> None:
    progress = (read_json(folder / STATUS) or {}).get("progress")
    write_json(folder / STATUS, {"state": "queued", "progress": progress, "updated": time.time()})


def _start(folder: Path, command: Sequence[str]) -> None:
    """A process in a session of its own, so that it outlives this one and its children can be stopped with it."""
    search = os.pathsep.join(part for part in (str(paths.ROOT), os.environ.get("PYTHONPATH")) if part)
    environment = os.environ | {"CDP_HOME": str(paths.home()), "PYTHONPATH": search}
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [*command, str(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment
        )
    # Collects its exit code whenever it ends, so that no zombie is left while the app lives.
    threading.Thread(target=process.wait, name=f"wait-{folder.name}", daemon=True).start()


def _see_through(folder: Path) -> None:
    """Wait for a run to stop by itself, then end its process group."""
    end = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < end:
        if not folder.exists() or read_run(folder).over:
            return
        time.sleep(0.1)
    run = read_run(folder)
    if run.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


def _discard_partial(run: Run, target: Path) -> None:
    """Take along what the run had generated, unless somebody else has begun to go on with it."""
    partial = run.out.with_name(f".{run.name}.partial")
    if not partial.is_dir():
        return
    try:
        with FileLock(partial / "lock", timeout=0):
            shutil.move(partial, target / "partial")
    except Timeout:
        return
