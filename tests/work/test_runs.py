"""Background runs as real processes: killed, resumed, stopped, queued."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from cdp import paths
from cdp.data.sets import list_sets, open_set
from cdp.errors import InputError
from cdp.tasks.generate import generate_set
from cdp.work.launch import delete, launch, resume, stop
from cdp.work.records import get_run, list_runs, log_tail
from cdp.work.registry import TASKS
from tests.work.processes import COMMAND, CONFIG, done, journal, until
from tests.work.stub_worker import StubMaker


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CDP_HOME", str(tmp_path))
    return tmp_path


def test_a_run_ends_finished_and_its_set_is_in_the_store(home: Path) -> None:
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    run = until(run_id, lambda run: run.over)
    assert (run.state, run.error, run.pid, done(run)) == ("finished", None, None, 40)
    assert run.config == CONFIG
    assert run.created <= run.started <= run.ended
    assert [entry.name for entry in list_sets()] == ["night"]
    assert open_set("night").card["run"] == run_id


def test_a_killed_run_is_interrupted_and_its_resumption_equals_an_uninterrupted_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.15")
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    run = until(run_id, lambda run: done(run) >= 12)
    os.kill(run.pid, signal.SIGKILL)
    run = until(run_id, lambda run: run.state == "interrupted", seconds=10)
    kept = done(run)
    assert 12 <= kept < 40
    assert list_sets() == []

    resume(run_id, command=COMMAND)
    run = until(run_id, lambda run: run.over)
    assert run.state == "finished"
    assert run.progress.resumed_from >= kept
    lines = [int(batch) for _, what, batch in journal(home) if what == "begun"]
    assert all(lines.count(batch) == 1 for batch in range(kept // 4))
    assert max(lines.count(batch) for batch in range(10)) <= 2
    whole = generate_set(CONFIG, home / "whole", maker=StubMaker(home / "other.txt"))
    made = open_set("night")
    assert np.array_equal(made.image, whole.image)
    assert np.array_equal(made.label, whole.label)


def test_two_runs_share_one_slot_in_the_order_they_were_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.1")
    first = launch(TASKS["generate"], CONFIG, "first", command=COMMAND)
    second = launch(TASKS["generate"], CONFIG, "second", command=COMMAND)
    until(first, lambda run: run.state == "running")
    assert get_run(second).state == "queued"
    until(second, lambda run: run.over)
    order = [line[0] for line in journal(home)]
    assert order == [first] * 20 + [second] * 20
    assert [run.id for run in list_runs()] == [second, first]


def test_stopping_a_running_run_keeps_its_batches_for_a_resumption(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.15")
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    until(run_id, lambda run: done(run) >= 8)
    stop(run_id)
    assert get_run(run_id).state in ("stopping", "stopped")
    until(run_id, lambda run: run.state == "stopped", seconds=5)
    monkeypatch.setenv("STUB_SECONDS", "0")
    resume(run_id, command=COMMAND)
    run = until(run_id, lambda run: run.over)
    assert (run.state, run.progress.resumed_from >= 8) == ("finished", True)


def test_a_run_deaf_to_the_stop_is_killed_within_the_grace_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "60")
    monkeypatch.setenv("STUB_DEAF", "1")
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    pid = until(run_id, lambda run: (home / "journal.txt").exists()).pid
    stop(run_id)
    assert get_run(run_id).state == "stopping"
    run = until(run_id, lambda run: run.state == "stopped", seconds=5)
    assert run.pid is None
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_queued_run_stops_without_ever_working(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.5")
    first = launch(TASKS["generate"], CONFIG, "first", command=COMMAND)
    second = launch(TASKS["generate"], CONFIG, "second", command=COMMAND)
    until(second, lambda run: run.pid is not None)
    until(first, lambda run: bool(journal(home)))
    stop(second)
    until(second, lambda run: run.state == "stopped", seconds=5)
    stop(first)
    until(first, lambda run: run.state == "stopped", seconds=5)
    assert {line[0] for line in journal(home)} == {first}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("disk", "the disk is full: free some space"),
        ("bug", "unexpected ZeroDivisionError (division by zero)"),
    ],
)
def test_a_run_that_fails_says_why_in_one_sentence_and_logs_the_rest(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: str, said: str
) -> None:
    monkeypatch.setenv("STUB_ERROR", error)
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    run = until(run_id, lambda run: run.over)
    assert run.state == "failed"
    assert said in run.error
    assert "Traceback" in log_tail(run)
    assert "Traceback" not in run.error


def test_a_worker_that_cannot_even_start_is_shown_as_interrupted_within_ten_seconds(
    home: Path,
) -> None:
    run_id = launch(
        TASKS["generate"],
        CONFIG,
        "night",
        command=(sys.executable, "-c", "raise SystemExit('broken installation')"),
    )
    assert get_run(run_id).state in ("queued", "interrupted")
    run = until(run_id, lambda run: run.state == "interrupted", seconds=10)
    assert "broken installation" in log_tail(run)


def test_a_run_cannot_be_resumed_or_deleted_while_it_works(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.3")
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    with pytest.raises(InputError, match="only a run that failed, was stopped or was interrupted"):
        resume(run_id, command=COMMAND)
    with pytest.raises(InputError, match="stop it first"):
        delete(run_id)
    stop(run_id)
    until(run_id, lambda run: run.over, seconds=5)


def test_deleting_moves_the_run_and_its_unfinished_images_to_the_trash(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_ERROR", "bug")
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    until(run_id, lambda run: run.over)
    target = delete(run_id)
    assert target.parent == home / "trash"
    assert (target / "partial" / "image.npy").exists()
    assert list_runs() == []
    assert list((home / "sets").iterdir()) == []


def test_deleting_a_finished_run_leaves_its_set(home: Path) -> None:
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    until(run_id, lambda run: run.over)
    delete(run_id)
    assert len(open_set("night")) == 40


def test_a_name_is_refused_while_a_set_or_an_unfinished_run_has_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_ERROR", "bug")
    run_id = launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    with pytest.raises(InputError, match=f"run {run_id} .* makes a set called 'night' already"):
        launch(TASKS["generate"], CONFIG, "night", command=COMMAND)
    until(run_id, lambda run: run.over)
    (paths.sets_dir() / "taken").mkdir()
    with pytest.raises(InputError, match="already exists"):
        launch(TASKS["generate"], CONFIG, "taken", command=COMMAND)
    assert [run.id for run in list_runs()] == [run_id]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 200])
def test_a_name_that_leaves_the_store_is_refused_and_starts_nothing(home: Path, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        launch(TASKS["generate"], CONFIG, name, command=COMMAND)
    assert list_runs() == []
