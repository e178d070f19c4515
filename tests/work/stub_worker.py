"""A worker process whose work needs no model: ``python stub_worker.py RUN_FOLDER``; the environment
says how it behaves."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cdp.config.generate import GenerateConfig
from cdp.config.train import TrainConfig
from cdp.errors import Cancelled, Halted
from cdp.files.atomic import write_json
from cdp.files.reading import read_json
from cdp.tasks.generate import Lanes, Maker, generate
from cdp.work.records import Run
from cdp.work.registry import TASKS
from cdp.work.session import Session
from cdp.work.task import Task
from cdp.work.worker import main


class StubMaker(Maker):
    """Images that follow from seed and row alone. journal: a line for every batch begun and
    done; at_a_time: batches."""

    def __init__(
        self,
        journal: Path,
        *,
        seconds: float = 0,
        deaf: bool = False,
        error: str = "",
        who: str = "",
        at_a_time: int = 1,
    ) -> None:
        self.journal, self.seconds, self.deaf = journal, seconds, deaf
        self.error, self.who, self.at_a_time = error, who, at_a_time

    def shape(self, config: GenerateConfig) -> tuple[int, int, int]:
        return 4, 5, 1

    def weights(self, config: GenerateConfig) -> dict[str, str]:
        return {"model_sha256": "0" * 64}

    def labelled(self, config: GenerateConfig) -> bool:
        return True

    def lanes(self, config: GenerateConfig, batches: int) -> Lanes:
        return Lanes(min(self.at_a_time, batches), 1)

    def batch(
        self, config: GenerateConfig, index: int, should_stop: Callable[[], bool]
    ) -> tuple[np.ndarray, np.ndarray] | None:
        self._note("begun", index)
        if self.error == "disk" and index == 1:
            raise OSError(28, "No space left on device")
        if self.error == "bug" and index == 1:
            raise ZeroDivisionError("division by zero")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            if should_stop() and not self.deaf:
                return None
            time.sleep(0.01)
        rows = np.arange(index * config.batch, min(config.count, (index + 1) * config.batch))
        image = np.stack(
            [
                np.random.default_rng([config.seed, row]).integers(0, 256, (4, 5, 1), np.uint8)
                for row in rows
            ]
        )
        self._note("done", index)
        return image, rows % 3

    def card(self, config: GenerateConfig) -> dict[str, Any]:
        return {"source": "stub"}

    def _note(self, what: str, index: int) -> None:
        with self.journal.open("a") as file:
            file.write(f"{self.who} {what} {index}\n")


class StubTraining:
    """A training without a network: one number, moved on every epoch by a fixed rule, kept every
    second one."""

    def __init__(
        self, journal: Path, *, seconds: float = 0.0, deaf: bool = False, error: str = ""
    ) -> None:
        self.journal, self.seconds, self.deaf, self.error = journal, seconds, deaf, error

    def __call__(self, config: TrainConfig, session: Session) -> dict[str, Any]:
        epochs, checkpoint = config.epochs, session.folder / "state.json"
        state = read_json(checkpoint) or {"epoch": 0, "value": config.seed}
        resumed, value = state["epoch"], state["value"]
        session.cut(resumed)
        session.begin(resumed)
        for epoch in range(resumed + 1, epochs + 1):
            self._note(session.id, "begun", epoch)
            self._wait(session, epoch)
            value = (value * 1103515245 + 12345) % 2**31
            session.point(epoch, {"value": value})
            if epoch % 2 == 0:
                write_json(checkpoint, {"epoch": epoch, "value": value})
            self._note(session.id, "done", epoch)
            session.progress(epoch, epochs, unit="steps")
            if self.error == "halt" and epoch == 3:
                raise Halted(
                    "training diverged: lower learning_rate", {"epoch": epoch, "loss": float("inf")}
                )
        return {"epoch": epochs, "value": value, "undefined": float("nan")}

    def _wait(self, session: Session, epoch: int) -> None:
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            if session.stop_requested() and not self.deaf:
                raise Cancelled(f"stopped in epoch {epoch}")
            time.sleep(0.01)

    def _note(self, *words: object) -> None:
        with self.journal.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")


class Untracked:
    """Follows nothing: MLflow has tests of its own."""

    def __init__(self, run: Run) -> None:
        pass

    def start(self) -> None:
        pass

    def sync(self) -> None:
        pass

    def finish(
        self, state: str, error: str | None = None, result: dict[str, Any] | None = None
    ) -> None:
        pass


def stub_main(folder: Path, maker: StubMaker, training: StubTraining | None = None) -> int:
    """The real worker, with stand-ins at work."""
    return main(folder, stub_tasks(maker, training), Untracked)


def stub_tasks(maker: StubMaker, training: StubTraining | None = None) -> dict[str, Task[Any, Any]]:
    """The real tasks with stand-ins at work."""
    stubs = {
        "generate": TASKS["generate"].running(
            lambda config, session: generate(config, session, maker)
        )
    }
    if training:
        stubs["train"] = TASKS["train"].running(training)
    return TASKS | stubs


def begin(arguments: Sequence[str]) -> int:
    """What the process does."""
    logging.basicConfig(level=logging.INFO)
    home, folder = Path(os.environ["CDP_HOME"]), Path(arguments[-1])
    options: dict[str, Any] = {
        "seconds": float(os.environ.get("STUB_SECONDS", "0")),
        "deaf": "STUB_DEAF" in os.environ,
        "error": os.environ.get("STUB_ERROR", ""),
    }
    stand_ins = (
        StubMaker(home / "journal.txt", who=folder.name, **options),
        StubTraining(home / "journal.txt", **options),
    )
    return stub_main(folder, *stand_ins)


if __name__ == "__main__":
    sys.exit(begin(sys.argv[1:]))
