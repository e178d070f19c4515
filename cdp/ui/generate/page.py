"""The Generate page: controls on the left; the button, the last generation, runs on the right."""

from __future__ import annotations

import shlex
from functools import partial

import streamlit as st

from cdp.config.fields import quoted
from cdp.config.generate import GenerateConfig, unflatten
from cdp.errors import InputError
from cdp.files.cache import UNSAVED_DAYS
from cdp.results.cost import measured_cost
from cdp.tasks.generate_warnings import warnings
from cdp.tasks.sources import dataset_of_generation
from cdp.ui.experiment.doors import worth_link
from cdp.ui.generate.earlier import earlier
from cdp.ui.generate.form import FORM, Generation, controls, opened, restored
from cdp.ui.generate.live import live
from cdp.ui.generate.results import results, take_away
from cdp.ui.generate.runs import generation_runs
from cdp.ui.kit.attempts import attempt, tell
from cdp.ui.kit.choices import Choices, read_choices
from cdp.ui.kit.command import command_fold
from cdp.ui.kit.engine import engine
from cdp.ui.kit.frame import link, nothing_yet, warned
from cdp.ui.kit.generating import HERE, background_cost, unique_name
from cdp.ui.kit.runlist import not_ready
from cdp.ui.kit.sheet import settings_from_png
from cdp.ui.kit.tables import show_figure
from cdp.ui.kit.words import plain, sentence_of, with_label
from cdp.values.text import counted, range_text
from cdp.work import launch
from cdp.work.cost import kind, network_calls
from cdp.work.live import Job
from cdp.work.records import list_runs
from cdp.work.registry import TASKS

LIVE_LIMIT = 1000
"""Larger sets are made by a process of their own, which outlives the browser and the app."""
COST_SECONDS, POLLS = 1.0, 120
_JOB, _SETTLED, _STARTED = "live_job", "settled_kind", "generation_started"


def generate_page() -> None:
    """Everything below the title."""
    catalog = read_choices()
    if not catalog.models:
        st.warning(
            "No diffusion model is here yet. Train one with `python -m cdp pretrain --dataset"
            " fashion-mnist`, or put a diffusers pipeline folder under `CDP_HOME/models`; `python"
            " -m cdp doctor` says what is missing."
        )
        return
    settings = opened(catalog)
    job = _job(settings)
    warned(settings.notes)
    left, right = st.columns([4, 11], gap="large")
    with left:
        _left_column(settings, catalog)
    with right:
        with st.container():
            _action(settings, job)
        with st.container():
            earlier(settings, job)
        with st.container():
            _right_column(settings, job, catalog)
        generation_runs("Background runs")
    FORM.close(settings)


def _job(settings: Generation) -> Job | None:
    """The generation on the page: one of this app, or one that is kept since. Its images are read
    once a session."""
    job: Job | None = st.session_state.get(_JOB)
    if job is None or job.id != settings.job:
        job = engine().job(settings.job) if settings.job else None
        st.session_state[_JOB] = job
    if job is None and settings.job:
        settings.notes.append(
            f"job: {quoted(settings.job)} is not here any more: what nobody saves is kept for"
            f" {UNSAVED_DAYS} days."
        )
        settings.job = ""
    return job


def _action(settings: Generation, job: Job | None) -> None:
    """Generate, or start a background run; where the settings do not fit together, why."""
    try:
        config = settings.config()
    except InputError as error:
        st.button("Generate", type="primary", disabled=True, key="generate_off")
        not_ready(with_label(str(error), GenerateConfig), fit=False)
        return
    live = config.count <= LIVE_LIMIT
    with st.container(horizontal=True, vertical_alignment="center", key="action"):
        st.button(
            "Generate" if live else "Start background run",
            type="primary",
            disabled=live and job is not None and not job.over,
            key="generate",
            on_click=attempt,
            args=(_STARTED, partial(_start, settings), "Not started"),
        )
        settled = st.session_state.get(_SETTLED) == kind(config, compare=True)
        st.fragment(_cost, run_every=None if settled else COST_SECONDS)(config, settled, [])
    tell(_STARTED)


def _start(settings: Generation) -> str:
    """With the settings at the click: one may have been typed that was not drawn yet."""
    config = settings.config()
    if config.count > LIVE_LIMIT:
        launch.launch(TASKS["generate"], config, unique_name(config))
    else:
        # A contradiction is said now, not when the models are loaded.
        dataset_of_generation(config)
        job = st.session_state[_JOB] = engine().submit(config)
        settings.job = job.id
    return ""


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
    """What a click will cost, as a range with its basis."""
    if config.count > LIVE_LIMIT:
        return background_cost(config, list_runs()).text.capitalize()
    seconds = engine().estimate(config)
    if seconds is None:
        waiting = "Measuring what this costs on this machine"
        return waiting if measuring else "The cost is known after the first run"
    return measured_cost(seconds, HERE).text.capitalize()


def _left_column(settings: Generation, catalog: Choices) -> None:
    """Controls, the strength they come to at each step, and the way back from a saved sheet."""
    config, beside, below = settings.config_or_none(), {}, {}
    if config is not None:
        beside = warnings(config, conditional=bool(catalog.class_names(settings.flat)))
        if config.guidance.loss != "none":
            below["Where"] = partial(_profile, config)
        below["precision"] = partial(_precisions, config)
        below["steps"] = partial(_calls, config)
    controls(settings, catalog, beside, below)
    if config is not None:
        words = [*FORM.command("generate", config), "--out", unique_name(config)]
        command_fold("generate", shlex.join(words))
        link(
            "experiment",
            "Experiment with this",
            "science",
            yaml=worth_link(config, catalog.dataset(settings.flat)),
        )
    _restore_from_sheet(settings, catalog)


def _right_column(settings: Generation, job: Job | None, catalog: Choices) -> None:
    """The generation on the page and what it came to, or what will stand here."""
    if job is None:
        _empty(settings, conditional=bool(catalog.class_names(settings.flat)))
        return
    if not job.over or job.frames or job.error:
        if job.over and settings.config_or_none() != job.config:
            with st.container(horizontal=True, vertical_alignment="center", key="other_settings"):
                st.caption("Made with other settings than those on the form.", width="content")
                use, given = "Use its settings", (job.config,)
                st.button(use, key="use_job", type="tertiary", on_click=settings.use, args=given)
        entry = catalog.models.get(job.config.model)
        live(job, entry.classes if entry else ())
    else:
        st.info("Cancelled before it began.")
    if job.over:
        results(job)
        take_away(job)


def _empty(settings: Generation, *, conditional: bool) -> None:
    """What a click will bring."""
    brings = (
        "Press Generate: images appear here step by step. Choose a loss to see guided ones too."
    )
    if settings.flat["loss"] != "none":
        brings = (
            "Press Generate: guided and unguided images appear side by side, step by step, from the"
            " same noise. Below them come the curves, and what guidance changed, with intervals."
        )
    with nothing_yet("Nothing generated yet", brings):
        if not conditional:
            st.caption(
                "This model knows no classes, so its images have no labels. Once they are saved, a"
                " classifier can label them here."
            )


def _precisions(config: GenerateConfig) -> None:
    """What each precision takes, as far as it was measured here."""
    costs = {}
    for name in FORM.fields["precision"].choices:
        seconds = engine().estimate(unflatten({"precision": name}, config))
        if seconds is not None:
            costs[FORM.fields["precision"].title(name)] = measured_cost(seconds, HERE).seconds
    if len(costs) > 1:
        each = (f"{title} {range_text(*span)}" for title, span in costs.items())
        st.caption(f"{', '.join(each)}, {HERE}.")


def _calls(config: GenerateConfig) -> None:
    """What solver and steps cost: no solver on offer asks a network more than once a step."""
    calls = counted(network_calls(config), "network call")
    st.caption(f"{calls} an image, with every solver.")


def _profile(config: GenerateConfig) -> None:
    """How strong guidance is at each step, under its window."""
    from cdp.figures.generation import strength_profile
    from cdp.guidance.schedule import profile

    points = profile(config.guidance, config.sampler)
    unit = {"unit": "lambda"} if config.guidance.strength_mode == "raw" else {}
    show_figure(strength_profile(points, **unit), key="profile")


def _restore_from_sheet(settings: Generation, catalog: Choices) -> None:
    with st.expander("Restore from a PNG sheet", key="restore"):
        # Once the file was taken over, the uploader starts empty again: a second rerun must not
        # undo what was changed since.
        turn = st.session_state.setdefault("sheet_turn", 0)
        file = st.file_uploader(
            "PNG sheet saved here", type="png", key=f"sheet_{turn}", max_upload_size=64
        )
        if said := st.session_state.pop("sheet_said", ""):
            st.success(said)
        if file is None:
            return
        try:
            flat = settings_from_png(file.getvalue())
        except InputError as error:
            st.error(plain(sentence_of(error)))
            return
        new = restored(flat, catalog)
        settings.replace(new.flat, new.notes)
        st.session_state["sheet_turn"] = turn + 1
        st.session_state["sheet_said"] = f"Settings restored from {file.name}."
        st.rerun()
