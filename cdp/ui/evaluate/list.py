"""The list of evaluations: newest first, which one is shown, and what can be done with each. Polls
files while one of them moves."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cdp.ui.evaluate.rows import bounds, evaluations, matching, row_html
from cdp.ui.evaluate.state import Evaluated, shown_run
from cdp.ui.kit.run_controls import POLL_SECONDS, Help, buttons, moving, said
from cdp.ui.kit.run_lists import filtered, paged
from cdp.ui.kit.words import plain
from cdp.ui.train.rows import Followers
from cdp.work.records import Run, list_runs

HELP = Help(
    "The finished batches are kept, and the evaluation can be resumed with the same outcome.",
    "Goes on after its last finished batch.",
    "Moves the evaluation and its report to the trash.",
)
PAGE = 6
"""Evaluations listed at a time."""
_FOLLOWERS = "evaluate_followers"


def list_of_evaluations(held: Evaluated, runs: Sequence[Run]) -> None:
    """Nothing where there is none. The whole page is drawn anew once another set of them moves or
    another one is shown."""
    if not runs:
        return
    going, shown = moving(runs), shown_run(held, runs)
    st.fragment(_draw, run_every=POLL_SECONDS if going else None)(
        held, going, shown.id if shown else ""
    )


def followers() -> Followers:
    """The journals that this session reads on in."""
    kept: Followers = st.session_state.setdefault(_FOLLOWERS, {})
    return kept


def _draw(held: Evaluated, going: frozenset[str], shown: str) -> None:
    runs = evaluations(list_runs())
    now = shown_run(held, runs)
    if moving(runs) != going or (now.id if now else "") != shown:
        st.rerun()
    st.subheader("Evaluations", anchor=False)
    said()
    with st.container(key="evaluate_runs", gap="small"):
        fitting = filtered(
            runs,
            matching,
            key="evaluate",
            label="Filter evaluations",
            hint="filter by name, state, attack or data",
        )
        for run in paged(fitting, PAGE, key="evaluate", noun="evaluations"):
            _row(run, held, shown)


def _row(run: Run, held: Evaluated, shown: str) -> None:
    def open_it() -> None:
        held.report = run.id

    with st.container(
        horizontal=True,
        vertical_alignment="top",
        border=True,
        gap="small",
        key=f"evaluation-{run.id}",
    ):
        st.html(
            row_html(run, [] if run.over else bounds(run, followers()), shown=run.id == shown),
            width="stretch",
        )
        with st.container(horizontal=True, gap="small", width="content"):
            if run.id != shown:
                st.button(
                    "Show",
                    key=f"show-{run.id}",
                    on_click=open_it,
                    help=f"What came out of {plain(run.name)}, below the list.",
                )
            buttons(run, HELP)
