"""A small data set with test images and a network for it, and a listener to evaluations of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.config.knobs import parse
from cdp.config.train import TrainConfig
from cdp.data.sets import save_set
from cdp.models.classifiers import Classifier
from cdp.models.encoders import save_encoder
from cdp.work.session import Session
from tests.robust import tiny
from tests.tasks.training_world import NAMES

N = 60
QUICK = {
    "attack": "quick",
    "count": 40,
    "curve": False,
    "unseen": False,
    "masking": False,
    "batch": 16,
}


def make_data() -> None:
    """A data set called small, with 60 test images."""
    save_set("small", *tiny.images(60, 0), {"class_names": NAMES})
    save_set("small-test", *tiny.images(N, 5), {"class_names": NAMES})


def trained() -> Classifier:
    """A network of its own that knows the three classes."""
    return copy.deepcopy(_trained())


_trained = cache(tiny.classifier)


def make_run(
    run_id: str = "20260101-000000-abcdef",
    *,
    epochs: Mapping[str, int] = {"best": 2, "last": 3},
    **training: Any,
) -> Path:
    """The folder of a training with weights, as a worker leaves them."""
    folder = paths.runs_dir() / run_id
    settings = {
        "norm": "linf",
        "epsilon": 0.05,
        "architecture": "small-cnn",
        "dataset": "small",
        "images": 40,
        "synthetic_images": 30,
    } | training
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "kind": "train",
        "name": "night",
        "created": 1.0,
        "config": TrainConfig(dataset="small", held_out=10).model_dump(mode="json"),
    }
    (folder / "config.json").write_text(json.dumps(record))
    (folder / "status.json").write_text(
        json.dumps({"state": "finished", "started": 1.0, "ended": 2.0})
    )
    for which, epoch in epochs.items():
        card = {"format": 1, "what": "classifier", "dataset": "small", "shape": [1, 8, 8]}
        card |= {"classes": 3, "class_names": NAMES, "run": "night", "epoch": epoch}
        card |= {"training": settings, "sets": [{"name": "made", "images": 30}]}
        save_encoder(folder / which, trained(), card)
    return folder


def config(**change: Any) -> EvaluateConfig:
    return parse(EvaluateConfig, QUICK | {"model": "run:20260101-000000-abcdef"} | change)


class Told:
    """Everything an evaluation says, and a stop after so many answers to whether it should."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.progress: list[tuple[int, int, float | None]] = []
        self.batches: list[tuple[int, dict[str, float]]] = []
        self.stages: list[str] = []
        self._batches_left = stop_after

    def heard(self) -> Session:
        return Session(
            on_progress=lambda p: self.progress.append((p.done, p.count, p.seconds_left)),
            on_notice=self.stages.append,
            should_stop=self._stop,
            journal=self,
        )

    def append(self, step: int, values: Mapping[str, float]) -> None:
        self.batches.append((step, dict(values)))

    def cut(self, step: int) -> None:
        pass

    def _stop(self) -> bool:
        return self._batches_left is not None and len(self.batches) >= self._batches_left
