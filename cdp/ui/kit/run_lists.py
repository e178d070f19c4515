"""What the lists of background runs on the pages have in common: filter, pages, the bar of one, and
its log."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import streamlit as st

from cdp.ui.kit.run_controls import share
from cdp.ui.kit.words import plain
from cdp.work.records import Run, log_tail

FILTERED_FROM = 5
"""Runs from which a list can be filtered."""
LOG_BYTES = 8192
OVER = "#777b80"


def filtered(
    runs: Sequence[Run],
    matching: Callable[[Sequence[Run], str], list[Run]],
    *,
    key: str,
    label: str,
    hint: str,
) -> list[Run]:
    """The runs that match what is typed; a short list has nothing to type into. hint: what stands
    in the empty box."""
    if len(runs) < FILTERED_FROM:
        return list(runs)
    text = st.text_input(label, key=f"{key}_filter", placeholder=hint, label_visibility="collapsed")
    found = matching(runs, text)
    if not found:
        st.caption("None matches.")
    return found


def paged(runs: Sequence[Run], size: int, *, key: str, noun: str) -> Sequence[Run]:
    """``size`` of the runs at a time. noun: what they are, in the plural."""
    pages = -(-len(runs) // size)
    if pages < 2:
        return runs
    page = st.pagination(pages, key=f"{key}_page_{pages}")
    st.caption(f"{len(runs):,} {noun}, newest first")
    return runs[size * (page - 1) : size * page]


def bar_html(run: Run, color: str) -> str:
    """How much of a run is done, as a thin bar; grey once it is over."""
    done = 100 * share(run)
    return (
        f"<div role='progressbar' aria-valuemin='0' aria-valuemax='100' aria-valuenow='{done:.0f}'"
        f" aria-label='{html.escape(run.name, quote=True)}' "
        "style='height:4px;border-radius:2px;margin:3px 0;background:rgba(128,132,140,0.22)'>"
        "<div"
        f" style='height:4px;border-radius:2px;width:{done:.1f}%;background:{OVER if run.over else color}'></div></div>"
    )


def log_fold(run: Run) -> None:
    """The end of what the worker printed, read when it is asked for."""
    fold = st.expander("Log", key=f"log_{run.id}", on_change="rerun")
    if not fold.open:
        return
    with fold:
        text = log_tail(run, LOG_BYTES).strip()
        if text:
            st.code(text, language=None, wrap_lines=True, height=300)
        else:
            st.caption("The worker has printed nothing yet.")
        st.caption(plain(str(run.folder / "log.txt")))
