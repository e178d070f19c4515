"""Background runs on the Generate page: start, watch, stop, resume."""

from __future__ import annotations

import streamlit as st

from cdp.config.generate import GenerateConfig
from cdp.errors import CdpError
from cdp.ui.gallery.parts import GENERATE_HELP, generation_line
from cdp.ui.kit.runlist import POLL_SECONDS, buttons, moving, said, share
from cdp.ui.kit.words import plain
from cdp.work.failures import sentence
from cdp.work.records import Run, list_runs

SHOWN = 5


def start(config: GenerateConfig, name: str) -> None:
    """Launch a generation in a process of its own; a refusal is shown on the next draw."""
    from cdp.tasks.registry import TASKS
    from cdp.work.launch import launch

    try:
        launch(TASKS["generate"], config, name)
    except (CdpError, OSError) as error:
        st.session_state["refused"] = f"Not started: {sentence(error)}."


def background_runs() -> None:
    """The newest generations; polls while one of them is at work. Nothing where there is none."""
    runs = _newest()
    if runs:
        going = moving(runs)
        st.subheader("Background runs", anchor=False)
        st.fragment(_draw, run_every=POLL_SECONDS if going else None)(going)


def _newest() -> list[Run]:
    return [run for run in list_runs() if run.kind == "generate"][:SHOWN]


def _draw(going: frozenset[str]) -> None:
    runs = _newest()
    if going and not moving(runs):
        st.rerun()
    said()
    for run in runs:
        _row(run)


def _row(run: Run) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", border=True, key=f"run_{run.id}"
    ):
        st.progress(share(run), plain(f"{run.name}: {generation_line(run)}"))
        buttons(run, GENERATE_HELP, removable=False)
        if run.state == "finished":
            st.page_link(
                "pages/gallery.py", label="See it in the gallery", query_params={"set": run.name}
            )
    if run.error:
        st.caption(plain(run.error))
