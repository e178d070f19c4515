"""The leaderboard below the run table: one's own best by data set and budget, and what RobustBench
published for the same."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from cdp.results.leaderboard import Board, Entry, boards
from cdp.results.rows import Row
from cdp.ui.kit.frame import nothing_yet
from cdp.ui.kit.markup import Html, tag
from cdp.ui.kit.words import plain
from cdp.values.text import bounds_text, counted, share_text

MOST = 12
HEAD = ("Model", "Trained on", "Robust", "Clean", "Measured by")


def show_leaderboard(rows: Sequence[Row]) -> None:
    """The board that most of the runs are on, and a choice of the others."""
    every = boards(rows)
    st.subheader("Leaderboard", anchor=False)
    if not every:
        nothing_yet(
            "No training is evaluated yet",
            "The best ones stand here by data set and budget, as soon as their robust accuracy was"
            " measured on test images.",
        )
        return
    board = every[0]
    if len(every) > 1:
        board = st.selectbox(
            "Data set and budget",
            every,
            format_func=lambda board: plain(board.title),
            key="leaderboard",
            width=400,
        )
    st.html(board_html(board), width="stretch")
    text = (
        f"{board.title}. Seeds of the same settings are one line: mean with its 95 % interval over"
        " seeds, of a single training over test images. The strongest attack stands first, as"
        " numbers of different attacks cannot be ranked."
    )
    st.caption(plain(text))


def board_html(board: Board) -> Html:
    """The board as a table, best first."""
    head = tag("tr", *(tag("th", title, scope="col") for title in HEAD))
    body = [_line(entry) for entry in board.entries[:MOST]]
    table = tag("table", tag("thead", head), tag("tbody", *body))
    return tag("div", table, cls="cdp-matrix", tabindex=0, role="region", aria_label=board.title)


def _line(entry: Entry) -> Html:
    seeds = f" {counted(len(entry.runs), 'seed')}" if len(entry.runs) > 1 else ""
    images = f", {entry.n:,} images" if entry.n else ""
    return tag(
        "tr",
        tag(
            "th",
            _name(entry),
            tag("div", f"{entry.architecture}{seeds and ','}{seeds}"),
            scope="row",
        ),
        tag("td", entry.data),
        tag(
            "td",
            tag("b", share_text(entry.robust.value)),
            tag("div", _bounds(entry), cls="cdp-small"),
        ),
        tag("td", "" if entry.clean is None else share_text(entry.clean)),
        tag("td", tag("span", f"{entry.measured}{images}", cls="cdp-tag")),
        cls="" if entry.runs else "cdp-published",
    )


def _name(entry: Entry) -> Html:
    if entry.link:
        return tag("a", entry.name, href=entry.link, target="_blank", rel="noopener")
    return tag("a", entry.name, href=f"compare?{urlencode({'runs': ','.join(entry.runs)})}")


def _bounds(entry: Entry) -> str:
    return bounds_text(entry.robust) if entry.runs else ""
