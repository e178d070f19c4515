"""The map of the model: robust accuracy over separation and angle, with what lies where on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from cdp.figures.frame import Row, axis, shown
from cdp.figures.palette import VIRIDIS, Sign
from cdp.figures.theory import KINDS, framed
from cdp.values.types import Interval

if TYPE_CHECKING:
    from cdp.theory.results import HeatMap

HERE = Sign("these settings", "#ffffff", "solid", "diamond")
_EDGE = "#15181c"
"""Marks on the map are white with a dark edge, whatever the theme: what they lie on is coloured.
Real data themselves are a small dark one, which shows on the others."""
OF_REAL = Sign("real data themselves", _EDGE, "solid", "circle")


@dataclass(frozen=True)
class Placed:
    """Something measured on the map. separation, angle (degrees): with their intervals."""

    name: str
    separation: Interval
    angle: Interval
    symbol: str = "square"


def accuracy_map(
    found: HeatMap, *, title: str, note: str, placed: Sequence[Placed] = (), here: bool = True
) -> go.Figure:
    """Robust accuracy as colours and labelled lines over separation (log) and angle. placed:
    measured sets, with whiskers; here: whether the present settings are marked, as real data
    themselves are."""
    note = "; ".join([*([note] if note else []), f"n = {found.n:,}", KINDS[found.kind]])
    figure = framed(title, note, key="theory-map", png="map", panel_px=380, legend=True)
    figure.add_trace(_surface(found))
    if here:
        figure.add_trace(_spot(found.here, HERE, 14))
    for one in placed:
        figure.add_traces(_whiskers(one))
    figure.add_trace(_spot(found.real, OF_REAL, 8))
    low, high = _span(
        [float(c) for c in found.separations],
        [bound for one in placed for bound in (one.separation.low, one.separation.high)],
    )
    ticks = [
        t
        for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
        if low <= t <= high * 1.0001
    ]
    axis(
        figure,
        "xaxis",
        "separation c, log",
        type="log",
        range=[log10(low), log10(high)],
        tickvals=ticks,
        ticktext=[f"{t:g}" for t in ticks],
        showgrid=False,
    )
    axis(
        figure,
        "yaxis",
        "angle to the optimum [degrees]",
        range=[0, float(found.angles[-1])],
        dtick=15,
        showgrid=False,
    )
    figure.layout.margin.r = 4
    return figure


def _span(separations: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    inside = [c for c in others if c > 0]
    return min([*separations, *inside]), max([*separations, *inside])


def _surface(found: HeatMap) -> go.Contour:
    ends = 100 * float(found.values.min()), 100 * float(found.values.max())
    flat = ends[1] - ends[0] < 0.05
    lines: dict[str, Any] = {
        "coloring": "heatmap",
        "showlabels": True,
        "labelfont": {"size": 11, "color": "#ffffff"},
        "labelformat": ".0f",
    }
    return go.Contour(
        x=found.separations,
        y=found.angles,
        z=100 * found.values,
        contours=lines | ({} if flat else _levels(*ends)),
        showlegend=False,
        line={"color": "rgba(255,255,255,0.65)", "width": 1},
        zmin=ends[0] - (1 if flat else 0),
        zmax=ends[1] + (1 if flat else 0),
        colorscale=[[k / (len(VIRIDIS) - 1), color] for k, color in enumerate(VIRIDIS)],
        hovertemplate=f"c = %{{x:.3g}}, %{{y:.0f}}°: %{{z:.1f}} %, {found.kind}<extra></extra>",
        colorbar={
            "title": {"text": "robust accuracy [%]", "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
            "ticks": "",
            "tickfont": {"size": 11},
            "xpad": 4,
        },
    )


def _levels(low: float, high: float) -> dict[str, Any]:
    """Lines at round values, eight or so."""
    step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10) if (high - low) / s <= 9), 10)
    return {
        "start": step * round(low / step),
        "end": high,
        "size": step,
        "labelformat": ".0f" if step >= 1 else ".1f",
    }


def _spot(at: tuple[float, float], sign: Sign, size: int) -> go.Scatter:
    return go.Scatter(
        x=[at[0]],
        y=[at[1]],
        mode="markers",
        name=sign.name,
        cliponaxis=False,
        marker=_mark(sign, size),
        hovertemplate=f"{sign.name}: c = {at[0]:.3g}, {at[1]:.0f}°<extra></extra>",
    )


def _mark(sign: Sign, size: int) -> dict[str, Any]:
    edge = _EDGE if sign.color != _EDGE else "#ffffff"
    return {
        "symbol": sign.symbol,
        "size": size,
        "color": sign.color,
        "line": {"color": edge, "width": 1.8},
    }


def _whiskers(one: Placed) -> list[go.Scatter]:
    """A mark with whiskers both ways; dark under white, so that they are seen on every colour."""
    name, c, a = shown(one.name), one.separation, one.angle
    words = (
        f"{name}<br>separation {c.value:.3g} ({c.low:.3g} to {c.high:.3g})<br>angle {a.value:.0f}°"
        f" ({a.low:.0f} to {a.high:.0f}), n = {c.n:,}"
    )
    under = go.Scatter(
        x=[c.value],
        y=[a.value],
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={"size": 1, "color": _EDGE},
        error_x=_bars(c, _EDGE, 4.5),
        error_y=_bars(a, _EDGE, 4.5),
    )
    over = go.Scatter(
        x=[c.value],
        y=[a.value],
        mode="markers",
        name=name,
        marker=_mark(Sign(name, "#ffffff", "solid", one.symbol), 14),
        hovertext=[words],
        hoverinfo="text",
        error_x=_bars(c, "#ffffff", 2),
        error_y=_bars(a, "#ffffff", 2),
    )
    return [under, over]


def _bars(found: Interval, color: str, thickness: float) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, found.high - found.value)],
        "arrayminus": [max(0.0, found.value - found.low)],
        "color": color,
        "thickness": thickness,
        "width": 5,
    }


def map_rows(found: HeatMap) -> list[Row]:
    """The numbers behind ``accuracy_map``."""
    return [
        {
            "separation": round(float(c), 6),
            "angle [degrees]": round(float(a), 4),
            "n": found.n,
            "robust [%]": round(100 * float(found.values[i, j]), 4),
            "kind": found.kind,
        }
        for i, a in enumerate(found.angles)
        for j, c in enumerate(found.separations)
    ]
