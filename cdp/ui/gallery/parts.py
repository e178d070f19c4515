"""Small pieces that every view of the gallery uses: where the reader is, cached pictures, safe
text."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.data.samples import SampleSet
from cdp.data.sets import open_set
from cdp.ui.gallery import images as pictures
from cdp.ui.gallery.entries import Line
from cdp.ui.kit.words import GLYPHS, plain

OPEN, BESIDE = "set", "with"
"""Query parameters: the set that is open, and the one shown beside it. A link to a set is its
address."""


def go(name: str | None = None, beside: str | None = None) -> None:
    """Open a set, two sets, or with nothing given the list."""
    wanted = {OPEN: name, BESIDE: beside}
    st.query_params.from_dict({k: v for k, v in wanted.items() if v})


def heading(line: Line, *, size: str = "1rem") -> None:
    """A set's name beside a mark in its colour, the same on every page."""
    from cdp.figures.palette import named_sign

    sign = named_sign(line.name)
    mark = f"<span aria-hidden='true' style='color:{sign.color}'>{GLYPHS[sign.symbol]}</span>"
    st.html(
        f"<div style='font-weight:600;font-size:{size};overflow-wrap:anywhere'>{mark}"
        f" {html.escape(line.name)}</div>"
    )


def facts(line: Line) -> str:
    """One line of what counts: images, whether they lack labels or a classifier gave them, loss,
    strength, seed."""
    parts = [
        f"{line.count:,} images",
        *([] if line.labelled else ["no labels"]),
        *(["pseudo-labels"] if line.pseudo_labelled else []),
    ]
    if line.config is None:
        return plain(" · ".join([*parts, line.loss]))
    guided = line.config.guidance.loss != "none"
    parts += [line.loss.split(" (")[0], f"strength {line.strength}"] if guided else ["unguided"]
    return plain(" · ".join([*parts, f"seed {line.config.seed}"]))


def stamp(folder: Path) -> int:
    """Changes when a set is replaced by another of the same name, so that no stale picture is
    shown."""
    return (folder / "card.json").stat().st_mtime_ns


def thumbnail(samples_folder: Path) -> bytes:
    """The picture of a set's card."""
    return _thumbnail(str(samples_folder), stamp(samples_folder))


def strip(
    samples: SampleSet, value: int | None, page: int, size: int, columns: int
) -> bytes | None:
    """Page ``page`` of ``size`` images of one class as PNG, of all images where ``value`` is None;
    None where there are none."""
    return _strip(str(samples.folder), stamp(samples.folder), value, page, size, columns)


@st.cache_data(max_entries=500, show_spinner=False)
def _thumbnail(folder: str, changed: int) -> bytes:
    return pictures.thumbnail_png(open_set(folder))


@st.cache_data(max_entries=1000, show_spinner=False)
def _strip(
    folder: str, changed: int, value: int | None, page: int, size: int, columns: int
) -> bytes | None:
    samples = open_set(folder)
    rows = pictures.rows_of_page(samples, value, page, size)
    if not len(rows):
        return None
    return pictures.grid_png(
        np.asarray(samples.image[rows]), columns, scale=pictures.scale_for(samples.image.shape[1:])
    )
