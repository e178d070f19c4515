"""The work of a "train" run: a robust classifier in the run's own folder, a journal point a
validation."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any, cast

from cdp.config.train import TrainConfig
from cdp.values.types import EpochMetrics
from cdp.work.kinds import Context
from cdp.work.progress import progress_since
from cdp.work.records import Run

logger = logging.getLogger(__name__)


def train(run: Run, context: Context) -> dict[str, Any]:
    """Train to the end, or from the last checkpoint to it; returns the final record."""
    from cdp.tasks.train import train_run

    began = time.monotonic()
    resumed_from: list[int] = []

    def on_progress(done: int, count: int, seconds_left: float | None) -> None:
        if not resumed_from:
            resumed_from.append(done)  # told before the first step of this start
        progress = progress_since(
            began,
            done=done,
            count=count,
            resumed_from=resumed_from[0],
            unit="steps",
            seconds_left=seconds_left,
        )
        context.on_progress(progress)

    def on_point(metrics: EpochMetrics) -> None:
        values = asdict(metrics)
        del values["point"]
        context.journal.append(metrics.point, values)
        logger.info(
            "step %d of %d, epoch %d of %d: loss %.4f, clean %.1f %%, robust %.1f %% of %d"
            " validation images",
            metrics.step,
            metrics.steps,
            metrics.epoch,
            metrics.epochs,
            metrics.loss,
            100 * metrics.clean_accuracy,
            100 * metrics.robust_accuracy,
            metrics.n,
        )

    return train_run(
        cast(TrainConfig, run.config),
        run.folder,
        on_progress=on_progress,
        on_point=on_point,
        on_resume=context.journal.cut,
        should_stop=context.should_stop,
        notice=context.notice,
        run_name=run.name,
    )
