"""The one live engine of the app, shared by all tabs."""

from __future__ import annotations

import streamlit as st

from cdp.work.engine import Engine


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """Models are loaded once and one generation runs at a time, whatever the number of tabs.
    Nothing is loaded here."""
    return Engine()


def in_words(seconds: float) -> str:
    """A duration as one would say it: under 1 s, 4 s, 2 min 10 s, 3 h 5 min."""
    if seconds < 1:
        return "under 1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, rest = divmod(round(whole / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
