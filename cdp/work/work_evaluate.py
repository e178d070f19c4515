"""The work of an "evaluate" run: a report and the outcome of every image in the run's own folder, a
journal point a batch."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, cast

from cdp.config.evaluate import CODE, EvaluateConfig
from cdp.errors import InputError
from cdp.work.kinds import Context
from cdp.work.progress import progress_since
from cdp.work.records import Run

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)


def evaluate(run: Run, context: Context, net: nn.Module | None = None) -> dict[str, Any]:
    """Evaluate to the end, or from where it was left to it; returns the final record.

    net: of the user's own code, which only the command line imports; without it InputError for such
    a model.
    """
    from cdp.tasks.evaluate import Heard, evaluate_run

    config = cast(EvaluateConfig, run.config)
    if config.model.startswith(CODE) and net is None:
        raise InputError(
            f"model: {config.model.removeprefix(CODE)} is your own code, which only a command that"
            " you type imports: run it again there"
        )
    began = time.monotonic()
    resumed_from: list[int] = []

    def on_progress(done: int, count: int, seconds_left: float | None) -> None:
        if not resumed_from:
            resumed_from.append(done)  # told before the first batch of this start
            context.journal.cut(done)
        context.on_progress(
            progress_since(
                began,
                done=done,
                count=count,
                resumed_from=resumed_from[0],
                unit="images",
                seconds_left=seconds_left,
            )
        )

    def on_stage(sentence: str) -> None:
        context.notice(sentence)
        logger.info("%s", sentence)

    heard = Heard(
        on_progress=on_progress,
        on_batch=context.journal.append,
        on_stage=on_stage,
        should_stop=context.should_stop,
    )
    report = evaluate_run(config, run.folder, heard, net=net)
    context.notice(None)
    main = report.main
    return {
        "label": report.label,
        "quick": report.quick,
        "suite": report.suite,
        "norm": report.norm,
        "epsilon": report.epsilon,
        "n": report.n,
        "clean_accuracy": main.clean.value,
        "robust_accuracy": main.robust.value,
        "robust_low": main.robust.low,
        "robust_high": main.robust.high,
        "warnings": list(report.warnings),
        "seconds": round(report.seconds, 3),
    }
