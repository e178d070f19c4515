"""Helpers for tests of background runs: the stub worker's command, waiting for a state, run folders
written by hand."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cdp.config.generate import GenerateConfig, flatten
from cdp.work.records import Run, get_run, log_tail

COMMAND = (sys.executable, str(Path(__file__).with_name("stub_worker.py")))
REAL = (sys.executable, str(Path(__file__).with_name("untracked_worker.py")))
CONFIG = GenerateConfig(count=40, batch=4, seed=3)


def until(run_id: str, condition: Callable[[Run], bool], seconds: float = 60) -> Run:
    end = time.monotonic() + seconds
    while not condition(run := get_run(run_id)):
        assert time.monotonic() < end, f"this never came true: {run}\n{log_tail(run)}"
        time.sleep(0.02)
    return run


def done(run: Run) -> int:
    return run.progress.done if run.progress else 0


def journal(home: Path) -> list[list[str]]:
    """Lines of [run, begun or done, batch]; none before the first run has begun its work."""
    path = home / "journal.txt"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def fake_run(
    home: Path,
    *,
    process: dict[str, object] | None,
    status: dict[str, object],
    config: object = None,
) -> Run:
    """A run folder written by hand."""
    folder = home / "runs" / "fake"
    folder.mkdir(parents=True)
    record = {
        "name": "fake",
        "created": 1.0,
        "config": flatten(CONFIG) if config is None else config,
    }
    (folder / "config.json").write_text(json.dumps(record))
    (folder / "status.json").write_text(json.dumps(status))
    if process is not None:
        (folder / "process.json").write_text(json.dumps(process))
    return get_run("fake")
