"""The soak's own instruments: a clock that steps and nothing else, a ledger that sees what is lost."""

from __future__ import annotations

import math
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak.__main__ import growth
from benchmarks.soak.faults import App, Clock, Faults
from benchmarks.soak.ledger import Ledger, unaccounted
from tests.work.processes import fake_run

TELL = "import time, sys; print(time.time(), time.monotonic()); time.sleep(0.01)"


def test_the_clock_steps_and_elapsed_time_and_sleeps_stay_right(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    if not clock.works:
        assert shutil.which("cc") is None and clock.environment == {}
        return

    def seen() -> tuple[float, float]:
        told = subprocess.run(
            [sys.executable, "-S", "-c", TELL],
            env=os.environ | clock.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        wall, elapsed = map(float, told.stdout.split())
        return wall, elapsed

    wall, elapsed = seen()
    clock.set(-3600)
    back, after = seen()
    assert back - wall == pytest.approx(-3600, abs=60)
    assert 0 < after - elapsed < 60


def test_the_ledger_tells_what_is_gone_or_another(cdp_home: Path) -> None:
    for name in ("stays", "changes", "goes"):
        (cdp_home / "sets" / name).mkdir(parents=True)
        (cdp_home / "sets" / name / "image.npy").write_bytes(name.encode())
    run = fake_run(cdp_home, process=None, status={"state": "finished", "result": {"robust": 0.5}})
    ledger = Ledger(cdp_home, promised={"stays", "never"})
    ledger.look()
    assert ledger.lost() == ["set never was saved and is gone"]
    (cdp_home / "sets" / "changes" / "image.npy").write_bytes(b"other")
    shutil.rmtree(cdp_home / "sets" / "goes")
    (run.folder / "status.json").write_text('{"state": "finished", "result": {"robust": 0.6}}')
    assert ledger.lost()[1:] == [
        "set changes is another",
        "set goes is gone",
        "run fake has another result",
    ]
    shutil.rmtree(run.folder)
    assert "run fake is gone" in ledger.lost()


def test_a_run_that_neither_finished_nor_was_stopped_is_not_accounted_for(cdp_home: Path) -> None:
    fake_run(cdp_home, process=None, status={"state": "failed", "error": "the disk is full"})
    lines, states = unaccounted()
    assert lines == ["run fake (generate) is failed: the disk is full"] and states == {"failed": 1}


def test_growth_compares_one_life_of_the_app_after_it_was_warm() -> None:
    young = [(0.1, 900.0), (0.55, 10.0)]
    assert growth([*young, (0.66, 100.0), (0.7, 100.0), (0.95, 105.0)]) == pytest.approx(5)
    assert math.isnan(growth(young))


def test_a_kill_spares_the_app_once_its_memory_is_followed(tmp_path: Path) -> None:
    app = App(tmp_path)
    breaking = Faults(app, random.Random(0))
    for _ in range(20):
        breaking.kill(app_too=False)  # nothing is at work on this home
    assert not breaking.counts
