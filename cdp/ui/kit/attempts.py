"""What a click came to, told once on the next draw: done, or why not."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cdp.errors import CdpError
from cdp.ui.kit.words import plain
from cdp.work.failures import sentence


def attempt(place: str, action: Callable[[], str], failed: str = "Not saved") -> None:
    """Do it. action: returns what was done in a sentence, "" for nothing to say; place: where it is
    told."""
    try:
        said, well = action(), True
    except (CdpError, OSError) as error:
        said, well = f"{failed}: {sentence(error)}.", False
    st.session_state[place] = said, well


def refuse(place: str, why: str) -> None:
    """Have it told why nothing was done."""
    st.session_state[place] = why, False


def tell(place: str, *, gallery: bool = False) -> None:
    """What the last click here came to. gallery: whether a new set is in the gallery now."""
    said, well = st.session_state.pop(place, ("", True))
    if not said:
        return
    (st.success if well else st.error)(plain(said))
    if well and gallery:
        st.page_link("pages/gallery.py", label="See it in the gallery")
