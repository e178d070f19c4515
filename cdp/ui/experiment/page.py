"""The Experiment page: an experiment that is shown, or the form; earlier ones below."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from cdp.config.experiment import ExperimentConfig
from cdp.experiments.begin import experiments
from cdp.ui.experiment.doors import DOORS, door_of
from cdp.ui.experiment.form import draw_form
from cdp.ui.experiment.live import show_experiment
from cdp.ui.experiment.state import ExperimentPage, offer_paths, opened
from cdp.ui.kit.frame import warned
from cdp.ui.kit.markup import line, row, tag
from cdp.ui.kit.runlist import RunList, run_bar, run_list, state_line
from cdp.values.text import counted, time_text
from cdp.work.records import Run


def experiment_page() -> None:
    """Everything of the page."""
    state, runs = opened(), experiments(shipped=True)
    shown = next((run for run in runs if run.id == state.experiment), None)
    if state.experiment and shown is None:
        state.notes.append(
            f"There is no experiment {state.experiment[:60]}: it was removed, or is elsewhere."
        )
        state.experiment = ""
    if shown is not None:
        with st.container(key="live"):
            show_experiment(state, shown)
    else:
        st.title("Experiment", anchor=False)
        warned(state.notes)
        offer_paths(state)
        draw_form(state)
    _earlier(state, runs)
    state.address.write(state.params())


def _earlier(state: ExperimentPage, runs: Sequence[Run]) -> None:
    """The list of experiments, newest first; nothing where there is none."""

    def opened_now(listed: Sequence[Run]) -> str:
        return state.experiment

    def draw(run: Run, open_id: str) -> None:
        st.html(_row(run, visible=run.id == open_id), width="stretch")

    def more(run: Run, open_id: str) -> None:
        if run.id != open_id:
            st.button(
                "Show", key=f"show-{run.id}", on_click=partial(setattr, state, "experiment", run.id)
            )

    with st.container():
        run_list(EXPERIMENTS, runs, opened_now, draw, more)


def _row(run: Run, *, visible: bool) -> str:
    verdict = "" if visible else str((run.result or {}).get("verdict") or run.notice or "")
    head = f"▸ {run.name}" if visible else run.name
    lines = [
        line(verdict, "cdp-cut") if verdict else tag("div"),
        state_line(run, "", time_text(run.created)),
    ]
    small = f"Example, read only · {facts(run)}" if run.shipped else facts(run)
    error = None if visible else run.wrong  # which stands above, with the verdict
    return row(head, *lines, run_bar(run), small=small, error=error)


def facts(run: Run) -> str:
    """The settings in short."""
    config = run.config
    if not isinstance(config, ExperimentConfig):
        return "settings cannot be read"
    arms = sum(1 for _ in config.all_arms())
    some = f"up to {arms + config.trials} arms" if config.search else counted(arms, "arm")
    title = DOORS[door_of(config)][0]
    seeds = counted(len(config.seeds), "seed")
    return f"{title} · {config.dataset} · {some} · {seeds}"


EXPERIMENTS = RunList(
    "experiment",
    "Experiments",
    "finished piece of work",
    "filter by name, state or data",
    facts,
    size=6,
    runs=partial(experiments, shipped=True),
    removable=lambda run: not run.shipped,
)
