"""Background generations that are not done: progress, time left, stop and resume. Polls files; talks to no thread."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cdp.errors import CdpError
from cdp.runs import launch
from cdp.runs.records import RESUMABLE, Run, list_runs
from cdp.ui.engine import in_words
from cdp.ui.gallery_parts import plain

POLL_SECONDS = 2.0
WORDS = {
    "queued": "waiting for its turn",
    "running": "running",
    "stopping": "stopping after this batch",
    "finished": "finished",
    "failed": "failed",
    "stopped": "stopped",
    "interrupted": "interrupted: its process is gone",
}


def show_runs() -> None:
    """Nothing where no run waits, runs or can be resumed; polls only while one is on its way."""
    runs = _unfinished()
    if runs:
        moving = _moving(runs)
        st.fragment(_draw, run_every=POLL_SECONDS if moving else None)(moving)


def status_line(run: Run) -> str:
    """One line on where a run stands."""
    parts = [WORDS[run.state]]
    if run.progress:
        parts.append(f"{run.progress.done:,} of {run.progress.count:,} images")
        if run.state == "running" and run.progress.seconds_left is not None:
            parts.append(f"{in_words(run.progress.seconds_left)} left")
        if run.state == "running" and run.progress.rate:
            parts.append(f"{run.progress.rate:.0f} images/s")
    return " · ".join(parts)


def _unfinished() -> list[Run]:
    return [run for run in list_runs() if run.kind == "generate" and run.state != "finished"]


def _moving(runs: list[Run]) -> frozenset[str]:
    return frozenset(run.id for run in runs if not run.over)


def _draw(moving: frozenset[str]) -> None:
    """moving: runs that were on their way when the page was drawn; once that changes, the whole page is drawn anew."""
    runs = _unfinished()
    if _moving(runs) != moving:
        st.rerun()
    st.subheader("Background generations", anchor=False)
    error = st.session_state.pop("gallery_run_error", None)
    if error:
        st.error(plain(error))
    for run in runs:
        with st.container(border=True, key=f"run-{run.id}"):
            _run(run)


def _run(run: Run) -> None:
    st.markdown(f"**{plain(run.name)}**")
    st.progress(run.progress.share if run.progress else 0.0, status_line(run))
    if run.error:
        st.error(plain(run.error))
    with st.container(horizontal=True):
        if not run.over:
            kept = "Finished batches are kept, and it can be resumed."
            st.button("Stop", key=f"stop-{run.id}", on_click=_try, args=(launch.stop, run.id), disabled=run.state == "stopping", help=kept)
            return
        if run.state in RESUMABLE and run.config is not None:
            again = "Finished batches are not repeated."
            st.button("Resume", key=f"resume-{run.id}", on_click=_try, args=(launch.resume, run.id), help=again)
        gone = "Moves this run and its unfinished images to the trash."
        st.button("Remove", key=f"remove-{run.id}", on_click=_try, args=(launch.delete, run.id), help=gone)


def _try(action: Callable[[str], object], run_id: str) -> None:
    """One action of a button; what went wrong is shown above the runs."""
    try:
        action(run_id)
    except (CdpError, OSError) as error:
        st.session_state["gallery_run_error"] = str(error)
