"""The one live engine of the app, shared by all tabs."""

from __future__ import annotations

from typing import cast

import streamlit as st

from cdp.work.live import Engine, Live
from cdp.work.registry import TASKS
from cdp.work.task import lazy


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """Models are loaded once and one generation runs at a time, whatever the number of tabs.
    Nothing is loaded here."""
    return Engine(live=cast(Live, TASKS["live"].run), load=lazy("cdp.tasks.live:warm"))
