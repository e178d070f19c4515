"""train, runs, show, stop, resume and logs as a person uses them, on a real training of a data set small
enough for seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from cdp import paths
from cdp.config.presets import TRAIN_PRESETS
from cdp.config.train import overlaid
from cdp.data.sets import save_set
from cdp.paths import ROOT
from tests.cli.command import cdp, cdp_json, words
from tests.work.inprocess import here as here

TINY = {
    "dataset": "toys",
    "real": None,
    "held_out": 40,
    "epochs": 2,
    "validate_every": "1 epoch",
    "batch": 16,
    "attack_steps": 2,
    "validation_steps": 2,
    "epsilon": 0.03,
    "precision": "fp32",
    "overfitting": "notice",
}


@pytest.fixture(autouse=True)
def _toys(cdp_home: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("toys", "made"):
        label = np.arange(240) % 3
        image = (label * 80)[:, None, None, None] + rng.integers(0, 40, (240, 8, 8, 1))
        save_set(
            name, image.astype(np.uint8), label, {"source": "test", "class_names": ["a", "b", "c"]}
        )


@pytest.fixture
def config_file(tmp_path: Path) -> str:
    """What the Train page exports."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(overlaid(TRAIN_PRESETS["quick"].flat, TINY)))
    return str(path)


def test_a_config_file_trains_to_the_end_and_every_command_tells_the_same(
    config_file: str, here: None
) -> None:
    final = cdp_json(
        "train", config_file, *words("--synthetic made --fraction 0.5 --seed 3 --name tiny --wait")
    )
    expected = ("finished", 2, "tiny", None)
    assert (final["state"], final["epoch"], final["name"], final["pid"]) == expected
    for accuracies in (final, final["best"], final["last"]):
        assert 0 <= accuracies["robust_accuracy"] <= accuracies["clean_accuracy"] <= 1
    assert final["metrics"]["synthetic_images"] == final["metrics"]["images"] / 2
    assert cdp_json("show", "tiny") == final
    assert cdp_json("runs")["runs"] == [final]
    assert cdp_json("runs", "--kind", "generate")["runs"] == []
    read = cdp("show", final["run"][:15])
    assert f"best: step {final['best']['step']}, epoch {final['best']['epoch']}" in read
    assert (final["steps"], final["images_seen"]) == (final["metrics"]["step"], 16 * final["steps"])
    assert f"trained: {final['steps']} steps" in read
    assert "40 validation images" in read
    assert "finished" in cdp("runs")
    # The same settings and seed without the page's file: options alone.
    options = [
        f"--{name.replace('_', '-')}={value}" for name, value in TINY.items() if value is not None
    ]
    again = cdp_json(
        *words("train --preset quick --real 200"),
        *options,
        *words("--synthetic made --fraction 0.5 --seed 3 --wait"),
    )
    for name in ("epoch", "clean_accuracy", "robust_accuracy", "best", "last"):
        assert again[name] == final[name]


def process(*args: str) -> subprocess.Popen[str]:
    """``python -m cdp`` as from a terminal: a test run in the background has Ctrl-C switched off,
    and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    begun = subprocess.Popen(
        [sys.executable, "-m", "cdp", *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    signal.signal(signal.SIGINT, before)
    return begun


def test_ctrl_c_ends_the_waiting_and_the_run_goes_on_is_stopped_followed_and_resumed(
    config_file: str, request: pytest.FixtureRequest
) -> None:
    waiting = process("train", config_file, *words("--epochs 400 --name long --wait --json"))
    end = time.monotonic() + 240
    while not (paths.runs_dir().exists() and (listed := cdp_json("runs")["runs"])) or (
        listed[0]["epoch"] < 1
    ):
        assert time.monotonic() < end and waiting.poll() is None
        time.sleep(0.3)
    waiting.send_signal(signal.SIGINT)
    out, said = waiting.communicate(timeout=60)
    assert (out, waiting.returncode) == ("", 130)
    assert "the run goes on" in said
    shown = cdp_json("show", "long")
    assert (shown["state"], shown["pid"] > 0, shown["metrics"]["loss"] > 0) == (
        "running",
        True,
        True,
    )
    following = process("logs", "long", "--follow")
    stopped = cdp_json("stop", "long")
    assert (stopped["state"], stopped["pid"]) == ("stopped", None)
    assert "resume it to go on" in cdp("logs", "long")
    assert "resume it to go on" in following.communicate(timeout=60)[0]
    assert following.returncode == 0
    request.getfixturevalue("here")
    assert "only a run that failed" not in cdp("resume", "long")
    assert cdp_json("stop", "long")["epoch"] >= stopped["epoch"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train", "nothing.yaml"], "nothing.yaml"),
        (["train", "--preset", "slow"], "quick"),
        (["train", "--dataset", "nowhere"], "nowhere"),
        (["train", "--synthetic", "none"], "none"),
        (words("train --synthetic made --real 500"), "made"),  # 8 x 8 images beside Fashion-MNIST
        (["train", "--dataset", "toys"], "epsilon"),
        (
            words("train --dataset toys --epsilon 0.1 --real 100 --synthetic real:500"),
            "take real:92 or fewer",
        ),
        (words("train --dataset toys --epsilon 0.1 --synthetic real:50"), "set real, such as"),
        (words("train --steps 5 --epochs 3"), "both say how long to train"),
        (words("train --dataset toys --epsilon 0.1 --real 99999"), "real"),
        (["train", "--real", "0"], "real"),
        (["train", "--epochs", "0"], "epochs"),
        (["show", "20200101"], "unknown"),
        (["stop", "nothing"], "unknown"),
        (["resume", "nothing"], "unknown"),
        (["logs", "../../etc"], "unknown"),
        (["runs", "--kind", "sweep"], "pretrain"),
    ],
)
def test_bad_input_is_refused_in_one_sentence_before_anything_starts(
    args: list[str], words: str, cdp_home: Path
) -> None:
    said = cdp(*args, code=2)
    assert words in said
    assert said.count("\n") == 1 or said.startswith("Usage")
    assert not (cdp_home / "runs").exists() or not any((cdp_home / "runs").glob("[0-9]*"))
