"""The second step of "Your data": what is in the set, and what that will cost."""

from __future__ import annotations

import numpy as np
import streamlit as st

from cdp.config.pretrain import EncoderConfig
from cdp.data.facts import Concern, Facts
from cdp.data.registry import load_split
from cdp.ui.data.pictures import class_rows, first_rows
from cdp.ui.data.sets import held_out
from cdp.ui.kit.words import plain
from cdp.values.text import image_size


def facts_column(seen: Facts) -> None:
    """Shape, counts and what is held out."""
    tests = f", {seen.tests:,} test images" if seen.tests else ", no test images"
    st.markdown(plain(f"{seen.images:,} training images{tests}"))
    st.markdown(plain(f"{image_size(*seen.shape[1:], seen.shape[0])}, {len(seen.classes)} classes"))
    st.caption(plain(held_out(seen, EncoderConfig().held_out)))


def pictures_column(seen: Facts, told: list[Concern], stamp: str) -> None:
    """Examples of every class with their counts, then what to know. stamp: changes with the set's
    content."""
    st.html(_examples(seen.name, stamp, seen.counts, seen.test_counts))
    for concern in told:
        (st.error if concern.blocking else st.warning)(plain(concern.text))
    with st.expander("Images of each class"):
        st.dataframe(
            [
                {"class": value, "name": name, "training images": seen.counts[value]}
                | ({"test images": seen.test_counts[value]} if seen.test_counts else {})
                for value, name in enumerate(seen.classes)
            ],
            hide_index=True,
            width="stretch",
        )


@st.cache_data(max_entries=20, show_spinner="Reading images")
def _examples(name: str, stamp: str, counts: tuple[int, ...], tests: tuple[int, ...]) -> str:
    split = load_split(name, "train")
    rows = first_rows(split.label, len(split.info.classes))
    notes = [
        f"{count:,}" + (f" + {tests[value]:,} test" if tests else "")
        for value, count in enumerate(counts)
    ]
    return class_rows(
        np.asarray(split.image[rows]), np.asarray(split.label[rows]), split.info.classes, notes
    )
