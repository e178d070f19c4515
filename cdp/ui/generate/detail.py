"""One image of a generation: guided, unguided, their difference, and the film of its denoising in
both arms; and the frames of a whole set put together, as a frame holds one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from cdp.config.generate import GenerateConfig
from cdp.figures.palette import GUIDED, NEUTRAL, UNGUIDED
from cdp.ui.components.pairs import Grid, pairs
from cdp.ui.kit.images import GAIN, difference, sprite
from cdp.values.text import class_name, share_text
from cdp.values.types import Frame, LiveResult
from cdp.work.live import Job

FILM = 10
"""Pictures of a film strip: evenly spaced steps, the last one included."""


@dataclass(frozen=True)
class StepImages:
    """All images so far at one step, (N,H,W,C) uint8; unguided: None where there is one arm."""

    guided: np.ndarray
    unguided: np.ndarray | None


def step_of(frame: Frame, steps: int) -> int:
    """Step 1..steps within the frame's batch."""
    return (frame.i - 1) % steps + 1


def compose(frames: Sequence[Frame], steps: int, at: int | None = None) -> StepImages:
    """Every batch at step ``at``, or as far as it has come; None for the newest. frames: oldest
    first, at least one."""
    newest: dict[int, Frame] = {}
    for frame in frames:
        if at is None or frame.offset not in newest or step_of(frame, steps) <= at:
            newest[frame.offset] = frame
    batches = [newest[offset] for offset in sorted(newest)]
    one_arm = all(frame.unguided is None for frame in batches)
    unguided = (
        None
        if one_arm
        else np.concatenate([f.guided if f.unguided is None else f.unguided for f in batches])
    )
    return StepImages(np.concatenate([f.guided for f in batches]), unguided)


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


_SIGNS = {sign.name: sign for sign in (GUIDED, UNGUIDED, NEUTRAL)}


def grid_of(arm: str, src: str, title: str = "") -> Grid:
    """A grid in the fixed colour and line of its arm."""
    sign = _SIGNS[arm]
    return Grid(title or sign.name.capitalize(), src, sign.color, sign.dash)


def names(config: GenerateConfig, count: int, class_names: Sequence[str]) -> list[str]:
    """ ", class" of every image, "" where the model knows no classes. The chosen classes take turns
    over the set."""
    if not class_names:
        return [""] * count
    classes = config.classes or tuple(range(len(class_names)))
    return [f", {class_names[classes[i % len(classes)]]}" for i in range(count)]


def show(job: Job, index: int, class_names: Sequence[str]) -> None:
    """The detail of image ``index`` of the set; nothing where its batch has not begun."""
    frames, row = strip(job.frames, index)
    if not frames:
        return
    guided, unguided = (
        frames[-1].guided[row],
        None if frames[-1].unguided is None else frames[-1].unguided[row],
    )
    with st.container(border=True, key="detail"):
        st.markdown(f"**Image {index + 1}{names(job.config, index + 1, class_names)[index]}**")
        grids = [grid_of("images" if unguided is None else "guided", sprite(guided[None], 1))]
        if unguided is not None:
            grids.append(grid_of("unguided", sprite(unguided[None], 1)))
            grids.append(
                Grid(
                    f"Difference x {GAIN}",
                    sprite(difference(guided[None], unguided[None]), 1),
                    NEUTRAL.color,
                )
            )
        pairs(grids, [""], columns=1, key=f"detail_{job.id}", interactive=False, shape="small")
        if unguided is not None:
            st.caption(change_words(guided, unguided))
        if job.result is not None and (said := judge_says(job.result, index, class_names)):
            st.caption(said)
        _film(job, frames, row)


def judge_says(result: LiveResult, index: int, class_names: Sequence[str]) -> str:
    """One sentence: what the judge takes image ``index`` for, in each arm; "" where there was no
    judge or no such image."""
    views = {"guided": result.guided_view, "unguided": result.unguided_view}
    said = [
        f"{arm} {class_name(class_names, int(view.predicted[index]))}"
        f" ({share_text(view.confidence[index], 0)} sure)"
        for arm, view in views.items()
        if view is not None and index < len(view.predicted)
    ]
    if result.unguided is None:
        said = [words.removeprefix("guided ") for words in said]
    return f"The judge, which guided nothing, sees: {', '.join(said)}." if said else ""


def change_words(guided: np.ndarray, unguided: np.ndarray) -> str:
    """How far guidance moved an image; that it did not where both are the same."""
    if np.array_equal(guided, unguided):
        return "Guided and unguided are identical so far."
    return (
        f"Mean change {share_text(mean_change(guided, unguided))} of the pixel range. Blue: guided"
        " is darker; orange: brighter."
    )


def mean_change(guided: np.ndarray, unguided: np.ndarray) -> float:
    """Mean absolute difference as a share of the pixel range."""
    return float(np.abs(guided.astype(np.int16) - unguided).mean() / 255)


def _film(job: Job, frames: Sequence[Frame], row: int) -> None:
    steps = [step_of(f, job.config.sampler.steps) for f in frames]
    said = f"estimate of the finished image after steps {', '.join(map(str, steps))}"
    guided = sprite(np.stack([f.guided[row] for f in frames]), len(frames))
    if frames[-1].unguided is None:
        grids = [grid_of("images", guided, f"Denoising: {said}")]
    else:
        plain = np.stack([f.guided[row] if f.unguided is None else f.unguided[row] for f in frames])
        grids = [
            grid_of("guided", guided, f"Denoising, guided: {said}"),
            grid_of("unguided", sprite(plain, len(frames)), "Denoising, unguided: the same steps"),
        ]
    pairs(
        grids,
        [f"step {step}" for step in steps],
        columns=len(frames),
        key=f"film_{job.id}",
        interactive=False,
        shape="film",
    )
