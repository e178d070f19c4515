"""The files of a run: read right whatever became of its process, and whatever became of them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from cdp.errors import InputError, MissingError
from cdp.files.atomic import write_json
from cdp.paths import sets_dir
from cdp.tasks.generate import generate_set
from cdp.work import worker
from cdp.work.launch import launch, resume
from cdp.work.launchers import signature
from cdp.work.records import get_run, list_runs
from cdp.work.registry import TASKS
from tests.work.processes import COMMAND, CONFIG, fake_run, until
from tests.work.stub_worker import StubMaker, stub_main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CDP_HOME", str(tmp_path))
    return tmp_path


def test_the_last_word_reaches_a_full_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fake_run(
        home, process=None, status={"state": "queued", "updated": time.time(), "padding": "x" * 600}
    )
    monkeypatch.setattr(os, "nice", lambda _: 0)
    real, full = worker.write_json, []

    def write_json(path: Path, value: dict[str, object]) -> None:
        if full:
            raise OSError(28, "No space left on device")
        real(path, value)

    class Filling(StubMaker):
        def batch(self, *arguments: object) -> None:
            full.append(True)
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker, "write_json", write_json)
    assert stub_main(run.folder, Filling(home / "journal.txt")) == 1
    run = get_run("fake")
    assert run.state == "failed"
    assert run.error.startswith("the disk is full")


def test_a_run_killed_between_its_set_and_its_last_word_finishes_without_sampling(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fake_run(home, process=None, status={"state": "running", "updated": 1.0})
    assert run.state == "interrupted"
    generate_set(
        CONFIG, sets_dir() / run.name, maker=StubMaker(home / "other.txt"), origin={"run": run.id}
    )
    monkeypatch.setattr(os, "nice", lambda _: 0)
    assert stub_main(run.folder, StubMaker(home / "journal.txt")) == 0
    assert get_run("fake").state == "finished"
    assert not (home / "journal.txt").exists()


def test_a_stranger_with_a_reused_pid_is_not_taken_for_the_run(home: Path) -> None:
    run = fake_run(
        home,
        process={"pid": os.getpid(), "began": 5.0},
        status={"state": "running", "updated": time.time()},
    )
    assert (run.state, run.pid) == ("interrupted", None)


def test_the_same_pid_and_start_time_are_the_run(home: Path) -> None:
    began = psutil.Process().create_time()
    run = fake_run(
        home,
        process={"pid": os.getpid(), "began": began},
        status={"state": "running", "updated": time.time()},
    )
    assert (run.state, run.pid) == ("running", os.getpid())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ticks are Linux's")
@pytest.mark.parametrize("seconds", [-5.0, 5.0, 7200.0])
def test_a_step_of_the_clock_leaves_a_live_run_alive_and_a_stranger_a_stranger(
    home: Path, seconds: float
) -> None:
    """On Linux a start time is boot time plus ticks, and the boot time follows the wall clock."""
    known = signature(os.getpid())
    recorded = known | {"began": known["began"] + seconds}
    status = {"state": "running", "updated": time.time()}
    run = fake_run(home, process=recorded, status=status)
    assert (run.state, run.pid) == ("running", os.getpid())
    for name, value in (("tick", known["tick"] + 1), ("boot", "another")):
        write_json(run.folder / "process.json", known | {name: value})
        assert get_run("fake").state == "interrupted"


@pytest.mark.parametrize("run_id", ["", ".", "..", "../sets", "no-such-run", ".slots"])
def test_an_unknown_run_is_a_missing_error(home: Path, run_id: str) -> None:
    (home / "runs" / ".slots").mkdir(parents=True)
    with pytest.raises(MissingError, match="is unknown"):
        get_run(run_id)


@pytest.mark.parametrize("config", [{}, {"strength": 99}, {"no_such_knob": 1}, [1], "x"])
def test_a_damaged_run_is_listed_as_failed_and_hurts_no_other(home: Path, config: object) -> None:
    broken = fake_run(home, process=None, status={}, config=config if config else {"steps": "x"})
    good = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    until(good, lambda run: run.state == "finished")
    assert broken.state == "failed"
    assert "delete this run" in broken.error
    assert [run.id for run in list_runs()] == [good, "fake"]
    with pytest.raises(InputError):
        resume("fake", command=COMMAND)


@pytest.mark.parametrize("status", ["", "null", "[]", "{", '{"state": "running", "progress": 3}'])
def test_a_torn_status_file_is_survived(home: Path, status: str) -> None:
    run = fake_run(home, process=None, status={})
    (run.folder / "status.json").write_text(status)
    assert get_run("fake").state == "interrupted"


@pytest.mark.parametrize("slots", ["0", "-1", "two", "1000"])
def test_a_senseless_number_of_slots_fails_the_run_with_the_remedy(
    home: Path, monkeypatch: pytest.MonkeyPatch, slots: str
) -> None:
    run = fake_run(home, process=None, status={"state": "queued"})
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setenv("CDP_SLOTS", slots)
    assert stub_main(run.folder, StubMaker(home / "journal.txt")) == 2
    assert "CDP_SLOTS" in get_run("fake").error
