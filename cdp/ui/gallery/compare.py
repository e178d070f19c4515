"""Two saved sets side by side: the same classes on the same line, and only the settings that
differ."""

from __future__ import annotations

import streamlit as st

from cdp.data.samples import SampleSet
from cdp.ui.gallery.entries import Line, differing
from cdp.ui.gallery.images import names_in, number_in
from cdp.ui.gallery.parts import facts, heading, strip
from cdp.ui.kit.words import plain

ROW = 10
CLASSES_SHOWN = 20


def show_pair(one: Line, one_set: SampleSet, other: Line, other_set: SampleSet) -> None:
    """Headings, the differing settings, then one line a class."""
    for column, line in zip(st.columns(2, gap="medium"), (one, other), strict=True):
        with column:
            heading(line, size="1.25rem")
            st.markdown(facts(line))
    st.page_link(
        "pages/explore.py",
        label="Explore both",
        icon=":material/scatter_plot:",
        query_params={"sets": f"{one.name},{other.name}"},
    )
    rows = differing(one, other)
    if rows:
        st.caption("Settings that differ")
        st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.caption("Both were made with the same settings.")
    without = [samples.name for samples in (one_set, other_set) if samples.label is None]
    classes = [] if without else names_in([one_set, other_set])
    same_noise = (
        one.config is not None and other.config is not None and one.config.seed == other.config.seed
    )
    note = (
        " Both have the same seed: images in the same place started from the same noise."
        if same_noise and _aligned(one, other)
        else ""
    )
    if without:
        st.caption(
            plain(
                f"The first {ROW} images of each set, as {' and '.join(without)}"
                f" {'has' if len(without) == 1 else 'have'} no labels.{note}"
            )
        )
        _line(one_set, other_set, None)
        return
    st.caption(f"The first {ROW} images of each class.{note}")
    for name in classes[:CLASSES_SHOWN]:
        _line(one_set, other_set, name)
    if len(classes) > CLASSES_SHOWN:
        st.caption(
            f"{len(classes) - CLASSES_SHOWN} more classes are not shown here: open a set to see"
            " them."
        )


def _aligned(one: Line, other: Line) -> bool:
    """Whether row i is the same class and noise in both: same classes taking turns, same model."""
    assert one.config is not None
    assert other.config is not None
    return (one.config.classes, one.config.model) == (other.config.classes, other.config.model)


def _line(one: SampleSet, other: SampleSet, name: str | None) -> None:
    """name: of the class, None for all images in file order."""
    if name is not None:
        st.caption(plain(name))
    for column, samples in zip(st.columns(2, gap="medium"), (one, other), strict=True):
        image = strip(samples, None if name is None else number_in(samples, name), 0, ROW, ROW)
        with column:
            if image:
                st.image(image, width="stretch", alt=f"{name or 'images'} in {samples.name}")
            else:
                st.caption("none")
