"""The list of training runs: newest first, a tick for the curves, and what can be done with each.
Polls files while one of them moves."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cdp.figures.palette import Sign
from cdp.ui.kit.run_controls import POLL_SECONDS, Help, buttons, moving, said
from cdp.ui.kit.run_lists import filtered, paged
from cdp.ui.kit.words import plain
from cdp.ui.train.rows import Followers, matching, row_html, standing, train_runs, watching
from cdp.ui.train.state import MOST_WATCHED, Trained
from cdp.work.records import Run, list_runs

HELP = Help(
    "The last finished epoch is kept, and the run can be resumed.",
    "Goes on from its last checkpoint.",
    "Moves the run to the trash.",
)
PAGE = 8
"""Runs listed at a time."""
_FOLLOWERS = "train_followers"


def list_of_runs(held: Trained, runs: Sequence[Run]) -> None:
    """Nothing where there is no run. The whole page is drawn anew once another set of runs moves or
    is watched."""
    if not runs:
        return
    going, watched = moving(runs), watching(held.watched, runs)
    st.fragment(_draw, run_every=POLL_SECONDS if going else None)(held, going, watched)


def followers() -> Followers:
    """The journals that this session reads on in."""
    kept: Followers = st.session_state.setdefault(_FOLLOWERS, {})
    return kept


def _draw(held: Trained, going: frozenset[str], watched: tuple[str, ...]) -> None:
    runs = train_runs(list_runs())
    now = watching(held.watched, runs)
    if moving(runs) != going or now != watched:
        st.rerun()
    st.subheader("Runs", anchor=False)
    said()
    signs = _signs(now)
    fitting = filtered(
        runs,
        matching,
        key="train",
        label="Filter runs",
        hint="filter by name, state, method, data or seed",
    )
    shown = paged(fitting, PAGE, key="train", noun="runs")
    with st.container(key="train_runs", gap="small"):
        for run in shown:
            _row(run, held, now, signs.get(run.id))


def _signs(watched: Sequence[str]) -> dict[str, Sign]:
    """How the curves draw the watched runs."""
    if not watched:
        return {}
    from cdp.ui.train.curves import signs_of

    return signs_of(watched)


def _row(run: Run, held: Trained, watched: Sequence[str], sign: Sign | None) -> None:
    key = f"watch-{run.id}-{run.id in watched}"

    def ticked() -> None:
        others = [one for one in watched if one != run.id]
        held.watch([*others, run.id] if st.session_state[key] else others)

    full = len(watched) >= MOST_WATCHED and run.id not in watched
    with st.container(
        horizontal=True,
        vertical_alignment="top",
        border=True,
        gap="small",
        key=f"train-run-{run.id}",
    ):
        st.checkbox(
            f"Watch {plain(run.name)}",
            run.id in watched,
            key=key,
            on_change=ticked,
            label_visibility="collapsed",
            disabled=full,
            help=f"At most {MOST_WATCHED} runs at a time." if full else None,
        )
        st.html(row_html(run, standing(run, followers()), sign), width="stretch")
        with st.container(horizontal=True, gap="small", width="content"):
            buttons(run, HELP)
