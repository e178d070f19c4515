"""Several seeds of the quick preset, whole runs with process start, validation, checkpoints, journal
and MLflow: one after another over all cores against a share of the machine each."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measuring import paired_ratio, spread
from benchmarks.results import Figure
from benchmarks.scenes import Options
from cdp.config.presets import train_preset
from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.experiments.crew import core_count, share_of_seeds
from cdp.work.launch import Share, launch
from cdp.work.records import get_run
from cdp.work.registry import TASKS

NAME, TITLE = "trainings_an_hour", "Trainings an hour, quick preset, whole runs"
ROUNDS = 1


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Trainings an hour both ways, and their ratio; settings."""
    config = train_preset("quick").model_copy(update={"steps": 10} if options.quick else {})
    share = share_of_seeds(config)
    if share is None:
        raise InputError(
            "seeds do not share this machine, so there is nothing to compare: it has one core, a"
            " GPU, or CDP_SLOTS is set"
        )
    ways: dict[str, Share | None] = {"one after another": None, "side by side": share}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1 if options.quick else min(options.rounds, ROUNDS)):
        for name in ways if number % 2 else reversed(ways):
            with _fresh_home():
                seconds[name].append(_seconds(config, share.slots, ways[name]))
    an_hour = {
        name: spread([3600 * share.slots / s for s in values]) for name, values in seconds.items()
    }
    ratio = paired_ratio(seconds["one after another"], seconds["side by side"])
    return [
        *(Figure.of_spread(f"trainings an hour: {name}", s) for name, s in an_hour.items()),
        Figure.of_spread("times as many side by side", ratio),
    ], {
        "config": config.model_dump(mode="json"),
        "seeds": share.slots,
        "threads of each": {"one after another": core_count(), "side by side": share.threads},
    }


def _seconds(config: TrainConfig, seeds: int, share: Share | None) -> float:
    """From the launch of the first to the end of the last."""
    task, began = TASKS["train"], time.perf_counter()
    ids = [
        launch(task, config.model_copy(update={"seed": seed}), f"seed-{seed}", share=share)
        for seed in range(seeds)
    ]
    while not all(get_run(run_id).over for run_id in ids):
        time.sleep(0.2)
    for run_id in ids:
        run = get_run(run_id)
        if run.state != "finished":
            raise InputError(f"a training ended as {run.state} ({run.error}): look at {run.folder}")
    return time.perf_counter() - began


@contextmanager
def _fresh_home() -> Iterator[None]:
    """A workspace of its own, in which nothing waits to be sent to MLflow."""
    before = os.environ.get("CDP_HOME")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        os.environ["CDP_HOME"] = name
        try:
            yield
        finally:
            if before is None:
                del os.environ["CDP_HOME"]
            else:
                os.environ["CDP_HOME"] = before
