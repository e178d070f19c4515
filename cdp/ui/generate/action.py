"""The one primary button of the Generate page, and the cost beside it."""

from __future__ import annotations

import streamlit as st

from cdp.config.generate import GenerateConfig
from cdp.errors import CdpError, InputError
from cdp.tasks.sources import dataset_of_generation
from cdp.ui.generate.background import start
from cdp.ui.generate.form import Generation
from cdp.ui.kit.engine import engine
from cdp.values.text import duration
from cdp.work.cost import kind
from cdp.work.live import Job

LIVE_LIMIT = 1000
"""Larger sets are made by a process of their own, which outlives the browser and the app."""
POLL_SECONDS, POLLS = 1.0, 120
_JOB, _SETTLED, _REFUSED = "live_job", "settled_kind", "refused"


def current_job() -> Job | None:
    """The last live generation of this session."""
    job: Job | None = st.session_state.get(_JOB)
    return job


def action(held: Generation) -> None:
    """Generate, or start a background run; where the settings do not fit together, why."""
    try:
        config = held.config()
    except InputError as error:
        st.button("Generate", type="primary", disabled=True, key="generate_off")
        st.error(f"These settings do not fit together: {error}.")
        return
    job = current_job()
    with st.container(horizontal=True, vertical_alignment="center", key="action"):
        if config.count > LIVE_LIMIT:
            st.button(
                "Start background run",
                type="primary",
                key="generate",
                on_click=_submit,
                args=(held,),
            )
        else:
            busy = job is not None and not job.over
            st.button(
                "Generate",
                type="primary",
                disabled=busy,
                key="generate",
                on_click=_submit,
                args=(held,),
            )
        settled = st.session_state.get(_SETTLED) == kind(config, compare=True)
        st.fragment(_cost, run_every=None if settled else POLL_SECONDS)(config, settled, [])
    refused = st.session_state.pop(_REFUSED, "")
    if refused:
        st.error(refused)


def _submit(held: Generation) -> None:
    """With the settings as they are at the click: one may have been typed that the page has not
    been drawn with yet."""
    try:
        config = held.config()
        if config.count > LIVE_LIMIT:
            start(config, f"{config.model}-{config.guidance.loss}-{config.count}-seed{config.seed}")
        else:
            dataset_of_generation(
                config
            )  # a contradiction is said now, not when the models are loaded
            st.session_state[_JOB] = engine().submit(config)
    except CdpError as error:
        st.session_state[_REFUSED] = f"Not started: {error}."


def _cost(config: GenerateConfig, settled: bool, drawn: list[None]) -> None:
    """The cost in seconds. Until it is known this polls: the first poll comes after the page has
    painted, and only then the worker starts to load and measure. drawn: one entry for every time
    this was drawn since the page was."""
    st.caption(cost_line(config, measuring=not settled))
    drawn.append(None)
    if settled or len(drawn) == 1:
        return
    if len(drawn) == 2:
        engine().warm(config)
    if engine().estimate(config) is not None or len(drawn) > POLLS:
        st.session_state[_SETTLED] = kind(config, compare=True)
        st.rerun()


def cost_line(config: GenerateConfig, *, measuring: bool) -> str:
    """What a click will cost. A background run makes one arm; where only both were measured, their
    time is its upper limit."""
    live = config.count <= LIVE_LIMIT
    alone = None if live else engine().estimate(config, compare=False)
    seconds = alone if alone is not None else engine().estimate(config)
    if seconds is None:
        return (
            "Measuring what this costs on this machine"
            if measuring
            else "The cost is known after the first run"
        )
    return (
        f"{'About' if live or alone is not None else 'At most about'} {duration(seconds)} on this"
        " machine, measured"
    )
