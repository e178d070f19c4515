"""What a generation came to, each figure with its interval; and what a person takes away."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from cdp.config.generate import GenerateConfig, automatic_name, flatten, unflatten
from cdp.data.limits import MAX_LENGTH, name_like
from cdp.data.npz import npz_bytes
from cdp.errors import InputError
from cdp.figures.generation import measured, report_bar, report_rows
from cdp.files.cache import UNSAVED_DAYS
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.tasks.train_data import few_for_training, wanted_by_presets
from cdp.ui.kit.attempts import attempt, tell
from cdp.ui.kit.frame import link
from cdp.ui.kit.generating import make_more, unique_name
from cdp.ui.kit.sheet import MAX_IMAGES, sheet_png
from cdp.ui.kit.tables import download, numbers, show_figure
from cdp.ui.kit.words import plain
from cdp.values.types import LiveResult
from cdp.work.launch import free_name
from cdp.work.live import Job
from cdp.work.records import list_runs
from cdp.work.registry import TASKS

NOTES = {
    "agreement": (
        "Share of images that the judge, a classifier that never guides, assigns to the class they"
        " were asked to show."
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
_SAVED, _UNLABELLED, _LABELLED = "saved_set", "saved_unlabelled", "labelled_set"
_NEXT = "next_free_name"


def results(job: Job) -> None:
    """Findings, charts and numbers of a job that is over; nothing where it has no figures."""
    result = job.result
    if result is None:
        return
    measures, labelled = measured(result), result.label is not None
    if not measures:
        few = "Too few images of each class for figures: generate 20 or more."
        none = "No figures: this model knows no classes, and no real images are here to compare."
        st.caption(few if labelled else none)
        return
    st.subheader("What guidance changed" if result.difference else "What came out", anchor=False)
    if not labelled:
        st.caption("This model knows no classes: figures of classes need labelled images.")
    if result.difference and not result.identical and result.fewest < LEAST_A_CLASS:
        classes = 1 if result.label is None else len(np.unique(result.label))
        st.caption(
            f"No verdict on guidance: {FEW}. Generate {LEAST_A_CLASS * classes:,} images or more of"
            " these classes."
        )
    for measure in measures:
        show_figure(report_bar(measure, result), key=f"report_{job.id}_{measure.field}")
    file, key = f"figures-seed{job.config.seed}.csv", f"numbers_{job.id}"
    about = " ".join(f"{measure.title}: {NOTES[measure.field]}" for measure in measures)
    numbers("these figures", lambda: report_rows(result), file, key=key, note=about)


def arm_of(job: Job, result: LiveResult, *, guided: bool) -> tuple[GenerateConfig, np.ndarray]:
    """Settings and images of one arm. The unguided arm's settings are those that would make it
    alone; a job that was stopped has the settings of the images it finished."""
    config = unflatten({"count": len(result.guided)}, job.config)
    if guided or result.unguided is None:
        return config, result.guided
    return unflatten({"loss": "none", "strength": 0.0}, config), result.unguided


def take_away(job: Job) -> None:
    """Save and download controls of a job that is over and finished images."""
    result = job.result
    if result is None or not result.finished:
        return
    st.subheader("Keep it", anchor=False)
    if job.kept:
        st.caption(f"Unsaved, this generation stays on this page for {UNSAVED_DAYS} days.")
    else:
        st.warning(
            "This generation could not be written to the disk: unsaved, it goes with the tab."
        )
    with st.container(horizontal=True, vertical_alignment="bottom", key="keep"):
        arm, arms = "Guided", ["Guided", "Unguided"]
        if result.unguided is not None:
            arm = st.segmented_control(
                "Images", arms, default=arm, required=True, key=f"arm_{job.id}"
            )
        config, image = arm_of(job, result, guided=arm == "Guided")
        stem = name_like(automatic_name(config))
        key = f"name_{job.id}_{arm}"
        st.text_input(
            "Name of the sample set",
            _first_name(config, key),
            key=key,
            max_chars=MAX_LENGTH,
            width=340,
        )

        def save(given: str = "") -> str:
            """Under a name, else the one that stands in the field at the click."""
            from cdp.data.sets import is_saved, save_set
            from cdp.tasks.batches import set_card

            name = given or st.session_state[key].strip()
            if is_saved(name):
                st.session_state[_NEXT] = key, free_name(TASKS["generate"], name)
                raise InputError(f"a set called {name} is here already")
            new = save_set(name, image, result.label, set_card(config))
            st.session_state[_UNLABELLED] = job.id, new.name
            return f"Saved as {new.name}."

        st.button("Save sample set", key="save_set", on_click=attempt, args=(_SAVED, save))
    with st.container():
        tell(_SAVED, gallery=True)
        of, other = st.session_state.pop(_NEXT, ("", ""))
        if of == key:
            again = _SAVED, partial(save, other)
            st.button(f"Save as {plain(other)}", key="save_next", on_click=attempt, args=again)
    if result.label is None:
        _offer_labels(job)
    elif few := few_for_training(len(image)):
        st.caption(plain(f"{few}."))
        least = max(wanted_by_presets().values())
        make_more(config, least, list_runs(), f"more_{job.id}_{arm}")
    with st.container(horizontal=True, key="downloads"):
        download("Download .npz", lambda: npz_bytes(image, result.label), f"{stem}.npz", key="npz")
        if len(image) <= MAX_IMAGES:
            download(
                "Download PNG sheet",
                lambda: sheet_png(image, flatten(config)),
                f"{stem}.png",
                key="png",
                help="Holds all settings: drop it on this page to restore them.",
            )


def _first_name(config: GenerateConfig, key: str) -> str:
    """A unique name, looked for once for each arm: the field keeps it when a save has taken it."""
    place = f"free_{key}"
    if place not in st.session_state:
        st.session_state[place] = unique_name(config)
    return str(st.session_state[place])


def _offer_labels(job: Job) -> None:
    """Once images without labels are saved, a classifier can give some, here and at once."""
    from cdp.data.sets import is_saved, open_set
    from cdp.ui.gallery.labelling import ask_labels

    def labelled(name: str) -> None:
        st.session_state[_LABELLED] = name
        st.session_state.pop(_UNLABELLED, None)

    of, name = st.session_state.get(_UNLABELLED, ("", ""))
    if new := st.session_state.pop(_LABELLED, ""):
        st.success(plain(f"{new} has labels."))
        link("gallery", "See it in the gallery", set=new)
    elif of == job.id and is_saved(name):
        ask_labels(open_set(name), labelled)
    else:
        st.caption("These images have no labels. Save them, and a classifier can label them here.")
