"""What the app does for its store beside the pages."""

from __future__ import annotations

import math
import threading
import time

import streamlit as st

from cdp.errors import InputError
from cdp.work import clean, usage

MEASURED_EVERY = 600.0
"""Seconds between two looks at every file of the store."""


@st.cache_resource(show_spinner=False)
def tidy(home: str) -> threading.Thread:
    """Once a server: clear what killed processes left in CDP_HOME, while the pages are drawn."""
    thread = threading.Thread(target=clean.sweep, name="tidy", daemon=True)
    thread.start()
    return thread


class Room:
    """Whether the store is larger than its quota, looked at now and then while pages are drawn."""

    def __init__(self) -> None:
        self._lock, self._looked, self._problem = threading.Lock(), -math.inf, ""

    def problem(self) -> str:
        """As of the last look; "" before the first is over."""
        now = time.monotonic()
        with self._lock:
            due = now - self._looked > MEASURED_EVERY
            self._looked = now if due else self._looked
        if due:
            threading.Thread(target=self._look, name="room", daemon=True).start()
        return self._problem

    def _look(self) -> None:
        try:
            self._problem = usage.measure().problem
        except InputError as error:
            self._problem = str(error)


@st.cache_resource(show_spinner=False)
def room(home: str, quota: str) -> Room:
    """Of this store, shared by all tabs."""
    return Room()
