"""What every section is made of: a chart, and its numbers one click away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from cdp.ui.compare.result import Shown
from cdp.ui.components.chart import packed_chart
from cdp.ui.components.packing import pack
from cdp.ui.generate.results import to_csv
from cdp.ui.kit.words import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

Rows = Sequence[Mapping[str, Any]]


def chart_of(shown: Shown, name: str, make: Callable[[], go.Figure], *, alt: str) -> None:
    """A chart of the comparison, built once. alt: what it shows in words, for a screen reader."""
    if name not in shown.packed:
        shown.packed[name] = pack(make().to_json(), alt=alt)
    packed_chart(shown.packed[name], key=f"compare_{name}_{shown.key}")


def numbers(
    shown: Shown, name: str, title: str, rows: Callable[[], Rows], *, note: str = ""
) -> None:
    """A fold with a table and its CSV, made when it is opened. title: after "Numbers of"."""
    fold = st.expander(
        f"Numbers of {title}", key=f"compare_numbers_{name}_{shown.key}", on_change="rerun"
    )
    if not cast(bool, fold.open):
        return
    with fold:
        found = rows()
        st.dataframe(found, hide_index=True, width="stretch", placeholder="")
        if note:
            st.caption(plain(note))
        st.download_button(
            "Download CSV",
            lambda: to_csv(found),
            f"comparison-{name}.csv",
            "text/csv",
            on_click="ignore",
            key=f"compare_csv_{name}",
        )


def bullets(sentences: Sequence[str]) -> str:
    """Sentences as text for Markdown, a list where there are several. What is in them is shown as
    it is."""
    texts = [plain(one) for one in sentences]
    return texts[0] if len(texts) == 1 else "\n".join(f"- {text}" for text in texts)
