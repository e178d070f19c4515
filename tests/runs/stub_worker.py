"""A worker process whose images need no model: ``python stub_worker.py RUN_FOLDER``; the environment says how it behaves."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cdp.config import GenerateConfig
from cdp.runs.worker import main


class StubMaker:
    """Images that follow from seed and row alone. journal: a line for every batch begun and done."""

    def __init__(self, journal: Path, *, seconds: float = 0.0, deaf: bool = False, error: str = "", who: str = "") -> None:
        self.journal, self.seconds, self.deaf, self.error, self.who = journal, seconds, deaf, error, who

    def shape(self, config: GenerateConfig) -> tuple[int, int, int]:
        return 4, 5, 1

    def weights(self, config: GenerateConfig) -> dict[str, str]:
        return {"model_sha256": "0" * 64}

    def batch(self, config: GenerateConfig, index: int, should_stop: Callable[[], bool]) -> tuple[np.ndarray, np.ndarray] | None:
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
        image = np.stack([np.random.default_rng([config.seed, row]).integers(0, 256, (4, 5, 1), np.uint8) for row in rows])
        self._note("done", index)
        return image, rows % 3

    def card(self, config: GenerateConfig) -> dict[str, Any]:
        return {"source": "stub"}

    def _note(self, what: str, index: int) -> None:
        with self.journal.open("a") as file:
            file.write(f"{self.who} {what} {index}\n")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    home, run = Path(os.environ["CDP_HOME"]), Path(sys.argv[1])
    options = {
        "seconds": float(os.environ.get("STUB_SECONDS", "0")),
        "deaf": "STUB_DEAF" in os.environ,
        "error": os.environ.get("STUB_ERROR", ""),
    }
    sys.exit(main(run, StubMaker(home / "journal.txt", who=run.name, **options)))
