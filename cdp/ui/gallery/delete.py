"""Deleting a set asks first, and the set lies in the trash afterwards."""

from __future__ import annotations

import streamlit as st

from cdp.data.sets import delete_set, trash_dir
from cdp.errors import CdpError
from cdp.ui.gallery.entries import Line
from cdp.ui.gallery.parts import go
from cdp.ui.kit.words import plain
from cdp.work.failures import sentence

DONE, REFUSED = "gallery_deleted", "gallery_refused"


@st.dialog("Delete this set?")
def ask_delete(line: Line) -> None:
    """A question over the page; the page is drawn anew after either answer."""
    images = f"({line.count:,} images) " if line.count else ""
    st.write(
        f"**{plain(line.name)}** {images}moves to the trash, `{trash_dir()}`. Moving it back from"
        " there undoes this."
    )
    yes, no = st.columns(2)
    # A rerun of the whole page closes the question.
    if yes.button(
        "Move to trash", type="primary", width="stretch", on_click=_delete, args=(line.name,)
    ):
        st.rerun()
    if no.button("Keep it", width="stretch"):
        st.rerun()


def say_deleted() -> None:
    """How the last delete went, once."""
    if done := st.session_state.pop(DONE, ""):
        st.success(plain(done))
    if refused := st.session_state.pop(REFUSED, ""):
        st.error(plain(refused))


def _delete(name: str) -> None:
    try:
        st.session_state[DONE] = f"{name} was moved to {delete_set(name)}."
    except (CdpError, OSError) as error:
        st.session_state[REFUSED] = sentence(error)
    else:
        go()
