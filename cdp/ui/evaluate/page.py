"""The Evaluate page: settings on the left; the one button, the evaluations and one report on the
right."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cdp.config.choices import SUITES
from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.titles import TITLES
from cdp.errors import InputError
from cdp.ui.evaluate.catalog import Facts, budget_here, read_evaluable
from cdp.ui.evaluate.command import elsewhere
from cdp.ui.evaluate.form import dataset_of, form, model_facts
from cdp.ui.evaluate.runs import list_of_evaluations
from cdp.ui.evaluate.start import start
from cdp.ui.evaluate.state import Evaluated, evaluated, settle, shown_run, write_url
from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.frame import warned
from cdp.ui.kit.runlist import of_kind, said
from cdp.ui.kit.words import plain
from cdp.values.text import threat_text
from cdp.values.types import DatasetInfo
from cdp.work.records import Run, list_runs

"""Of AutoAttack (standard)."""


def evaluate_page() -> None:
    """Everything below the title."""
    runs = list_runs()
    data, made = read_choices(), of_kind(runs, "evaluate")
    choices = read_evaluable(runs, data)
    held = evaluated()
    settle(held, choices, made)
    warned(held.notes)
    facts, wrong = model_facts(held)
    info, misused = dataset_of(held, facts, data)
    left, right = st.columns([4, 11], gap="large")
    with left:
        form(held, choices, facts, wrong, data, info)
        elsewhere(held)
    with right:
        with st.container():
            _action(held, facts, info, misused, made)
        with st.container():
            _results(held, made, trained=bool(of_kind(runs, "train")))
    write_url(held)


def _action(
    held: Evaluated,
    facts: Facts | None,
    info: DatasetInfo | None,
    misused: str,
    made: Sequence[Run],
) -> None:
    """Evaluate, with what would be done; where the settings do not fit together, why."""
    config, epsilon, wrong = None, 0.0, misused
    try:
        config = held.config()
        if facts is not None and not wrong:
            epsilon = budget_here(config, facts, info)
    except InputError as error:
        wrong = str(error).removeprefix("settings: ")
    with st.container(horizontal=True, vertical_alignment="center", key="action"):
        ready = config is not None and facts is not None and not wrong
        st.button(
            "Evaluate",
            type="primary",
            key="evaluate_start",
            disabled=not ready,
            on_click=start,
            args=(held, facts),
        )
        if config is not None and facts is not None and not wrong:
            st.caption(plain(_cost(config, facts, info, epsilon)))
    if wrong and facts is not None:
        st.error(
            plain(
                f"{'These settings do not fit together' if config is None else 'Not ready'}:"
                f" {wrong}."
            )
        )
    same = next((run for run in made if config is not None and run.config == config), None)
    if same is not None:
        st.caption(
            plain(
                f"Evaluation {same.name} has these very settings, so another one gives the same"
                " numbers."
            )
        )


def _cost(config: EvaluateConfig, facts: Facts, info: DatasetInfo | None, epsilon: float) -> str:
    """What would be done, at most: an image that falls to one attack is spared the others."""
    images = "all" if config.images is None else f"at most {config.images:,}"
    whose = (
        f"images of set {config.part}"
        if config.part
        else f"test images of {info.title if info else facts.dataset_title}"
    )
    attacks = f" x {count} attacks" if (count := SUITES[config.attack].count) > 1 else ""
    twice = (
        " x 2 sets of weights" if config.weights == "both" and config.model.startswith(RUN) else ""
    )
    return (
        f"{TITLES[config.attack]}, {threat_text(facts.norm_of(config.norm), epsilon)}: {images}"
        f" {whose}{attacks}{twice}"
    )


def _results(held: Evaluated, made: Sequence[Run], *, trained: bool) -> None:
    """The evaluations and the one that is shown, or what will stand here."""
    if not made:
        said()
        _empty(trained=trained)
        return
    with st.container(key="live"):
        list_of_evaluations(held, made)
        shown = shown_run(held, made)
        if shown is not None:
            from cdp.ui.evaluate.runs import detail

            detail(held, shown)


def _empty(*, trained: bool) -> None:
    with st.container(border=True, key="empty"):
        st.markdown("**No evaluation yet**")
        st.markdown(
            "Press Evaluate: the model is attacked in the background, and the share of images that"
            " withstands every attack is its robust accuracy, with its interval and with checks of"
            " whether the attacks can be trusted. It goes on when the browser or the app is closed."
        )
        if not trained:
            st.markdown(
                "No training is here yet, so the shipped robust encoder is chosen: it can be"
                " evaluated right now. For a model of your own, train one first."
            )
            st.page_link(
                "pages/train.py", label="Train a robust classifier", icon=":material/arrow_forward:"
            )
        st.caption(
            "Quick gives an estimate within a few points first; AutoAttack gives the number to"
            " cite."
        )
