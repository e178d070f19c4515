"""What every part of a report is made of: a chart, and its numbers one click away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import streamlit as st

from cdp.reports.exports import to_csv
from cdp.ui.components.chart import chart

if TYPE_CHECKING:
    import plotly.graph_objects as go


def chart_with_numbers(
    figure: go.Figure | None,
    rows: Sequence[Mapping[str, object]],
    *,
    name: str,
    title: str,
    key: str,
    alt: str,
) -> None:
    """A figure, None for numbers alone, over a fold with its table and CSV. name: of the file and
    the keys; title: after "Numbers of"; key: of the evaluation; alt: the figure in words, for a
    screen reader."""
    if figure is not None:
        chart(figure, key=f"evaluate_{name}_{key}", alt=alt)
    fold = st.expander(
        f"Numbers of {title}", key=f"evaluate_{name}_numbers_{key}", on_change="rerun"
    )
    if not cast(bool, fold.open):
        return
    with fold:
        st.dataframe(rows, hide_index=True, width="stretch")
        st.download_button(
            "Download CSV",
            lambda: to_csv(rows),
            f"{name}.csv",
            "text/csv",
            on_click="ignore",
            key=f"evaluate_{name}_csv_{key}",
        )
