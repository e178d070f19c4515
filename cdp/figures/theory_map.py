"""Charts of the Gaussian model over separation and angle, and over coordinates, with the rows
behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import Row, as_text, axis
from cdp.figures.palette import INK, VIRIDIS, Sign, faint
from cdp.figures.theory import KINDS, LEARNED, OPTIMUM, REAL, SYNTHETIC, framed, whiskers
from cdp.values.types import Interval

if TYPE_CHECKING:
    from cdp.theory.geometry import Coordinates
    from cdp.theory.views import HeatMap

_EDGE = "#15181c"
"""Marks on the map are white with a dark edge, whatever the theme: what they lie on is coloured.
Real data themselves are a small dark one, which shows on the others."""
HERE = Sign("these settings", "#ffffff", "solid", "diamond")
OF_REAL = Sign("real data themselves", _EDGE, "solid", "circle")
_MOST = 120
"""Coordinates that are drawn; the table has all."""


@dataclass(frozen=True)
class Placed:
    """A measured set on the map. separation, angle (degrees): with their intervals."""

    name: str
    separation: Interval
    angle: Interval


def accuracy_map(
    cells: HeatMap, *, title: str, note: str, placed: Placed | None = None
) -> go.Figure:
    """Robust accuracy as colours and labelled lines over separation (log) and angle. placed: a
    measured set, with whiskers, in place of the mark of the present settings."""
    note = "; ".join([*([note] if note else []), f"n = {cells.n:,}", KINDS[cells.kind]])
    figure = framed(title, note, key="theory-map", png="map", panel_px=380)
    figure.add_trace(_surface(cells))
    figure.add_traces(_placed_traces(placed) if placed else [_spot(cells.here, HERE, 14)])
    figure.add_trace(_spot(cells.real, OF_REAL, 8))
    bounds = [placed.separation.low, placed.separation.high] if placed else []
    spots = [*(float(c) for c in cells.separations), *(c for c in bounds if c > 0)]
    low, high = min(spots), max(spots)
    marks = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    ticks = [t for t in marks if low <= t <= high * 1.0001]
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
    ends = [0, float(cells.angles[-1])]
    title = "angle to the optimum [degrees]"
    axis(figure, "yaxis", title, range=ends, dtick=15, showgrid=False)
    figure.layout.margin.r = 4
    return figure


def _surface(cells: HeatMap) -> go.Contour:
    low, high = 100 * float(cells.values.min()), 100 * float(cells.values.max())
    flat = high - low < 0.05
    lines: dict[str, Any] = {
        "coloring": "heatmap",
        "showlabels": True,
        "labelfont": {"size": 11, "color": "#ffffff"},
        "labelformat": ".0f",
    }
    if not flat:  # lines at round values, eight or so
        step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10) if (high - low) / s <= 9), 10)
        lines |= {"start": step * round(low / step), "end": high, "size": step}
        lines |= {"labelformat": ".0f" if step >= 1 else ".1f"}
    return go.Contour(
        x=cells.separations,
        y=cells.angles,
        z=100 * cells.values,
        contours=lines,
        showlegend=False,
        line={"color": "rgba(255,255,255,0.65)", "width": 1},
        zmin=low - flat,
        zmax=high + flat,
        colorscale=[[k / (len(VIRIDIS) - 1), color] for k, color in enumerate(VIRIDIS)],
        hovertemplate=f"c = %{{x:.3g}}, %{{y:.0f}}°: %{{z:.1f}} %, {cells.kind}<extra></extra>",
        colorbar={
            "title": {"text": "robust accuracy [%]", "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
            "ticks": "",
            "tickfont": {"size": 11},
            "xpad": 4,
        },
    )


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
    line = {"color": edge, "width": 1.8}
    return {"symbol": sign.symbol, "size": size, "color": sign.color, "line": line}


def _placed_traces(placed: Placed) -> list[go.Scatter]:
    """A mark with whiskers both ways; dark under white, so that they are seen on every colour."""
    name, c, a = as_text(placed.name), placed.separation, placed.angle
    text = (
        f"{name}<br>separation {c.value:.3g} ({c.low:.3g} to {c.high:.3g})<br>angle {a.value:.0f}°"
        f" ({a.low:.0f} to {a.high:.0f}), n = {c.n:,}"
    )

    def layer(color: str, thickness: float, **more: Any) -> go.Scatter:
        return go.Scatter(
            x=[c.value],
            y=[a.value],
            mode="markers",
            error_x=whiskers(c.value, c.low, c.high, color, thickness),
            error_y=whiskers(a.value, a.low, a.high, color, thickness),
            **more,
        )

    hidden = {"size": 1, "color": _EDGE}
    mark = _mark(Sign(name, "#ffffff", "solid", "square"), 14)
    return [
        layer(_EDGE, 4.5, showlegend=False, hoverinfo="skip", marker=hidden),
        layer("#ffffff", 2, name=name, marker=mark, hovertext=[text], hoverinfo="text"),
    ]


def map_rows(cells: HeatMap) -> list[Row]:
    """The numbers behind ``accuracy_map``."""
    return [
        {
            "separation": round(float(c), 6),
            "angle [degrees]": round(float(a), 4),
            "n": cells.n,
            "robust [%]": round(100 * float(cells.values[i, j]), 4),
            "kind": cells.kind,
        }
        for i, a in enumerate(cells.angles)
        for j, c in enumerate(cells.separations)
    ]


def coordinate_lines(drawn: Coordinates, *, epsilon: float, norm: str, n: int) -> go.Figure:
    """The real mean, the optimum, the synthetic mean and one learned w, coordinate by coordinate;
    the last three at the length of mu, so that directions compare."""
    banded = norm == "linf" and epsilon > 0
    far = drawn.learned_to_optimum
    note = "exact, but the learned w is simulated"
    note += "" if math.isnan(far) else f", {far:.0f}° from the optimum"
    note += f"; band: within the budget {epsilon:g}" if banded else ""
    figure = framed(_coordinates_title(drawn), note, key="theory-coordinates", png="coordinates")
    count = min(len(drawn.mu), _MOST, max(20, round(1.25 * int((drawn.mu != 0).sum()))))
    ranks, length = list(range(1, count + 1)), float(np.linalg.norm(drawn.mu))

    def scaled(values: np.ndarray) -> np.ndarray:
        own = float(np.linalg.norm(values))
        return np.asarray(values * (length / own) if own else values)[:count]

    figure.add_scatter(
        x=ranks,
        y=scaled(drawn.learned),
        mode="markers",
        name=f"learned from n = {n:,}, simulated",
        marker={"color": LEARNED.color, "symbol": LEARNED.symbol, "size": 5, "opacity": 0.75},
        hovertemplate="coordinate %{x}, learned: %{y:.3g}<extra></extra>",
    )
    for sign, values in ((REAL, drawn.mu), (OPTIMUM, drawn.optimum), (SYNTHETIC, drawn.synthetic)):
        figure.add_scatter(
            x=ranks,
            y=scaled(values),
            mode="lines",
            name=sign.name,
            line={"color": sign.color, "dash": sign.dash, "width": 2.2, "shape": "hvh"},
            hovertemplate=f"coordinate %{{x}}, {sign.name}: %{{y:.3g}}<extra></extra>",
        )
    if banded:
        figure.add_hrect(-epsilon, epsilon, line_width=0, fillcolor=faint(INK, 0.16), layer="below")
    axis(figure, "xaxis", "coordinate, by size in mu", range=[0.3, count + 0.7], nticks=8)
    zero = {"zeroline": True, "zerolinecolor": INK, "zerolinewidth": 1}
    axis(figure, "yaxis", "value at the length of mu", nticks=7, **zero)
    return figure


def _coordinates_title(drawn: Coordinates) -> str:
    count = int((drawn.mu != 0).sum())
    if not drawn.optimum.any():
        return "The budget exceeds every coordinate of mu: no direction beats guessing"
    text = (
        f"The optimum drops {drawn.dropped:,} of {count:,} coordinates"
        if drawn.dropped
        else f"The optimum keeps all {count:,} coordinates"
    )
    if math.isnan(drawn.synthetic_to_optimum):
        return text
    return (
        f"{text}; the synthetic mean points {drawn.synthetic_to_optimum:.0f}° from it and"
        f" {drawn.synthetic_to_mu:.0f}° from mu"
    )


def coordinate_rows(drawn: Coordinates) -> list[Row]:
    """The numbers behind ``coordinate_lines``, as they are and not brought to one length."""
    columns = {
        "mu": drawn.mu,
        "optimum": drawn.optimum,
        "synthetic mean": drawn.synthetic,
        "learned w": drawn.learned,
    }
    return [
        {"rank": rank + 1, "coordinate": int(drawn.order[rank])}
        | {name: float(values[rank]) for name, values in columns.items()}
        for rank in range(len(drawn.mu))
    ]
