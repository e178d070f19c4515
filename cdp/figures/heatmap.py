"""Class against class: which are confusable, and what changed between two sets. Numbers stand in
the cells, so colour is not the only sign."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cdp.figures.palette import CLEAR, INK

CELL_PX, NAMED = 34, 30
"""Height of a cell, and up to how many classes numbers and names are written."""


def pair_heatmap(
    values: np.ndarray,
    class_names: Sequence[str],
    *,
    title: str,
    unit: str,
    signed: bool,
    uncertain: np.ndarray | None = None,
    top: float | None = None,
) -> go.Figure:
    """values: (K, K), NaN where there is nothing to say, row against column. signed: a difference,
    drawn on a scale with its middle at 0.

    uncertain: (K, K) bool, cells whose interval holds 0: their number is in brackets. top: the end
    of the scale, so that several maps share one; the largest value where not given.
    """
    count = len(values)
    if top is None:
        top = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    text = [
        [
            _written(values[a, b], bool(uncertain is not None and uncertain[a, b]))
            for b in range(count)
        ]
        for a in range(count)
    ]
    heat = go.Heatmap(
        z=values,
        x=list(class_names),
        y=list(class_names),
        text=text if count <= NAMED else None,
        texttemplate="%{text}" if count <= NAMED else None,
        textfont={"size": 10},
        colorscale="PuOr" if signed else "Cividis",
        zmid=0 if signed else None,
        zmin=-top if signed else 0,
        zmax=top or 1.0,
        reversescale=signed,
        hoverongaps=False,
        hovertemplate=f"%{{y}} and %{{x}}: %{{z:.3g}} {unit}<extra></extra>",
        colorbar={"title": {"text": unit, "side": "right"}, "thickness": 10, "outlinewidth": 0},
    )
    size = max(220, min(CELL_PX, 900 // max(count, 1)) * count + 130)
    layout = {
        "template": "none",
        "height": size,
        "margin": {"l": 96, "r": 8, "t": 34, "b": 92},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": INK, "size": 12},
        "title": {"text": title, "x": 0, "xanchor": "left", "font": {"size": 13}},
        "hoverlabel": {"font": {"color": "#1f2328"}, "bgcolor": "#ffffff"},
        "yaxis": {"autorange": "reversed", "showgrid": False, "ticks": ""},
        "xaxis": {"tickangle": -40, "showgrid": False, "ticks": ""},
    }
    return go.Figure(heat, layout)


def _written(value: float, uncertain: bool) -> str:
    if not np.isfinite(value):
        return ""
    text = f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"
    return f"({text})" if uncertain else text
