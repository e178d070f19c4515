"""What every view is made of: a chart with its finding for screen readers, and its numbers one
click away."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from cdp.config.theory import TheoryConfig
from cdp.reports.exports import to_csv
from cdp.ui.components.chart import pack, packed_chart
from cdp.ui.theory.data import kept

if TYPE_CHECKING:
    import plotly.graph_objects as go

Rows = Sequence[Mapping[str, Any]]


def chart(
    config: TheoryConfig, name: str, make: Callable[[], go.Figure], *, stage: str = ""
) -> None:
    """A figure, made once for these settings. name: of the view, the chart's key; stage: what else
    it depends on."""

    def packed() -> bytes:
        figure = make()
        return pack(figure.to_json(), alt=said_by(figure))

    packed_chart(kept(f"chart {name} {stage}", config, packed), key=f"theory_chart_{name}")


def said_by(figure: go.Figure) -> str:
    """The headings of a figure as plain text."""
    texts = [
        re.sub(r"<[^>]*>", "", str(note.text).replace("<br>", " "))
        for note in figure.layout.annotations
    ]
    return html.unescape(". ".join(texts)).replace("\u00a0", " ")


def numbers(name: str, title: str, rows: Callable[[], Rows]) -> None:
    """A fold with a table and its CSV, made when it is opened. name: of the file and the keys;
    title: after "Numbers of"."""
    fold = st.expander(f"Numbers of {title}", key=f"theory_numbers_{name}", on_change="rerun")
    if not cast(bool, fold.open):
        return
    with fold:
        found = rows()
        st.dataframe(found, hide_index=True, width="stretch")
        st.download_button(
            "Download CSV",
            lambda: to_csv(found),
            f"theory-{name}.csv",
            "text/csv",
            on_click="ignore",
            key=f"theory_csv_{name}",
        )
