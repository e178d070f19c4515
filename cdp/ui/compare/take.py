"""A comparison to take along: a link, an HTML report and a CSV made when they are asked for, and
the command line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from cdp.ui.compare.result import Shown
from cdp.ui.compare.state import Compared, to_params
from cdp.values.comparison import Comparison


def take(held: Compared, shown: Shown) -> None:
    """The row of buttons."""
    # The address is known while the page is drawn, and no longer when a file is made.
    comparison, address = shown.comparison, link(held)
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="compare_take"
    ):
        st.download_button(
            "HTML report",
            lambda: _html(comparison, address),
            "comparison.html",
            "text/html",
            on_click="ignore",
            key="compare_html",
            icon=":material/download:",
            help="One file with verdicts, tables and charts; it opens without a network.",
        )
        st.download_button(
            "CSV",
            lambda: _csv(comparison),
            "comparison.csv",
            "text/csv",
            on_click="ignore",
            key="compare_csv",
            icon=":material/download:",
            help="Every number of this comparison, one a row.",
        )
        with st.popover("Link and command", width="content"):
            st.markdown("**This comparison as a link**")
            st.code(address, language=None, wrap_lines=True)
            st.markdown("**From the command line**")
            st.code(command(shown.ids, groups=held.groups), language="bash", wrap_lines=True)


def title(comparison: Comparison) -> str:
    """What a report of it is called."""
    names = [arm.name for arm in comparison.arms]
    if len(names) == 2:
        return f"{names[0]} and {names[1]}"
    return names[0] if len(names) == 1 else f"Comparison of {len(names)} arms"


def link(held: Compared) -> str:
    """The address of this page with its parameters, as far as the app knows its own."""
    base = (st.context.url or "").partition("?")[0]
    return f"{base}?{urlencode(to_params(held), safe=',:')}"


def command(ids: Sequence[str], *, groups: bool) -> str:
    """A shell line that compares the same runs."""
    return shlex.join(["python", "-m", "cdp", "compare", *ids, *([] if groups else ["--each"])])


def _html(comparison: Comparison, address: str) -> str:
    from cdp.reports.comparison import comparison_html

    return comparison_html(comparison, title=title(comparison), link=address)


def _csv(comparison: Comparison) -> str:
    from cdp.reports.exports import comparison_csv

    return comparison_csv(comparison)
