"""Charts of the Gaussian model in the plane of the real mean and of what the optimum adds to it:
the picture of both distributions, and the mean as guidance moves it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import LEGEND, NORMS, Row, axis, heading, layout_name, panels, vertical
from cdp.figures.palette import CLEAR, GRID, INK, Sign, faint
from cdp.figures.theory import (
    KINDS,
    LEARNED,
    OPTIMUM,
    REAL,
    SYNTHETIC,
    accuracy_text,
    framed,
    level,
    point_cells,
    robust_cells,
    whiskers,
)

if TYPE_CHECKING:
    from cdp.theory.geometry import Boundary, Cloud, Picture
    from cdp.theory.views import Guided, Points

_DEVIATIONS = 2.0
"""Rings are drawn at so many standard deviations."""
_FRAME_MS, _PANEL_PX, _CONTROLS_PX = 120, 250, 132
_MOVING = 3
"""Traces that the frames move: the arrow, the mean, the mark on the accuracy curve."""


def plane(drawn: Picture) -> go.Figure:
    """Both classes of real and of synthetic data as rings over draws, boundaries as lines, the
    tubes about them as bands. One scale for both axes."""
    title = f"The learned boundary keeps {accuracy_text(drawn.learned.accuracy)} right under attack"
    title += (
        f", the best {accuracy_text(drawn.optimal.accuracy)}"
        if drawn.optimal
        else "; no boundary does better than guessing"
    )
    note = (
        f"accuracies exact, dots simulated; bands: what an attack of {NORMS[drawn.norm]} budget"
        f" {drawn.epsilon:g} carries across; rings: {_DEVIATIONS:g} standard deviations"
    )
    figure = framed(title, note, key="theory-picture", png="picture", panel_px=430)
    reach = max(
        float(np.abs(cloud.mean).max()) + 1.3 * _DEVIATIONS * cloud.noise
        for cloud in (drawn.real, drawn.synthetic)
    )
    for sign, boundary in ((OPTIMUM, drawn.optimal), (LEARNED, drawn.learned)):
        if boundary is not None:
            figure.add_traces(_boundary_traces(boundary, sign, reach))
    figure.add_traces(
        [*_cloud_traces(drawn.real, REAL), *_cloud_traces(drawn.synthetic, SYNTHETIC)]
    )
    square = {"range": [-reach, reach], "constrain": "domain"}
    axis(figure, "xaxis", "along the real mean mu", zeroline=False, **square)
    above = {"scaleanchor": "x", "constraintoward": "top"}
    axis(figure, "yaxis", "what the optimum adds", **square, **above)
    return figure


def _cloud_traces(cloud: Cloud, sign: Sign) -> list[go.Scatter]:
    """Rings and draws of both classes; class -1 is hollow."""
    traces, turn = [], np.linspace(0, 2 * np.pi, 64)
    for label in (1, -1):
        centre, radius = label * cloud.mean, _DEVIATIONS * cloud.noise
        here = cloud.labels == label
        traces += [
            go.Scatter(
                x=centre[0] + radius * np.cos(turn),
                y=centre[1] + radius * np.sin(turn),
                mode="lines",
                line={"color": sign.color, "dash": sign.dash, "width": 1.6},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=cloud.name,
            ),
            go.Scatter(
                x=cloud.points[here, 0],
                y=cloud.points[here, 1],
                mode="markers",
                name=f"{cloud.name}, class {label:+d}".replace("-", "−"),
                legendgroup=cloud.name,
                hoverinfo="skip",
                marker={
                    "color": sign.color,
                    "symbol": sign.symbol if label == 1 else f"{sign.symbol}-open",
                    "size": 5,
                    "opacity": 0.4,
                },
                showlegend=True,
            ),
        ]
    return traces


def _boundary_traces(boundary: Boundary, sign: Sign, reach: float) -> list[go.Scatter]:
    """The line across the plane, and the band on either side where an attack changes the answer."""
    normal, far = boundary.normal, 3 * reach
    along = np.array([-normal[1], normal[0]])
    ends = np.stack([-far * along, far * along])
    width = min(boundary.half_width, far)
    band = np.concatenate([ends + width * normal, (ends - width * normal)[::-1]])
    name = f"{boundary.name}: {accuracy_text(boundary.accuracy)}"
    everywhere = " (all of the plane)" if boundary.half_width >= far else ""
    return [
        go.Scatter(
            x=band[:, 0],
            y=band[:, 1],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=faint(sign.color, 0.13),
            hoverinfo="skip",
            showlegend=False,
            legendgroup=boundary.name,
        ),
        go.Scatter(
            x=ends[:, 0],
            y=ends[:, 1],
            mode="lines",
            name=name,
            line={"color": sign.color, "dash": sign.dash, "width": 2.4},
            legendgroup=boundary.name,
            hoverinfo="text",
            hovertext=f"{name}; tube half width {boundary.half_width:.3g}{everywhere}",
        ),
    ]


def plane_rows(drawn: Picture) -> list[Row]:
    """Means, boundaries and draws behind ``plane``, one a row."""

    def row(what: str, of: str, at: np.ndarray, label: int | None, kind: str) -> Row:
        place = {"along mu": round(float(at[0]), 6), "beside mu": round(float(at[1]), 6)}
        empty: Row = {"tube half width": None, "in the plane [%]": None, "robust [%]": None}
        return {"what": what, "of": of} | place | {"class": label, "kind": kind} | empty

    clouds = (drawn.real, drawn.synthetic)
    rows = [row("mean", cloud.name, cloud.mean, 1, "exact") for cloud in clouds]
    for b in (drawn.optimal, drawn.learned):
        if b is not None:
            figures = {
                "tube half width": b.half_width,
                "in the plane [%]": 100 * b.in_plane,
                "robust [%]": 100 * b.accuracy,
            }
            rows.append(row("normal of the boundary", b.name, b.normal, None, "exact") | figures)
    for cloud in clouds:
        for point, label in zip(cloud.points, cloud.labels, strict=True):
            rows.append(row("draw", cloud.name, point, int(label), "simulated"))
    return rows


def guided_mean(moved: Guided, *, strength: float, points: Points | None) -> go.Figure:
    """Two panels: where the mean points in the plane of mu and the optimum, and the robust accuracy
    that follows. Frames move both; nothing plays by itself. strength: where it rests; points:
    simulated accuracies."""
    rest = int(np.argmin(np.abs(moved.strengths - strength)))
    figure = panels(
        [
            heading(_guided_title(moved, rest), _guided_note(moved, points)),
            heading("Robust accuracy that follows"),
        ],
        panel_px=_PANEL_PX,
        left_px=54,
        key="theory-guided",
        bottom_px=44 + _CONTROLS_PX,
        legend=True,
    )
    figure.add_traces([*_fixed(moved, points), *_moving(moved, rest)])
    first = len(figure.data) - _MOVING
    figure.frames = [
        {
            "name": f"strength-{k}",
            "data": _frame(moved, k),
            "traces": list(range(first, first + _MOVING)),
        }
        for k in range(len(moved.strengths))
    ]
    _guided_axes(figure, moved, points)
    best = level(100 * moved.best, f"best possible {accuracy_text(moved.best)}")
    figure.add_shape(best | {"xref": "x2 domain", "yref": "y2"})
    figure.add_shape(vertical(float(moved.strengths[rest]), 1))
    return figure.update_layout(
        updatemenus=[_BUTTONS],
        sliders=[_slider(moved, rest)],
        meta={**LEGEND, "png": "guide-the-mean"},
    )


def _guided_title(moved: Guided, rest: int) -> str:
    values = _values(moved)
    start = float(moved.angles[int(np.argmin(moved.strengths))])
    if math.isnan(start):
        return (
            "No direction beats guessing under this budget, so guidance has nothing to turn the"
            " mean to"
        )
    if start < 0.5:
        return "The optimum points along mu already, so guidance has nowhere to turn the mean"
    strength, angle = float(moved.strengths[rest]), float(moved.angles[rest])
    if strength == 0:
        return f"Unguided, the mean points {start:.0f}° beside the optimum"
    side = "past" if strength > 1 else "beside"
    text = (
        f"Strength {strength:g} turns the mean from {start:.0f}° beside the optimum to"
        f" {angle:.0f}°{f' {side} it' if angle >= 0.5 else ''}"
    )
    if values is None or not np.isfinite(values[[0, rest]]).all():
        return text
    gain = 100 * float(values[rest] - values[0])
    verb = "gains" if gain >= 0 else "costs"
    return f"{text} and {verb} {abs(gain):.1f} points of robust accuracy"


def _guided_note(moved: Guided, points: Points | None) -> str:
    below = (
        f"n = {moved.n:,}, {KINDS[moved.kind]}"
        if moved.kind
        else f"the limit of endless samples, {moved.limit_kind or 'unknown'}"
    )
    drawn = f"; points: simulated, {points.draws:,} draws each, 95 %" if points is not None else ""
    return f"top: exact; below: {below}{drawn}"


def _values(moved: Guided) -> np.ndarray | None:
    """At n samples where there is a formula, else in the limit."""
    if moved.value is not None:
        return np.asarray(moved.value)
    return np.asarray(moved.limit) if np.isfinite(moved.limit).any() else None


def _fixed(moved: Guided, points: Points | None) -> list[go.Scatter]:
    """Both directions, the way of the mean, and the accuracy curve with its points."""
    size = float(np.linalg.norm(moved.means[0])) or 1.0
    goal = moved.means[int(np.argmin(np.abs(moved.strengths - 1)))]
    goal = goal / (float(np.linalg.norm(goal)) or 1.0)
    above: dict[str, Any] = {"mode": "lines", "hoverinfo": "skip", "xaxis": "x", "yaxis": "y"}
    traces = [
        go.Scatter(
            x=[0, size * 1.12 * tip[0]],
            y=[0, size * 1.12 * tip[1]],
            name=sign.name,
            line={"color": sign.color, "dash": sign.dash, "width": 2},
            **above,
        )
        for sign, tip in ((REAL, (1.0, 0.0)), (OPTIMUM, goal))
    ]
    x, y = moved.means.T
    way = {"color": SYNTHETIC.color, "width": 1}
    traces.append(go.Scatter(x=x, y=y, showlegend=False, line=way, **above))
    values, below = _values(moved), {"xaxis": "x2", "yaxis": "y2"}
    if values is not None:
        limit = f"in the limit, {moved.limit_kind}"
        traces.append(
            go.Scatter(
                x=moved.strengths,
                y=100 * values,
                mode="lines",
                name=f"robust accuracy, {moved.kind}" if moved.kind else limit,
                line={"color": LEARNED.color, "width": 2},
                hovertemplate="strength %{x:.2f}: %{y:.1f} %<extra></extra>",
                **below,
            )
        )
    if points is not None:
        mark = {"color": LEARNED.color, "symbol": "circle-open", "size": 8, "line": {"width": 1.6}}
        value, low, high = 100 * points.value, 100 * points.low, 100 * points.high
        traces.append(
            go.Scatter(
                x=points.at,
                y=value,
                mode="markers",
                name="simulated",
                marker=mark,
                error_y=whiskers(value, low, high, LEARNED.color),
                hovertemplate="strength %{x:.2f}: %{y:.1f} %, simulated<extra></extra>",
                **below,
            )
        )
    return traces


def _moving(moved: Guided, rest: int) -> list[go.Scatter]:
    """The traces that the frames move, where they rest: the arrow to the mean, the mean, the mark
    on the curve."""
    arrow, mean, spot = _frame(moved, rest)
    above, below = {"xaxis": "x", "yaxis": "y"}, {"xaxis": "x2", "yaxis": "y2"}
    hidden = {"showlegend": False, "hoverinfo": "skip"}
    common = {
        "mode": "markers+text",
        "marker": {
            "color": SYNTHETIC.color,
            "symbol": SYNTHETIC.symbol,
            "size": 12,
            "line": {"color": INK, "width": 1},
        },
        "textfont": {"size": 12, "color": INK},
        "cliponaxis": False,
    }
    line = {"color": SYNTHETIC.color, "width": 4}
    return [
        go.Scatter(**arrow, **above, **hidden, mode="lines", line=line),
        go.Scatter(**mean, **common, **above, name=SYNTHETIC.name, textposition="middle right"),
        go.Scatter(**spot, **common, **below, **hidden, textposition="top center"),
    ]


def _frame(moved: Guided, k: int) -> list[dict[str, Any]]:
    """What frame ``k`` changes of them; no more, as every attribute is checked again in every
    frame."""
    x, y = (float(v) for v in moved.means[k])
    values, strength, angle = _values(moved), float(moved.strengths[k]), float(moved.angles[k])
    far = "" if math.isnan(angle) else f": {angle:.1f}° from the optimum"
    value = math.nan if values is None else float(values[k])
    spot = {"x": [strength], "y": [100 * value], "text": [f"<b>{accuracy_text(value)}</b>"]}
    return [
        {"x": [0, x], "y": [0, y]},
        {
            "x": [x],
            "y": [y],
            "text": ["" if math.isnan(angle) else f"  {angle:.0f}°"],
            "hovertemplate": f"strength {strength:.2f}{far}<extra></extra>",
        },
        {"x": [None], "y": [None], "text": [""]} if math.isnan(value) else spot,
    ]


def _guided_axes(figure: go.Figure, moved: Guided, points: Points | None) -> None:
    size = (float(np.linalg.norm(moved.means[0])) or 1.0) * 1.25
    beside = moved.means[:, 1]
    low, high = min(0.0, float(beside.min())), max(float(beside.max()), 0.45 * size)
    fixed = {"constrain": "domain"}
    axis(figure, "xaxis", "along the real mean mu", range=[-0.06 * size, size], **fixed)
    axis(
        figure,
        "yaxis",
        "what the optimum adds",
        range=[low - 0.06 * size, high + 0.06 * size],
        scaleanchor="x",
        constraintoward="top",
        nticks=6,
        **fixed,
    )
    ends = [-0.05, float(max(moved.strengths)) + 0.05]
    axis(figure, layout_name("x", 1), "guidance strength", range=ends, nticks=9)
    values = _values(moved)
    drawn = [] if values is None else [float(v) for v in values if math.isfinite(v)]
    drawn += [moved.best, *([float(v) for v in points.value] if points else [])]
    edge = 0.12 * max(max(drawn) - min(drawn), 0.02)
    ends = [100 * (min(drawn) - edge), 100 * (max(drawn) + 1.6 * edge)]
    axis(figure, layout_name("y", 1), "robust accuracy [%]", range=ends, nticks=6)


def _animate(frames: Sequence[str | None] | None, duration: int) -> list[Any]:
    """Arguments of plotly's animate: no tweening between frames, so that little moves at a time."""
    options = {"mode": "immediate", "fromcurrent": True, "transition": {"duration": 0}}
    return [frames, options | {"frame": {"duration": duration, "redraw": False}}]


_BUTTONS: dict[str, Any] = {
    "type": "buttons",
    "direction": "left",
    "showactive": False,
    "x": 0,
    "xanchor": "left",
    "y": 0,
    "yanchor": "top",
    "bgcolor": CLEAR,
    "bordercolor": GRID,
    "font": {"color": INK, "size": 12},
    "pad": {"t": 62, "l": 0, "r": 8},
    "buttons": [
        {"label": "▶ Play", "method": "animate", "args": _animate(None, _FRAME_MS)},
        {"label": "❚❚ Pause", "method": "animate", "args": _animate([None], 0)},
    ],
}


def _slider(moved: Guided, rest: int) -> dict[str, Any]:
    steps = [
        {"label": f"{float(s):.2f}", "method": "animate", "args": _animate([f"strength-{k}"], 0)}
        for k, s in enumerate(moved.strengths)
    ]
    value = {"prefix": "strength ", "font": {"size": 12, "color": INK}, "xanchor": "left"}
    return {
        "active": rest,
        "steps": steps,
        "x": 0,
        "len": 1,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 96, "b": 4},
        "ticklen": 0,
        "minorticklen": 0,
        "bgcolor": SYNTHETIC.color,
        "bordercolor": GRID,
        "activebgcolor": SYNTHETIC.color,
        "font": {"size": 1, "color": CLEAR},
        "currentvalue": value,
        "transition": {"duration": 0},
    }


def guided_rows(moved: Guided, points: Points | None) -> list[Row]:
    """The numbers behind ``guided_mean``: the formula or the limit at every strength, then
    simulated points."""
    rows: list[Row] = []
    for k, s in enumerate(moved.strengths):
        angle = None if math.isnan(moved.angles[k]) else float(moved.angles[k])
        place: Row = {"strength": round(float(s), 6), "angle to the optimum": angle, "n": moved.n}
        if moved.value is not None:
            rows.append(place | robust_cells(float(moved.value[k]), moved.kind))
        if math.isfinite(float(moved.limit[k])):
            limit = robust_cells(float(moved.limit[k]), moved.limit_kind)
            rows.append(place | {"n": math.inf} | limit)
    if points is not None:
        for s, cells in zip(points.at, point_cells(points), strict=True):
            rows.append({"strength": float(s), "angle to the optimum": None, "n": moved.n} | cells)
    return rows
