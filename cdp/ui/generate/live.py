"""A generation while it runs and after: both arms, progress, cancel, curves."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np
import streamlit as st

from cdp.figures.palette import GUIDED, NEUTRAL, UNGUIDED
from cdp.ui.components.chart import chart, load_plotly
from cdp.ui.components.pairs import Grid, pairs
from cdp.ui.generate import detail
from cdp.ui.generate.detail import Arms, compose, step_of
from cdp.ui.kit.engine import engine
from cdp.ui.kit.images import GAIN, difference, sprite
from cdp.ui.kit.tables import numbers
from cdp.values.text import counted, duration
from cdp.values.types import Frame
from cdp.work.live import Job

POLL_SECONDS = 0.25
PAGE = 64
"""Images shown at a time."""
SIDE, DIFFERENCE = "Side by side", "Difference"
IDENTICAL = (
    "Guided and unguided images are identical so far: guidance has changed no pixel, as its window"
    " has not begun, its strength is 0, or its push is below one grey level."
)


def live(job: Job, class_names: Sequence[str]) -> None:
    """Draw a job; while it runs this polls it, and once it is over the whole page is drawn anew."""
    with st.container(key="live"):
        st.fragment(_draw, run_every=None if job.over else POLL_SECONDS)(
            job, class_names, polling=not job.over
        )
    load_plotly()


def _draw(job: Job, class_names: Sequence[str], *, polling: bool) -> None:
    over = job.over
    _status(job)
    frames = job.frames
    if frames:
        first, step = _toolbar(job, frames), _chosen_step(job, frames)
        _grids(job, compose(frames, job.config.sampler.steps, step), first, class_names)
        _curves(job, frames, classes=bool(class_names or job.config.classes))
    elif not over:
        st.skeleton(height=320)
    if over and polling:
        st.rerun()


def _status(job: Job) -> None:
    """Progress and cancel; for a job that is over, how it ended."""
    if not job.over:
        bar, stop = st.columns([5, 1], vertical_alignment="center", wrap=False)
        bar.progress(job.progress, status_line(job, warming=engine().warming))
        about = "Keeps what is done."
        stop.button("Cancel", key="cancel", on_click=job.cancel, help=about, width="stretch")
        return
    frames, result = job.frames, job.result
    if job.state == "failed":
        st.error(f"This generation failed: {job.error}.")
    elif job.state == "cancelled":
        where_stopped = "Cancelled before the first step."
        if frames:
            images = "the estimates so far are below"
            if result and result.finished:
                images = f"{result.finished:,} finished images are kept"
            step = where(frames[-1], job.config.sampler.steps).lower()
            where_stopped = f"Stopped at {step}: {images}."
        st.info(where_stopped)
    elif result:
        count = counted(len(result.guided), "image")
        st.caption(f"{count} in {result.seconds:.1f} s, seed {job.config.seed}")


def status_line(job: Job, *, warming: bool) -> str:
    """Where a job stands: place in the queue, or step and time left. warming: models load."""
    if job.state == "queued":
        if job.position > 1:
            return f"In the queue, {job.position - 1} before it"
        return "Loading the models" if warming else "Next in the queue"
    if job.should_stop():
        return "Stopping after this step"
    if not job.frames:
        return "Loading the models"
    left = "" if job.seconds_left is None else f", {duration(job.seconds_left)} left"
    return where(job.frames[-1], job.config.sampler.steps) + left


def where(frame: Frame, steps: int) -> str:
    """Step, and batch where there are several."""
    batches = frame.total // steps
    batch = f"Batch {(frame.i - 1) // steps + 1} of {batches}, step" if batches > 1 else "Step"
    return f"{batch} {step_of(frame, steps)} of {steps}"


def _toolbar(job: Job, frames: Sequence[Frame]) -> int:
    """View, and page where not all images fit. Returns the index of the first image shown."""
    images = frames[-1].offset + len(frames[-1].guided)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if frames[-1].unguided is not None:
            hidden: Any = {"required": True, "key": "view", "label_visibility": "collapsed"}
            st.segmented_control("View", [SIDE, DIFFERENCE], default=SIDE, **hidden)
        if not job.over:
            # The newest images, so that there is always something happening.
            return (frames[-1].offset // PAGE) * PAGE
        if images > PAGE:
            return PAGE * (st.pagination(ceil(images / PAGE), key=f"page_{job.id}") - 1)
    return 0


def _chosen_step(job: Job, frames: Sequence[Frame]) -> int | None:
    """The newest while running; afterwards any, by a slider."""
    steps = job.config.sampler.steps
    known = {step_of(f, steps): f.t_fraction for f in frames}
    if not job.over or len(known) < 2:
        return None
    chosen: int = st.select_slider(
        "Step",
        sorted(known),
        value=max(known),
        key=f"step_{job.id}",
        format_func=lambda i: f"{i} (t/T {known[i]:.2f})",
        help="Each step shows its estimate x0 of the finished image.",
    )
    return chosen


def _grids(job: Job, picture: Arms, first: int, class_names: Sequence[str]) -> None:
    """Both arms, or the guided one and the difference; a choice opens the detail below."""
    rows = slice(first, first + PAGE)
    guided, unguided = picture[0][rows], None if picture[1] is None else picture[1][rows]
    columns = 8 if len(guided) > 36 else max(2, ceil(sqrt(len(guided))))
    classes = detail.names(job.config, first + len(guided), class_names)[rows]
    labels = [f"image {number}{name}" for number, name in enumerate(classes, first + 1)]
    grids = [Grid.of(NEUTRAL if unguided is None else GUIDED, sprite(guided, columns))]
    if unguided is not None:
        if st.session_state.get("view") == DIFFERENCE:
            title = f"Difference x {GAIN} (blue: guided is darker, orange: brighter)"
            grids.append(Grid(title, sprite(difference(guided, unguided), columns)))
        else:
            grids.append(Grid.of(UNGUIDED, sprite(unguided, columns)))
    # The key is the job's, not the step's: the component is patched in place, so nothing flickers.
    key = f"pairs_{job.id}_{first}"
    selected = (st.session_state.get(key) or {}).get("picked")
    picked = pairs(grids, labels, columns=columns, key=key, selected=selected)
    if picture[1] is not None and np.array_equal(picture[0], picture[1]):
        st.caption(IDENTICAL)
    if picked is None:
        st.caption("Click an image (or arrow keys and Enter) to see how it came about.")
    else:
        detail.show(job, first + picked, class_names)


def _curves(job: Job, frames: Sequence[Frame], *, classes: bool) -> None:
    """Loss, ratio and separation per step, and their numbers once the job is over."""
    from cdp.figures.generation import live_curves, live_rows

    if all(f.loss is None and f.separation is None for f in frames):
        return
    # Building the figure costs more than sending it, and most polls of a slow run bring no new
    # step.
    state = (job.id, len(frames))
    drawn = st.session_state.get("drawn_curves")
    if drawn is None or drawn[0] != state:
        drawn = st.session_state["drawn_curves"] = (state, live_curves(frames, classes=classes))
    lines = ("guidance to noise ratio", *(["class separation"] if classes else []))
    alt = f"Contrastive loss, {' and '.join(lines)} per step"
    chart(drawn[1], key=f"curves_{job.id}", alt=alt)
    if job.over:
        file, key = f"curves-seed{job.config.seed}.csv", f"numbers_curves_{job.id}"
        numbers("the curves", lambda: live_rows(frames, classes=classes), file, key=key)
