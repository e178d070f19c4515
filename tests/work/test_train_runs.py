"""A robust training as a run: killed at a random moment and resumed, it ends with the record, curve
and weights of an unbroken one."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp.config.train import TrainConfig
from cdp.data.sets import save_set
from cdp.work.journal import read_journal
from cdp.work.launch import launch, resume
from cdp.work.records import Run, get_run
from cdp.work.registry import TASKS
from tests.work.inprocess import here as here
from tests.work.processes import REAL, until

CONFIG = TrainConfig(
    dataset="toys",
    held_out=40,
    epochs=4,
    validate_every="1 epoch",
    batch=8,
    attack_steps=3,
    validation_steps=3,
    epsilon=0.03,
    precision="fp32",
    overfitting="notice",
    learning_rate=0.02,
    method="trades",
    beta=1.0,
)
TIMES = ("seconds",)
"""What differs from run to run."""


@pytest.fixture(autouse=True)
def _toys(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums have the same order in every worker."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    rng = np.random.default_rng(0)
    label = np.arange(240) % 3
    image = (label * 80)[:, None, None, None] + rng.integers(0, 40, (240, 8, 8, 1))
    save_set(
        "toys", image.astype(np.uint8), label, {"source": "test", "class_names": ["a", "b", "c"]}
    )


def curve(run: Run) -> list[tuple[int, dict[str, float]]]:
    points = read_journal(run.folder / "metrics.jsonl")
    return [
        (point.step, {name: value for name, value in point.values.items() if name not in TIMES})
        for point in points
    ]


def record(run: Run) -> dict[str, Any]:
    assert run.result is not None, run
    return {name: value for name, value in run.result.items() if name not in TIMES}


def weights(run: Run) -> dict[str, bytes]:
    return {
        name: (run.folder / name / "model.safetensors").read_bytes() for name in ("best", "last")
    }


def test_a_training_killed_at_a_random_moment_and_resumed_equals_an_unbroken_one(
    request: pytest.FixtureRequest,
) -> None:
    run_id = launch(TASKS["train"], CONFIG, "broken", command=REAL)
    until(run_id, lambda run: bool(list(run.folder.glob("checkpoints/state-*"))), 120)
    time.sleep(random.Random(3).uniform(0, 0.3))
    os.kill(get_run(run_id).pid, signal.SIGKILL)
    until(run_id, lambda run: run.state == "interrupted", 10)
    resume(run_id, command=REAL)
    broken = until(run_id, lambda run: run.over, 180)
    assert (broken.state, broken.error) == ("finished", None)
    assert broken.progress.resumed_from > 0
    request.getfixturevalue("here")
    whole = until(launch(TASKS["train"], CONFIG, "whole"), lambda run: run.over, 180)
    assert (whole.state, whole.error) == ("finished", None)
    assert [step for step, _ in curve(whole)] == list(range(1, 5))
    assert whole.progress.unit == "steps"
    assert record(whole)["epoch"] == 4
    assert curve(broken) == curve(whole)
    assert record(broken) == record(whole)
    assert weights(broken) == weights(whole)
