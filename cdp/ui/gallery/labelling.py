"""Labels for a set without any, by a classifier of one's choice; and what is to be known of labels
that a set got so."""

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
from cdp.ui.kit.words import plain
from cdp.values.text import counted

_ASKED = "gallery_labelling"


def show_labels(samples: SampleSet) -> None:
    """For a set without labels that it has none, and the way to get some; for one that a classifier
    labelled, how far that can be trusted."""
    if samples.label is None:
        ask_labels(samples, go)
    elif (labels := pseudo_labels_of(samples.card)) is not None:
        _known(samples, labels)


def ask_labels(samples: SampleSet, done: Callable[[str], None]) -> None:
    """Who labels the images of this set and how sure that has to be. done: called with the name of
    the new set, before the page is drawn anew."""
    with st.container(border=True, key="labelling"):
        st.markdown("**No labels**")
        st.caption(
            "Nobody has said what these images show. Training, evaluation and every figure of"
            " classes need labels: let a classifier give them, and keep the images that it is"
            " sure of."
        )
        offered = labellers(samples)
        if not offered:
            height, width, channels = samples.image.shape[1:]
            st.info(
                f"No classifier here sees images of {width} x {height} px and"
                f" {counted(channels, 'channel')}: train one with `python -m cdp pretrain-encoder`"
                " on a data set of such images."
            )
            return
        who, sure, out = _keys(samples.name)
        left, right = st.columns([3, 2])
        chosen = offered[
            left.selectbox(
                "Classifier",
                range(len(offered)),
                format_func=lambda i: offered[i].title,
                key=who,
                help=(
                    "Best one that neither guided these images nor is the judge: then the judge can"
                    " say how often it is right."
                ),
            )
        ]
        right.number_input(
            "Least confidence :gray[probability]",
            0.0,
            1.0,
            CONFIDENCE,
            0.01,
            key=sure,
            help=(
                "Images whose class is less probable are left out. Higher: cleaner labels, fewer"
                " and easier images."
            ),
        )
        st.text_input(
            "Name of the new set",
            f"{samples.name[: MAX_LENGTH - 9]}-labelled",
            max_chars=MAX_LENGTH,
            key=out,
        )
        st.button(
            "Label the images",
            type="primary",
            key="label_images",
            on_click=_submit,
            args=(samples.name, offered),
        )
        with st.expander("The same on the command line"):
            dataset = "" if chosen.name.startswith(TRAINED) else chosen.dataset
            words = command(samples.name, _named(out), chosen.name, st.session_state[sure], dataset)
            st.code(words, language="bash", wrap_lines=True)
        _under_way(samples.name, done)


def _keys(name: str) -> tuple[str, str, str]:
    """Of the controls of one set: the classifier's number, the confidence, the new name."""
    return f"labeller_{name}", f"labeller_sure_{name}", f"labeller_name_{name}"


def _named(key: str) -> str:
    return str(st.session_state[key]).strip()


def _submit(name: str, offered: Sequence[Labeller]) -> None:
    """With what stands in the fields at the click: one may have been changed that the page has not
    been drawn with yet."""
    who, sure, out = _keys(name)
    chosen = offered[st.session_state[who]]
    payload = {
        "name": name,
        "out": _named(out),
        "encoder": chosen.name,
        "min_confidence": st.session_state[sure],
        "dataset": chosen.dataset,
    }
    # Every click is an errand of its own: how an earlier one with the same settings ended is known
    # already.
    _asked()[name] = payload, uuid.uuid4().hex


def _asked() -> dict[str, tuple[dict[str, Any], str]]:
    """What was asked for in this session, by set, and a name for the click."""
    asked: dict[str, tuple[dict[str, Any], str]] = st.session_state.setdefault(_ASKED, {})
    return asked


def _under_way(name: str, done: Callable[[str], None]) -> None:
    if name not in _asked():
        return
    payload, click = _asked()[name]
    errand = ask("pseudo_label", payload, title=f"Labelling {name}", of=click)
    if errand.state != "done":
        waiting([errand], key="labelling_wait")
        return
    del _asked()[name]
    st.toast(f"{plain(errand.result['name'])}: {errand.result['count']:,} images have labels")
    done(errand.result["name"])
    st.rerun()


def _known(samples: SampleSet, labels: PseudoLabels) -> None:
    from cdp.figures.sets import label_panels

    with st.container(border=True, key="labelled"):
        first, *rest = sentences(labels, samples.class_names)
        st.markdown(f"**Pseudo-labels.** {plain(first)}")
        for text in rest:
            st.caption(plain(text))
        figure = label_panels(
            labels.histogram, labels.min_confidence, labels.balance, samples.class_names
        )
        st.plotly_chart(
            figure,
            theme=None,
            config={"displayModeBar": False},
            key=f"labels_{samples.name}",
            alt=first,
        )
        with st.expander("Numbers"):
            st.dataframe(histogram_rows(labels), hide_index=True, width="stretch")
