"""How a run stands or ended, in words: its health, and its accuracies with their intervals."""

from __future__ import annotations

import streamlit as st

from cdp.results.reached import Reached
from cdp.statistics.shares import share_interval
from cdp.ui.kit.words import plain
from cdp.ui.train.runs import epoch_line
from cdp.values.text import at_step, bounds_text, share_text
from cdp.values.types import NEVER_ROBUST
from cdp.work.records import Run

REMEDY = {
    "interrupted": (
        "Its process is gone, perhaps by a restart of the machine. Resume goes on from the last"
        " checkpoint."
    ),
    "stopped": "Stopped. Resume goes on from the last checkpoint.",
}


def outcome(run: Run, now: Reached) -> None:
    """State, what is wrong or to be known, and the figures of the best and the last validation."""
    st.caption(plain(epoch_line(run, now)))
    if run.error:
        # A run that ended itself with everything good kept is no failure.
        (st.error if run.state == "failed" else st.warning)(plain(_sentence(run.error)))
    elif run.state in REMEDY:
        st.info(REMEDY[run.state])
    if run.notice and run.notice not in (run.error or ""):
        st.warning(plain(_sentence(run.notice)))
    if now.best_robust is not None and now.robust is not None:
        _figures(now)


def _figures(now: Reached) -> None:
    assert now.best_robust is not None and now.robust is not None
    shown = {
        f"Robust, best ({at_step(now.best_step or 0, now.best_epoch)})": now.best_robust,
        f"Robust, last ({at_step(now.steps or 0, now.epoch)})": now.robust,
    }
    if now.clean is not None:
        shown["Clean, last"] = now.clean
    with st.container(horizontal=True, gap="medium"):
        for title, value in shown.items():
            with st.container(width="content", gap=None):
                st.caption(title)
                st.markdown(f"**{share_text(value)}** :gray[{_bounds(value, now.n)}]")
    attack = "the quick attack of training, so an upper estimate of robust accuracy"
    st.caption(
        f"n = {now.n:,} validation images; {attack}. Intervals: 95 % (Wilson)."
        if now.n
        else f"On the validation images; {attack}."
    )
    if now.best_robust == 0:
        st.warning(f"{NEVER_ROBUST[:1].upper()}{NEVER_ROBUST[1:]}.")


def _bounds(share: float, n: int) -> str:
    """ "61.0 to 65.2" in per cent; empty where n is not known."""
    return bounds_text(share_interval(share, n, n)) if n > 0 else ""


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?")) else f"{text}."
