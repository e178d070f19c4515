"""The gallery page: background generations on top, then the list of saved sets, one set, or two
side by side."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from cdp.data.samples import SampleSet
from cdp.data.sets import list_sets, open_set
from cdp.errors import InputError
from cdp.ui.gallery.compare import show_pair
from cdp.ui.gallery.delete import say_deleted
from cdp.ui.gallery.detail import show_detail
from cdp.ui.gallery.entries import Line, line
from cdp.ui.gallery.importing import import_form
from cdp.ui.gallery.list import show_list
from cdp.ui.gallery.parts import BESIDE, OPEN, go
from cdp.ui.gallery.runs import show_runs
from cdp.ui.kit.words import plain

CRISP = "<style>[data-testid='stImage'] img {image-rendering: pixelated}</style>"


def show() -> None:
    """Draw the page that the address asks for."""
    st.title("Gallery")
    st.html(CRISP)
    say_deleted()
    show_runs()
    lines = {entry.name: line(entry) for entry in list_sets()}
    name, beside = st.query_params.get(OPEN), st.query_params.get(BESIDE)
    if name:
        _show_sets(lines, name, beside)
    elif lines:
        show_list(list(lines.values()))
    else:
        _show_empty()


def _show_sets(lines: Mapping[str, Line], name: str, beside: str | None) -> None:
    """One set or two. Names come from the address, so only those in the list are opened."""
    back = f"Back to {plain(name)}" if beside else "All sets"
    st.button(
        back,
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=go,
        args=(name if beside else None,),
    )
    opened: list[tuple[Line, SampleSet]] = []
    for wanted in (name, beside) if beside else (name,):
        found = lines.get(wanted)
        if found is None:
            st.error(plain(f"There is no saved set named {wanted[:100]!r}: choose one of the list"))
            return
        try:
            opened.append((found, open_set(found.entry.folder)))
        except InputError as error:
            st.error(plain(str(error)))
            return
    if beside:
        show_pair(*opened[0], *opened[1])
    else:
        show_detail(*opened[0], [x.name for x in lines.values() if x.name != name and not x.error])


def _show_empty() -> None:
    st.info("No sample set is saved yet. Generate some images and save them, or import an .npz.")
    st.page_link("pages/generate.py", label="Generate images", icon=":material/arrow_forward:")
    import_form()
