"""The helper processes of the app, and how a page waits for them: progress, time left, cancel, and
what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from cdp import paths
from cdp.ui.kit.words import plain
from cdp.values.text import duration
from cdp.work.helper import Errand, Side

POLL_SECONDS = 0.4
Kind = Literal["maps", "looks"]


@st.cache_resource(show_spinner=False)
def side(kind: Kind) -> Side:
    """One process for UMAP, whose preparation takes long, and one for everything that should not
    wait for it. Nothing is started here."""
    return Side()


def waiting(errands: Sequence[tuple[str, Kind, Errand]], *, key: str) -> None:
    """Progress of what is on its way, each under its title; once one of them is over the whole page
    is drawn anew.

    What failed or was cancelled says so, with a button to try again; so does what was done and is
    not in the cache.
    """
    moving = [entry for entry in errands if not entry[2].over]
    for number, (title, kind, errand) in enumerate(errands):
        if not errand.over:
            continue
        with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_over_{number}"):
            (st.info if errand.state == "cancelled" else st.error)(
                plain(ending(title, errand)), width="stretch"
            )
            st.button(
                "Try again", key=f"{key}_again_{number}", on_click=side(kind).forget, args=(errand,)
            )
    if moving:
        st.fragment(_poll, run_every=POLL_SECONDS)(moving, key)


def ending(title: str, errand: Errand) -> str:
    """How an errand ended whose result is not there."""
    if errand.state == "cancelled":
        return f"{title}: cancelled."
    if errand.state == "failed":
        return f"{title}: {errand.error}."
    return (
        f"{title}: done, but the result could not be kept under {paths.cache_dir()}: make it"
        " writable, or free some disk space."
    )


def _poll(moving: Sequence[tuple[str, Kind, Errand]], key: str) -> None:
    for number, (title, kind, errand) in enumerate(moving):
        with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_{number}"):
            st.progress(errand.progress, line(title, errand), width="stretch")
            st.button(
                "Cancel", key=f"{key}_cancel_{number}", on_click=side(kind).cancel, args=(errand,)
            )
    if any(errand.over for _, _, errand in moving):
        st.rerun()


def line(title: str, errand: Errand) -> str:
    """One line on where an errand stands."""
    if errand.state == "queued":
        return f"{title}: waiting for the one before it"
    left = errand.seconds_left
    told = (
        f"{title}: {errand.words}"
        if errand.words and not errand.words.startswith(title)
        else errand.words or title
    )
    return told if left is None else f"{told}, about {duration(left)} left"
