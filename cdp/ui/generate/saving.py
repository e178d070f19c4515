"""What a person takes away from a generation: a named sample set, an .npz, a PNG sheet that
remembers its settings."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.data.limits import name_like
from cdp.errors import CdpError
from cdp.ui.kit.sheet import MAX_IMAGES, sheet_png
from cdp.ui.kit.words import plain
from cdp.values.types import LiveResult
from cdp.work.failures import sentence
from cdp.work.live import Job

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
