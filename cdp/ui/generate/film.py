"""The frames of a generation put together: a frame holds one batch, a page shows the whole set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cdp.values.types import Frame

FILM = 10
"""Pictures of a film strip: evenly spaced steps, the last one included."""


@dataclass(frozen=True)
class Picture:
    """All images so far at one step, (N,H,W,C) uint8; unguided: None where there is one arm."""

    guided: np.ndarray
    unguided: np.ndarray | None


def step_of(frame: Frame, steps: int) -> int:
    """Step 1..steps within the frame's batch."""
    return (frame.i - 1) % steps + 1


def compose(frames: Sequence[Frame], steps: int, at: int | None = None) -> Picture:
    """Every batch at step ``at``, or as far as it has come; None for the newest. frames: oldest
    first, at least one."""
    shown: dict[int, Frame] = {}
    for frame in frames:
        if at is None or frame.offset not in shown or step_of(frame, steps) <= at:
            shown[frame.offset] = frame
    batches = [shown[offset] for offset in sorted(shown)]
    one_arm = all(frame.unguided is None for frame in batches)
    unguided = (
        None
        if one_arm
        else np.concatenate([f.guided if f.unguided is None else f.unguided for f in batches])
    )
    return Picture(np.concatenate([f.guided for f in batches]), unguided)


def strip(frames: Sequence[Frame], index: int, length: int = FILM) -> tuple[list[Frame], int]:
    """Frames of the batch of image ``index``, at most ``length`` at even distances with the last at
    the end; and its row in them.

    No frames where its batch has not begun.
    """
    own = [f for f in frames if f.offset <= index < f.offset + len(f.guided)]
    count = min(length, len(own))
    return [own[round((k + 1) * len(own) / count) - 1] for k in range(count)], (
        index - own[0].offset if own else 0
    )
