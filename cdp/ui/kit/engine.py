"""The one live engine of the app, shared by all tabs."""

from __future__ import annotations

import streamlit as st

from cdp.work.live import Engine
from cdp.work.task import lazy


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """Models are loaded once and one generation runs at a time, whatever the number of tabs.
    Nothing is loaded here."""
    return Engine(live=lazy("cdp.tasks.live:live"), load=lazy("cdp.tasks.live:warm"))
