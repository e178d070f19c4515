"""The recipe of a task: one file with its settings, what it does, and its entry."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cdp.cli.main import app
from cdp.work.helper import Helper
from cdp.work.journal import JOURNAL, read_journal
from cdp.work.launch import launch, resume, stop, tickets
from cdp.work.registry import TASKS
from cdp.work.task import lazy
from tests.work.processes import done, until

DREAM = """
import time
from pydantic import Field
from cdp.config.knobs import Frozen
from cdp.work.task import Task

class DreamConfig(Frozen):
    nights: int = Field(3, ge=1, le=100)
    seconds: float = Field(0.0, ge=0)

def dream(config, session):
    kept = session.folder / "nights.txt"
    first = len(kept.read_text().split()) if kept.exists() else 0
    session.cut(first)
    session.progress(first, config.nights, unit="nights")
    for night in range(first + 1, config.nights + 1):
        session.check_stop()
        time.sleep(config.seconds)
        with kept.open("a") as file:
            file.write(f"{night} ")
        session.point(night, {"depth": night / 2})
        session.progress(night, config.nights, unit="nights")
        session.notice("sleeps badly" if night == 2 else None)
    return {"nights": config.nights}

DREAM = Task("dream", "Dreaming", DreamConfig, dream)
NAP = Task("nap", "A nap", DreamConfig, lambda config, session: config.nights, where="helper",
           encode=lambda nights: nights)
"""
ENTRY = """
import sys
from pathlib import Path
from cdp.work.registry import TASKS
from cdp.work import helper, worker
from dreams import DREAM, NAP
from tests.work.stub_worker import Untracked

TASKS |= {"dream": DREAM, "nap": NAP}
given = sys.argv[1:]
sys.exit(worker.main(Path(given[0]), TASKS, Untracked) if given else helper.serve(TASKS))
"""


@pytest.fixture
def command(cdp_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The package with the new tasks, known here and in the processes that this command starts."""
    (tmp_path / "dreams.py").write_text(DREAM)
    (tmp_path / "entry.py").write_text(ENTRY)
    monkeypatch.syspath_prepend(str(tmp_path))
    import dreams  # type: ignore[import-not-found]

    with monkeypatch.context() as patch:
        patch.setitem(TASKS, "dream", dreams.DREAM)
        patch.setitem(TASKS, "nap", dreams.NAP)
        yield [sys.executable, str(tmp_path / "entry.py")]
    del sys.modules["dreams"]


def test_a_new_task_runs_in_the_background_with_progress_curve_and_result(
    command: list[str],
) -> None:
    task = TASKS["dream"]
    run_id = launch(task, task.config(), "deep", command=command)
    assert "Dreaming deep" in {ticket.title for ticket in tickets()}
    run = until(run_id, lambda run: run.over)
    assert (run.state, run.result, run.error) == ("finished", {"nights": 3}, None)
    assert run.progress is not None
    assert (run.progress.done, run.progress.count, run.progress.unit) == (3, 3, "nights")
    points = read_journal(run.folder / JOURNAL)
    assert [(point.step, point.values["depth"]) for point in points] == [(1, 0.5), (2, 1), (3, 1.5)]
    listed = json.loads(CliRunner().invoke(app, ["runs", "--kind", "dream", "--json"]).output)
    assert [(one["name"], one["state"]) for one in listed["runs"]] == [("deep", "finished")]


def test_it_stops_and_goes_on_where_it_was(command: list[str]) -> None:
    task = TASKS["dream"]
    config = task.config(nights=6, seconds=0.3)
    run_id = launch(task, config, "long", command=command)
    until(run_id, lambda run: done(run) > 0)
    stop(run_id)
    until(run_id, lambda run: run.over)
    resume(run_id, command=command)
    run = until(run_id, lambda run: run.over)
    assert (run.state, run.result) == ("finished", {"nights": 6})
    assert run.progress is not None and run.progress.resumed_from > 0
    assert (run.folder / "nights.txt").read_text().split() == [str(n) for n in range(1, 7)]


def test_a_new_task_of_the_helpers_answers(command: list[str]) -> None:
    helper = Helper(command)
    try:
        ticket = helper.ask("nap", {"nights": 5})
        assert ticket.wait(30)
        assert (ticket.state, ticket.result) == ("done", 5)
        refused = helper.ask("nap", {"nights": 0})
        assert refused.wait(30)
        assert "nights" in str(refused.error)
    finally:
        helper.close()


@pytest.mark.parametrize("name", TASKS)
def test_every_task_names_code_that_is_there(name: str) -> None:
    task = TASKS[name]
    for part in (task.run, task.cached, task.check, task.discard):
        if isinstance(part, lazy):
            assert callable(part.load())
    assert task.run or task.cached
