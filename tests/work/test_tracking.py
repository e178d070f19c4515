"""The mirror in MLflow, read by MLflow's own client: complete in the end, and told once."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest

from cdp.work.journal import read_journal
from cdp.work.tracking import Tracker, params_of
from tests.work.mirrors import (
    TRAIN,
    client,
    journal_of,
    make_run,
    mirror_whole,
    mirrored,
    steps,
    told,
    wait_for,
    wait_until,
)


def test_a_run_is_in_mlflow_as_it_is_in_its_folder(mirror_home: Path) -> None:
    run = make_run(mirror_home)
    journal_of(run, 1, 3)
    np.savez(run.folder / "examples.npz", label=np.arange(4))
    tracker = Tracker(run)
    tracker.start()
    wait_for(run, step=3)
    assert (
        mirrored(run).info.status == "RUNNING" and mirrored(run).data.tags["cdp.state"] == "running"
    )
    journal_of(run, 4, 5)
    tracker.sync()
    wait_for(run, step=5)
    tracker.finish("finished", result={"robust_accuracy": 0.5, "best": {"epoch": 5}})

    found = mirrored(run)
    assert found.info.run_name == run.name
    assert (found.info.status, found.info.start_time) == ("FINISHED", 1_700_000_000_000)
    assert abs(found.info.end_time / 1000 - time.time()) < 30
    assert found.data.params == {
        "dataset": "fashion-mnist",
        "real": "None",
        "synthetic": '["night", "day"]',
        "fraction": "0.7",
        "epochs": "30",
        "compile": "False",
    }
    expected = {
        "cdp.run": run.id,
        "cdp.kind": "train",
        "cdp.name": run.name,
        "cdp.state": "finished",
        "cdp.dataset": "fashion-mnist",
    }
    assert expected.items() <= found.data.tags.items()
    told = " ".join(found.data.tags.values())
    assert str(run.folder.parent.parent) not in told and not {"cdp.host", "cdp.home"} & set(
        found.data.tags
    )
    assert not [tag for tag in found.data.tags if "git" in tag]
    points = read_journal(run.folder / "metrics.jsonl")
    for name in ("loss", "robust_accuracy"):
        history = client().get_metric_history(found.info.run_id, name)
        assert [(m.step, m.value, m.timestamp) for m in history] == [
            (p.step, p.values[name], int(1000 * p.time)) for p in points
        ]

    artifacts = Path(client().download_artifacts(found.info.run_id, ""))
    assert artifacts.is_relative_to(mirror_home / "mlflow" / "artifacts")
    wanted = ["config.json", "examples.npz", "metrics.csv", "summary.json"]
    assert sorted(path.name for path in artifacts.iterdir()) == wanted
    assert json.loads((artifacts / "config.json").read_text())["config"] == TRAIN
    summary = json.loads((artifacts / "summary.json").read_text())
    wanted = (run.id, "finished", 0.5)
    assert (summary["run"], summary["state"], summary["robust_accuracy"]) == wanted
    rows = list(csv.DictReader((artifacts / "metrics.csv").open()))
    assert [(int(row["step"]), float(row["loss"])) for row in rows] == [
        (p.step, p.values["loss"]) for p in points
    ]


@pytest.mark.parametrize(
    ("state", "status"), [("finished", "FINISHED"), ("failed", "FAILED"), ("stopped", "KILLED")]
)
def test_how_a_run_ended_is_said_in_mlflows_words(
    mirror_home: Path, state: str, status: str
) -> None:
    run = make_run(mirror_home, kind="pretrain-encoder")
    mirror_whole(run, state, error="the loss is not finite: lower the learning rate")
    found = mirrored(run, "Encoder pretraining")
    assert (found.info.status, found.data.tags["cdp.state"]) == (status, state)
    assert found.data.tags["cdp.error"].startswith("the loss is not finite")


def test_no_path_of_this_machine_is_told(mirror_home: Path) -> None:
    run = make_run(mirror_home)
    own = {"dataset": f"{mirror_home}/own.npz", "synthetic": [f"{mirror_home}/sets/night"]}
    record = json.loads((run.folder / "config.json").read_text()) | {"config": TRAIN | own}
    (run.folder / "config.json").write_text(json.dumps(record))
    mirror_whole(run, "failed", error=f"{run.folder}/log.txt is full")
    found = mirrored(run)
    assert found.data.params["dataset"] == "CDP_HOME/own.npz"
    assert found.data.tags["cdp.error"].startswith("CDP_HOME/runs/")
    artifacts = Path(client().download_artifacts(found.info.run_id, ""))
    sent = [*found.data.tags.values(), *found.data.params.values()]
    sent += [path.read_text() for path in artifacts.iterdir()]
    assert str(mirror_home) not in " ".join(text for text in sent if "mlflow" not in text)


@pytest.mark.parametrize("lost", ["nothing", "file", "last step", "run id"])
def test_a_resumed_run_goes_on_in_the_same_place_and_nothing_is_told_twice(
    mirror_home: Path, lost: str
) -> None:
    run = make_run(mirror_home)
    journal_of(run, 1, 7)
    mirror_whole(run, "stopped")
    first = mirrored(run).info.run_id
    if lost == "file":
        (run.folder / "mlflow.json").unlink()
    elif lost != "nothing":
        change = {"step": 2} if lost == "last step" else {"run": "0" * 32}
        (run.folder / "mlflow.json").write_text(json.dumps(told(run) | change))
    tracker = Tracker(run)
    tracker.start()
    wait_until(lambda: mirrored(run).info.status == "RUNNING")
    journal_of(run, 5, 9)  # from a checkpoint of step 4: steps 5 to 7 are made again
    tracker.sync()
    tracker.finish("finished")
    assert mirrored(run).info.run_id == first
    assert mirrored(run).info.status == "FINISHED"
    assert steps(run) == steps(run, "robust_accuracy") == list(range(1, 10))


def test_more_points_than_fit_one_call_all_arrive(mirror_home: Path) -> None:
    run = make_run(mirror_home)
    lines = [
        {"step": s, "time": 1.7e9 + s, "values": {f"m{i}": s + i / 16 for i in range(15)}}
        for s in range(1, 501)
    ]
    lines.append({"step": 501, "time": 1.7e9, "values": {f"many {i}": 1.0 for i in range(1203)}})
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    mirror_whole(run)
    assert steps(run, "m14") == list(range(1, 501))
    assert len(mirrored(run).data.metrics) == 15 + 1203


def test_settings_of_any_depth_and_length_become_params() -> None:
    long = "x" * 7000
    params = params_of({"a": {"b": {"c": 1}}, "names": [long], "odd name?": None, "t": True})
    assert params == {"a.b.c": "1", "names": ('["' + long)[:6000], "odd name_": "None", "t": "True"}


def test_finishing_what_was_never_started_does_nothing(mirror_home: Path) -> None:
    run = make_run(mirror_home)
    Tracker(run).finish("failed", "no device")
    assert told(run) == {}
