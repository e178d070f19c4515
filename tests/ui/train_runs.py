"""Run folders of trainings written by hand, for the tests of the Train page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cdp import paths
from cdp.config.presets import train_preset
from cdp.config.train import TrainConfig
from cdp.work.records import Run, get_run

QUICK = train_preset("quick")
SHORT = QUICK.model_copy(
    update={"real": 2000, "steps": None, "epochs": 12, "validate_every": "1 epoch"}
)


def train_run(
    run_id: str,
    *,
    name: str = "night",
    config: TrainConfig = SHORT,
    state: str = "finished",
    epochs: int = 0,
    created: float = 1.0,
    process: Mapping[str, Any] | None = None,
    **status: Any,
) -> Run:
    """A run folder with ``epochs`` points: robust accuracy rises to epoch 3 and falls from there
    on."""
    folder = paths.runs_dir() / run_id
    folder.mkdir(parents=True)
    record = {
        "kind": "train",
        "name": name,
        "created": created,
        "config": config.model_dump(mode="json"),
    }
    (folder / "config.json").write_text(json.dumps(record))
    progress = {
        "done": epochs * 20,
        "count": config.total_steps(20),
        "seconds": 9.0,
        "seconds_left": 71.0,
        "rate": 15.0,
        "resumed_from": 0,
        "unit": "steps",
    }
    (folder / "status.json").write_text(
        json.dumps({"state": state, "started": created, "progress": progress} | status)
    )
    if process is not None:
        (folder / "process.json").write_text(json.dumps(process))
    with (folder / "metrics.jsonl").open("w") as journal:
        for epoch in range(1, epochs + 1):
            best = min(epoch, 3)
            values = {
                "step": epoch * 20,
                "images": epoch * 2000,
                "synthetic_images": 0,
                "seconds": 10.0 * epoch,
                "loss": 1.0,
                "loss_clean": 0.8,
                "loss_robust": 0.1,
                "learning_rate": 0.1,
                "epsilon": 0.1,
                "clean_accuracy": 0.7,
                "robust_accuracy": 0.5 + 0.02 * best - 0.05 * (epoch - best),
                "n": 500,
                "best_epoch": best,
                "best_robust": 0.5 + 0.02 * best,
            }
            journal.write(
                json.dumps({"step": epoch, "time": created + epoch, "values": values}) + "\n"
            )
    return get_run(run_id)


def save_examples(folder: Path, *, channels: int = 1, **replaced: Any) -> None:
    """Three images: one stays right, one is turned by the attack, one was wrong before it."""
    clean = np.full((3, 8, 8, channels), 100, np.uint8)
    attacked = (
        clean / np.float32(255)
        + np.float32(0.1) * np.where(np.arange(8) % 2 == 0, 1, -1).astype(np.float32)[:, None]
    )
    arrays: dict[str, Any] = {
        "clean": clean,
        "adversarial": attacked.astype(np.float32),
        "label": np.array([0, 1, 2]),
        "predicted_clean": np.array([0, 1, 0]),
        "predicted": np.array([0, 2, 0]),
        "epoch": np.int64(4),
        "epsilon": np.float64(0.1),
    }
    np.savez(folder / "examples.npz", **(arrays | replaced))
