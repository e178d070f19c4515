"""The mirror in MLflow under locks, kills and dead servers: never in the way of the run, and
complete in the end."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from cdp.work import tracking
from cdp.work.records import get_run
from cdp.work.tracking import Sender, Tracker
from tests.work.mirrors import (
    client,
    holding,
    journal_of,
    make_run,
    mirror_whole,
    mirrored,
    steps,
    told,
    wait_for,
)


def test_a_locked_database_costs_the_run_nothing_and_is_told_at_the_next_sync(
    mirror_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(mirror_home)
    journal_of(run, 1, 2)
    tracker = Tracker(run)
    tracker.start()
    wait_for(run, step=2)
    with holding(mirror_home / "mlflow" / "mlflow.db"):
        spent = 0.0
        for step in range(3, 60):
            journal_of(run, step, step)
            began = time.perf_counter()
            tracker.sync()
            spent += time.perf_counter() - began
            time.sleep(0.05)
        assert spent < 0.5  # one call that waited for the lock would take two seconds
        assert told(run)["step"] == 2
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1 and "another program holds the tracking database" in warned[0]
    tracker.sync()
    wait_for(run, step=59)
    tracker.finish("finished")
    assert steps(run) == list(range(1, 60))


def test_a_database_locked_to_the_end_is_made_up_for_by_the_next_worker(
    mirror_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(
        mirror_home, kind="generate", state="finished", ended=1.7e9 + 30, result={"n": 7}
    )
    mirror_whole(other := make_run(mirror_home, "20260101-000000-other"))
    journal_of(run, 1, 5)
    assert tracking.FINISH_SECONDS <= 10
    monkeypatch.setattr(tracking, "FINISH_SECONDS", 3.0)
    with holding(mirror_home / "mlflow" / "mlflow.db"):
        tracker = Tracker(run)
        tracker.start()
        began = time.monotonic()
        tracker.finish("finished", result={"n": 7})
        assert time.monotonic() - began < 10
        assert told(run)["complete"] is False
    tracker._thread.join(20)
    worker = make_run(mirror_home, "20260102-000000-worker", kind="generate")
    tracker = Tracker(worker)
    tracker.start()
    wait_for(run, complete=True)
    tracker.finish("finished")
    assert steps(run, experiment="Generation") == [1, 2, 3, 4, 5]
    assert mirrored(run, "Generation").info.status == "FINISHED"
    # As its status has it; or now, where its own thread got through in the moment that the lock was
    # gone.
    ended = mirrored(run, "Generation").info.end_time / 1000
    assert ended == 1_700_000_030 or abs(time.time() - ended) < 60
    assert mirrored(other).info.status == "FINISHED"


def test_a_killed_run_is_killed_in_mlflow_too(mirror_home: Path) -> None:
    run = make_run(mirror_home, kind="generate")
    journal_of(run, 1, 4)
    code = (
        "import os, time; from cdp.work.records import get_run; from cdp.work.tracking import"
        f" Tracker\ntracker = Tracker(get_run({run.id!r})); tracker.start(); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    wait_for(run, step=4)
    process.kill()
    process.wait()
    assert get_run(run.id).state == "interrupted"
    assert mirrored(run, "Generation").info.status == "RUNNING"
    journal_of(run, 5, 6)
    Sender().catch_up(60, lambda: False)
    found = mirrored(run, "Generation")
    assert (found.info.status, found.data.tags["cdp.state"]) == ("KILLED", "interrupted")
    assert found.info.end_time == 1_700_000_060_000
    assert steps(run, experiment="Generation") == [1, 2, 3, 4, 5, 6]
    assert told(run)["complete"] is True


def test_a_run_that_was_deleted_here_does_not_run_for_ever_in_mlflow(mirror_home: Path) -> None:
    run, living = make_run(mirror_home), make_run(mirror_home, "20260101-000000-living")
    for each in (run, living):
        journal_of(each, 1, 1)
        tracker = Tracker(each)
        tracker.start()
        wait_for(each, step=1)
    (mirror_home / "trash").mkdir()
    run.folder.rename(mirror_home / "trash" / run.id)
    # Whoever ends next has two seconds for it; on a busy machine it is left to the one after.
    for number in range(5):
        mirror_whole(make_run(mirror_home, f"20260102-00000{number}-worker"))
        if mirrored(run).info.status == "KILLED":
            break
    assert mirrored(run).info.status == "KILLED"


def test_a_run_that_was_deleted_in_mlflow_is_let_go(
    mirror_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(mirror_home, kind="generate", state="stopped")
    mirror_whole(run, "stopped")
    client().delete_run(mirrored(run, "Generation").info.run_id)
    tracker = Tracker(run)
    tracker.start()
    tracker.finish("finished")
    assert "was deleted in MLflow" in caplog.text
    Sender().catch_up(60, lambda: False)
    assert told(run)["complete"] is True
    experiment = client().get_experiment_by_name("Generation").experiment_id
    assert client().search_runs([experiment]) == []


def test_a_server_that_does_not_answer_neither_fails_nor_slows_a_run(
    mirror_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@127.0.0.1:9")
    run = make_run(mirror_home, kind="generate", state="finished")
    journal_of(run, 1, 3)
    tracker = Tracker(run)
    began = time.monotonic()
    tracker.start()
    tracker.sync()
    assert time.monotonic() - began < 0.1
    tracker.finish("finished")
    assert time.monotonic() - began < 10
    tracker._thread.join(30)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1 and "the server http://127.0.0.1:9 does not answer" in warned[0]
    assert "secret" not in caplog.text + json.dumps(told(run))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    Sender().catch_up(60, lambda: False)
    assert steps(run, experiment="Generation") == [1, 2, 3]


def test_two_workers_that_start_at_once_on_a_fresh_store_both_tell(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    runs = [make_run(cdp_home, f"20260101-000000-{i}") for i in range(2)]
    code = (
        "import logging, sys; from cdp.work.records import get_run; from cdp.work.tracking import"
        " Tracker\nlogging.basicConfig(level=logging.INFO); tracker ="
        " Tracker(get_run(sys.argv[1])); tracker.start()\ntracker.finish('finished');"
        " tracker._thread.join(150)"
    )
    for run in runs:
        journal_of(run, 1, 2)
    logs = [cdp_home / f"{run.id}.txt" for run in runs]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, run.id], stdout=log.open("wb"), stderr=subprocess.STDOUT
        )
        for run, log in zip(runs, logs, strict=True)
    ]
    assert [process.wait(200) for process in processes] == [0, 0]
    assert [log.read_text() for log in logs] == ["", ""]
    for run in runs:
        assert steps(run) == [1, 2]
        assert mirrored(run).info.status == "FINISHED"
    with closing(sqlite3.connect(cdp_home / "mlflow" / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert not (Path.cwd() / "mlruns").exists() and not (Path.cwd() / "mlflow.db").exists()


def test_a_damaged_database_is_said_once_and_stops_nothing(
    mirror_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (mirror_home / "mlflow" / "mlflow.db").write_bytes(b"this is no database" * 100)
    run = make_run(mirror_home)
    began = time.monotonic()
    tracker = Tracker(run)
    tracker.start()
    tracker.sync()
    tracker.finish("finished")
    assert time.monotonic() - began < 10
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1 and "file is not a database" in warned[0]


def test_a_home_of_any_name_works(
    tmp_path: Path, mirror_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror_home = mirror_home.rename(tmp_path / "my home, 100% 'ä' #1 %41?")
    monkeypatch.setenv("CDP_HOME", str(mirror_home))
    run = make_run(mirror_home)
    journal_of(run, 1, 2)
    mirror_whole(run)
    assert steps(run) == [1, 2]
    artifacts = Path(client().download_artifacts(mirrored(run).info.run_id, ""))
    assert (
        artifacts.is_relative_to(mirror_home / "mlflow" / "artifacts")
        and (artifacts / "summary.json").is_file()
    )


def test_a_tracker_that_cannot_write_beside_the_run_still_ends(mirror_home: Path) -> None:
    run = make_run(mirror_home)
    run.folder.rename(run.folder.with_name("moved"))
    tracker = Tracker(run)
    tracker.start()
    began = time.monotonic()
    tracker.finish("stopped")
    assert time.monotonic() - began < 10


def test_sync_returns_at_once_also_while_mlflow_is_being_imported(mirror_home: Path) -> None:
    """In a fresh process, from the first moment on."""
    run = make_run(mirror_home)
    code = (
        "import json, sys, time; from cdp.work.journal import Journal; from cdp.work.records import"
        " get_run\nfrom cdp.work.tracking import Tracker\nrun = get_run(sys.argv[1]); tracker ="
        " Tracker(run); tracker.start(); times = []\nfor _ in range(100):\n    began ="
        " time.perf_counter(); tracker.sync(); times.append(time.perf_counter() - began);"
        " time.sleep(0.02)\nprint(json.dumps([sorted(times)[50], sum(times), 'mlflow' in"
        " sys.modules])); tracker.finish('finished')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, run.id], capture_output=True, text=True, check=True
    )
    median, total, imported = json.loads(done.stdout)
    assert imported
    assert median < 0.001
    assert total < 1.0
