"""The recipe of a launcher, such as that of a cluster: one file, and its entry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cdp.errors import InputError
from cdp.work import launchers
from cdp.work.launch import launch, resume, stop
from cdp.work.records import active_runs, get_run, list_runs
from cdp.work.registry import TASKS
from tests.work.processes import COMMAND, CONFIG, done, until


class Cluster:
    """Jobs by number, written down in a file: no process of this machine is known to the app."""

    def __init__(self, book: Path) -> None:
        self.book = book

    def start(self, folder: Path, command: Sequence[str]) -> dict[str, Any]:
        with (folder / launchers.LOG).open("ab") as log:
            process = subprocess.Popen(
                [*command, str(folder)],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=launchers.environment(),
            )
        jobs = self._jobs()
        self.book.write_text(json.dumps(jobs | {f"job {len(jobs)}": process.pid}))
        return {"job": f"job {len(jobs)}"}

    def alive(self, process: Mapping[str, Any]) -> bool:
        pid = self._jobs().get(process.get("job", ""), 0)
        try:
            return bool(pid) and os.waitpid(pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return False

    def kill(self, process: Mapping[str, Any]) -> None:
        os.killpg(self._jobs()[process["job"]], signal.SIGKILL)

    def _jobs(self) -> dict[str, int]:
        return json.loads(self.book.read_text()) if self.book.exists() else {}


@pytest.fixture
def cluster(cdp_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster(tmp_path / "book.json")
    monkeypatch.setitem(launchers.LAUNCHERS, "cluster", cluster)
    monkeypatch.setenv("CDP_LAUNCHER", "cluster")
    monkeypatch.setenv("STUB_SECONDS", "0.05")
    return cluster


def test_a_run_is_started_stopped_and_resumed_by_another_launcher(cluster: Cluster) -> None:
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    until(run_id, lambda run: done(run) > 0)
    process = launchers.process_of(get_run(run_id).folder)
    assert process == {"launcher": "cluster", "job": "job 0"}, "and the worker let it be"
    assert [run.id for run in active_runs()] == [run_id]
    stop(run_id)
    assert until(run_id, lambda run: run.over).state == "stopped"
    assert active_runs() == []
    resume(run_id, command=COMMAND)
    assert until(run_id, lambda run: run.over).state == "finished"


def test_work_that_does_not_listen_is_ended_through_its_launcher(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = (sys.executable, "-c", "import time; time.sleep(60)")
    run_id = launch(TASKS["generate"], CONFIG, "night", command=sleeper)
    assert get_run(run_id).state == "queued"
    monkeypatch.setattr("cdp.work.launch.GRACE_SECONDS", 0.2)
    stop(run_id)
    assert until(run_id, lambda run: run.over, 10).state == "stopped"
    assert not cluster.alive(launchers.process_of(get_run(run_id).folder))


def test_an_unknown_launcher_is_named_and_starts_nothing(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_LAUNCHER", "moon")
    with pytest.raises(InputError, match="CDP_LAUNCHER is 'moon': choose one of local"):
        launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    assert list_runs() == []
