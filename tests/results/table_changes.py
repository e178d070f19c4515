"""Everything that can happen to the runs of a table, at random."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.results.labels import change_labels
from tests.evaluations import report, write_evaluation
from tests.ui.train_runs import SHORT, train_run

DEAD = {"pid": 2**22 + 1, "began": 5.0}
"""A process that is no more."""


def final_record(robust: float = 0.4, **change: Any) -> dict[str, Any]:
    """What a training of 12 epochs says at its end; its best epoch was better by 0.1."""
    last = {"epoch": 12, "clean_accuracy": 0.7, "robust_accuracy": robust}
    return (
        last
        | {
            "best": last | {"epoch": 9, "robust_accuracy": robust + 0.1},
            "n": 500,
            "epsilon": 0.1,
            "seconds": 77.5,
        }
        | change
    )


class Changes:
    """``make`` does one of the changes. seed: of which."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.count = 0
        self.start()

    def make(self) -> None:
        kinds: list[Callable[[], None]] = [
            self.start,
            self.grow,
            self.grow,
            self.change_state,
            self.change_state,
            self.damage,
            self.remove,
            self.label,
            self.stop,
            self.evaluate,
        ]
        self.chance.choice(kinds)()

    def start(self) -> None:
        choice, self.count = self.chance.choice, self.count + 1
        process = choice(
            [None, DEAD, {"pid": os.getpid(), "began": psutil.Process().create_time()}]
        )
        config = SHORT.model_copy(update={"seed": choice([0, 1, 2]), "beta": choice([1.0, 6.0])})
        train_run(
            f"run-{self.count}",
            config=config,
            state=choice(["queued", "running", "finished", "failed", "stopped"]),
            epochs=choice([0, 1, 2, 3]),
            created=choice([1.0, 2.0, 3.0]),
            process=process,
        )

    def grow(self) -> None:
        values = {"clean_accuracy": 0.8, "robust_accuracy": self._share(), "n": 500}
        line = json.dumps({"step": self.chance.randrange(10, 10**6), "time": 1.0, "values": values})
        with (self._folder() / "metrics.jsonl").open("a") as journal:
            journal.write(line + self.chance.choice(["\n", "\n", ""]))

    def change_state(self) -> None:
        choice = self.chance.choice
        status = {
            "state": choice(["running", "finished", "failed", "stopped"]),
            "started": 2.0,
            "updated": 3.0,
        }
        (self._folder() / "status.json").write_text(
            json.dumps(status | choice([{}, {"result": final_record(self._share() / 2)}]))
        )

    def damage(self) -> None:
        name, content = (
            self.chance.choice(["config.json", "status.json", "labels.json"]),
            self.chance.choice(["{", "[]", '{"kind": "train"}']),
        )
        (self._folder() / name).write_text(content)

    def remove(self) -> None:
        if len(self._there()) > 2:
            shutil.rmtree(self._folder())

    def label(self) -> None:
        change_labels(
            self._folder().name,
            star=self.chance.choice([True, False]),
            add_tags=[self.chance.choice("abc")],
        )

    def stop(self) -> None:
        (self._folder() / "stop").touch()

    def evaluate(self) -> None:
        config = EvaluateConfig(model=f"run:{self._folder().name}")
        write_evaluation(
            f"eval-{time.time_ns()}",
            report(robust=self._share()),
            created=time.time(),
            config=config,
        )

    def _share(self) -> float:
        return self.chance.randrange(80) / 100

    def _there(self) -> list[Path]:
        folders = [paths.runs_dir() / f"run-{number}" for number in range(1, self.count + 1)]
        return [folder for folder in folders if folder.exists()]

    def _folder(self) -> Path:
        return self.chance.choice(self._there())
