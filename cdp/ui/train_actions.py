"""What the buttons of the Train page do: start, stop, resume, remove. What went wrong is said on the next draw."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from cdp.config_train import automatic_name
from cdp.errors import CdpError
from cdp.runs import launch
from cdp.ui.gallery_parts import plain
from cdp.ui.train_state import Trained

SAID_SECONDS = 15.0
_WRONG, _DONE = "train_wrong", "train_done"


def start(held: Trained, watched: Sequence[str]) -> None:
    """Launch one run a seed and watch them. watched: what was on the curves; it stays there where somebody chose it."""
    _forget()
    started: list[str] = []
    try:
        for config in held.configs():
            wanted = automatic_name(config) if not held.name else held.name if held.seeds == 1 else f"{held.name}-s{config.seed}"
            started.append(launch.launch("train", config, launch.free_name("train", wanted)))
    except (CdpError, OSError) as error:
        _say(_WRONG, f"{'Not started' if not started else f'Only {len(started)} of {held.seeds} started'}: {error}.")
    if started:
        held.opened = started[0]
        held.watch([*(watched if held.watched is not None else ()), *started])


def act(action: Callable[[str], Any], run_id: str) -> None:
    """Stop or resume a run."""
    _forget()
    try:
        action(run_id)
    except (CdpError, OSError) as error:
        _say(_WRONG, f"{error}.")


def remove(run_id: str, name: str) -> None:
    """Move a run to the trash; where it lies now is said."""
    try:
        _say(_DONE, f"Run {name} was moved to {launch.delete(run_id)}.")
    except (CdpError, OSError) as error:
        _say(_WRONG, f"{error}.")


def said() -> None:
    """Show for a while what the last button led to; polls in between must not wipe it off before it is read."""
    for key, show in ((_WRONG, st.error), (_DONE, st.success)):
        text, since = st.session_state.get(key, ("", 0.0))
        if text and time.monotonic() - since < SAID_SECONDS:
            show(plain(text))


def _say(key: str, text: str) -> None:
    """The latest word takes the place of those before it."""
    _forget()
    st.session_state[key] = (text, time.monotonic())


def _forget() -> None:
    for key in (_WRONG, _DONE):
        st.session_state.pop(key, None)
