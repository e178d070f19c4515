"""generate as a process, on a model small enough to sample in milliseconds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cdp.data.sets import open_set
from cdp.paths import ROOT
from tests.cli.command import run as run_command
from tests.cli.command import words

COMMAND = words("generate --preset unguided --model tiny --steps 2 --batch 4 --json")


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained class-conditional model of 8 x 8 grey images and three classes."""
    import torch

    from cdp.models.denoiser import build_unet
    from cdp.models.noise_schedule import COSINE
    from cdp.models.pipelines import save_pipeline

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    unet = build_unet((1, 8, 8), patch=2, classes=3, widths=(32,), layers=1)
    card = {
        "dataset": "toys",
        "shape": [1, 8, 8],
        "patch": 2,
        "classes": 3,
        "class_names": ["a", "b", "c"],
    }
    save_pipeline(folder, unet, COSINE, card)
    return folder


@pytest.fixture
def home(tiny_model: Path, cdp_home: Path) -> Path:
    shutil.copytree(tiny_model, cdp_home / "models" / "tiny")
    return cdp_home


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return run_command(*COMMAND, *args)


def test_json_is_exactly_one_line_on_stdout_and_progress_is_on_stderr(home: Path) -> None:
    out = home / "sets" / "nine"
    done = run("--count", "9", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    summary = json.loads(done.stdout)
    assert (summary["path"], summary["count"], summary["shape"]) == (str(out), 9, [8, 8, 1])
    assert summary["seconds"] > 0
    assert summary["images_per_second"] > 0
    assert "9 of 9 images" in done.stderr
    assert np.bincount(open_set("nine").label).tolist() == [3, 3, 3]
    assert summary["card"]["config"]["steps"] == 2


def test_a_finished_set_is_never_overwritten(home: Path) -> None:
    out = home / "sets" / "once"
    assert run("--count", "4", "--out", str(out)).returncode == 0
    before = (out / "image.npy").read_bytes()
    again = run(*words("--count 4 --seed 1 --out"), str(out))
    assert again.returncode == 2
    assert again.stdout == ""
    assert (out / "image.npy").read_bytes() == before


def test_ctrl_c_keeps_finished_batches_and_the_same_command_goes_on(home: Path) -> None:
    out = home / "sets" / "long"
    args = ["--count", "400", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "cdp", *COMMAND, *args],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    progress = out.with_name(".long.partial") / "progress.json"
    deadline = time.monotonic() + 120
    while not progress.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert "start it again with the same settings to go on" in stderr
    assert not out.exists()
    kept = json.loads(progress.read_text())["done_rows"]
    assert 0 < kept < 400

    resumed = run(*args)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["resumed_from"] == kept
    assert len(open_set("long")) == 400


def test_an_unknown_model_is_bad_input(home: Path) -> None:
    done = run("--model", "huge", "--out", str(home / "sets" / "x"))
    assert done.returncode == 2
    assert "huge" in done.stderr
    assert "Traceback" not in done.stderr
