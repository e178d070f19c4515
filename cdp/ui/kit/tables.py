"""Charts without a toolbar, and the numbers behind them a click away: a table and its CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from cdp.reports.exports import to_csv
from cdp.ui.kit.frame import found
from cdp.ui.kit.widgets import pick
from cdp.ui.kit.words import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

Rows = Sequence[Mapping[str, Any]]
_MIME = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".html": "text/html",
    ".png": "image/png",
    ".yaml": "application/yaml",
    ".npz": "application/octet-stream",
}


def show_figure(figure: go.Figure, *, key: str, alt: str = "") -> None:
    """A figure that is drawn once, under its finding. alt: what it shows, for a screen reader,
    where the finding does not say it."""
    from cdp.figures.frame import heading_of  # plotly: an empty page needs none

    heading, config = heading_of(figure), {"displayModeBar": False}
    found(*heading)
    alt = alt or heading.words
    st.plotly_chart(figure, theme=None, config=config, key=key, alt=alt)


def table(rows: Rows) -> None:
    """Rows as wide as the page; an empty cell stays empty, and a column of nothing else is left
    out."""
    names = dict.fromkeys(name for row in rows for name in row)
    full = [name for name in names if any(row.get(name) not in (None, "") for row in rows)]
    filled = [{name: row.get(name) for name in full} for row in rows]
    st.dataframe(filled, hide_index=True, width="stretch", placeholder="")


def download(
    label: str, make: Callable[[], str | bytes], file: str, *, key: str, **more: Any
) -> None:
    """A file that is made when it is asked for. more: for the button, such as help or width."""
    mime = _MIME[PurePath(file).suffix]
    st.download_button(label, make, file, mime, on_click="ignore", key=key, **more)


def csv_of(rows: Rows, file: str, *, key: str, label: str = "Download CSV") -> None:
    """Rows as a CSV file."""
    download(label, lambda: to_csv(rows), file, key=key)


def fold(label: str, key: str) -> Any:
    """A fold whose content is made when it is opened: the place for it, None while it is shut."""
    place = st.expander(label, key=key, on_change="rerun")
    return place if cast(bool, place.open) else None


def numbers(
    title: str,
    rows: Callable[[], Rows],
    file: str,
    *,
    key: str,
    note: str = "",
    every: Callable[[], Rows] | None = None,
) -> None:
    """A fold with a table and its CSV. title: after "Numbers of"; note: under the table; every: all
    points, for the CSV."""
    if place := fold(f"Numbers of {title}", key):
        with place:
            new = rows()
            table(new)
            if note:
                st.caption(plain(note))
            label = "Download all points (CSV)" if every else "Download CSV"
            download(label, lambda: to_csv((every or rows)()), file, key=f"{key}_csv")


def views(
    label: str, names: Mapping[str, str], value: str, chosen: Callable[[str], object], *, key: str
) -> None:
    """Which of several views is drawn, as a row of buttons. names: title by name."""
    pick(label, names, value, chosen, key=key, row=True, label_visibility="collapsed")
