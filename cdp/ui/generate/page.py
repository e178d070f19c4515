"""The two columns of the Generate page: controls on the left; the one button with its cost, the
last generation and the background runs on the right."""

from __future__ import annotations

import shlex
from pathlib import Path

import streamlit as st

from cdp.config.generate import GenerateConfig
from cdp.errors import CdpError, InputError
from cdp.tasks.generate_warnings import warnings
from cdp.tasks.sources import dataset_of_generation
from cdp.ui.gallery.parts import GENERATE_HELP, generation_line
from cdp.ui.generate.form import FORM, Generation, controls, restored
from cdp.ui.generate.live import live
from cdp.ui.generate.results import results, take_away
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.command import command_fold
from cdp.ui.kit.engine import engine
from cdp.ui.kit.runlist import POLL_SECONDS, buttons, moving, said, share
from cdp.ui.kit.sheet import settings_from_png
from cdp.ui.kit.words import plain
from cdp.values.text import duration
from cdp.work.cost import kind
from cdp.work.failures import sentence
from cdp.work.live import Job
from cdp.work.records import Run, list_runs

LIVE_LIMIT = 1000
"""Larger sets are made by a process of their own, which outlives the browser and the app."""
COST_SECONDS, POLLS = 1.0, 120
_JOB, _SETTLED, _REFUSED = "live_job", "settled_kind", "refused"


def current_job() -> Job | None:
    """The last live generation of this session."""
    job: Job | None = st.session_state.get(_JOB)
    return job


def action(settings: Generation) -> None:
    """Generate, or start a background run; where the settings do not fit together, why."""
    try:
        config = settings.config()
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
                args=(settings,),
            )
        else:
            busy = job is not None and not job.over
            st.button(
                "Generate",
                type="primary",
                disabled=busy,
                key="generate",
                on_click=_submit,
                args=(settings,),
            )
        settled = st.session_state.get(_SETTLED) == kind(config, compare=True)
        st.fragment(_cost, run_every=None if settled else COST_SECONDS)(config, settled, [])
    refused = st.session_state.pop(_REFUSED, "")
    if refused:
        st.error(refused)


def _submit(settings: Generation) -> None:
    """With the settings as they are at the click: one may have been typed that the page has not
    been drawn with yet."""
    try:
        config = settings.config()
        if config.count > LIVE_LIMIT:
            start(config, automatic_name(config))
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


SHOWN = 5


def start(config: GenerateConfig, name: str) -> None:
    """Launch a generation in a process of its own; a refusal is shown on the next draw."""
    from cdp.work.launch import launch
    from cdp.work.registry import TASKS

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


def left_column(settings: Generation, catalog: Choices) -> None:
    """Controls, the strength they come to at each step, and the way back from a saved sheet."""
    config = settings.config_or_none()
    beside = (
        warnings(config, conditional=bool(catalog.class_names(settings.flat))) if config else {}
    )
    guided = config is not None and config.guidance.loss != "none"
    controls(
        settings, catalog, beside, {"Where": lambda: _profile(config)} if guided and config else {}
    )
    if config is not None:
        words = [*FORM.command("generate", config), "--out", automatic_name(config)]
        command_fold("generate", shlex.join(words))
    _restore_from_sheet(settings, catalog)


def automatic_name(config: GenerateConfig) -> str:
    """A name for the set that says what it is: ``fashion-mnist-supcon-1001-seed0``."""
    model = Path(config.model).name
    return f"{model}-{config.guidance.loss}-{config.count}-seed{config.seed}"


def right_column(job: Job | None, settings: Generation, catalog: Choices) -> None:
    """The last generation and what it came to, or what will stand here."""
    if job is None:
        _empty(settings, conditional=bool(catalog.class_names(settings.flat)))
        return
    if not job.over or job.frames or job.error:
        if job.over and settings.config_or_none() != job.config:
            st.caption("The settings have changed since; below is what the earlier ones made.")
        entry = catalog.models.get(job.config.model)
        live(job, entry.classes if entry else ())
    else:
        st.info("Cancelled before it began.")
    if job.over:
        results(job)
        take_away(job)


def no_model() -> None:
    """Instead of the page where there is nothing to sample from."""
    st.warning(
        "No diffusion model is here yet. Train one with `python -m cdp pretrain --dataset"
        " fashion-mnist`, or put a diffusers pipeline folder under `CDP_HOME/models`; `python -m"
        " cdp doctor` says what is missing."
    )


def _empty(settings: Generation, *, conditional: bool) -> None:
    guided = settings.flat["loss"] != "none"
    with st.container(border=True, key="empty"):
        st.markdown("**Nothing generated yet**")
        st.markdown(
            "Press Generate: guided and unguided images appear side by side from the same noise and"
            " fill in step by step."
            if guided
            else (
                "Press Generate: images appear here and fill in step by step. Choose a loss to see"
                " guided ones beside them."
            )
        )
        if conditional:
            st.caption(
                "Below them come the curves of loss, push and class separation, and what changed,"
                " with intervals."
            )
        else:
            st.caption(
                "Below them come the curves of loss and push, and what changed, with intervals."
                " This model knows no classes, so its images have no labels; once they are saved, a"
                " classifier can give them some here."
            )


def _profile(config: GenerateConfig) -> None:
    from cdp.figures.generation import strength_profile
    from cdp.guidance.schedule import profile

    points = profile(config.guidance, config.sampler)
    st.caption(acting(points))
    figure = strength_profile(
        points, **({"unit": "lambda"} if config.guidance.strength_mode == "raw" else {})
    )
    # The caption above says the finding; the figure's own title has no room in this column.
    figure.layout.annotations = ()
    figure.update_layout(margin_t=8, height=figure.layout.height - 18)
    st.plotly_chart(
        figure, theme=None, config={"displayModeBar": False}, key="profile", alt=acting(points)
    )


def acting(points: list[tuple[float, float]]) -> str:
    """Where guidance acts, in one line. points: (t/T, strength) of every step."""
    active = [(t, s) for t, s in points if s > 0]
    if not active:
        return f"Guidance acts in none of {len(points)} steps"
    t, most = max(active, key=lambda point: point[1])
    return (
        f"Guidance acts in {len(active)} of {len(points)} steps, most at t/T {t:.2f} ({most:.3g})"
    )


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
            st.error(f"{error}.")
            return
        restored_settings = restored(flat, catalog)
        settings.replace(restored_settings.flat, restored_settings.notes)
        st.session_state["sheet_turn"] = turn + 1
        st.session_state["sheet_said"] = f"Settings restored from {file.name}."
        st.rerun()
