"""The three questions, the few fields of one, its YAML, what it costs, and the button."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from cdp.config.choices import SUITES
from cdp.config.evaluate import EvaluateConfig
from cdp.config.experiment import MAX_SEEDS, ExperimentConfig
from cdp.config.presets import TRAIN_PRESETS, named
from cdp.data.limits import name_like
from cdp.errors import CdpError, InputError
from cdp.experiments.begin import begin
from cdp.experiments.files import experiment_of, yaml_of
from cdp.experiments.search import trial_count
from cdp.ui.experiment.doors import (
    DOORS,
    GRID,
    SEARCH,
    arm_words,
    changed,
    count_of,
    door_of,
    with_count,
)
from cdp.ui.experiment.state import ExperimentPage
from cdp.ui.kit.attempts import attempt, tell
from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.linked_paths import UNDECIDED
from cdp.ui.kit.markup import joined, tag
from cdp.ui.kit.widgets import reported
from cdp.ui.kit.words import plain, sentence_of
from cdp.values.text import counted
from cdp.values.text import joined as joined_names

STARTED = "experiment_started"
ARMS_SHOWN = 8
MOST_FILE = 1
"""MB of a file of YAML."""
_FACTORS = {"generate.strength": "Strength", "generate.temperature": "Temperature"}


def draw_form(state: ExperimentPage) -> None:
    """Question, fields on the left; arms, cost and the button on the right."""
    _doors(state)
    left, right = st.columns([5, 8], gap="large")
    with left:
        _fields(state)
    with right:
        with st.container():
            _action(state)
        with st.container():
            _arms(state)
        _as_yaml(state)


def _doors(state: ExperimentPage) -> None:
    door = door_of(state.config)
    with st.container(key="experiment_doors"):
        st.radio(
            "What do you want to know?",
            list(DOORS),
            list(DOORS).index(door),
            format_func=lambda door: DOORS[door][0],
            captions=[about for _, about in DOORS.values()],
            horizontal=True,
            **reported(state.key("door"), door, state.choose_door),
        )


def _box(
    state: ExperimentPage, name: str, shown: Any, put: Callable[[Any], ExperimentConfig]
) -> dict[str, Any]:
    """Key and callback of a control. shown: what it is drawn with; put: the experiment with its
    value."""

    def moved(value: Any) -> None:
        if value is not None:
            state.change(lambda: put(value))

    return reported(state.key(name), shown, moved)


def _fields(state: ExperimentPage) -> None:
    config, door = state.config, door_of(state.config)

    def put(name: str) -> Callable[[Any], ExperimentConfig]:
        return lambda value: changed(state.config, {name: value})

    with st.container(key="experiment_form", gap="small"):
        st.text_input(
            "Name",
            config.name,
            max_chars=100,
            placeholder="experiment",
            **_box(state, "name", config.name, lambda value: _named(state, value)),
        )
        choices = read_choices()
        datasets = [*choices.builtin, *choices.imported]
        if config.dataset not in datasets:
            datasets = [config.dataset, *datasets]
        st.selectbox(
            "Data set",
            datasets,
            datasets.index(config.dataset),
            format_func=lambda n: choices.builtin[n].title if n in choices.builtin else n,
            **_box(state, "dataset", config.dataset, put("dataset")),
        )
        if door == GRID:
            for name, title in _FACTORS.items():
                if name in config.grid:
                    _values(state, name, title)
        if door == SEARCH:
            for name, title in _FACTORS.items():
                if name in config.search:
                    _range(state, name, title)
            trials = min(60, max(4, config.trials))
            st.slider(
                "Settings to try",
                4,
                60,
                trials,
                **_box(state, "trials", trials, put("trials")),
            )
        _images(state)
        _seeds(state)
        _training(state)
        _evaluation(state)


def _images(state: ExperimentPage) -> None:
    config = state.config
    first, second = st.columns(2, gap="small")

    def with_real(number: int) -> ExperimentConfig:
        return changed(state.config, {"real": number or None})

    with first:
        st.number_input(
            "Real images",
            0,
            10_000_000,
            config.real or 0,
            500,
            **_box(state, "real", config.real or 0, with_real),
            help="Every arm trains on the same ones, another draw for each seed. 0 takes all.",
        )
    with second:
        count = count_of(config)
        if count is not None:
            st.number_input(
                "Synthetic images",
                1,
                1_000_000,
                count,
                500,
                help="Of each arm and seed; the arm with more real images gets as many of those.",
                **_box(state, "count", count, lambda v: with_count(state.config, v)),
            )


def _seeds(state: ExperimentPage) -> None:
    def with_seeds(number: int) -> ExperimentConfig:
        return changed(state.config, {"seeds": list(range(min(number, MAX_SEEDS)))})

    config = state.config
    st.slider(
        "Seeds",
        1,
        max(12, len(config.seeds)),
        len(config.seeds),
        help="A seed draws real images, noise and training together, so arms are compared in"
        " pairs. More can be added afterwards.",
        **_box(state, "seeds", len(config.seeds), with_seeds),
    )


def _named(state: ExperimentPage, text: str) -> ExperimentConfig:
    """The experiment under what the text comes to as the name of a folder, which the box shows."""
    name = name_like(text)
    state.turn += name != text
    return changed(state.config, {"name": name})


def _values(state: ExperimentPage, name: str, title: str) -> None:
    def put(text: str) -> ExperimentConfig:
        values = [_number(part, title) for part in text.split(",") if part.strip()]
        return changed(state.config, {"grid": state.config.grid | {name: values}})

    shown = ", ".join(
        f"{value:g}" if isinstance(value, float) else str(value)
        for value in state.config.grid[name]
    )
    st.text_input(f"{title}, values", shown, max_chars=400, **_box(state, name, shown, put))


def _range(state: ExperimentPage, name: str, title: str) -> None:
    ends = state.config.search[name]
    if isinstance(ends, list):
        return

    def put(end: str, value: float) -> ExperimentConfig:
        search = {
            k: v if isinstance(v, list) else v.model_dump() for k, v in state.config.search.items()
        }
        search[name] = ends.model_dump() | {end: value}
        return changed(state.config, {"search": search})

    for column, end, value in zip(
        st.columns(2, gap="small"), ("low", "high"), (ends.low, ends.high), strict=True
    ):
        with column:
            st.number_input(
                f"{title}, {'from' if end == 'low' else 'to'}",
                0.0,
                100.0,
                value,
                None,
                "%g",
                **_box(state, f"{name}_{end}", value, partial(put, end)),
            )


def _number(text: str, title: str) -> float | int:
    try:
        value = float(text)
    except ValueError:
        raise InputError(
            f"{title}: {text.strip()[:40]!r} is no number: write numbers with commas between them"
        ) from None
    return value


def _training(state: ExperimentPage) -> None:
    train = state.config.train
    presets = {name: TRAIN_PRESETS[name].title for name in ("quick", "standard")}
    preset = str(train.get("preset", "quick"))
    presets |= {} if preset in presets else {preset: preset}
    first, second = st.columns(2, gap="small")

    def with_preset(name: str) -> ExperimentConfig:
        own = {key: v for key, v in state.config.train.items() if key not in ("steps", "epochs")}
        return changed(state.config, {"train": own | {"preset": name} | _steps_of(name)})

    def with_steps(steps: int) -> ExperimentConfig:
        own = {key: v for key, v in state.config.train.items() if key != "epochs"}
        return changed(state.config, {"train": own | {"steps": steps}})

    with first:
        st.selectbox(
            "Training",
            list(presets),
            list(presets).index(preset),
            format_func=presets.__getitem__,
            **_box(state, "preset", preset, with_preset),
        )
    with second:
        given = train.get("steps") or _steps_of(preset).get("steps")
        steps = given if isinstance(given, int) else 2000
        st.number_input(
            "Optimiser steps",
            1,
            10_000_000,
            steps,
            100,
            help="The same for all arms, so that they are compared at equal compute.",
            **_box(state, "steps", steps, with_steps),
        )


def _steps_of(preset: str) -> dict[str, Any]:
    steps = named(TRAIN_PRESETS, preset).flat.get("steps") if preset in TRAIN_PRESETS else None
    return {"steps": steps if steps else 2000}


def _evaluation(state: ExperimentPage) -> None:
    given = state.config.evaluate
    suite = str(given.get("attack", "quick"))
    titles = {name: own.title for name, own in SUITES.items()}
    titles |= {} if suite in titles else {suite: suite}

    def put(name: str, value: Any) -> ExperimentConfig:
        return changed(state.config, {"evaluate": state.config.evaluate | {name: value}})

    first, second = st.columns(2, gap="small")
    with first:
        st.selectbox(
            "Attack",
            list(titles),
            list(titles).index(suite),
            format_func=titles.__getitem__,
            **_box(state, "attack", suite, partial(put, "attack")),
        )
    with second:
        most = SUITES[suite].most if suite in SUITES else None
        usual = EvaluateConfig().count or 10_000
        count = given.get("count", min(usual, most or usual))
        images = count if isinstance(count, int) else 10_000
        st.number_input(
            "Test images",
            1,
            10_000_000,
            images,
            500,
            help="The same for all arms and seeds.",
            **_box(state, "test_images", images, partial(put, "count")),
        )


def _action(state: ExperimentPage) -> None:
    """The button, and what it will cost and can show."""
    why, cost, power = state.wrong, "", ""
    if state.unread is not None:
        why = sentence_of(UNDECIDED)
    if not why:
        try:
            cost, power = _estimate(state.config)
        except CdpError as error:
            why = sentence_of(error)
    st.button(
        "Start the experiment",
        type="primary",
        key="experiment_start",
        icon=":material/play_arrow:",
        disabled=bool(why),
        on_click=attempt,
        args=(STARTED, partial(_start, state), "Not started"),
    )
    tell(STARTED)
    if why:
        st.error(plain(why))
        return
    rows = [
        tag("div", tag("span", title, cls="cdp-word"), tag("span", text))
        for title, text in (("Cost", cost), ("Power", power))
    ]
    st.html(tag("div", *rows, cls="cdp-lines cdp-plan"))


def _estimate(config: ExperimentConfig) -> tuple[str, str]:
    """Cost and power in words. Raises CdpError."""
    from cdp.experiments.estimate import estimate

    known = estimate(config)
    return known.cost_sentence, known.power_sentence


def _start(state: ExperimentPage) -> str:
    state.experiment = begin(state.config)
    return ""


def _arms(state: ExperimentPage) -> None:
    """What is compared."""
    config = state.config
    arms = list(config.all_arms())
    cells = math.prod(len(values) for values in config.grid.values()) if config.grid else 0
    written = arms[: len(arms) - cells]
    try:
        lines = [(name, arm_words(config, name, arm)) for name, arm in written[:ARMS_SHOWN]]
        if cells:
            names = joined_names(n.partition(".")[2].replace("_", " ") for n in config.grid)
            every = {1: "values", 2: "pairs"}.get(len(config.grid), "combinations")
            title = f"{cells:,} {every} of {names}"
            lines.append((title, f"for example {arm_words(config, *arms[-1])}"))
    except CdpError:
        return  # said above, beside the button
    if len(written) > ARMS_SHOWN:
        lines.append((f"{len(written) - ARMS_SHOWN:,} more", "see the YAML below"))
    if config.search:
        words = "chosen by the search, one after another, each from those before it"
        lines.append((f"Up to {trial_count(config)} more", words))
    control = config.control_name
    items = [
        tag(
            "div",
            tag("b", name, *([tag("span", "control", cls="cdp-tag")] if name == control else [])),
            tag("span", words),
        )
        for name, words in lines
    ]
    seeds = len(config.seeds)
    count = len(arms) + (trial_count(config) if config.search else 0)
    head = f"{counted(count, 'arm')}, {counted(seeds, 'seed')} each"
    st.html(joined(tag("h3", head, cls="cdp-heading"), tag("div", *items, cls="cdp-arms")))


def _as_yaml(state: ExperimentPage) -> None:
    """All of it as text that can be changed, and a file in its place."""
    text = yaml_of(state.config)
    key = f"{state.key('yaml')}_{hash(text)}"

    def typed() -> None:
        _read(state, st.session_state[key], "this text")

    with st.expander("As YAML", key="experiment_yaml_fold", icon=":material/code:"):
        st.caption("Everything an experiment can be. What stands here is what is started.")
        height = min(520, 60 + 22 * text.count("\n"))
        st.text_area(
            "Experiment as YAML",
            text,
            height=height,
            key=key,
            on_change=typed,
            label_visibility="collapsed",
        )
        upload = f"{state.key('upload')}"

        def given() -> None:
            if file := st.session_state[upload]:
                try:
                    _read(state, file.getvalue().decode(), file.name)
                except UnicodeDecodeError:
                    state.wrong = f"{file.name} is no text: choose a YAML file."

        st.file_uploader(
            "Open a file",
            type=["yaml", "yml", "json"],
            key=upload,
            on_change=given,
            max_upload_size=MOST_FILE,
        )


def _read(state: ExperimentPage, text: str, where: str) -> None:
    try:
        state.use(experiment_of(text, where))
    except InputError as error:
        state.wrong = sentence_of(error)
