"""What guidance strength does: the synthetic mean turned from mu to the optimum and past it, as
frames to play or to step through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import LEGEND, Row, axis, heading, layout_name, panels, vertical
from cdp.figures.palette import CLEAR, GRID, INK
from cdp.figures.theory import KINDS, LEARNED, OPTIMUM, REAL, SYNTHETIC, level, share

if TYPE_CHECKING:
    from cdp.theory.results import Guided, Points

FRAME_MS = 120
PANEL_PX = 250
CONTROLS_PX = 132


def guided_mean(
    found: Guided, *, strength: float, points: Points | None, strengths: Sequence[float]
) -> go.Figure:
    """Two panels: where the mean points in the plane of mu and the optimum, and the robust accuracy
    that follows. Frames move both; nothing plays by itself. strength: where it rests; points:
    simulated accuracies at ``strengths``."""
    rest = int(np.argmin(np.abs(np.asarray(found.strengths) - strength)))
    figure = panels(
        [
            heading(_finding(found, rest), _note(found, points)),
            heading("Robust accuracy that follows"),
        ],
        panel_px=PANEL_PX,
        left_px=54,
        key="theory-guided",
        bottom_px=44 + CONTROLS_PX,
        legend=True,
    )
    figure.add_traces([*_fixed(found, points, strengths), *_moving(found, rest)])
    first = len(figure.data) - MOVING
    figure.frames = [
        {"name": _named(k), "data": _frame(found, k), "traces": list(range(first, first + MOVING))}
        for k in range(len(found.strengths))
    ]
    _axes(figure, found, points)
    figure.add_shape(
        level(100 * found.best, f"best possible {share(found.best)}")
        | {
            "xref": "x2 domain",
            "yref": "y2",
        }
    )
    figure.add_shape(vertical(float(found.strengths[rest]), 1))
    return figure.update_layout(
        updatemenus=[_buttons()],
        sliders=[_slider(found, rest)],
        meta={**LEGEND, "png": "guide-the-mean"},
    )


MOVING = 3
"""Traces that the frames move: the arrow, the mean, the mark on the accuracy curve."""


def _finding(found: Guided, rest: int) -> str:
    values = _values(found)
    start = float(found.angles[int(np.argmin(found.strengths))])
    if math.isnan(start):
        return (
            "No direction beats guessing under this budget, so guidance has nothing to turn the"
            " mean to"
        )
    if start < 0.5:
        return "The optimum points along mu already, so guidance has nowhere to turn the mean"
    if float(found.strengths[rest]) == 0:
        return f"Unguided, the mean points {start:.0f}° beside the optimum"
    strength, angle = float(found.strengths[rest]), float(found.angles[rest])
    side = "past" if strength > 1 else "beside"
    turned = (
        f"Strength {strength:g} turns the mean from {start:.0f}° beside the optimum to"
        f" {angle:.0f}°{f' {side} it' if angle >= 0.5 else ''}"
    )
    if values is None or not np.isfinite(values[[0, rest]]).all():
        return turned
    gain = 100 * float(values[rest] - values[0])
    return (
        f"{turned} and {'gains' if gain >= 0 else 'costs'} {abs(gain):.1f} points of robust"
        " accuracy"
    )


def _values(found: Guided) -> np.ndarray | None:
    """At n samples where there is a formula, else in the limit."""
    if found.value is not None:
        return np.asarray(found.value)
    return np.asarray(found.limit) if np.isfinite(found.limit).any() else None


def _note(found: Guided, points: Points | None) -> str:
    below = (
        f"n = {found.n:,}, {KINDS[found.kind]}"
        if found.kind
        else f"the limit of endless samples, {found.limit_kind or 'unknown'}"
    )
    drawn = f"; points: simulated, {points.draws:,} draws each, 95 %" if points is not None else ""
    return f"top: exact; below: {below}{drawn}"


def _fixed(found: Guided, points: Points | None, strengths: Sequence[float]) -> list[go.Scatter]:
    means = np.asarray(found.means)
    size = float(np.linalg.norm(means[0])) or 1.0
    goal = _at(found, 1.0)
    arcs = [
        go.Scatter(
            x=[0, size * 1.12 * tip[0]],
            y=[0, size * 1.12 * tip[1]],
            mode="lines",
            name=sign.name,
            hoverinfo="skip",
            xaxis="x",
            yaxis="y",
            line={"color": sign.color, "dash": sign.dash, "width": 2},
        )
        for sign, tip in (
            (REAL, (1.0, 0.0)),
            (OPTIMUM, goal / (float(np.linalg.norm(goal)) or 1.0)),
        )
    ]
    arcs.append(
        go.Scatter(
            x=means[:, 0],
            y=means[:, 1],
            mode="lines",
            showlegend=False,
            hoverinfo="skip",
            xaxis="x",
            yaxis="y",
            line={"color": SYNTHETIC.color, "width": 1},
        )
    )
    values = _values(found)
    if values is not None:
        name = (
            f"robust accuracy, {found.kind}" if found.kind else f"in the limit, {found.limit_kind}"
        )
        arcs.append(
            go.Scatter(
                x=np.asarray(found.strengths),
                y=100 * values,
                mode="lines",
                name=name,
                xaxis="x2",
                yaxis="y2",
                line={"color": LEARNED.color, "width": 2},
                hovertemplate="strength %{x:.2f}: %{y:.1f} %<extra></extra>",
            )
        )
    if points is not None:
        arcs.append(_simulated(points, strengths))
    return arcs


def _simulated(points: Points, strengths: Sequence[float]) -> go.Scatter:
    value, low, high = (100 * np.asarray(part) for part in (points.value, points.low, points.high))
    return go.Scatter(
        x=list(strengths),
        y=value,
        mode="markers",
        name="simulated",
        xaxis="x2",
        yaxis="y2",
        marker={"color": LEARNED.color, "symbol": "circle-open", "size": 8, "line": {"width": 1.6}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": high - value,
            "arrayminus": value - low,
            "color": LEARNED.color,
            "thickness": 1.5,
            "width": 4,
        },
        hovertemplate="strength %{x:.2f}: %{y:.1f} %, simulated<extra></extra>",
    )


def _moving(found: Guided, rest: int) -> list[go.Scatter]:
    """The traces that the frames move, where they rest: the arrow to the mean, the mean, the mark
    on the curve."""
    arrow, mean, spot = _frame(found, rest)
    mark = {
        "color": SYNTHETIC.color,
        "symbol": SYNTHETIC.symbol,
        "size": 12,
        "line": {"color": INK, "width": 1},
    }
    common = {
        "mode": "markers+text",
        "marker": mark,
        "textfont": {"size": 12, "color": INK},
        "cliponaxis": False,
    }
    return [
        go.Scatter(
            **arrow,
            mode="lines",
            xaxis="x",
            yaxis="y",
            line={"color": SYNTHETIC.color, "width": 4},
            hoverinfo="skip",
            showlegend=False,
        ),
        go.Scatter(
            **mean, **common, name=SYNTHETIC.name, xaxis="x", yaxis="y", textposition="middle right"
        ),
        go.Scatter(
            **spot,
            **common,
            xaxis="x2",
            yaxis="y2",
            showlegend=False,
            hoverinfo="skip",
            textposition="top center",
        ),
    ]


def _frame(found: Guided, k: int) -> list[dict[str, Any]]:
    """What frame ``k`` changes of them; no more, as every attribute is checked again in every
    frame."""
    x, y = (float(v) for v in found.means[k])
    values, strength, angle = _values(found), float(found.strengths[k]), float(found.angles[k])
    far = "" if math.isnan(angle) else f": {angle:.1f}° from the optimum"
    told = f"strength {strength:.2f}{far}<extra></extra>"
    known = values is not None and math.isfinite(float(values[k]))
    value = float(values[k]) if values is not None and known else 0.0
    return [
        {"x": [0, x], "y": [0, y]},
        {
            "x": [x],
            "y": [y],
            "text": ["" if math.isnan(angle) else f"  {angle:.0f}°"],
            "hovertemplate": told,
        },
        (
            {"x": [strength], "y": [100 * value], "text": [f"<b>{share(value)}</b>"]}
            if known
            else {"x": [None], "y": [None], "text": [""]}
        ),
    ]


def _at(found: Guided, strength: float) -> np.ndarray:
    return np.asarray(found.means[int(np.argmin(np.abs(np.asarray(found.strengths) - strength)))])


def _axes(figure: go.Figure, found: Guided, points: Points | None) -> None:
    size = (float(np.linalg.norm(found.means[0])) or 1.0) * 1.25
    beside = np.asarray(found.means)[:, 1]
    span = [
        min(0.0, float(beside.min())) - 0.06 * size,
        max(float(beside.max()), 0.45 * size) + 0.06 * size,
    ]
    axis(figure, "xaxis", "along the real mean mu", range=[-0.06 * size, size], constrain="domain")
    axis(
        figure,
        "yaxis",
        "what the optimum adds",
        range=span,
        scaleanchor="x",
        constrain="domain",
        constraintoward="top",
        nticks=6,
    )
    axis(
        figure,
        layout_name("x", 1),
        "guidance strength",
        range=[-0.05, float(max(found.strengths)) + 0.05],
        nticks=9,
    )
    values = _values(found)
    drawn = [
        *([float(v) for v in values if math.isfinite(v)] if values is not None else []),
        *([float(v) for v in points.value] if points else []),
    ]
    spread = [found.best, *drawn]
    edge = 0.12 * max(max(spread) - min(spread), 0.02)
    axis(
        figure,
        layout_name("y", 1),
        "robust accuracy [%]",
        range=[100 * (min(spread) - edge), 100 * (max(spread) + 1.6 * edge)],
        nticks=6,
    )


def _named(k: int) -> str:
    return f"strength-{k}"


def _step(frames: Sequence[str] | None, duration: int) -> list[Any]:
    """Arguments of plotly's animate: no tweening between frames, so that little moves at a time."""
    return [
        frames,
        {
            "frame": {"duration": duration, "redraw": False},
            "mode": "immediate",
            "fromcurrent": True,
            "transition": {"duration": 0},
        },
    ]


def _buttons() -> dict[str, Any]:
    made = [("▶ Play", _step(None, FRAME_MS)), ("❚❚ Pause", [[None], *_step(None, 0)[1:]])]
    return {
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
            {"label": label, "method": "animate", "args": arguments} for label, arguments in made
        ],
    }


def _slider(found: Guided, rest: int) -> dict[str, Any]:
    steps = [
        {"label": f"{float(s):.2f}", "method": "animate", "args": _step([_named(k)], 0)}
        for k, s in enumerate(found.strengths)
    ]
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
        "currentvalue": {
            "prefix": "strength ",
            "font": {"size": 12, "color": INK},
            "xanchor": "left",
        },
        "transition": {"duration": 0},
    }


def guided_rows(found: Guided, points: Points | None, strengths: Sequence[float]) -> list[Row]:
    """The numbers behind ``guided_mean``: the formula or the limit at every strength, then
    simulated points."""
    rows: list[Row] = []
    for k, s in enumerate(found.strengths):
        place: Row = {
            "strength": round(float(s), 6),
            "angle to the optimum": None if math.isnan(found.angles[k]) else float(found.angles[k]),
            "n": found.n,
        }
        if found.value is not None:
            rows.append(place | _robust(float(found.value[k]), found.kind))
        if math.isfinite(float(found.limit[k])):
            rows.append(place | {"n": math.inf} | _robust(float(found.limit[k]), found.limit_kind))
    if points is not None:
        for s, value, low, high in zip(
            strengths, points.value, points.low, points.high, strict=True
        ):
            place = {"strength": float(s), "angle to the optimum": None, "n": found.n}
            rows.append(
                place
                | _robust(float(value), points.kind)
                | {
                    "robust low": 100 * float(low),
                    "robust high": 100 * float(high),
                }
            )
    return rows


def _robust(value: float, kind: str | None) -> Row:
    return {"robust [%]": 100 * value, "robust low": None, "robust high": None, "kind": kind}
