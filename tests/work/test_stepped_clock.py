"""A run whose clock is set back an hour in the middle of its work: every command tells the truth."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak.faults import Clock
from cdp.work.launch import launch
from cdp.work.launchers import LAUNCHERS, Local
from cdp.work.records import get_run
from cdp.work.registry import TASKS
from tests.work.processes import COMMAND, CONFIG, until


def cdp(*args: str) -> subprocess.CompletedProcess[str]:
    """The command line, under the clock of the environment."""
    return subprocess.run([sys.executable, "-m", "cdp", *args], capture_output=True, text=True)


def test_a_live_run_stays_one_under_a_clock_that_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(tmp_path)
    assert clock.works or shutil.which("cc") is None
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STUB_SECONDS", "0.5")
    monkeypatch.setitem(LAUNCHERS, "local", Local())
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    pid = until(run_id, lambda run: run.state == "running").pid
    clock.set(-3600)
    assert '"state": "running"' in cdp("show", run_id, "--json").stdout
    refused = cdp("resume", run_id)
    assert refused.returncode and "only a run that failed" in refused.stderr
    assert get_run(run_id).pid == pid
    assert cdp("stop", run_id).returncode == 0
    ended = until(run_id, lambda run: run.over, seconds=30)
    assert (ended.state, ended.pid) == ("stopped", None)
