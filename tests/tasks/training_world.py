"""A small data set with a synthetic one that fits, and a listener to robust trainings of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cdp.config.knobs import parse
from cdp.config.train import TrainConfig
from cdp.data.sets import save_set
from cdp.tasks.train import train_run
from cdp.values.types import EpochMetrics
from cdp.work.session import Session
from tests.robust import tiny

NAMES = ["dark", "grey", "light"]
EPOCHS, PER_EPOCH = 2, 5


def make_sets() -> None:
    """A data set of 60 images, 40 of which stay for training after 12 are held out, and a synthetic
    set that fits it."""
    for name, count, seed in (("small", 60, 0), ("made", 30, 1)):
        save_set(name, *tiny.images(count, seed), {"class_names": NAMES, "dataset": "small"})


def config(**change: Any) -> TrainConfig:
    settings = {"dataset": "small", "synthetic": ["made"], "real": 40, "held_out": 12}
    settings |= {"fraction": 0.5, "batch": 16, "epochs": EPOCHS, "validate_every": "1 epoch"}
    settings |= {"epsilon": 0.05, "attack_steps": 2, "validation_steps": 2, "precision": "fp32"}
    return parse(TrainConfig, settings | change)


class Told:
    """Everything a training says, and a stop after so many words."""

    def __init__(
        self, stop_after: int | None = None, on_epoch: Callable[[EpochMetrics], None] | None = None
    ) -> None:
        self.progress: list[tuple[int, int, float | None]] = []
        self.epochs: list[EpochMetrics] = []
        self.resumed: list[int] = []
        self.notices: list[str | None] = []
        self._asked, self._stop_after, self._on_epoch = 0, stop_after, on_epoch

    def cut(self, step: int) -> None:
        self.resumed.append(step)

    def append(self, step: int, values: Mapping[str, float]) -> None:
        metrics = EpochMetrics(point=step, **values)  # type: ignore[arg-type]
        self.epochs.append(metrics)
        if self._on_epoch:
            self._on_epoch(metrics)

    def _stop(self) -> bool:
        self._asked += 1
        return self._asked == self._stop_after

    def run(self, config: TrainConfig, folder: Path) -> dict[str, Any]:
        return train_run(
            config,
            Session(
                folder,
                name="a run",
                on_progress=lambda p: self.progress.append((p.done, p.count, p.seconds_left)),
                on_notice=self.notices.append,
                should_stop=self._stop,
                journal=self,
            ),
        )


def figures(metrics: EpochMetrics) -> dict[str, Any]:
    return {name: value for name, value in asdict(metrics).items() if name != "seconds"}


def same(record: dict[str, Any], expected: dict[str, Any]) -> bool:
    return {k: v for k, v in record.items() if k != "seconds"} == {
        k: v for k, v in expected.items() if k != "seconds"
    }


def states(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").glob("*.safetensors"))
