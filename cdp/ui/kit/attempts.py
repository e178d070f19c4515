"""What a click came to, said on the next draw: done, or why not."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from cdp.errors import CdpError
from cdp.ui.kit.frame import steady
from cdp.ui.kit.words import plain, sentence_of
from cdp.work.failures import sentence


def attempt(place: str, action: Callable[[], object], failed: str = "Not saved") -> None:
    """Do it. action: may return a sentence on what was done; place: where that, or after ``failed``
    what went wrong, is told."""
    try:
        result, well = action(), True
    except (CdpError, OSError) as error:
        result, well = f"{failed}: {sentence(error)}." if failed else sentence_of(error), False
    st.session_state[place] = result if isinstance(result, str) else "", well, time.monotonic()


def refuse(place: str, why: str) -> None:
    """Have it told why nothing was done."""
    st.session_state[place] = why, False, time.monotonic()


def tell(place: str, *, gallery: bool = False, seconds: float = 0) -> None:
    """What the last click here came to. gallery: whether a new set is in the gallery now; seconds:
    how long it is told again, so that a poll does not wipe it off before it is read."""
    with steady():
        text, well, since = st.session_state.pop(place, ("", True, 0.0))
        if not text:
            return
        if time.monotonic() - since < seconds:
            st.session_state[place] = text, well, since
        (st.success if well else st.error)(plain(text))
        if well and gallery:
            st.page_link("pages/gallery.py", label="See it in the gallery")
