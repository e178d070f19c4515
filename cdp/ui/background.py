"""Background runs on the Generate page: start, watch, stop, resume."""

from __future__ import annotations

import streamlit as st

from cdp.config import GenerateConfig
from cdp.errors import CdpError
from cdp.runs.records import RESUMABLE, Run, list_runs
from cdp.ui.engine import in_words

POLL_SECONDS = 2.0
SHOWN = 5


def start(config: GenerateConfig, name: str) -> None:
    """Launch a generation in a process of its own; a refusal is shown on the next draw."""
    from cdp.runs.launch import launch

    try:
        launch("generate", config, name)
    except (CdpError, OSError) as error:
        st.session_state["refused"] = f"Not started: {error}."


def background_runs() -> None:
    """The newest generations; polls while one of them is at work. Nothing where there is none."""
    runs = _newest()
    if runs:
        busy = any(not run.over for run in runs)
        st.subheader("Background runs", anchor=False)
        st.fragment(_draw, run_every=POLL_SECONDS if busy else None)(busy)


def _newest() -> list[Run]:
    return [run for run in list_runs() if run.kind == "generate"][:SHOWN]


def _draw(was_busy: bool) -> None:
    runs = _newest()
    for run in runs:
        _row(run)
    if was_busy and all(run.over for run in runs):
        st.rerun()


def _row(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", border=True, key=f"run_{run.id}"):
        share = run.progress.share if run.progress else 0.0
        st.progress(1.0 if run.state == "finished" else share, line(run))
        if not run.over and run.state != "stopping":
            st.button("Stop", key=f"stop_{run.id}", on_click=_stop, args=(run.id,), help="Keeps the finished batches.")
        if run.state in RESUMABLE:
            st.button("Resume", key=f"resume_{run.id}", on_click=_resume, args=(run.id,), help="Goes on after the last finished batch.")
        if run.state == "finished":
            st.page_link("pages/gallery.py", label="See it in the gallery")
    if run.error:
        st.caption(run.error)


def line(run: Run) -> str:
    """Name, state, images done and time left, in one line."""
    parts = [f"{run.name}: {run.state}"]
    if run.progress:
        parts.append(f"{run.progress.done:,} of {run.progress.count:,} images")
        if run.state == "running" and run.progress.seconds_left is not None:
            parts.append(f"{in_words(run.progress.seconds_left)} left")
    return ", ".join(parts)


def _stop(run_id: str) -> None:
    from cdp.runs.launch import stop

    stop(run_id)


def _resume(run_id: str) -> None:
    from cdp.runs.launch import resume

    try:
        resume(run_id)
    except (CdpError, OSError) as error:
        st.session_state["refused"] = f"Not resumed: {error}."
