"""Background generations that are not done: progress, time left, stop and resume. Polls files;
talks to no thread."""

from __future__ import annotations

import streamlit as st

from cdp.ui.kit.run_controls import POLL_SECONDS, Help, buttons, moving, said, share, state_line
from cdp.ui.kit.words import plain
from cdp.work.records import Run, list_runs

HELP = Help(
    "Finished batches are kept, and it can be resumed.",
    "Finished batches are not repeated.",
    "Moves this run and its unfinished images to the trash.",
)


def show_runs() -> None:
    """Nothing where no run waits, runs or can be resumed; polls only while one is on its way."""
    runs = _unfinished()
    if runs:
        going = moving(runs)
        st.fragment(_draw, run_every=POLL_SECONDS if going else None)(going)
    else:
        said()


def generation_line(run: Run) -> str:
    """One line on where a generation stands."""
    rate = run.progress.rate if run.progress and run.state == "running" else None
    return state_line(run, None, f"{rate:.0f} images/s" if rate else "")


def _unfinished() -> list[Run]:
    return [run for run in list_runs() if run.kind == "generate" and run.state != "finished"]


def _draw(going: frozenset[str]) -> None:
    """going: runs that were on their way when the page was drawn; once that changes, the whole page
    is drawn anew."""
    runs = _unfinished()
    if moving(runs) != going:
        st.rerun()
    st.subheader("Background generations", anchor=False)
    said()
    for run in runs:
        with st.container(border=True, key=f"run-{run.id}"):
            st.markdown(f"**{plain(run.name)}**")
            st.progress(share(run), generation_line(run))
            if run.error:
                st.error(plain(run.error))
            with st.container(horizontal=True):
                buttons(run, HELP)
