"""The two columns of the Generate page."""

from __future__ import annotations

import streamlit as st

from cdp.config.generate import GenerateConfig
from cdp.errors import InputError
from cdp.tasks.generate_warnings import warnings
from cdp.ui.generate.form import Generation, controls, restored
from cdp.ui.generate.live import live
from cdp.ui.generate.results import results
from cdp.ui.generate.saving import take_away
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.sheet import settings_from_png
from cdp.work.live import Job


def left_column(held: Generation, catalog: Choices) -> None:
    """Controls, the strength they come to at each step, and the way back from a saved sheet."""
    config = held.config_or_none()
    beside = warnings(config, conditional=bool(catalog.class_names(held.flat))) if config else {}
    guided = config is not None and config.guidance.loss != "none"
    controls(
        held, catalog, beside, {"Where": lambda: _profile(config)} if guided and config else {}
    )
    _restore_from_sheet(held, catalog)


def right_column(job: Job | None, held: Generation, catalog: Choices) -> None:
    """The last generation and what it came to, or what will stand here."""
    if job is None:
        _empty(held, conditional=bool(catalog.class_names(held.flat)))
        return
    if not job.over or job.frames or job.error:
        if job.over and held.config_or_none() != job.config:
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


def _empty(held: Generation, *, conditional: bool) -> None:
    guided = held.flat["loss"] != "none"
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


def _restore_from_sheet(held: Generation, catalog: Choices) -> None:
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
        found = restored(flat, catalog)
        held.replace(found.flat, found.notes)
        st.session_state["sheet_turn"] = turn + 1
        st.session_state["sheet_said"] = f"Settings restored from {file.name}."
        st.rerun()
