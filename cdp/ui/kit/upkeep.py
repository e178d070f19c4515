"""What the app does for its store beside the pages."""

from __future__ import annotations

import threading

import streamlit as st

from cdp.work import clean


@st.cache_resource(show_spinner=False)
def tidy(home: str) -> threading.Thread:
    """Once a server: clear what killed processes left in CDP_HOME, while the pages are drawn."""
    thread = threading.Thread(target=clean.sweep, name="tidy", daemon=True)
    thread.start()
    return thread
