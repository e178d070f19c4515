"""One image of a generation in both arms, with its film; and a set's batches put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from cdp.config.generate import GenerateConfig
from cdp.figures.palette import GUIDED, NEUTRAL, UNGUIDED
from cdp.ui.components.pairs import Grid, pairs
from cdp.ui.kit.images import GAIN, difference, sprite
from cdp.values.text import class_name, share_text
from cdp.values.types import Frame, LiveResult
from cdp.work.live import Job

Arms = tuple[np.ndarray, np.ndarray | None]
"""All images so far at one step, (N,H,W,C) uint8: guided, and unguided where there are two arms."""
FILM = 10
"""Pictures of a film strip: evenly spaced steps, the last one included."""


def step_of(frame: Frame, steps: int) -> int:
    """Step 1..steps within the frame's batch."""
    return (frame.i - 1) % steps + 1


def compose(frames: Sequence[Frame], steps: int, at: int | None = None) -> Arms:
    """Every batch at step ``at``, or as far as it has come; None for the newest."""
    newest: dict[int, Frame] = {}
    for frame in frames:
        if at is None or frame.offset not in newest or step_of(frame, steps) <= at:
            newest[frame.offset] = frame
    batches = [newest[offset] for offset in sorted(newest)]
    guided, unguided = np.concatenate([f.guided for f in batches]), None
    if any(frame.unguided is not None for frame in batches):
        unguided = np.concatenate([unguided_of(frame) for frame in batches])
    return guided, unguided


def unguided_of(frame: Frame) -> np.ndarray:
    """The unguided arm; the guided one where they have not parted yet."""
    return frame.guided if frame.unguided is None else frame.unguided


def strip(frames: Sequence[Frame], index: int, length: int = FILM) -> tuple[list[Frame], int]:
    """At most ``length`` frames of the batch of image ``index``, at even distances with the last at
    the end, and its row in them; no frames where its batch has not begun."""
    own = [f for f in frames if f.offset <= index < f.offset + len(f.guided)]
    count = min(length, len(own))
    return [own[round((k + 1) * len(own) / count) - 1] for k in range(count)], (
        index - own[0].offset if own else 0
    )


def names(config: GenerateConfig, count: int, class_names: Sequence[str]) -> list[str]:
    """ ", class" of every image, "" where the model knows none; classes take turns."""
    if not class_names:
        return [""] * count
    classes = config.classes or tuple(range(len(class_names)))
    return [f", {class_names[classes[i % len(classes)]]}" for i in range(count)]


def show(job: Job, index: int, class_names: Sequence[str]) -> None:
    """The detail of image ``index`` of the set; nothing where its batch has not begun."""
    frames, row = strip(job.frames, index)
    if not frames:
        return
    guided = np.stack([frame.guided[row] for frame in frames])
    unguided = None
    if frames[-1].unguided is not None:
        unguided = np.stack([unguided_of(frame)[row] for frame in frames])
    with st.container(border=True, key="detail"):
        st.markdown(f"**Image {index + 1}{names(job.config, index + 1, class_names)[index]}**")
        last = sprite(guided[-1:], 1)
        if unguided is None:
            grids = [Grid.of(NEUTRAL, last)]
        else:
            change = sprite(difference(guided[-1:], unguided[-1:]), 1)
            grids = [
                Grid.of(GUIDED, last),
                Grid.of(UNGUIDED, sprite(unguided[-1:], 1)),
                Grid(f"Difference x {GAIN}", change),
            ]
        pairs(grids, [""], columns=1, key=f"detail_{job.id}", interactive=False, shape="small")
        if unguided is not None:
            st.caption(change_words(guided[-1], unguided[-1]))
        if job.result is not None and (view := judge_says(job.result, index, class_names)):
            st.caption(view)
        _film(job, [step_of(frame, job.config.sampler.steps) for frame in frames], guided, unguided)


def judge_says(result: LiveResult, index: int, class_names: Sequence[str]) -> str:
    """What the judge takes image ``index`` for, in each arm; "" where that is not known."""
    views = {"guided ": result.guided_view, "unguided ": result.unguided_view}
    parts = [
        f"{arm if result.unguided is not None else ''}"
        f"{class_name(class_names, int(view.predicted[index]))}"
        f" ({share_text(view.confidence[index], 0)} confident)"
        for arm, view in views.items()
        if view is not None and index < len(view.predicted)
    ]
    return f"The judge, which guided nothing, sees: {', '.join(parts)}." if parts else ""


def change_words(guided: np.ndarray, unguided: np.ndarray) -> str:
    """How far guidance moved an image; that it did not where both are the same."""
    change = np.abs(guided.astype(np.int16) - unguided).mean() / 255
    if not change:
        return "Guided and unguided are identical so far."
    return (
        f"Mean change {share_text(change)} of the pixel range. Blue: guided is darker; orange:"
        " brighter."
    )


def _film(job: Job, steps: Sequence[int], guided: np.ndarray, unguided: np.ndarray | None) -> None:
    """Estimates of the finished image, (k,H,W,C) in each arm, of these steps."""
    columns, text = len(steps), f"estimate after steps {', '.join(map(str, steps))}"
    film = sprite(guided, columns)
    if unguided is None:
        grids = [Grid.of(NEUTRAL, film, f"Denoising: {text}")]
    else:
        second = sprite(unguided, columns)
        grids = [
            Grid.of(GUIDED, film, f"Denoising, guided: {text}"),
            Grid.of(UNGUIDED, second, "Denoising, unguided: the same steps"),
        ]
    labels, key = [f"step {step}" for step in steps], f"film_{job.id}"
    pairs(grids, labels, columns=columns, key=key, interactive=False, shape="film")
