"""The left column of the Attack lab: which models, which image, which attack."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import streamlit as st

from cdp.config.fields import Field, fields_of
from cdp.config.lab import LabConfig
from cdp.ui.kit.choices import Classifier
from cdp.ui.kit.widgets import choice, key_of, number_of
from cdp.ui.lab.result import thumbnail
from cdp.ui.lab.state import Lab, rows_of, true_class
from cdp.ui.lab.upload import upload
from cdp.values.types import Split

TEST, OWN = "Test image", "Upload"
NONE, ANY = "none", -1


def models(held: Lab, datasets: Mapping[str, str], models: Mapping[str, Classifier]) -> None:
    """Data set and models."""
    known = fields_of(LabConfig)
    key = key_of("dataset", held)
    names = list(datasets)
    st.selectbox(
        known["dataset"].heading,
        names,
        names.index(held.flat["dataset"]) if held.flat["dataset"] in names else None,
        key=key,
        help=known["dataset"].tooltip,
        format_func=lambda name: datasets.get(name, name),
        placeholder="choose one",
        on_change=lambda: held.open_dataset(st.session_state[key]),
    )
    if held.flat["model"] not in models:
        return
    titles = {name: one.title for name, one in models.items()}
    choice(known["model"], held, list(models), titles=titles)
    others = ["", *(name for name in models if name != held.flat["model"])]
    second = held.second if held.second in others else ""
    beside = f"{key_of('second', held)}_{held.flat['model']}"

    def chosen() -> None:
        held.second = st.session_state[beside]
        held.notes = []

    st.selectbox(
        "Beside it",
        others,
        others.index(second or ""),
        key=beside,
        on_change=chosen,
        format_func=lambda name: titles.get(name, NONE),
        help="A second model that meets the same image and the same attack.",
    )


def image(held: Lab, split: Split) -> None:
    """A test image, or one of a person's own."""
    key = key_of("source", held)

    def chosen() -> None:
        held.uploading = st.session_state[key] == OWN
        held.put("image", "")

    st.segmented_control(
        "Image",
        [TEST, OWN],
        default=OWN if held.uploading else TEST,
        required=True,
        key=key,
        on_change=chosen,
        width="stretch",
    )
    if held.uploading:
        upload(held, split.info)
        if held.flat["image"]:
            _class(fields_of(LabConfig)["label"], held, split, "what each model says")
    else:
        _test_image(held, split)


def attack(held: Lab, split: Split) -> None:
    """The attack, but for its budget."""
    known = fields_of(LabConfig)
    # A budget of one norm means nothing in the other.
    choice(
        known["norm"],
        held,
        known["norm"].choices,
        title=known["norm"].title,
        after=lambda: held.replace({"epsilon": None}),
    )
    choice(known["attack"], held, known["attack"].choices, title=known["attack"].title)
    if held.flat["attack"] == "targeted":
        _class(
            known["target"],
            held,
            split,
            "the likeliest other class",
            leave_out=true_class(held, split),
        )
    with st.expander("More settings"):
        number_of(known["steps"], held)
        number_of(known["seed"], held)


def _test_image(held: Lab, split: Split) -> None:
    row, label = int(held.flat["row"]), int(split.label[held.flat["row"]])
    name = split.info.classes[label]
    picture, words = st.columns([2, 3], vertical_alignment="center", gap="small")
    picture.html(thumbnail(np.asarray(split.image[row]), f"Test image {row}: {name}"))
    key = f"{key_of('row', held)}_{held.moves}"

    def typed() -> None:
        if st.session_state[key] is not None:
            held.put("row", int(st.session_state[key]))

    with words:
        st.number_input(
            f"Row :gray[of {len(split):,}]",
            0,
            len(split) - 1,
            row,
            step=1,
            key=key,
            on_change=typed,
            help="Of the test images, counted from 0.",
        )
        st.text(name)
    with st.container(horizontal=True, gap="small", key="lab_moves"):
        for title, step in (("Previous", -1), ("Next", 1), ("Random", 0)):
            st.button(
                title,
                key=f"lab_{title.lower()}",
                on_click=_go,
                args=(held, split, step),
                width="stretch",
            )
    _only(held, split)


def _only(held: Lab, split: Split) -> None:
    """The class that the buttons stay in."""
    key = key_of("only", held)
    options = [ANY, *sorted({int(value) for value in np.unique(split.label)})]

    def chosen() -> None:
        held.only = None if st.session_state[key] == ANY else st.session_state[key]
        if held.only is not None and int(split.label[held.flat["row"]]) != held.only:
            held.go(int(rows_of(split.label, held.only)[0]))
        held.notes = []

    st.selectbox(
        "Only class",
        options,
        options.index(held.only) if held.only in options else 0,
        key=key,
        on_change=chosen,
        format_func=lambda value: "any" if value == ANY else split.info.classes[value],
        help="Which images the three buttons choose from.",
    )


def _go(held: Lab, split: Split, step: int) -> None:
    """The next or previous image of the class, round the end; a random one for 0."""
    rows = rows_of(split.label, held.only)
    if step == 0:
        held.go(int(random.choice(rows)))
        return
    at = int(np.searchsorted(rows, held.flat["row"] + (1 if step > 0 else 0)))
    held.go(int(rows[(at if step > 0 else at - 1) % len(rows)]))


def _class(
    field: Field, held: Lab, split: Split, nothing: str, *, leave_out: int | None = None
) -> None:
    """One class, or nobody's choice. nothing: what that means."""
    key = f"{key_of(field.name, held)}_{leave_out}"
    options = [ANY, *(value for value in range(len(split.info.classes)) if value != leave_out)]
    st.selectbox(
        field.heading,
        options,
        options.index(ANY if held.flat[field.name] is None else held.flat[field.name]),
        key=key,
        help=field.tooltip,
        format_func=lambda value: nothing if value == ANY else split.info.classes[value],
        on_change=lambda: held.put(
            field.name, None if st.session_state[key] == ANY else st.session_state[key]
        ),
    )
