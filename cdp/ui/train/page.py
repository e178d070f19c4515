"""The right column of the Train page: the one button with its cost, the runs, their curves and one
run in detail."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cdp.config.train import TrainConfig, automatic_name
from cdp.data.limits import valid_name
from cdp.errors import CdpError, InputError
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.runlist import forget, moving, of_kind, said, say_wrong
from cdp.ui.kit.words import plain
from cdp.ui.train.detail import detail
from cdp.ui.train.estimate import estimate, known_warnings
from cdp.ui.train.form import Training
from cdp.ui.train.runs import list_of_runs, watching
from cdp.values.types import DatasetInfo
from cdp.work import launch
from cdp.work.failures import sentence
from cdp.work.records import Run, list_runs
from cdp.work.registry import TASKS


def action(settings: Training, info: DatasetInfo | None, runs: list[Run]) -> None:
    """Train, with what it costs; where the settings do not fit together, why. Nothing but that
    keeps the button from working."""
    config, wrong = None, ""
    try:
        config = settings.configs()[0]
        if info is not None:
            config.budget(info.conventional(config.norm))
        valid_name(settings.name or "a")
    except InputError as error:
        wrong = str(error).removeprefix("settings: ")
    usable = config is not None and info is not None and not wrong
    with st.container(horizontal=True, vertical_alignment="center", key="action"):
        label = "Train" if settings.seeds == 1 else f"Train {settings.seeds} runs"
        watched = watching(settings.watched, runs)
        st.button(
            label,
            type="primary",
            key="train_start",
            disabled=not usable,
            on_click=start,
            args=(settings, watched),
        )
        if config is not None and usable:
            estimate(config, settings.seeds)
    if wrong:
        st.error(
            plain(
                f"{'These settings do not fit together' if config is None else 'Not ready'}:"
                f" {wrong}."
            )
        )
    if config is not None and info is not None:
        _beside(settings, config, info, runs)


def start(settings: Training, watched: Sequence[str]) -> None:
    """Launch one run a seed and watch them. watched: what was on the curves; it stays there where
    somebody chose it."""
    forget()
    started: list[str] = []
    try:
        for config in settings.configs():
            wanted = (
                automatic_name(config)
                if not settings.name
                else settings.name
                if settings.seeds == 1
                else f"{settings.name}-s{config.seed}"
            )
            started.append(
                launch.launch(TASKS["train"], config, launch.free_name(TASKS["train"], wanted))
            )
    except (CdpError, OSError) as error:
        say_wrong(
            f"{'Not started' if not started else f'Only {len(started)} of {settings.seeds} started'}:"
            f" {sentence(error)}."
        )
    if started:
        settings.opened = started[0]
        settings.watch([*(watched if settings.watched is not None else ()), *started])


def _beside(settings: Training, config: TrainConfig, info: DatasetInfo, runs: list[Run]) -> None:
    """What is known of these settings before they run."""
    from cdp.tasks.estimate import warnings_of

    for text in dict.fromkeys((*warnings_of(config, info), *known_warnings(config))):
        st.warning(plain(text if text.endswith(".") else f"{text}."))
    same = next((run for run in runs if run.config == config), None)
    if same is not None:
        st.caption(
            plain(
                f"Run {same.name} ({same.state}) has these very settings, so another one gives the"
                " same numbers."
            )
        )


def results(settings: Training, runs: list[Run], choices: Choices) -> None:
    """The runs and what is watched of them, or what will stand here."""
    if not runs:
        said()
        _empty()
        return
    ids = watching(settings.watched, runs)
    here = {run.id: run for run in runs}
    if settings.watched is None and moving(runs):
        settings.watch(
            ids
        )  # else the curves of all but the newest would go once the last of them is done
    with st.container(key="live"):
        list_of_runs(settings, runs)
        with st.container():
            if ids:
                from cdp.ui.train.curves import show_curves

                show_curves(settings, ids, settings.turn)
            else:
                st.caption("Tick runs to see their curves.")
        detail(settings, [here[run_id] for run_id in ids], choices)


def runs_here() -> list[Run]:
    """All training runs, newest first."""
    return of_kind(list_runs(), "train")


def _empty() -> None:
    with st.container(border=True, key="empty"):
        st.markdown("**No training run yet**")
        st.markdown(
            "Press Train: a network learns to withstand attacks on real images, in the background."
            " Its curves appear here with every validation, and it goes on when the browser or the"
            " app is closed."
        )
        st.markdown(
            "Add a synthetic set on the left and train again with the same seeds: it takes as many"
            " steps and sees as many images, so the difference is what the set is worth. Further"
            " real images in its place are the ceiling."
        )
        st.caption(
            "Accuracies are measured on validation images held out from the training data; the test"
            " set is touched by evaluation only."
        )
