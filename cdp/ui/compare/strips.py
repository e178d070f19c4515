"""Sample images of several sets under each other, the same classes in the same columns. Reads few
rows from the memory maps."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.data.samples import SampleSet
from cdp.data.sets import open_set
from cdp.figures.palette import Sign
from cdp.ui.gallery.parts import grid_png, names_in, number_in, rows_of_page, stamp
from cdp.ui.kit.words import GLYPHS
from cdp.values.text import class_name

IMAGES = 20
"""Of each set, about."""
MOST_CLASSES = 20
_SIZE = "clamp(54px,5.5vw,68px)"
_CELL = (
    "border:0;padding:0"
    f" 2px;width:{_SIZE};vertical-align:top;text-align:center;font-size:0.72rem;line-height:1.15;overflow-wrap:anywhere"
)
_HEAD = "border:0;padding:10px 0 3px;font-size:0.9rem;font-weight:600;text-align:left"


def columns_of(sets: Sequence[SampleSet]) -> tuple[list[str], int]:
    """The classes that get a column, by name, and images of each: about ``IMAGES`` a set in all. A
    set without labels has no classes, and spans them."""
    shown = names_in(sets)[:MOST_CLASSES]
    return shown, max(1, round(IMAGES / max(1, len(shown))))


def strips_html(sets: Sequence[SampleSet], signs: Sequence[Sign], facts: Sequence[str]) -> str:
    """A table: a head of classes, then for each set a line with its name and what it says of itself
    (facts), and a line of images."""
    shown, each = columns_of(sets)
    heads = "".join(
        f"<th scope='col' style='{_CELL};font-weight:400;opacity:0.75'>{html.escape(name)}</th>"
        for name in shown
    )
    body = "".join(
        _set(one, sign, fact, shown, each)
        for one, sign, fact in zip(sets, signs, facts, strict=True)
    )
    return (
        "<div style='overflow-x:auto' tabindex='0' role='region' aria-label='Sample images of the"
        " sets'><table"
        f" style='border-collapse:collapse;border:0;margin:0;table-layout:fixed;width:calc({len(shown)}"
        f" * {_SIZE})'><tr>{heads}</tr>{body}</table></div>"
    )


def _set(one: SampleSet, sign: Sign, fact: str, shown: Sequence[str], each: int) -> str:
    mark = f"<span aria-hidden='true' style='color:{sign.color}'>{GLYPHS[sign.symbol]}</span>"
    told = (
        f"{mark} {html.escape(one.name)} <span"
        f" style='font-weight:400;opacity:0.7'>{html.escape(fact)}</span>"
    )
    if one.label is None:
        cells = (
            f"<td colspan='{max(1, len(shown))}'"
            f" style='{_CELL};text-align:left'>{_pictures(one, None, IMAGES)} no labels</td>"
        )
    else:
        cells = "".join(
            f"<td style='{_CELL}'>{_pictures(one, number_in(one, name), each)}</td>"
            for name in shown
        )
    return (
        f"<tr><th colspan='{len(shown)}' style='{_HEAD}'><span"
        f" style='position:sticky;left:0'>{told}</span></th></tr><tr>{cells}</tr>"
    )


def _pictures(one: SampleSet, value: int | None, each: int) -> str:
    """value: None for all images in file order."""
    png = _png(str(one.folder), stamp(one.folder), value, each)
    if png is None:
        return "<span style='opacity:0.7'>none</span>"
    alt = html.escape(
        f"{'images' if value is None else class_name(one.class_names, value)} in {one.name}",
        quote=True,
    )
    data = base64.b64encode(png).decode()
    return (
        f"<img src='data:image/png;base64,{data}' alt='{alt}'"
        " style='width:100%;display:block;image-rendering:pixelated'>"
    )


@st.cache_data(max_entries=2000, show_spinner=False)
def _png(folder: str, changed: int, value: int | None, each: int) -> bytes | None:
    """The first images of a class under each other, of all images beside each other where ``value``
    is None; None where there are none. changed: of the set, so that another of its name is read
    anew."""
    samples = open_set(Path(folder))
    rows = rows_of_page(samples, value, 0, each)
    return (
        grid_png(np.asarray(samples.image[rows]), each if value is None else 1, scale=1)
        if len(rows)
        else None
    )
