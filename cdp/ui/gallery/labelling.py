"""Labels from a classifier for a set without any, and how far such labels can be trusted."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from cdp.data.limits import MAX_LENGTH
from cdp.data.samples import SampleSet
from cdp.models.encoders import TRAINED
from cdp.tasks.pseudo_labels import (
    CONFIDENCE,
    Labeller,
    PseudoLabels,
    command,
    histogram_rows,
    labellers,
    pseudo_labels_of,
    sentences,
)
from cdp.ui.gallery.parts import go
from cdp.ui.kit.ask import ask, waiting
from cdp.ui.kit.command import command_fold
from cdp.ui.kit.tables import numbers, show_figure
from cdp.ui.kit.words import plain
from cdp.values.text import counted

_ASKED = "gallery_labelling"
"""What was asked for in this session, by set, and a name for the click."""


def show_labels(samples: SampleSet) -> None:
    """The way to labels for a set without any; how far to trust those of a classifier."""
    if samples.label is None:
        ask_labels(samples, go)
    elif (labels := pseudo_labels_of(samples.card)) is not None:
        _known(samples, labels)


def ask_labels(samples: SampleSet, done: Callable[[str], None]) -> None:
    """Who labels this set, and how sure that has to be. done: called with the new set's name."""
    with st.container(border=True, key="labelling"):
        st.markdown("**No labels**")
        st.caption(
            "Training, evaluation and every figure of classes need labels. Let a classifier label"
            " these images, and keep those that it is confident of."
        )
        offered = labellers(samples)
        if not offered:
            height, width, channels = samples.image.shape[1:]
            st.info(
                f"No classifier here takes images of {width} x {height} px and"
                f" {counted(channels, 'channel')}: train one with `python -m cdp pretrain-encoder`"
                " on a data set of such images."
            )
            return
        _form(samples.name, offered)
        _under_way(samples.name, done)


def _form(name: str, offered: Sequence[Labeller]) -> None:
    who, sure, out = f"labeller_{name}", f"labeller_sure_{name}", f"labeller_name_{name}"
    left, right = st.columns([3, 2])
    left.selectbox(
        "Classifier",
        offered,
        format_func=lambda entry: entry.title,
        key=who,
        help=(
            "Best one that neither guided these images nor is the judge: the judge can then check"
            " its labels."
        ),
    )
    right.number_input(
        "Least confidence (probability)",
        0.0,
        1.0,
        CONFIDENCE,
        0.01,
        key=sure,
        help=(
            "Images whose class is less probable are left out. Higher: cleaner labels, fewer and"
            " easier images."
        ),
    )
    new = f"{name[: MAX_LENGTH - 9]}-labelled"
    st.text_input("Name of the new set", new, max_chars=MAX_LENGTH, key=out)

    def asked() -> dict[str, Any]:
        """What stands in the fields at the click: one may not have been drawn yet."""
        chosen: Labeller = st.session_state[who]
        return {
            "name": name,
            "out": str(st.session_state[out]).strip(),
            "encoder": chosen.name,
            "min_confidence": st.session_state[sure],
            "dataset": chosen.dataset,
        }

    def submit() -> None:
        # Every click is an errand of its own: how an earlier one with the same settings ended is
        # known already.
        st.session_state.setdefault(_ASKED, {})[name] = asked(), uuid.uuid4().hex

    st.button("Label the images", type="primary", key="label_images", on_click=submit)
    shown = asked()
    if shown["encoder"].startswith(TRAINED):
        shown["dataset"] = ""
    command_fold("labelling", command(**shown))


def _under_way(name: str, done: Callable[[str], None]) -> None:
    asked: dict[str, tuple[dict[str, Any], str]] = st.session_state.get(_ASKED, {})
    if name not in asked:
        return
    payload, click = asked[name]
    errand = ask("pseudo_label", payload, title=f"Labelling {name}", of=click)
    if errand.state != "done":
        waiting([errand], key="labelling_wait")
        return
    del asked[name]
    st.toast(f"{plain(errand.result['name'])}: {errand.result['count']:,} images have labels")
    done(errand.result["name"])
    st.rerun()


def _known(samples: SampleSet, labels: PseudoLabels) -> None:
    from cdp.figures.sets import label_panels

    with st.container(border=True, key="labelled"):
        first, *rest = sentences(labels, samples.class_names)
        parts = labels.histogram, labels.min_confidence, labels.balance, samples.class_names
        show_figure(label_panels(*parts, first), key=f"labels_{samples.name}")
        for text in rest:
            st.caption(plain(text))
        file, key = f"{samples.name}-confidence.csv", f"labels_numbers_{samples.name}"
        numbers("the labels", lambda: histogram_rows(labels), file, key=key)
