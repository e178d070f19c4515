"""The right column of the Train page: the button with its cost, the runs, their curves and one run
in detail."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.train import TrainConfig, automatic_name
from cdp.data.limits import valid_name
from cdp.data.sets import open_set
from cdp.errors import CdpError, InputError
from cdp.experiments.crew import share_of_seeds
from cdp.ui.kit.attempts import refuse
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.frame import nothing_yet
from cdp.ui.kit.generating import make_more
from cdp.ui.kit.linked_paths import UNDECIDED
from cdp.ui.kit.runlist import PLACE, moving, not_ready, said, same_settings, start_button
from cdp.ui.kit.words import plain, sentence_of, with_label
from cdp.ui.train.detail import detail
from cdp.ui.train.estimate import estimate, known_warnings
from cdp.ui.train.form import Training
from cdp.ui.train.runs import list_of_runs, watching
from cdp.values.types import DatasetInfo
from cdp.work import launch
from cdp.work.failures import sentence
from cdp.work.records import Run
from cdp.work.registry import TASKS


def action(settings: Training, info: DatasetInfo | None, runs: Sequence[Run]) -> None:
    """Train, with what it costs; where the settings do not fit together, why. Nothing but that
    keeps the button from working."""
    config, wrong = None, ""
    try:
        config = settings.configs()[0]
        if info is not None:
            config.budget(info.conventional(config.norm))
        valid_name(settings.name or "a")
    except InputError as error:
        wrong = with_label(str(error), TrainConfig)
    wrong = wrong or (UNDECIDED if settings.unread else "")
    usable = config is not None and info is not None and not wrong
    label = "Train" if settings.seeds == 1 else f"Train {settings.seeds} runs"
    watched = watching(settings.watched, runs)
    cost = partial(estimate, config, settings.seeds) if config and usable else None
    start_button(label, "train_start", start, settings, watched, cost=cost)
    if wrong:
        not_ready(wrong, fit=config is not None)
    if config is not None and info is not None:
        _beside(config, info, runs)


def start(settings: Training, watched: Sequence[str]) -> None:
    """Launch one run a seed and watch them. watched: what was on the curves; it stays there where
    somebody chose it."""
    task, started = TASKS["train"], list[str]()
    refuse(PLACE, "")
    try:
        share = share_of_seeds(settings.configs()[0]) if settings.seeds > 1 else None
        for config in settings.configs():
            seed = f"-s{config.seed}" if settings.seeds > 1 else ""
            name = f"{settings.name}{seed}" if settings.name else automatic_name(config)
            free = launch.free_name(task, name)
            started.append(launch.launch(task, config, free, share=share))
    except (CdpError, OSError) as error:
        some = f"Only {len(started)} of {settings.seeds} started"
        refuse(PLACE, f"{some if started else 'Not started'}: {sentence(error)}.")
    if started:
        settings.opened = started[0]
        settings.watch([*(watched if settings.watched is not None else ()), *started])


def _beside(config: TrainConfig, info: DatasetInfo, runs: Sequence[Run]) -> None:
    """What is known of these settings before they run."""
    from cdp.tasks.estimate import warnings_of

    for text in dict.fromkeys((*warnings_of(config, info), *known_warnings(config))):
        st.warning(plain(sentence_of(text)))
    _offer_more(config, runs)
    same_settings(runs, config)


def _offer_more(config: TrainConfig, runs: Sequence[Run]) -> None:
    """Where the sets are too small, the button that makes a larger one as the first was made."""
    from cdp.tasks.train_data import too_few

    wanted = too_few(config)
    for name in config.sets if wanted else ():
        if generation := _generation_of(name):
            st.caption(f"A larger set, made as {plain(name)} was:")
            make_more(generation, wanted, runs, f"more_{name}")
            return


def _generation_of(name: str) -> GenerateConfig | None:
    """The settings that a set was generated with; None where it was not, or they say nothing
    today."""
    try:
        card = open_set(name).card
        return unflatten(card["config"]) if card.get("kind") == "generated" else None
    except (CdpError, KeyError, TypeError, AttributeError):
        return None


def results(settings: Training, runs: Sequence[Run], choices: Choices) -> None:
    """The runs and what is watched of them, or what will stand here."""
    if not runs:
        said()
        nothing_yet(
            "No training run yet",
            "Press Train: a network is trained in the background to withstand attacks, on real"
            " images. Its curves appear here, and it goes on when the browser or the app is"
            " closed.",
            "Then add a synthetic set on the left and train again with the same seeds: as many"
            " steps and images, so the difference is what the set is worth. Further real images in"
            " its place are the ceiling.",
            ":small[Accuracies are measured on validation images held out from the training data;"
            " only an evaluation touches the test set.]",
        )
        return
    ids = watching(settings.watched, runs)
    here = {run.id: run for run in runs}
    if settings.watched is None and moving(runs):
        settings.watch(ids)  # else all curves but the newest would go as the last of them ends
    with st.container(key="live"):
        with st.container():
            if ids:
                from cdp.ui.train.curves import show_curves

                show_curves(settings, ids, settings.turn)
            else:
                st.caption("Tick runs to see their curves.")
        list_of_runs(settings, runs)
        detail(settings, [here[run_id] for run_id in ids], choices)
