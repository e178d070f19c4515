"""One saved set: its images, its card, what can be done with it; or two sets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from cdp import paths
from cdp.config.generate import flatten
from cdp.data.npz import npz_bytes
from cdp.data.samples import SampleSet
from cdp.tasks.subsets import set_tags
from cdp.ui.experiment.doors import packed, with_set
from cdp.ui.gallery.browse import browse
from cdp.ui.gallery.entries import GalleryLine, differing, provenance_rows, setting_rows
from cdp.ui.gallery.labelling import show_labels
from cdp.ui.gallery.parts import (
    ask_delete,
    classes_in,
    facts,
    first_rows,
    go,
    heading,
    names_in,
    number_in,
    strip,
)
from cdp.ui.generate.form import FORM
from cdp.ui.kit.attempts import attempt, tell
from cdp.ui.kit.frame import link
from cdp.ui.kit.images import showable
from cdp.ui.kit.sheet import sheet_png
from cdp.ui.kit.tables import download, table
from cdp.ui.kit.words import plain, split_tags
from cdp.values.text import bytes_text, class_name

CLASSES_SHOWN = 20
SHEET = 400
"""Images in the PNG: classes take turns, so all are there."""
IN_BROWSER = 256 * 2**20
"""Bytes of images up to which a file goes through the browser; above, it is written beside the
sets."""
BESIDE_ROW = 10
"""Images of each class where two sets stand side by side."""


def show_detail(line: GalleryLine, samples: SampleSet, others: list[str]) -> None:
    """Actions on the left, images on the right, the card below."""
    _head(line)
    left, right = st.columns([1, 3], gap="large")
    with left:
        _actions(line, samples, others)
    with right, st.container(key="live"):
        show_labels(samples)
        browse(samples)
    _card(line, samples)


def _head(line: GalleryLine) -> None:
    heading(line, large=True)
    st.markdown(facts(line))


def _actions(line: GalleryLine, samples: SampleSet, others: list[str]) -> None:
    if line.config is not None:
        seed = {"seed": str(line.config.seed), "count": str(line.config.count)}
        link("generate", "Use these settings", "tune", **(FORM.link(line.config) | seed))
    _explore("Explore", line.name)
    _experiment(line)
    _npz(line, samples)
    inside = " Drop it on the Generate page to restore these settings." if line.config else ""
    download(
        "PNG sheet",
        lambda: _sheet(line, samples),
        f"{line.name}.png",
        key="gallery_sheet",
        width="stretch",
        help=f"{min(SHEET, len(samples)):,} images as one picture.{inside}",
    )
    if others:
        picked = st.selectbox("Show beside", others, index=None, placeholder="another set")
        if picked:
            go(line.name, picked)
            st.rerun()
    _tags(line)
    if st.button("Delete", icon=":material/delete:", width="stretch"):
        ask_delete(line)


def _explore(label: str, *names: str) -> None:
    link("explore", label, "scatter_plot", sets=",".join(names))


def _experiment(line: GalleryLine) -> None:
    """The set as an arm beside real images alone."""
    dataset = str(line.card.get("dataset") or "")
    if line.labelled and dataset:
        yaml = packed(with_set(line.name, dataset, line.count))
        link("experiment", "Experiment with this", "science", yaml=yaml)


def _npz(line: GalleryLine, samples: SampleSet) -> None:
    """The images through the browser, or written beside the sets where they are too large."""
    size, file = bytes_text(samples.image.nbytes), f"{line.name}.npz"
    if samples.image.nbytes <= IN_BROWSER:
        label = samples.label
        labels = "no labels" if label is None else f"label {label.shape}"
        download(
            "Download .npz",
            lambda: npz_bytes(samples.image, label),
            file,
            key="gallery_npz",
            width="stretch",
            help=f"image {samples.image.shape} uint8, {labels}, {size}.",
        )
        return

    def write() -> str:
        from cdp.data.importing import export_npz

        exports().mkdir(parents=True, exist_ok=True)
        export_npz(samples, exports() / file)
        return f"Written to {exports() / file}"

    if st.button("Write .npz", width="stretch", help=f"{size}: written to {exports()}."):
        with st.spinner("Writing"):
            attempt("gallery_written", write, "Not written")
        tell("gallery_written")


def exports() -> Path:
    """Where files too large for a browser are written."""
    return paths.home() / "exports"


def _tags(line: GalleryLine) -> None:
    """Words on the card, to find sets by; what cannot be a tag is said and changes nothing."""
    key = f"tags-{line.name}"

    def tag() -> str:
        set_tags(line.name, split_tags(st.session_state[key]))
        return ""

    st.text_input(
        "Tags",
        ", ".join(line.tags),
        key=key,
        on_change=attempt,
        args=(f"{key}-wrong", tag, "Not tagged"),
        max_chars=900,
        placeholder="separated by commas",
    )
    tell(f"{key}-wrong")


def _sheet(line: GalleryLine, samples: SampleSet) -> bytes:
    rows = first_rows(samples, SHEET)
    classes = 0 if samples.label is None else len(classes_in(samples.label[rows]))
    return sheet_png(
        np.asarray(showable(samples.image[rows])),
        flatten(line.config) if line.config else None,
        classes if 1 < classes <= 20 else 20,
    )


def _card(line: GalleryLine, samples: SampleSet) -> None:
    if line.config is not None:
        with st.expander("Settings"):
            table(setting_rows(line.config))
    elif line.card.get("config"):
        st.info(
            "This version of the app does not know the settings in this set's card. Its images can"
            " still be used."
        )
    with st.expander("Origin: source, hashes, versions"):
        table(provenance_rows(samples.card))
    if samples.label is not None:
        values, counts = np.unique(samples.label, return_counts=True)
        with st.expander("Classes"):
            table(
                [
                    {"class": v, "name": class_name(samples.class_names, v), "images": n}
                    for v, n in zip(values.tolist(), counts.tolist(), strict=True)
                ]
            )


def show_pair(
    first: GalleryLine, first_set: SampleSet, other: GalleryLine, other_set: SampleSet
) -> None:
    """Two sets side by side: headings, the settings that differ, then one line a class."""
    for column, line in zip(st.columns(2, gap="medium"), (first, other), strict=True):
        with column:
            _head(line)
    _explore("Explore both", first.name, other.name)
    if rows := differing(first, other):
        st.caption("Settings that differ")
        table(rows)
    else:
        st.caption("Both were made with the same settings.")
    sets = (first_set, other_set)
    note = ""
    if _same_noise(first, other):
        note = " Both have the same seed: images in the same place started from the same noise."
    if without := [samples.name for samples in sets if samples.label is None]:
        lack = f"{' and '.join(without)} {'has' if len(without) == 1 else 'have'} no labels"
        st.caption(plain(f"The first {BESIDE_ROW} images of each set, as {lack}.{note}"))
        _beside(sets, None)
        return
    st.caption(f"The first {BESIDE_ROW} images of each class.{note}")
    classes = names_in(sets)
    for name in classes[:CLASSES_SHOWN]:
        st.caption(plain(name))
        _beside(sets, name)
    if (more := len(classes) - CLASSES_SHOWN) > 0:
        st.caption(f"{more} more classes are not shown here: open a set to see them.")


def _same_noise(first: GalleryLine, other: GalleryLine) -> bool:
    """Whether row i is the same class and noise in both."""
    if first.config is None or other.config is None:
        return False
    names = ("seed", "classes", "model")
    return all(getattr(first.config, name) == getattr(other.config, name) for name in names)


def _beside(sets: Sequence[SampleSet], name: str | None) -> None:
    """name: of the class, None for all images in file order."""
    for column, samples in zip(st.columns(2, gap="medium"), sets, strict=True):
        value = None if name is None else number_in(samples, name)
        image = strip(samples, value, BESIDE_ROW)
        with column:
            if image:
                st.image(image, width="stretch", alt=f"{name or 'images'} in {samples.name}")
            else:
                st.caption("none")
