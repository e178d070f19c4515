"""One saved set: its images class by class, its card in full, and what can be done with it; or two
sets side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from cdp import paths
from cdp.config.generate import flatten
from cdp.data.samples import SampleSet
from cdp.tasks.subsets import set_tags
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
    page_count,
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

ROW, PAGE = 12, 120
"""Images of each class in the overview, and on one page of one class."""
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
    heading(line, large=True)
    st.markdown(facts(line))
    left, right = st.columns([1, 3], gap="large")
    with left:
        _actions(line, samples, others)
    with right:
        show_labels(samples)
        _images(samples)
    _card(line, samples)


def _actions(line: GalleryLine, samples: SampleSet, others: list[str]) -> None:
    if line.config is not None:
        seed = {"seed": str(line.config.seed), "count": str(line.config.count)}
        link("generate", "Use these settings", "tune", **(FORM.link(line.config) | seed))
    _explore("Explore", line.name)
    _npz(line, samples)
    inside = " with its settings inside: drop it on the Generate page to restore them"
    images = f"{min(SHEET, len(samples)):,} images as one picture"
    download(
        "PNG sheet",
        lambda: _sheet(line, samples),
        f"{line.name}.png",
        key="gallery_sheet",
        width="stretch",
        help=f"{images}{inside if line.config else ''}.",
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


def _npz(line: GalleryLine, samples: SampleSet) -> None:
    size, file = samples.image.nbytes, f"{line.name}.npz"
    if size <= IN_BROWSER:
        label = samples.label
        labels = ", without labels" if label is None else f" and label {label.shape}"
        download(
            "Download .npz",
            lambda: _npz_bytes(samples),
            file,
            key="gallery_npz",
            width="stretch",
            help=f"image {samples.image.shape} uint8{labels}, {bytes_text(size)}.",
        )
    elif st.button(
        "Write .npz", width="stretch", help=f"{bytes_text(size)}: written to {exports()}."
    ):
        with st.spinner("Writing"):
            attempt("gallery_written", lambda: _write_npz(samples, file), "Not written")
        tell("gallery_written")


def _write_npz(samples: SampleSet, file: str) -> str:
    from cdp.data.importing import export_npz

    exports().mkdir(parents=True, exist_ok=True)
    export_npz(samples, exports() / file)
    return f"Written to {exports() / file}"


def _tags(line: GalleryLine) -> None:
    """Words on the card, to find sets by; what cannot be a tag is said and changes nothing."""
    key, hint = f"tags-{line.name}", "with commas between them"

    def tag() -> str:
        set_tags(line.name, split_tags(st.session_state[key]))
        return ""

    st.text_input(
        "Tags",
        ", ".join(line.tags),
        key=key,
        on_change=lambda: attempt(f"{key}-wrong", tag, "Not tagged"),
        max_chars=900,
        placeholder=hint,
    )
    tell(f"{key}-wrong")


def exports() -> Path:
    """Where files too large for a browser are written."""
    return paths.home() / "exports"


def _npz_bytes(samples: SampleSet) -> bytes:
    from cdp.data.importing import export_npz

    with tempfile.TemporaryDirectory(prefix="cdp-export-") as folder:
        out = Path(folder) / "set.npz"
        export_npz(samples, out)
        return out.read_bytes()


def _sheet(line: GalleryLine, samples: SampleSet) -> bytes:
    rows = first_rows(samples, SHEET)
    classes = 0 if samples.label is None else len(classes_in(samples.label[rows]))
    columns = classes if 1 < classes <= 20 else 20
    return sheet_png(
        np.asarray(showable(samples.image[rows])),
        flatten(line.config) if line.config else None,
        columns,
    )


def _images(samples: SampleSet) -> None:
    label = samples.label
    if label is None:
        _pages(samples, None, len(samples))
        return
    present = classes_in(label)
    picked = st.selectbox(
        "Class",
        [None, *present],
        format_func=lambda v: "All classes" if v is None else class_name(samples.class_names, v),
    )
    if picked is None:
        visible = present[:CLASSES_SHOWN]
        for value in visible:
            st.caption(
                f"{plain(class_name(samples.class_names, value))} ·"
                f" {int(np.equal(label, value).sum()):,}"
            )
            _picture(samples, value, 0, ROW, ROW)
        if len(present) > len(visible):
            st.caption(f"{len(present) - len(visible)} more classes: choose one above.")
        return
    _pages(samples, picked, int(np.equal(label, picked).sum()))


def _pages(samples: SampleSet, value: int | None, count: int) -> None:
    """The ``count`` images of one class, or of a set without labels, page by page."""
    pages = page_count(count, PAGE)
    page = st.number_input(f"Page, of {pages:,}", 1, pages, 1) - 1 if pages > 1 else 0
    first = page * PAGE
    st.caption(f"Images {first + 1:,} to {min(count, first + PAGE):,} of {count:,}")
    _picture(samples, value, page, PAGE, ROW)


def _picture(samples: SampleSet, value: int | None, page: int, size: int, columns: int) -> None:
    image = strip(samples, value, page, size, columns)
    if image:
        st.image(
            image,
            alt=(
                "images of"
                f" {samples.name if value is None else class_name(samples.class_names, value)},"
                f" page {page + 1}"
            ),
        )


def _card(line: GalleryLine, samples: SampleSet) -> None:
    if line.config is not None:
        with st.expander("Settings"):
            table(setting_rows(line.config))
    elif line.entry.card and line.entry.card.get("config"):
        st.info(
            "This version of the app does not know the settings in this set's card; its images can"
            " be used all the same."
        )
    with st.expander("Origin: source, hashes, versions"):
        table(provenance_rows(samples.card))
    label = samples.label
    if label is not None:
        with st.expander("Classes"):
            counts = ((v, int(np.equal(label, v).sum())) for v in classes_in(label))
            table(
                [
                    {"class": v, "name": class_name(samples.class_names, v), "images": n}
                    for v, n in counts
                ]
            )


def show_pair(
    first: GalleryLine, first_set: SampleSet, other: GalleryLine, other_set: SampleSet
) -> None:
    """Two sets side by side: headings, the settings that differ, then one line a class."""
    for column, line in zip(st.columns(2, gap="medium"), (first, other), strict=True):
        with column:
            heading(line, large=True)
            st.markdown(facts(line))
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
    without = [samples.name for samples in sets if samples.label is None]
    if without:
        lack = f"{' and '.join(without)} {'has' if len(without) == 1 else 'have'} no labels"
        st.caption(plain(f"The first {BESIDE_ROW} images of each set, as {lack}.{note}"))
        _beside(sets, None)
        return
    st.caption(f"The first {BESIDE_ROW} images of each class.{note}")
    classes = names_in(sets)
    for name in classes[:CLASSES_SHOWN]:
        _beside(sets, name)
    if len(classes) > CLASSES_SHOWN:
        more = len(classes) - CLASSES_SHOWN
        st.caption(f"{more} more classes are not shown here: open a set to see them.")


def _same_noise(first: GalleryLine, other: GalleryLine) -> bool:
    """Whether row i is the same class and noise in both: same seed and model, same classes taking
    turns."""
    if first.config is None or other.config is None:
        return False
    names = ("seed", "classes", "model")
    return all(getattr(first.config, name) == getattr(other.config, name) for name in names)


def _beside(sets: Sequence[SampleSet], name: str | None) -> None:
    """name: of the class, None for all images in file order."""
    if name is not None:
        st.caption(plain(name))
    for column, samples in zip(st.columns(2, gap="medium"), sets, strict=True):
        value = None if name is None else number_in(samples, name)
        image = strip(samples, value, 0, BESIDE_ROW, BESIDE_ROW)
        with column:
            if image:
                st.image(image, width="stretch", alt=f"{name or 'images'} in {samples.name}")
            else:
                st.caption("none")
