"""Curves of a generation while it runs, and the strength it will use at each noise level."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import plotly.graph_objects as go

from cdp.figures.palette import GUIDED, UNGUIDED, Sign, faint
from cdp.figures.panels import axis_name, layout_name, stacked
from cdp.values.types import Frame

MAX_POINTS = 500
TICKS = 5
QUESTIONS = ("Does the contrastive loss fall?", "How hard is the push?", "Are classes apart?")
UNITS = ("loss [nats]", "guidance / noise", "between / within")


def live_curves(frames: Sequence[Frame], *, classes: bool = True) -> go.Figure:
    """Mean loss, guidance ratio and class separation per step; steps without a value are gaps, not
    zeros. classes: False where there are none to be apart.

    The x axis spans the whole run from the first frame on, so curves grow into place. Above 500
    frames the curves are thinned.
    """
    rows = 3 if classes else 2
    figure = stacked(QUESTIONS[:rows], panel_px=92, gap_px=44, bottom_px=62, key="live-curves")
    shown = thin(frames)
    curves = (
        (0, GUIDED, [f.loss for f in shown]),
        (1, GUIDED, [f.ratio for f in shown]),
        (2, GUIDED, [f.separation for f in shown]),
        (2, UNGUIDED, [f.separation_unguided for f in shown]),
    )
    for row, sign, values in curves[: 4 if classes else 2]:
        figure.add_trace(_curve(shown, values, sign, row, legend=row == 2))
    for row, unit in enumerate(UNITS[:rows]):
        figure.layout[layout_name("y", row)].update(
            title={"text": unit, "standoff": 4},
            nticks=4,
            rangemode="normal" if row == 2 else "tozero",
            # The first estimates are near the mean of their class, tens of times as far apart as
            # images ever are.
            type="log" if row == 2 else "linear",
        )
        figure.layout[layout_name("x", row)].update(
            _steps_axis(shown, labelled=row == rows - 1), matches="x" if row else None
        )
    figure.update_layout(legend={"y": _top_of(figure, rows - 1)})
    return figure


def live_rows(
    frames: Sequence[Frame], *, classes: bool = True
) -> list[dict[str, float | int | None]]:
    """The numbers behind ``live_curves``, one row a step, for a table or a CSV."""
    return [
        {
            "step": f.i,
            "t/T": f.t_fraction,
            "loss [nats]": f.loss,
            "guidance / noise": f.ratio,
            "effective strength": f.strength,
        }
        | (
            {"separation guided": f.separation, "separation unguided": f.separation_unguided}
            if classes
            else {}
        )
        for f in frames
    ]


def strength_profile(points: Sequence[tuple[float, float]], unit: str = UNITS[1]) -> go.Figure:
    """Effective strength against noise level, drawn in the order of sampling: from t/T = 1 down to
    0.

    points: (t/T, strength) in any order; one that is not finite is left out. unit: of strength.
    """
    figure = stacked(
        ("Where in the denoising does guidance act?",),
        panel_px=120,
        gap_px=0,
        bottom_px=48,
        key="strength-profile",
    )
    known = sorted((t, s) for t, s in points if isfinite(s))
    figure.add_trace(
        go.Scatter(
            x=[t for t, _ in known],
            y=[s for _, s in known],
            mode="lines+markers",
            name="strength",
            showlegend=False,
            line={"color": GUIDED.color, "dash": GUIDED.dash, "width": 2},
            marker={"size": 4, "symbol": GUIDED.symbol},
            fill="tozeroy",
            fillcolor=faint(GUIDED.color, 0.18),
            hovertemplate="strength %{y:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(
        range=[1, 0],
        title={"text": "noise level t/T (1 is pure noise)", "standoff": 6},
        hoverformat=".2f",
    )
    figure.update_yaxes(rangemode="tozero", title={"text": unit, "standoff": 4}, nticks=4)
    return figure


def thin(frames: Sequence[Frame], limit: int = MAX_POINTS) -> list[Frame]:
    """At most ``limit`` frames at even distances; the first and the last always stay."""
    if len(frames) <= limit:
        return list(frames)
    last = len(frames) - 1
    return [frames[round(k * last / (limit - 1))] for k in range(limit)]


def _curve(
    frames: Sequence[Frame], values: Sequence[float | None], sign: Sign, row: int, *, legend: bool
) -> go.Scatter:
    finite = [v if v is not None and isfinite(v) else None for v in values]
    return go.Scatter(
        x=[f.i for f in frames],
        y=finite,
        customdata=[f.t_fraction for f in frames],
        name=sign.name,
        mode="lines+markers",
        connectgaps=False,
        showlegend=legend and any(v is not None for v in finite),
        xaxis=axis_name("x", row),
        yaxis=axis_name("y", row),
        line={"color": sign.color, "dash": sign.dash, "width": 2},
        marker={"size": 5, "symbol": sign.symbol, "color": sign.color},
        hovertemplate="%{y:.3g} at t/T %{customdata:.2f}",
    )


def _steps_axis(frames: Sequence[Frame], *, labelled: bool) -> dict[str, Any]:
    """Ticks at even steps of the whole run; the noise level below a tick appears when its step is
    done."""
    total = frames[-1].total if frames else 1
    levels = {f.i: f"{f.t_fraction:.2f}" for f in frames}
    ticks = range(1, total + 1, max(1, -(-total // TICKS)))
    axis: dict[str, Any] = {
        "range": [0.5, total + 0.5],
        "showticklabels": labelled,
        "tickvals": list(ticks),
    }
    if labelled:
        axis["ticktext"] = [f"{i}<br>{levels.get(i, '')}" for i in ticks]
        axis["title"] = {"text": "step, and below it the noise level t/T", "standoff": 4}
    return axis


def _top_of(figure: go.Figure, row: int) -> float:
    return float(figure.layout[layout_name("y", row)].domain[1])
