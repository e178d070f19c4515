"""What a generation came to: each figure with its interval and n in one plain sentence, chart,
table and CSV; and what a person takes away: a named set, an .npz, a PNG sheet with its settings."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.data.limits import name_like
from cdp.errors import CdpError
from cdp.figures.generation import MEASURES, Measure, report_bars, report_rows
from cdp.reports.exports import to_csv as to_csv
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.ui.kit.sheet import MAX_IMAGES, sheet_png
from cdp.ui.kit.words import plain
from cdp.values.text import interval_text
from cdp.values.types import ArmReport, Interval, LiveResult
from cdp.work.failures import sentence
from cdp.work.live import Job

IDENTICAL = (
    "Guided and unguided images are identical so far: guidance has changed no pixel, as its window"
    " has not begun, its strength is 0, or its push is below one grey level."
)
NOTES = {
    "agreement": (
        "Share of images that the judge, a classifier that never guides, gives the class they were"
        " asked to show."
    ),
    "separation": (
        "Scatter between classes over scatter within them, in the judge's features. More is not"
        " better by itself: a set can separate by losing variety."
    ),
    "nearest": (
        "Distance to the nearest training image over the same distance of real images the model"
        " never saw: clearly below 1 hints at copying."
    ),
}


def results(job: Job) -> None:
    """Sentences, chart and numbers of a job that is over; nothing where it has no figures."""
    result = job.result
    if result is None:
        return
    lines = sentences(result)
    if not lines:
        few = "Too few images of each class to put figures on them: generate 20 or more."
        st.caption(
            few
            if result.label is not None
            else (
                "No figures: this model knows no classes, and there is no real image to measure a"
                " distance to."
            )
        )
        return
    if result.label is None:
        st.caption(
            "This model knows no classes, so there is no figure of them until the images have"
            " labels."
        )
    st.subheader("What guidance changed" if result.difference else "What came out", anchor=False)
    if result.identical:
        st.info(IDENTICAL)
    elif result.difference and result.fewest < LEAST_A_CLASS:
        enough = LEAST_A_CLASS * (1 if result.label is None else len(np.unique(result.label)))
        st.caption(
            f"No verdict on guidance: {FEW}. Generate {enough:,} images or more of these classes."
        )
    for measure, text in lines:
        st.markdown(text, help=NOTES[measure.field])
    st.plotly_chart(
        report_bars(result),
        theme=None,
        config={"displayModeBar": False},
        key=f"report_{job.id}",
        alt=" ".join(s for _, s in lines),
    )
    rows = report_rows(result)
    with st.expander("Numbers", key=f"numbers_{job.id}"):
        st.dataframe(rows, hide_index=True)
        st.download_button(
            "Download CSV",
            to_csv(rows),
            f"figures-seed{job.config.seed}.csv",
            "text/csv",
            on_click="ignore",
            key="figures_csv",
        )


def sentences(result: LiveResult) -> list[tuple[Measure, str]]:
    """One plain sentence for each figure there is."""
    return [(measure, text) for measure in MEASURES if (text := figure_sentence(measure, result))]


def figure_sentence(measure: Measure, result: LiveResult) -> str:
    """The paired difference where there are two arms and they differ, else the value alone; ""
    where neither is known. Of too few images the difference is told without a verdict."""
    guided = _of(result.guided_report, measure)
    change = _of(result.difference, measure)
    alone = (
        ""
        if guided is None
        else (
            f"{_plain(guided.value, measure)}"
            f" ({interval_text(guided, f'.{measure.digits}f', factor=measure.factor)}), n ="
            f" {guided.n:,}"
        )
    )
    if change is None or result.identical:
        return (
            f"**{measure.title}** {'identical so far: both ' * result.identical}{alone}"
            if alone
            else ""
        )
    interval = (
        f"({interval_text(change, f'+.{measure.digits}f', factor=measure.factor)}), n ="
        f" {change.n:,}"
    )
    if result.fewest < LEAST_A_CLASS:
        verdict = (
            f"no verdict, {FEW}: difference {_plain(change.value, measure, signed=True)} {interval}"
        )
    elif change.low <= 0 <= change.high:
        verdict = (
            "guided and unguided cannot be told apart:"
            f" {_plain(change.value, measure, signed=True)} {interval}"
        )
    else:
        verdict = f"{_plain(change.value, measure, signed=True)} with guidance {interval}"
    plain = _of(result.unguided_report, measure)
    arms = (
        f"; {_value(guided, measure)} against {_value(plain, measure)} unguided"
        if guided and plain
        else ""
    )
    return f"**{measure.title}** {verdict}{arms}"


def _of(report: ArmReport | None, measure: Measure) -> Interval | None:
    return getattr(report, measure.field) if report else None


def _plain(value: float, measure: Measure, *, signed: bool = False) -> str:
    text = f"{value * measure.factor:{'+' if signed else ''}.{measure.digits}f}"
    unit = measure.suffix if signed else (" %" if measure.factor == 100 else "")
    return text + unit


def _value(interval: Interval, measure: Measure) -> str:
    return _plain(interval.value, measure)


def _interval(interval: Interval, measure: Measure, *, signed: bool = False) -> str:
    spec = f"{'+' if signed else ''}.{measure.digits}f"
    return interval_text(interval, spec, factor=measure.factor)


_SAVED, _NOT_SAVED, _UNLABELLED, _LABELLED = (
    "saved_set",
    "not_saved",
    "saved_unlabelled",
    "labelled_set",
)


def arm_of(job: Job, result: LiveResult, *, guided: bool) -> tuple[GenerateConfig, np.ndarray]:
    """Settings and images of one arm. The unguided arm's settings are those that would make it
    alone; a job that was stopped has the settings of the images it finished."""
    config = unflatten({"count": len(result.guided)}, job.config)
    if guided or result.unguided is None:
        return config, result.guided
    return unflatten({"loss": "none", "strength": 0.0}, config), result.unguided


def npz_bytes(image: np.ndarray, label: np.ndarray | None) -> bytes:
    """The field's exchange format, in memory; images alone where there are no labels."""
    from cdp.data.npz import write_npz

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.npz"
        write_npz(path, image, label)
        return path.read_bytes()


def save(name: str, config: GenerateConfig, image: np.ndarray, label: np.ndarray | None) -> str:
    """Save a sample set; returns its name. Raises InputError for a name that cannot be used or is
    taken."""
    from cdp.data.sets import save_set
    from cdp.tasks.batches import set_card

    return save_set(name.strip(), image, label, set_card(config)).name


def take_away(job: Job) -> None:
    """Save and download controls of a job that is over; estimates of unfinished images are no
    samples, so they are not offered."""
    result = job.result
    if result is None or not result.finished:
        return
    st.subheader("Keep it", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", key="keep"):
        arm = "Guided"
        if result.unguided is not None:
            arm = st.segmented_control(
                "Images",
                ["Guided", "Unguided"],
                default="Guided",
                required=True,
                key=f"arm_{job.id}",
            )
        config, image = arm_of(job, result, guided=arm == "Guided")
        # A model may be given as a path, of which only the last part is a name.
        stem = name_like(
            f"{Path(config.model).name}-{config.guidance.loss}-seed{config.seed}"[-80:]
        )
        name_key = f"name_{job.id}_{arm}"
        st.text_input("Name of the sample set", stem, key=name_key, max_chars=80)
        st.button(
            "Save sample set",
            key="save_set",
            on_click=_save,
            args=(job.id, name_key, config, image, result.label),
        )
    _tell_of_saving()
    if result.label is None:
        _offer_labels(job)
    with st.container(horizontal=True, key="downloads"):
        st.download_button(
            "Download .npz",
            lambda: npz_bytes(image, result.label),
            f"{stem}.npz",
            key="npz",
            on_click="ignore",
        )
        if len(image) <= MAX_IMAGES:
            st.download_button(
                "Download PNG sheet",
                lambda: sheet_png(image, flatten(config)),
                f"{stem}.png",
                "image/png",
                key="png",
                on_click="ignore",
                help="Holds all settings: drop it on this page to restore them.",
            )


def _save(
    job_id: str, name_key: str, config: GenerateConfig, image: np.ndarray, label: np.ndarray | None
) -> None:
    try:
        st.session_state[_SAVED] = save(st.session_state[name_key], config, image, label)
        st.session_state[_UNLABELLED] = (job_id, st.session_state[_SAVED])
    except (CdpError, OSError) as error:
        st.session_state[_NOT_SAVED] = f"Not saved: {sentence(error)}."


def _offer_labels(job: Job) -> None:
    """Images of a model without classes have no labels; once they are saved a classifier can give
    some, here and at once."""
    from cdp.data.sets import is_saved, open_set

    of, name = st.session_state.get(_UNLABELLED, ("", ""))
    if labelled := st.session_state.pop(_LABELLED, ""):
        st.success(plain(f"{labelled} has labels."))
        st.page_link(
            "pages/gallery.py", label="See it in the gallery", query_params={"set": labelled}
        )
    elif of == job.id and is_saved(name):
        from cdp.ui.gallery.labelling import ask_labels

        ask_labels(open_set(name), _labelled)
    else:
        st.caption(
            "These images have no labels, as the model knows no classes. Save them, and a"
            " classifier can label them here."
        )


def _labelled(name: str) -> None:
    st.session_state[_LABELLED] = name
    st.session_state.pop(_UNLABELLED, None)


def _tell_of_saving() -> None:
    """What came of the last click, once."""
    if why := st.session_state.pop(_NOT_SAVED, ""):
        st.error(why)
    if saved := st.session_state.pop(_SAVED, ""):
        st.success(f"Saved as {saved}.")
        st.page_link("pages/gallery.py", label="See it in the gallery")
