"""Robust accuracy against the number of synthetic samples: formulas as lines, simulations as
points; and how many samples a target takes."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10 as _log
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from cdp.figures.frame import Row, axis, vertical
from cdp.figures.palette import INK, Sign, class_sign
from cdp.figures.theory import (
    KINDS,
    accuracy_axis,
    decades,
    framed,
    level,
    samples,
    separated,
    share,
)

if TYPE_CHECKING:
    from cdp.theory.results import Curve, NeededTable, Points

_GAP = 1.18
"""From the limit's mark to the last n, as a factor."""


def accuracy_curves(
    curves: Sequence[Curve], *, n: int, at: Sequence[float | None], learner: str
) -> go.Figure:
    """Robust accuracy against n, a colour a separation. n: the present number of samples; at: the
    formula's value there at each separation, None where there is none; learner: how it is called.
    """
    figure = framed(
        _finding(curves, n, at),
        _note(curves, learner),
        key="theory-curves",
        png="robust-accuracy-against-n",
    )
    for number, curve in enumerate(curves):
        figure.add_traces(_traces(curve, class_sign(number)))
    best = curves[0].best
    figure.add_shape(level(100 * best, f"best possible {share(best)}"))
    figure.add_shape(vertical(n))
    most = max(max(curve.n) for curve in curves)
    ticks, text = decades(1, most)
    axis(
        figure,
        "xaxis",
        "synthetic samples n, log",
        type="log",
        range=[-0.08, _log(most) + 0.12],
        tickvals=ticks,
        ticktext=text,
    )
    drawn = [
        float(v)
        for c in curves
        for v in (
            *(c.value if c.value is not None else ()),
            *(c.simulated.value if c.simulated else ()),
        )
    ]
    accuracy_axis(figure, [best, *drawn])
    return figure


def _finding(curves: Sequence[Curve], n: int, at: Sequence[float | None]) -> str:
    known = [(curve, value) for curve, value in zip(curves, at, strict=True) if value is not None]
    if known:
        told = ", ".join(
            f"{share(value)} at {separated(curve.separation)}" for curve, value in known
        )
        return f"{samples(n)} synthetic samples give {told} ({known[0][0].kind})"
    found = [(c, c.simulated) for c in curves if c.simulated is not None]
    if not found:
        return "How fast does robust accuracy grow with n?"
    last = min(float(points.n[-1]) for _, points in found)
    told = ", ".join(
        f"{share(_value_at(points, last))} at {separated(curve.separation)}"
        for curve, points in found
    )
    return f"{samples(last)} synthetic samples give {told} (simulated)"


def _value_at(points: Points, n: float) -> float:
    return float(points.value[list(points.n).index(n)])


def _note(curves: Sequence[Curve], learner: str) -> str:
    kinds = list(dict.fromkeys(KINDS[curve.kind] for curve in curves if curve.kind is not None))
    parts = [learner, f"line: {' and '.join(kinds)}" if kinds else "no formula for finite n"]
    draws = sorted({curve.simulated.draws for curve in curves if curve.simulated is not None})
    if draws:
        parts.append(f"points: simulated, {' or '.join(f'{k:,}' for k in draws)} draws each, 95 %")
    return "; ".join(parts)


def _traces(curve: Curve, sign: Sign) -> list[go.Scatter]:
    group, name, found = f"{curve.separation:g}", separated(curve.separation), []
    if curve.value is not None and curve.kind is not None:
        found.append(
            go.Scatter(
                x=[float(x) for x in curve.n],
                y=[100 * float(v) for v in curve.value],
                mode="lines",
                name=f"{name}, {curve.kind}",
                legendgroup=group,
                line={"color": sign.color, "dash": sign.dash, "width": 2},
                hovertemplate=f"{name}, n = %{{x:,}}: %{{y:.1f}} %, {curve.kind}<extra></extra>",
            )
        )
    if curve.simulated is not None:
        found.append(_points(curve.simulated, sign, name, group, joined=curve.value is None))
    if curve.value is None and curve.limit is not None:
        told = f"{name}, limit ({curve.limit_kind})"
        found.append(
            go.Scatter(
                x=[_GAP * float(max(curve.n))],
                y=[100 * curve.limit],
                mode="markers",
                name=told,
                legendgroup=group,
                showlegend=False,
                marker={"color": sign.color, "symbol": "triangle-left", "size": 9},
                cliponaxis=False,
                hovertemplate=(
                    f"{name}, limit of endless samples: %{{y:.1f}} %,"
                    f" {curve.limit_kind}<extra></extra>"
                ),
            )
        )
    return found


def _points(points: Points, sign: Sign, name: str, group: str, *, joined: bool) -> go.Scatter:
    value, low, high = (
        [100 * float(v) for v in part] for part in (points.value, points.low, points.high)
    )
    words = [
        f"{name}, n = {x:,.0f}: {v:.1f} % ({a:.1f} to {b:.1f}), simulated"
        for x, v, a, b in zip(points.n, value, low, high, strict=True)
    ]
    return go.Scatter(
        x=[float(x) for x in points.n],
        y=value,
        mode="lines+markers" if joined else "markers",
        name=f"{name}, simulated",
        legendgroup=group,
        showlegend=joined,
        line={"color": sign.color, "width": 1, "dash": "dot"},
        marker={"color": sign.color, "symbol": sign.symbol, "size": 7},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [b - v for v, b in zip(value, high, strict=True)],
            "arrayminus": [v - a for v, a in zip(value, low, strict=True)],
            "color": sign.color,
            "thickness": 1.5,
            "width": 4,
        },
        hovertext=words,
        hoverinfo="text",
    )


def curve_rows(curves: Sequence[Curve]) -> list[Row]:
    """The numbers behind ``accuracy_curves``: lines, limits and simulated points, each with the
    word for how it was found."""
    rows: list[Row] = []
    for c in curves:
        common = {"separation": c.separation, "learner": c.learner}
        if c.value is not None:
            rows += [
                common | _cells(x, v, None, None, None, c.kind)
                for x, v in zip(c.n, c.value, strict=True)
            ]
        if c.limit is not None:
            rows.append(common | _cells(float("inf"), c.limit, None, None, None, c.limit_kind))
        if c.simulated is not None:
            p = c.simulated
            rows += [
                common | _cells(*one, p.draws, p.kind)
                for one in zip(p.n, p.value, p.low, p.high, strict=True)
            ]
    return rows


def _cells(
    n: float,
    value: float,
    low: float | None,
    high: float | None,
    draws: int | None,
    kind: str | None,
) -> Row:
    bounds = [None if bound is None else round(100 * float(bound), 4) for bound in (low, high)]
    return {
        "n": float(n),
        "robust [%]": round(100 * float(value), 4),
        "robust low": bounds[0],
        "robust high": bounds[1],
        "draws": draws,
        "kind": kind,
    }


def needed_curve(table: NeededTable, *, here: float, learner: str) -> go.Figure:
    """Samples that the target takes against separation, both in ratios, beside the c-squared law.
    here: the present separation."""
    figure = framed(
        _needed_finding(table, here),
        _needed_note(table, learner),
        key="theory-needed",
        png="samples-needed",
    )
    found = [(row.separation, row.n, row.kind) for row in table.rows if row.n is not None]
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
    if found:
        kind, sign = found[0][2], class_sign(0)
        figure.add_scatter(
            x=[c for c, *_ in found],
            y=[n for _, n, _ in found],
            mode="markers",
            name=f"solved for n, {kind}",
            marker={"color": sign.color, "symbol": sign.symbol, "size": 9},
            hovertemplate=f"c = %{{x:.3g}}: %{{y:,.4g}} samples, {kind}<extra></extra>",
        )
        figure.add_shape(vertical(here))
        low, high = min(n for _, n, _ in found), max(n for _, n, _ in found)
        ticks, text = decades(low / 10, high * 10)
        axis(
            figure,
            "yaxis",
            "samples needed, log",
            type="log",
            tickvals=ticks,
            ticktext=text,
            range=[_log(low) - 0.3, _log(high) + 0.3],
        )
    spots = [row.separation for row in table.rows]
    ticks = [c for c in spots if _whole_step(c / here)]
    axis(
        figure,
        "xaxis",
        "separation c, log",
        type="log",
        tickvals=ticks,
        ticktext=[f"{c:.3g}" for c in ticks],
        range=[_log(min(spots)) - 0.05, _log(max(spots)) + 0.05],
    )
    return figure


def _whole_step(ratio: float) -> bool:
    """Whether it is a power of two, so that every second value of the table has a tick."""
    return abs(_log(ratio) / _log(2) - round(_log(ratio) / _log(2))) < 1e-9


def _needed_finding(table: NeededTable, here: float) -> str:
    target = share(table.target)
    by = {row.separation: row.n for row in table.rows}
    own, twice = by.get(here), by.get(2 * here)
    if own is None:
        return f"{target} is out of reach here: endless samples give {share(table.limit)}"
    if twice is None:
        return f"{target} takes {samples(own)} samples at {separated(here)}"
    fewer = f": {own / twice:.3g} times fewer" if twice >= 1 else ""
    return (
        f"{target} takes {samples(own)} samples at {separated(here)} and {samples(twice)} at"
        f" {separated(2 * here)}{fewer}"
    )


def _needed_note(table: NeededTable, learner: str) -> str:
    kind = next((row.kind for row in table.rows), "exact")
    said = {
        "exact": "the law is exact",
        "asymptotic": "the law is approached for many samples",
        None: "this learner has no such law",
    }
    return f"{learner}; solved for n: {KINDS[kind]}; {said[table.lawful]}"


def needed_rows(table: NeededTable) -> list[Row]:
    """The numbers behind ``needed_curve``."""
    return [
        {
            "separation": row.separation,
            "target [%]": 100 * table.target,
            "samples needed": row.n,
            "by the c-squared law": row.law,
            "kind": row.kind,
        }
        for row in table.rows
    ]
