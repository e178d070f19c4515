"""Kills, stops and resumptions of real worker processes, whatever the moment; the stand-in work is
a rule on one number."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.paths import ROOT
from cdp.work import launch, worker
from cdp.work.journal import read_journal
from cdp.work.launch import delete, resume, stop
from cdp.work.records import Run, get_run, list_runs
from cdp.work.registry import TASKS
from tests.work.processes import COMMAND, done, journal, until
from tests.work.stub_worker import StubMaker, stub_main

EPOCHS = 12
CONFIG = TrainConfig(epochs=EPOCHS, seed=5)


def begin(name: str, **change: object) -> str:
    return launch.launch(TASKS["train"], CONFIG.model_copy(update=change), name, command=COMMAND)


def values(run: Run) -> list[tuple[int, float]]:
    return [
        (point.step, point.values["value"]) for point in read_journal(run.folder / "metrics.jsonl")
    ]


def expected() -> list[tuple[int, float]]:
    """The rule, in the plainest way."""
    value, found = 5, []
    for epoch in range(1, EPOCHS + 1):
        value = (value * 1103515245 + 12345) % 2**31
        found.append((epoch, float(value)))
    return found


def check_finished(run: Run) -> None:
    wanted = ("finished", None, {"epoch": EPOCHS, "value": expected()[-1][1], "undefined": None})
    assert (run.state, run.error, run.result) == wanted
    assert values(run) == expected()
    assert (run.progress.done, run.progress.count, run.progress.unit) == (EPOCHS, EPOCHS, "steps")


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def kill(run: Run) -> None:
    os.kill(run.pid, signal.SIGKILL)
    until(run.id, lambda run: run.state == "interrupted", seconds=30)


def test_a_run_killed_again_and_again_at_any_moment_ends_like_an_unbroken_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = random.Random(11)
    monkeypatch.setenv("STUB_SECONDS", "0.1")
    run_id = begin("night")
    kills = 0
    while kills < 6:
        run = until(run_id, lambda run: run.pid is not None or run.over)
        if run.over:
            break
        time.sleep(chance.uniform(0, 0.4))
        run = get_run(run_id)
        if run.pid is None:
            break
        kill(run)
        kills += 1
        assert run.started is None or run.created <= run.started
        seen = values(get_run(run_id))
        assert seen == expected()[: len(seen)]
        resume(run_id, command=COMMAND)
    assert kills >= 3
    check_finished(until(run_id, lambda run: run.over))


def test_a_torn_journal_and_a_torn_status_are_mended_by_a_resumption(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.1")
    run_id = begin("night")
    run = until(run_id, lambda run: done(run) >= 3)
    kill(run)
    path = run.folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes() + b'{"step": 9, "time": 17')
    (run.folder / "status.json").write_bytes(b'{"state": "runn\xff')
    assert get_run(run_id).state == "interrupted"
    resume(run_id, command=COMMAND)
    check_finished(until(run_id, lambda run: run.over))


def test_a_run_that_ends_itself_says_why_keeps_its_result_and_can_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STUB_ERROR", "halt")
    run_id = begin("night")
    run = until(run_id, lambda run: run.over)
    assert (run.state, run.error) == ("stopped", "training diverged: lower learning_rate")
    assert run.result == {"epoch": 3, "loss": None}
    monkeypatch.delenv("STUB_ERROR")
    resume(run_id, command=COMMAND)
    check_finished(until(run_id, lambda run: run.over))


def test_two_runs_started_at_once_from_two_processes_never_work_at_once(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.02")
    code = (
        "import sys; from tests.work.test_faults import begin\n"
        "names = sys.argv[1:]; input(); print([begin(name) for name in names][0], flush=True)"
    )
    apps = [
        subprocess.Popen(
            [sys.executable, "-c", code, f"{who}1", f"{who}2"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=_environment(),
        )
        for who in "ab"
    ]
    for app in apps:
        app.stdin.write(b"\n")
        app.stdin.flush()
    for app in apps:
        app.communicate(timeout=60)
    runs = list_runs()
    assert len(runs) == 4
    for run in runs:
        until(run.id, lambda run: run.over)
        check_finished(get_run(run.id))
    order = [run for run, *_ in journal(cdp_home)]
    changes = sum(before != after for before, after in itertools.pairwise(order))
    assert changes == 3, "a run began before another was done"


def test_a_run_that_is_killed_as_its_turn_comes_lets_the_next_one_through(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.1")
    first, second, third = (begin(name) for name in ("first", "second", "third"))
    kill(until(first, lambda run: run.state == "running"))
    kill(until(second, lambda run: run.pid is not None))
    check_finished(until(third, lambda run: run.over))
    assert get_run(second).state == "interrupted"
    resume(second, command=COMMAND)
    check_finished(until(second, lambda run: run.over))


@pytest.mark.parametrize("state", ["starting", "running"])
def test_work_that_ignores_a_stop_is_over_within_five_seconds_and_its_slot_is_free(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "120")
    monkeypatch.setenv("STUB_DEAF", "1")
    run_id = begin("deaf")
    if state == "running":
        until(run_id, lambda run: bool(journal(cdp_home)))
    pid = get_run(run_id).pid
    assert max(launch.GRACE_SECONDS, worker._GRACE_SECONDS) < 5
    monkeypatch.setattr(launch, "GRACE_SECONDS", 1.0)
    stop(run_id)
    run = until(run_id, lambda run: run.state == "stopped" and not lives(pid), seconds=30)
    assert run.pid is None
    monkeypatch.setenv("STUB_SECONDS", "0")
    check_finished(until(begin("next"), lambda run: run.over))


def test_a_run_resumed_the_moment_it_stopped_is_not_ended_by_that_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.2")
    monkeypatch.setattr(launch, "GRACE_SECONDS", 1.0)
    run_id = begin("night")
    until(run_id, lambda run: done(run) >= 1)
    stop(run_id)
    until(run_id, lambda run: run.state == "stopped", seconds=30)
    resume(run_id, command=COMMAND)
    check_finished(until(run_id, lambda run: run.over))


def test_a_stop_is_seen_through_though_the_app_that_asked_for_it_is_killed(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "120")
    monkeypatch.setenv("STUB_DEAF", "1")
    run_id = begin("deaf")
    until(run_id, lambda run: bool(journal(cdp_home)))
    code = f"from cdp.work.launch import stop; stop({run_id!r}); print('asked', flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, env=_environment()
    ) as app:
        assert app.stdout.readline() == b"asked\n"
        app.kill()
    until(run_id, lambda run: run.state == "stopped", seconds=30)


def test_a_run_outlives_the_app_and_is_interrupted_where_both_are_killed(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.2")
    code = "from tests.work.test_faults import begin; print(begin('night'), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=_environment(),
    ) as app:
        run_id = app.stdout.readline().strip()
        app.kill()
    before = done(until(run_id, lambda run: done(run) >= 1))
    run = until(run_id, lambda run: done(run) > before)
    kill(run)
    resume(run_id, command=COMMAND)
    check_finished(until(run_id, lambda run: run.over))


def test_a_run_whose_app_was_killed_before_it_had_a_process_is_interrupted_within_ten_seconds(
    cdp_home: Path,
) -> None:
    run_id = begin("night", epochs=1)
    run = until(run_id, lambda run: run.over)
    (run.folder / "process.json").unlink()
    for ago, state in ((0, "queued"), (10, "interrupted")):
        status = {"state": "queued", "updated": time.time() - ago}
        (run.folder / "status.json").write_text(json.dumps(status))
        assert get_run(run_id).state == state


def test_a_second_worker_on_the_same_run_leaves_it_alone(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.1")
    run_id = begin("night")
    run = until(run_id, lambda run: done(run) >= 1)
    monkeypatch.setattr(worker, "_HANDOVER_SECONDS", 0.1)

    assert stub_main(run.folder, StubMaker(cdp_home / "other.txt")) == 1
    assert get_run(run_id).pid == run.pid
    check_finished(until(run_id, lambda run: run.over))


def test_deleting_a_training_moves_all_of_it_to_the_trash(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begin("night")
    check_finished(until(run_id, lambda run: run.over))
    target = delete(run_id)
    assert target.parent == cdp_home / "trash"
    assert {"config.json", "metrics.jsonl", "state.json"} <= {
        path.name for path in target.iterdir()
    }
    assert list_runs() == []
    with pytest.raises(InputError, match="is unknown"):
        resume(run_id, command=COMMAND)


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}
