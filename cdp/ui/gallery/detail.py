"""One saved set: its images class by class, its card in full, and what can be done with it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import streamlit as st

from cdp import paths
from cdp.config.generate import flatten
from cdp.data.samples import SampleSet
from cdp.errors import CdpError
from cdp.tasks.subsets import set_tags
from cdp.ui.gallery.delete import ask_delete
from cdp.ui.gallery.entries import Line, provenance_rows, setting_rows
from cdp.ui.gallery.images import classes_in, first_rows, page_count, showable
from cdp.ui.gallery.labelling import show_labels
from cdp.ui.gallery.parts import facts, go, heading, strip
from cdp.ui.generate.form import FORM
from cdp.ui.kit.sheet import sheet_png
from cdp.ui.kit.words import plain, split_tags
from cdp.values.text import class_name
from cdp.work.failures import sentence

ROW, PAGE = 12, 120
"""Images of each class in the overview, and on one page of one class."""
CLASSES_SHOWN = 20
SHEET = 400
"""Images in the PNG: classes take turns, so all are there."""
IN_BROWSER = 256 * 2**20
"""Bytes of images up to which a file goes through the browser; above, it is written beside the
sets."""


def show_detail(line: Line, samples: SampleSet, others: list[str]) -> None:
    """Actions on the left, images on the right, the card below."""
    heading(line, size="1.5rem")
    st.markdown(facts(line))
    left, right = st.columns([1, 3], gap="large")
    with left:
        _actions(line, samples, others)
    with right:
        show_labels(samples)
        _images(samples)
    _card(line, samples)


def _actions(line: Line, samples: SampleSet, others: list[str]) -> None:
    if line.config is not None:
        known = FORM.link(line.config) | {
            "seed": str(line.config.seed),
            "count": str(line.config.count),
        }
        st.page_link(
            "pages/generate.py",
            label="Use these settings",
            icon=":material/tune:",
            query_params=known,
        )
    st.page_link(
        "pages/explore.py",
        label="Explore",
        icon=":material/scatter_plot:",
        query_params={"sets": line.name},
    )
    _npz(line, samples)
    note = (
        ""
        if line.config is None
        else " with its settings inside: drop it on the Generate page to restore them"
    )
    st.download_button(
        "PNG sheet",
        lambda: _sheet(line, samples),
        file_name=f"{line.name}.png",
        mime="image/png",
        on_click="ignore",
        width="stretch",
        help=f"{min(SHEET, len(samples)):,} images as one picture{note}.",
    )
    if others:
        picked = st.selectbox("Show beside", others, index=None, placeholder="another set")
        if picked:
            go(line.name, picked)
            st.rerun()
    _tags(line)
    if st.button("Delete", icon=":material/delete:", width="stretch"):
        ask_delete(line)


def _npz(line: Line, samples: SampleSet) -> None:
    size = samples.image.nbytes
    if size <= IN_BROWSER:
        st.download_button(
            "Download .npz",
            lambda: _npz_bytes(samples),
            file_name=f"{line.name}.npz",
            mime="application/octet-stream",
            on_click="ignore",
            width="stretch",
            help=f"image {samples.image.shape} uint8{_and_labels(samples)}, {size / 1e6:,.1f} MB.",
        )
    elif st.button(
        "Write .npz", width="stretch", help=f"{size / 1e6:,.0f} MB: written to {exports()}."
    ):
        from cdp.data.importing import export_npz

        try:
            exports().mkdir(parents=True, exist_ok=True)
            out = exports() / f"{line.name}.npz"
            with st.spinner("Writing"):
                export_npz(samples, out)
        except (CdpError, OSError) as error:
            st.error(plain(sentence(error)))
        else:
            st.success(plain(f"Written to {out}"))


def _and_labels(samples: SampleSet) -> str:
    return ", without labels" if samples.label is None else f" and label {samples.label.shape}"


def _tags(line: Line) -> None:
    """Words on the card, to find sets by; what cannot be a tag is said and changes nothing."""
    key = f"tags-{line.name}"

    def changed() -> None:
        try:
            set_tags(line.name, split_tags(st.session_state[key]))
        except (CdpError, OSError) as error:
            st.session_state[f"{key}-wrong"] = sentence(error)

    st.text_input(
        "Tags",
        ", ".join(line.tags),
        key=key,
        on_change=changed,
        max_chars=900,
        placeholder="with commas between them",
    )
    if wrong := st.session_state.pop(f"{key}-wrong", ""):
        st.error(plain(wrong))


def exports() -> Path:
    """Where files too large for a browser are written."""
    return paths.home() / "exports"


def _npz_bytes(samples: SampleSet) -> bytes:
    from cdp.data.importing import export_npz

    with tempfile.TemporaryDirectory(prefix="cdp-export-") as folder:
        out = Path(folder) / "set.npz"
        export_npz(samples, out)
        return out.read_bytes()


def _sheet(line: Line, samples: SampleSet) -> bytes:
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
        shown = present[:CLASSES_SHOWN]
        for value in shown:
            st.caption(
                f"{plain(class_name(samples.class_names, value))} · {int(np.equal(label, value).sum()):,}"
            )
            _picture(samples, value, 0, ROW, ROW)
        if len(present) > len(shown):
            st.caption(f"{len(present) - len(shown)} more classes: choose one above.")
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
                f"images of {samples.name if value is None else class_name(samples.class_names, value)}, page"
                f" {page + 1}"
            ),
        )


def _card(line: Line, samples: SampleSet) -> None:
    if line.config is not None:
        with st.expander("Settings"):
            st.dataframe(setting_rows(line.config), hide_index=True, width="stretch")
    elif line.entry.card and line.entry.card.get("config"):
        st.info(
            "This version of the app does not know the settings in this set's card; its images can"
            " be used all the same."
        )
    with st.expander("Origin: source, hashes, versions"):
        st.dataframe(provenance_rows(samples.card), hide_index=True, width="stretch")
    label = samples.label
    if label is None:
        return
    with st.expander("Classes"):
        rows = [
            {
                "class": v,
                "name": class_name(samples.class_names, v),
                "images": int(np.equal(label, v).sum()),
            }
            for v in classes_in(label)
        ]
        st.dataframe(rows, hide_index=True, width="stretch")
