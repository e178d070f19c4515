"""What a generation in the background will take, and a button that starts one with given settings:
on the Generate page beside what was watched, on the Train page beside sets that are too small."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cdp.config.generate import MAX_COUNT, GenerateConfig, automatic_name, flatten, unflatten
from cdp.data.limits import name_like
from cdp.results.cost import MARGIN, Cost, Pace, measured_cost
from cdp.ui.kit.attempts import attempt, tell
from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.engine import engine
from cdp.ui.kit.words import plain
from cdp.work.launch import free_name, launch
from cdp.work.records import Run
from cdp.work.registry import TASKS

HERE = "as measured here"


def unique_name(config: GenerateConfig) -> str:
    """A name for the set that says what it is, and that none has yet."""
    return free_name(TASKS["generate"], name_like(automatic_name(config)))


def background_cost(config: GenerateConfig, runs: Sequence[Run]) -> Cost:
    """By runs with such settings, by what the live engine measured, or by other runs. runs: the
    newest first."""
    measured = None
    if (alone := engine().estimate(config, compare=False)) is not None:
        measured = measured_cost(alone, HERE)
    elif (both := engine().estimate(config)) is not None:
        # One arm of two, of which the guided one takes the larger part.
        measured = Cost((MARGIN[0] * both / 2, MARGIN[1] * both), HERE)
    return Pace(runs).cost("generate", config, measured)


def make_more(config: GenerateConfig, wanted: int, runs: Sequence[Run], key: str) -> None:
    """One button that makes so many images with these settings in the background, a number that can
    be changed, and what it takes. key: of its controls."""
    place = f"{key}_started"
    if read_choices().dataset(flatten(config) | {"dataset": ""}) == config.dataset:
        # The model's own goes without saying, and what is known of its cost is found again.
        config = unflatten({"dataset": ""}, config)
    with st.container(horizontal=True, vertical_alignment="bottom", key=key):
        count = st.number_input(
            "Images to make",
            1,
            MAX_COUNT,
            min(wanted, MAX_COUNT),
            100,
            key=f"{key}_count",
            width=180,
        )
        larger = unflatten({"count": count}, config)

        def start() -> str:
            """With the number at the click."""
            now = unflatten({"count": st.session_state[f"{key}_count"]}, config)
            name = unique_name(now)
            launch(TASKS["generate"], now, name)
            return f"{name} is being made in the background: it is listed below and in the gallery."

        st.button(
            "Make them in the background",
            key=f"{key}_start",
            on_click=attempt,
            args=(place, start, "Not started"),
            help="With the same model, guidance, solver and seed.",
        )
        st.caption(plain(background_cost(larger, runs).text), width="content")
    with st.container():
        tell(place)
