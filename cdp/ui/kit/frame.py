"""Pages are drawn inside app.py's frame, also on the first visit to a fresh server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from cdp import paths
from cdp.errors import InputError
from cdp.ui.kit.markup import finding
from cdp.ui.kit.words import plain


def framed() -> None:
    """On a session's first run, start again through app.py where Streamlit has run this page by
    itself.

    A folder named pages/ is Streamlit's older convention, and it follows that until
    ``st.navigation`` was called once in the process (streamlit 1.67, runtime/pages_manager.py). A
    link straight to a page would be drawn without title, width and menu.
    """
    first = "framed" not in st.session_state
    st.session_state["framed"] = True
    if first and PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def usable_home() -> None:
    """Said above every page where nothing can be written into CDP_HOME, or it is larger than it
    should be; the pages stop where it cannot even be read."""
    with st.container(key="amiss"):
        if problem := paths.home_problem():
            st.error(plain(f"{problem}."))
        elif quota := os.environ.get(paths.QUOTA):
            from cdp.ui.kit.upkeep import room

            if problem := room(str(paths.home()), quota).problem():
                st.warning(plain(f"{problem}."))
    try:
        paths.require_home()
    except InputError:
        st.stop()


def steady() -> Any:
    """A place that is always there, empty or not: whatever comes and goes above a control is drawn
    in one.

    Streamlit 1.67 knows a container, a row of columns and a fragment by how many things stand before
    it. When one more comes, the browser makes all that follow anew, and what is typed into them and
    not yet sent is lost, as is a click that is on its way. An empty container takes no room.
    """
    return st.container(gap="xsmall")


def warned(notes: Sequence[str]) -> None:
    """What a link got wrong."""
    with steady():
        for note in notes:
            st.warning(plain(note))


def refused(message: str) -> None:
    """An error's sentence; lines of Python after it, as a remedy may have them, can be copied."""
    sentence, _, code = message.partition("\n")
    st.error(plain(f"{sentence}:" if code else f"{sentence}."))
    if code:
        st.code(code, language="python")


def found(text: str, note: str = "") -> None:
    """What a chart below shows, and how it was measured; nothing for neither."""
    if text or note:
        st.html(finding(text, note))


def link(page: str, label: str, icon: str = "arrow_forward", **query: str) -> None:
    """A link to another page. icon: of Material Symbols; query: what its address says."""
    st.page_link(
        f"pages/{page}.py", label=label, icon=f":material/{icon}:", query_params=query or None
    )


def nothing_yet(title: str, *texts: str) -> Any:
    """What stands in the place of results before there are any; returns the place for more."""
    place = st.container(border=True, key="empty")
    with place:
        st.markdown(f"**{title}**")
        for text in texts:
            st.markdown(text)
    return place
