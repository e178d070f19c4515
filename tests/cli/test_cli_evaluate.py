"""evaluate as a person uses it, on a network and a data set small enough for seconds."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cdp.cli.owncode import own_network
from cdp.errors import InputError
from cdp.paths import runs_dir
from cdp.results.evaluations import read_outcomes, read_report
from cdp.values.evaluation import OUTCOMES, report_json
from cdp.values.text import share_text
from cdp.work import worker
from cdp.work.registry import TASKS
from tests.cli.command import cdp, cdp_json, words
from tests.tasks.evaluating_world import make_data, make_run
from tests.work.inprocess import here as here
from tests.work.stub_worker import Untracked

FEW = ("--count", "24", "--no-curve", "--no-unseen", "--no-masking")
OWN = """
import torch
from tests.tasks.evaluating_world import trained

def network():
    return trained()

def broken():
    raise RuntimeError("no such weights")

def nothing():
    return 3
"""


@pytest.fixture(autouse=True)
def world(here: None) -> Path:
    make_data()
    return make_run()


def test_a_training_is_evaluated_by_name_and_every_export_says_the_same(
    world: Path, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("r.html", "r.csv", "r.json", "r.robustbench.json")]
    exports = [word for file in files for word in ("--export", str(file))]
    final = cdp_json(
        "evaluate",
        world.name,
        *words("--attack pgd --steps 5 --restarts 1 --epsilon 0.2"),
        *FEW,
        *exports,
    )
    report = final["report"]
    main = report["weights"][0]
    expected = ("finished", 24, main["robust"]["value"])
    assert (final["state"], final["n"], final["robust_accuracy"]) == expected
    assert 0 <= main["robust"]["low"] <= main["robust"]["value"] <= main["clean"]["value"] <= 1
    outcomes = read_outcomes(Path(final["outcomes"]))
    assert outcomes.of["best"].robust.mean() == main["robust"]["value"]
    assert (
        json.loads(files[2].read_text())
        == report
        == report_json(read_report(Path(final["folder"]) / "report.json"))
    )
    bench = json.loads(files[3].read_text())
    assert (
        bench["clean_acc"] == f"{100 * main['clean']['value']:.2f}"
        and bench["autoattack_acc"] is None
    )
    rows = list(csv.DictReader(io.StringIO(files[1].read_text())))
    assert any(
        float(row["value"]) == main["robust"]["value"]
        for row in rows
        if row["name"] == "robust accuracy" or row.get("section") == "accuracy"
    )
    assert (
        report["label"] in files[0].read_text()
        or report["label"].replace("+/-", "±") in files[0].read_text()
    )
    told = cdp("show", final["run"])
    assert f"robust: {share_text(main['robust']['value'])}" in told and report["label"] in told
    assert f"{share_text(main['robust']['value'])}" in cdp("runs", "--kind", "evaluate")


def test_stopped_in_the_middle_it_goes_on_to_the_same_outcome_for_every_image(world: Path) -> None:
    settings = words("--attack pgd --steps 50 --restarts 1 --epsilon 0.3 --batch 3")
    whole = read_outcomes(Path(cdp_json("evaluate", world.name, *settings, *FEW)["outcomes"]))
    started = cdp_json(
        "evaluate", world.name, *settings, *FEW, *words("--background --name second")
    )
    folder, deadline = runs_dir() / started["run"], time.monotonic() + 60
    while not (folder / "state" / "suite-best.npz").exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert cdp_json("stop", "second")["state"] == "stopped"
    assert cdp_json("resume", "second", "--wait")["progress"]["resumed_from"] > 0
    parts = read_outcomes(folder / OUTCOMES)
    for name in ("clean", "attacked", "broken_by"):
        assert np.array_equal(getattr(parts.of["best"], name), getattr(whole.of["best"], name))


def test_a_network_of_ones_own_is_imported_by_this_command_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mynets.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    own = ("--dataset", "small", "--epsilon", "0.05", "--attack", "quick", *FEW)
    final = cdp_json("evaluate", "--model", "mynets:network", *own)
    assert (final["state"], final["report"]["model"]["source"]) == (
        "finished",
        "code:mynets:network",
    )
    other = cdp_json(*words("evaluate 20260101-000000-abcdef --attack quick"), *FEW)
    assert final["robust_accuracy"] == other["robust_accuracy"]
    assert "no such weights" in cdp("evaluate", "--model", "mynets:broken", *own, code=2)
    # A worker, as the app starts one, does not import it.
    config = json.loads((Path(final["folder"]) / "config.json").read_text())
    folder = runs_dir() / "20260102-000000-abcdef"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config | {"name": "again"}))
    assert worker.main(folder, TASKS, Untracked) == 2
    assert "is your own code" in json.loads((folder / "status.json").read_text())["error"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("broken", "no such weights"), ("nothing", "gives a int"), ("absent", "AttributeError")],
)
def test_code_that_gives_no_network_is_told_in_one_sentence(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mynets.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    with pytest.raises(InputError, match=said):
        own_network(f"mynets:{name}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say once what to evaluate"),
        (("nobody",), "is no run, folder or file of weights"),
        (
            ("20260101-000000-abcdef", "--epsilon", "0.1", "--export", "report.pdf"),
            "ends with none of .html",
        ),
        (
            ("20260101-000000-abcdef", "--norm", "l2", *FEW),
            "epsilon: neither the model nor its data set has a l2 budget",
        ),
        (
            ("20260101-000000-abcdef", "--architecture", "small-cnn"),
            "architecture is for bare .safetensors files",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(words: tuple[str, ...], said: str) -> None:
    error = cdp("evaluate", *words, code=2)
    assert said in error and "Traceback" not in error
    assert not list(runs_dir().glob("*-quick-*"))
