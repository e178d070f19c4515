"""Background runs as real processes: killed, resumed, stopped, queued."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cdp import paths
from cdp.data.sets import list_sets, open_set
from cdp.errors import InputError
from cdp.files.atomic import write_json
from cdp.work.launch import Share, _options, delete, launch, resume, stop, undelete
from cdp.work.launchers import LAUNCHERS
from cdp.work.records import CONFIG as CONFIG_FILE
from cdp.work.records import STATUS, get_run, list_runs, log_tail
from cdp.work.registry import TASKS
from tests.work.processes import COMMAND, CONFIG, done, journal, until


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


def test_two_runs_share_one_slot_in_the_order_they_were_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.05")
    first = launch(TASKS["generate"], CONFIG, "first", command=COMMAND)
    second = launch(TASKS["generate"], CONFIG, "second", command=COMMAND)
    until(first, lambda run: run.state == "running")
    assert get_run(second).state == "queued"
    until(second, lambda run: run.over)
    order = [line[0] for line in journal(home)]
    assert order == [first] * 20 + [second] * 20
    assert [run.id for run in list_runs()] == [second, first]


def test_a_queued_run_stops_without_ever_working(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.5")
    first = launch(TASKS["generate"], CONFIG, "first", command=COMMAND)
    second = launch(TASKS["generate"], CONFIG, "second", command=COMMAND)
    until(first, lambda run: bool(journal(home)))
    assert (get_run(second).state, get_run(second).pid) == ("queued", None)
    stop(second)
    until(second, lambda run: run.state == "stopped", seconds=20)
    stop(first)
    until(first, lambda run: run.state == "stopped", seconds=20)
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


def test_a_worker_that_cannot_even_start_is_shown_as_interrupted_soon(
    home: Path,
) -> None:
    run_id = launch(
        TASKS["generate"],
        CONFIG,
        "night",
        command=(sys.executable, "-c", "raise SystemExit('broken installation')"),
    )
    assert get_run(run_id).state in ("queued", "interrupted")
    run = until(run_id, lambda run: run.state == "interrupted", seconds=30)
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
    until(run_id, lambda run: run.over, seconds=20)


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
    undelete(run_id)
    assert [run.id for run in list_runs()] == [run_id]
    assert (home / "sets" / ".night.partial" / "image.npy").exists()
    assert not target.exists()
    for wrong in (run_id, "../sets", ""):
        with pytest.raises(InputError, match="not in the trash"):
            undelete(wrong)


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


def test_a_run_keeps_its_share_of_the_machine_also_when_it_is_started_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    class Recorder:
        def start(self, folder: Path, command: Sequence[str]) -> dict[str, Any]:
            commands.append(list(command))
            return {}

        def alive(self, process: Mapping[str, Any]) -> bool:
            return False

        def kill(self, process: Mapping[str, Any]) -> None: ...

    monkeypatch.setitem(LAUNCHERS, "recorder", Recorder())
    monkeypatch.setenv("CDP_LAUNCHER", "recorder")
    whole = launch(TASKS["generate"], CONFIG, "whole", command=["work"])
    shared = launch(
        TASKS["generate"], CONFIG, "shared", command=["work"], share=Share(slots=2, threads=1)
    )
    for run_id in (whole, shared):
        write_json(get_run(run_id).folder / STATUS, {"state": "stopped"})
        resume(run_id, command=["work"])
    share = ["--slots", "2", "--threads", "1"]
    assert commands == [["work"], ["work", *share], ["work"], ["work", *share]]


@pytest.mark.parametrize("share", [7, {"slots": "2; rm", "threads": -1}, {"threads": True}])
def test_a_share_that_is_none_in_a_file_is_left_out(
    home: Path, monkeypatch: pytest.MonkeyPatch, share: object
) -> None:
    write_json(home / CONFIG_FILE, {"share": share})
    assert _options(home) == []
