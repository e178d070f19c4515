"""Helpers for tests of the mirror in MLflow: runs written by hand, and what MLflow's own client
says of them."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cdp.config.generate import flatten
from cdp.work.journal import Journal
from cdp.work.records import Run, get_run
from cdp.work.tracking import Tracker
from tests.work.processes import CONFIG

TRAIN = {
    "dataset": "fashion-mnist",
    "real": None,
    "synthetic": ["night", "day"],
    "fraction": 0.7,
    "epochs": 30,
    "compile": False,
}


def make_run(
    home: Path,
    run_id: str = "20260101-000000-abcdef",
    *,
    kind: str = "train",
    state: str = "running",
    **status: Any,
) -> Run:
    """A run folder written by hand; its process is gone."""
    folder = home / "runs" / run_id
    folder.mkdir(parents=True)
    config = TRAIN if kind == "train" else flatten(CONFIG)
    (folder / "config.json").write_text(
        json.dumps({"kind": kind, "name": f"name of {run_id}", "created": 1.7e9, "config": config})
    )
    (folder / "status.json").write_text(
        json.dumps({"state": state, "updated": 1.7e9 + 60, **status})
    )
    return get_run(run_id)


def journal_of(run: Run, first: int, last: int) -> None:
    """Go on with the journal as a resumed worker does."""
    journal = Journal(run.folder / "metrics.jsonl")
    journal.cut(first - 1)
    for step in range(first, last + 1):
        journal.append(step, {"loss": 1 / step, "robust_accuracy": step / 100})
    journal.close()


def client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient("sqlite:///" + quote(f"{os.environ['CDP_HOME']}/mlflow/mlflow.db"))


def mirrored(run: Run, experiment: str = "Robust training") -> Any:
    """The one run in MLflow that mirrors this one."""
    found = client().search_runs(
        [client().get_experiment_by_name(experiment).experiment_id], f"tags.`cdp.run` = '{run.id}'"
    )
    assert len(found) == 1
    return found[0]


def steps(run: Run, name: str = "loss", experiment: str = "Robust training") -> list[int]:
    return [
        metric.step
        for metric in client().get_metric_history(mirrored(run, experiment).info.run_id, name)
    ]


def told(run: Run) -> dict[str, Any]:
    path = run.folder / "mlflow.json"
    return json.loads(path.read_text()) if path.exists() else {}


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.02)


def wait_for(run: Run, /, **fields: Any) -> None:
    """Until mlflow.json says so."""
    wait_until(lambda: fields.items() <= told(run).items())


@contextmanager
def holding(database: Path) -> Iterator[None]:
    """Another program that keeps the database to itself."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def mirror_whole(run: Run, state: str = "finished", **ending: Any) -> None:
    tracker = Tracker(run)
    tracker.start()
    tracker.finish(state, **ending)
    wait_for(run, complete=True)
