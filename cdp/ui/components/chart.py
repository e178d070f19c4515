"""A plotly figure that is redrawn in place (Plotly.react): Streamlit's own chart is remounted at
every change and loses its zoom."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from cdp.ui.components.packing import pack

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from streamlit.components.v2.types import ComponentRenderer


def load_plotly() -> None:
    """Hand the browser the plotly.js of the installed wheel, once a page; ``chart`` waits for it.
    Call it outside polled fragments."""
    _renderer("cdp_plotly", "plotly.js")(key="cdp_plotly", data=_plotly_source())


def chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw or redraw a figure. alt: what it shows, for a screen reader."""
    packed_chart(pack(figure.to_json(), alt=alt), key=key)


def packed_chart(packed: bytes, *, key: str) -> None:
    """Draw or redraw what ``pack`` made of a figure; the same bytes again cost next to nothing and
    leave the drawing alone."""
    _renderer("cdp_chart", "chart.js")(key=key, data=packed)


@cache
def _plotly_source() -> bytes:
    return files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()


@cache
def _renderer(name: str, script: str) -> ComponentRenderer:
    # Plotly writes its styles into the page's head, where a shadow root would not see them.
    return st.components.v2.component(
        name, js=(Path(__file__).parent / script).read_text("utf-8"), isolate_styles=False
    )
