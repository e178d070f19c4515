"""Charts of the Gaussian model over n: robust accuracy and the samples that a target takes, each
with the rows behind it; and what all its charts share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import log10
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import Row, axis, heading, panels, vertical
from cdp.figures.palette import INK, Sign, class_sign

if TYPE_CHECKING:
    from cdp.theory.views import AccuracyCurve, NeededTable, Points

REAL = Sign("real mean mu", INK, "dot", "diamond")
SYNTHETIC = Sign("synthetic mean m", "#E69F00", "dash", "square")
OPTIMUM = Sign("robust optimum", "#0072B2", "solid", "circle")
LEARNED = Sign("learned", "#D55E00", "dash", "x")
KINDS = {"exact": "exact", "asymptotic": "asymptotic in the dimension", "simulated": "simulated"}
"""How a number was computed, as titles and legends say it."""


def accuracy_text(value: float) -> str:
    """A robust accuracy as "71.3 %"; near its ends with the digits that tell it from them."""
    return f"{100 * value:.1f} %" if 0.0005 <= value <= 0.9995 else f"{100 * value:.4g} %"


def samples_text(n: float) -> str:
    """A number of samples in words: "1,000", "2.3 million", "under 1"."""
    if n < 1:
        return "under 1"
    return f"{n:,.0f}" if n < 1e6 else f"{n / 1e6:,.3g} million" if n < 1e9 else f"{n:.2g}"


def framed(title: str, note: str, *, key: str, png: str, panel_px: int = 330) -> go.Figure:
    """One panel under its title; ``png`` names the picture that it is saved as."""
    figure = panels([heading(title, note)], panel_px=panel_px, left_px=54, key=key, legend=True)
    # The frame has room for a legend's lines above the title, and the chart component a button for
    # the picture.
    return figure.update_layout(meta={**(figure.layout.meta or {}), "png": png})


def level(at: float, text: str) -> dict[str, Any]:
    """A dotted line across at this height, with a word on it at the left."""
    label = {"text": text, "textposition": "start", "yanchor": "bottom", "padding": 2}
    return {
        "type": "line",
        "x0": 0,
        "x1": 1,
        "xref": "x domain",
        "y0": at,
        "y1": at,
        "yref": "y",
        "layer": "below",
        "line": {"color": INK, "dash": "dot", "width": 1},
        "label": label | {"font": {"size": 10, "color": INK}},
    }


def whiskers(value: Any, low: Any, high: Any, color: str, thickness: float = 1.5) -> dict[str, Any]:
    """Error bars from low to high about value; numbers or (P,)."""
    value, low, high = (np.atleast_1d(np.asarray(part, np.float64)) for part in (value, low, high))
    return {
        "type": "data",
        "symmetric": False,
        "array": np.maximum(high - value, 0.0),
        "arrayminus": np.maximum(value - low, 0.0),
        "color": color,
        "thickness": thickness,
        "width": 4,
    }


def accuracy_curves(
    curves: Sequence[AccuracyCurve], *, n: int, at: Sequence[float | None], learner: str
) -> go.Figure:
    """Robust accuracy against n, a colour a separation. n: the present number of samples; at: the
    formula's value there at each separation, None where there is none; learner: its title."""
    simulated = [curve.simulated for curve in curves if curve.simulated is not None]
    kinds = list(dict.fromkeys(KINDS[curve.kind] for curve in curves if curve.kind is not None))
    note = [learner, f"line: {' and '.join(kinds)}" if kinds else "no formula for finite n"]
    if simulated:
        draws = " or ".join(f"{k:,}" for k in sorted({points.draws for points in simulated}))
        note.append(f"points: simulated, {draws} draws each, 95 %")
    figure = framed(
        _curves_title(curves, n, at),
        "; ".join(note),
        key="theory-curves",
        png="robust-accuracy-against-n",
    )
    for number, curve in enumerate(curves):
        figure.add_traces(_curve_traces(curve, class_sign(number)))
    best = curves[0].best
    figure.add_shape(level(100 * best, f"best possible {accuracy_text(best)}"))
    figure.add_shape(vertical(n))
    _log_axis(figure, "xaxis", "synthetic samples n, log", 1, max(max(c.n) for c in curves), 0.1)
    drawn = [c.value for c in curves if c.value is not None] + [each.value for each in simulated]
    values = np.concatenate([[0.5, best], *drawn])
    room = max(float(np.ptp(values)), 0.02)
    ends = [100 * (values.min() - 0.03 * room), 100 * (values.max() + 0.1 * room)]
    axis(figure, "yaxis", "robust accuracy [%]", range=ends, nticks=7)
    return figure


def _curves_title(curves: Sequence[AccuracyCurve], n: int, at: Sequence[float | None]) -> str:
    known = [(curve.separation, v) for curve, v in zip(curves, at, strict=True) if v is not None]
    kind = next((curve.kind for curve in curves if curve.kind), "simulated")
    count: float = n
    if not known:
        points = [(c.separation, c.simulated) for c in curves if c.simulated is not None]
        if not points:
            return "How fast does robust accuracy grow with n?"
        count = min(float(each.at[-1]) for _, each in points)
        known = [(c, float(each.value[list(each.at).index(count)])) for c, each in points]
    values = ", ".join(f"{accuracy_text(v)} at {_separation(c)}" for c, v in known)
    return f"{samples_text(count)} synthetic samples give {values} ({kind})"


def _separation(c: float) -> str:
    """ "c = 1", kept on one line."""
    return f"c\u00a0=\u00a0{c:.3g}"


def _curve_traces(curve: AccuracyCurve, sign: Sign) -> list[go.Scatter]:
    name, traces = _separation(curve.separation), []
    common: dict[str, Any] = {"legendgroup": f"{curve.separation:g}"}
    if curve.value is not None:
        traces.append(
            go.Scatter(
                x=curve.n,
                y=100 * curve.value,
                mode="lines",
                name=f"{name}, {curve.kind}",
                line={"color": sign.color, "dash": sign.dash, "width": 2},
                hovertemplate=f"{name}, n = %{{x:,}}: %{{y:.1f}} %, {curve.kind}<extra></extra>",
                **common,
            )
        )
    if curve.simulated is not None:
        joined = curve.value is None
        value, low, high = (100 * part for part in _bounds(curve.simulated))
        traces.append(
            go.Scatter(
                x=curve.simulated.at,
                y=value,
                mode="lines+markers" if joined else "markers",
                name=f"{name}, simulated",
                showlegend=joined,
                line={"color": sign.color, "width": 1, "dash": "dot"},
                marker={"color": sign.color, "symbol": sign.symbol, "size": 7},
                error_y=whiskers(value, low, high, sign.color),
                customdata=np.stack([low, high], axis=1),
                hovertemplate=(
                    f"{name}, n = %{{x:,}}: %{{y:.1f}} % (%{{customdata[0]:.1f}} to"
                    " %{customdata[1]:.1f}), simulated<extra></extra>"
                ),
                **common,
            )
        )
    if curve.value is None and curve.limit is not None:
        traces.append(
            go.Scatter(
                x=[1.18 * float(max(curve.n))],
                y=[100 * curve.limit],
                mode="markers",
                name=f"{name}, limit ({curve.limit_kind})",
                showlegend=False,
                marker={"color": sign.color, "symbol": "triangle-left", "size": 9},
                cliponaxis=False,
                hovertemplate=(
                    f"{name}, limit of endless samples: %{{y:.1f}} %,"
                    f" {curve.limit_kind}<extra></extra>"
                ),
                **common,
            )
        )
    return traces


def _bounds(points: Points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.asarray(points.value), np.asarray(points.low), np.asarray(points.high)


def _log_axis(
    figure: go.Figure, name: str, title: str, low: float, high: float, room: float, most: int = 8
) -> None:
    """An axis in decades from low to high, every second or third where they are many."""
    first, last = math.ceil(log10(low) - 1e-9), math.floor(log10(high) + 1e-9)
    step = max(1, math.ceil((last - first + 1) / most))
    ticks = [10.0**k for k in range(first, last + 1, step)]
    ends = [log10(low) - room, log10(high) + room]
    axis(figure, name, title, type="log", range=ends, tickvals=ticks, ticktext=_counts(ticks))


def _counts(ticks: Sequence[float]) -> list[str]:
    """Numbers as an axis shows them: 10, 1k, 2M."""
    units = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (0, ""))
    return [
        next(f"{n / (size or 1):.3g}{unit}" for size, unit in units if n >= size) for n in ticks
    ]


def curve_rows(curves: Sequence[AccuracyCurve]) -> list[Row]:
    """The numbers behind ``accuracy_curves``: lines, limits and simulated points, each with the
    word for how it was computed."""
    rows: list[Row] = []
    for c in curves:
        common = {"separation": c.separation, "learner": c.learner}
        if c.value is not None:
            for n, value in zip(c.n, c.value, strict=True):
                rows.append(common | {"n": float(n)} | robust_cells(value, c.kind))
        if c.limit is not None:
            rows.append(common | {"n": math.inf} | robust_cells(c.limit, c.limit_kind))
        if c.simulated is not None:
            for n, cells in zip(c.simulated.at, point_cells(c.simulated), strict=True):
                rows.append(common | {"n": float(n)} | cells)
    return rows


def robust_cells(value: float, kind: str | None) -> Row:
    """A robust accuracy without an interval, as cells of a row."""
    empty: Row = {"robust low": None, "robust high": None, "draws": None}
    return {"robust [%]": round(100 * float(value), 4)} | empty | {"kind": kind}


def point_cells(points: Points) -> list[Row]:
    """Simulated accuracies, each as cells of a row."""
    return [
        robust_cells(value, points.kind)
        | {
            "robust low": round(100 * float(low), 4),
            "robust high": round(100 * float(high), 4),
            "draws": points.draws,
        }
        for value, low, high in zip(*_bounds(points), strict=True)
    ]


def needed_curve(table: NeededTable, *, here: float, learner: str) -> go.Figure:
    """Samples that the target takes against separation, both in ratios, beside the c-squared law.
    here: the present separation."""
    law_text = {
        "exact": "the law is exact",
        "asymptotic": "the law is approached for many samples",
        None: "this learner has no such law",
    }[table.lawful]
    figure = framed(
        _needed_title(table, here),
        f"{learner}; solved for n: {KINDS[table.kind]}; {law_text}",
        key="theory-needed",
        png="samples-needed",
    )
    law = [(row.separation, row.law) for row in table.rows if row.law is not None]
    if law:
        figure.add_scatter(
            x=[c for c, _ in law],
            y=[n for _, n in law],
            mode="lines",
            name="c-squared law: n / c²",
            line={"color": INK, "dash": "dot", "width": 2},
            hovertemplate="c = %{x:.3g}: %{y:,.4g} samples by the law<extra></extra>",
        )
    solved = [(row.separation, row.n) for row in table.rows if row.n is not None]
    if solved:
        sign, counts = class_sign(0), [n for _, n in solved]
        figure.add_scatter(
            x=[c for c, _ in solved],
            y=counts,
            mode="markers",
            name=f"solved for n, {table.kind}",
            marker={"color": sign.color, "symbol": sign.symbol, "size": 9},
            hovertemplate=f"c = %{{x:.3g}}: %{{y:,.4g}} samples, {table.kind}<extra></extra>",
        )
        figure.add_shape(vertical(here))
        _log_axis(figure, "yaxis", "samples needed, log", min(counts), max(counts), 0.3)
    spots = [row.separation for row in table.rows]
    ends = [log10(min(spots)) - 0.05, log10(max(spots)) + 0.05]
    ticks = spots[::2]
    axis(
        figure,
        "xaxis",
        "separation c, log",
        type="log",
        tickvals=ticks,
        ticktext=[f"{c:.3g}" for c in ticks],
        range=ends,
    )
    return figure


def _needed_title(table: NeededTable, here: float) -> str:
    target = accuracy_text(table.target)
    by = {row.separation: row.n for row in table.rows}
    own, twice = by.get(here), by.get(2 * here)
    if own is None:
        return f"{target} is out of reach here: endless samples give {accuracy_text(table.limit)}"
    text = f"{target} takes {samples_text(own)} samples at {_separation(here)}"
    if twice is None:
        return text
    fewer = f": {own / twice:.3g} times fewer" if twice >= 1 else ""
    return f"{text} and {samples_text(twice)} at {_separation(2 * here)}{fewer}"


def needed_rows(table: NeededTable) -> list[Row]:
    """The numbers behind ``needed_curve``."""
    return [
        {
            "separation": row.separation,
            "target [%]": 100 * table.target,
            "samples needed": row.n,
            "by the c-squared law": row.law,
            "kind": table.kind,
        }
        for row in table.rows
    ]
