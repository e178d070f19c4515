"""Run folders of trainings written by hand, for the tests of the Train page."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from cdp import paths
from cdp.config.knobs import Frozen
from cdp.config.presets import train_preset
from cdp.config.train import TrainConfig
from cdp.work.records import Run, get_run

QUICK = train_preset("quick")
SHORT = QUICK.model_copy(
    update={"real": 2000, "steps": None, "epochs": 12, "validate_every": "1 epoch"}
)


def write_folder(
    run_id: str,
    kind: str,
    config: Frozen,
    *,
    name: str = "",
    state: str = "finished",
    created: float = 1e9,
    done: int = 0,
    count: int = 0,
    unit: str = "steps",
    process: Mapping[str, Any] | None = None,
    home: Path | None = None,
    **status: Any,
) -> Path:
    """A run folder as launcher and worker leave it. name: as its id where not given; process: that
    works on it, by default this one where the run is running."""
    folder = (home / "runs" if home else paths.runs_dir()) / run_id
    folder.mkdir(parents=True)
    progress = {"done": done, "count": count, "seconds": 9.0, "seconds_left": 71.0, "rate": 15.0}
    progress |= {"resumed_from": 0, "unit": unit}
    if process is None and state in ("running", "queued"):
        process = {"pid": os.getpid(), "began": psutil.Process().create_time()}
    settings = config.model_dump(mode="json")
    files: dict[str, Any] = {
        "config.json": {
            "kind": kind,
            "name": name or run_id,
            "created": created,
            "config": settings,
        },
        "status.json": {"state": state, "started": created, "updated": time.time()} | status,
    }
    if count:
        files["status.json"].setdefault("progress", progress)
    if process:
        files["process.json"] = process
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content))
    return folder


def train_run(
    run_id: str,
    *,
    name: str = "night",
    config: TrainConfig = SHORT,
    epochs: int = 0,
    created: float = 1.0,
    **more: Any,
) -> Run:
    """A training with ``epochs`` points: robust accuracy rises to epoch 3 and falls from there
    on."""
    more = {"process": {}} | more
    folder = write_folder(
        run_id,
        "train",
        config,
        name=name,
        created=created,
        done=epochs * 20,
        count=config.total_steps(20),
        **more,
    )
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
