"""The frame that all figures share: stacked panels with a left-aligned title each, transparent,
zoom kept over redraws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from cdp.figures.palette import CLEAR, GRID, INK


def axis_name(letter: str, row: int) -> str:
    """Plotly's name of an axis of panel ``row`` (from 0), as traces refer to it: x, x2, x3, ..."""
    return letter if row == 0 else f"{letter}{row + 1}"


def layout_name(letter: str, row: int) -> str:
    """The same axis as the layout spells it: xaxis, xaxis2, ..."""
    return f"{letter}axis" if row == 0 else f"{letter}axis{row + 1}"


def stacked(
    titles: Sequence[str],
    *,
    panel_px: int,
    gap_px: int,
    bottom_px: int,
    key: str,
    left_px: int = 58,
    title_px: int = 26,
) -> go.Figure:
    """An empty figure of ``len(titles)`` panels of ``panel_px`` pixels, top to bottom, each under
    its title.

    key: plotly's uirevision; while it stays the same, a redraw keeps the reader's zoom and hidden
    traces.
    """
    rows = len(titles)
    inner = rows * panel_px + (rows - 1) * gap_px
    figure = go.Figure(layout=_frame(inner, bottom_px, left_px, title_px, key))
    for row, title in enumerate(titles):
        top = 1 - row * (panel_px + gap_px) / inner
        domain = [max(0.0, top - panel_px / inner), top]
        figure.layout[layout_name("y", row)] = _axis(domain=domain, anchor=axis_name("x", row))
        figure.layout[layout_name("x", row)] = _axis(domain=[0, 1], anchor=axis_name("y", row))
        figure.add_annotation(_title(title, top))
    return figure


def _frame(inner_px: int, bottom_px: int, left_px: int, title_px: int, key: str) -> dict[str, Any]:
    return {
        "template": "none",
        "height": inner_px + title_px + bottom_px,
        "margin": {"l": left_px, "r": 12, "t": title_px, "b": bottom_px},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": INK, "size": 12},
        "hovermode": "x unified",
        "hoverlabel": {"font": {"color": "#1f2328"}, "bgcolor": "#ffffff"},
        "legend": {
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": 1,
            "yanchor": "bottom",
            "bgcolor": CLEAR,
            "font": {"size": 11},
        },
        "uirevision": key,
    }


def _axis(**more: Any) -> dict[str, Any]:
    return {
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "tickcolor": GRID,
        "automargin": False,
        "title": {"standoff": 6, "font": {"size": 12}},
    } | more


def _title(text: str, top: float) -> dict[str, Any]:
    return {
        "text": text,
        "x": 0,
        "y": top,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "align": "left",
        "font": {"size": 13, "color": INK},
        "yshift": 3,
    }
