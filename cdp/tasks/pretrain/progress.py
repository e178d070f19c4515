"""What a training says of itself, and the loop that listens to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from cdp.errors import Cancelled, CdpError


@dataclass(frozen=True)
class Progress:
    """How far a training is. loss: of the last step; seconds_left: at the speed so far; score:
    accuracy of the last finished epoch on held-out images (encoders only), else None."""

    step: int
    total: int
    loss: float
    seconds_left: float | None
    score: float | None = None


OnProgress = Callable[[Progress], None]
ShouldStop = Callable[[], bool]


def drive(
    training: Generator[Progress, None, None],
    on_progress: OnProgress | None,
    should_stop: ShouldStop | None,
) -> None:
    """Run to the end, or close the training where it should stop and raise Cancelled."""
    with closing(training):
        for progress in training:
            if on_progress:
                on_progress(progress)
            if should_stop and progress.step < progress.total and should_stop():
                raise Cancelled(
                    f"stopped at step {progress.step} of {progress.total}: start again with the"
                    " same settings to go on"
                )


def finite(loss: float, step: int) -> float:
    """The loss itself. Raises CdpError where training has diverged."""
    if not math.isfinite(loss):
        raise CdpError(f"training diverged at step {step} (loss {loss}): lower learning_rate")
    return loss
