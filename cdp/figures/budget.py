"""Accuracy against the attacker's budget, of one model or several."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from cdp.figures.accuracy import NORMS, Row, axis, cells, heading, nothing, panels, shown, vertical
from cdp.figures.palette import Sign, faint
from cdp.values.evaluation import Curve
from cdp.values.text import budget_text, share_text, share_with_bounds

BudgetLine = tuple[Sign, str, Curve]
"""How a curve is drawn, what it is called, and the curve."""


def budget_curves(lines: Sequence[BudgetLine], *, epsilon: float | None, norm: str) -> go.Figure:
    """Robust accuracy against budget, with bands over the intervals. epsilon: a budget worth a
    dotted line, as that of training."""
    drawn = [line for line in lines if line[2].points]
    if not drawn:
        return nothing("Accuracy against budget was not measured")
    figure = panels(
        [heading(_finding(drawn, norm), _note(drawn, epsilon))],
        panel_px=280,
        left_px=52,
        key="budget",
        legend=len(drawn) > 1,
    )
    for number, (sign, label, curve) in enumerate(drawn):
        figure.add_traces(_curve(sign, label, curve, f"{number}"))
    if epsilon is not None:
        figure.add_shape(vertical(epsilon))
    most = max(point.epsilon for *_, curve in drawn for point in curve.points) or 1.0
    unit = " [of the pixel range]" if norm == "linf" else ""
    axis(
        figure,
        "xaxis",
        f"budget in {NORMS.get(norm, norm)}{unit}",
        range=[-0.02 * most, 1.03 * most],
    )
    axis(figure, "yaxis", "robust accuracy [%]", range=[-2, 102], tickvals=list(range(0, 101, 20)))
    return figure


def _finding(drawn: Sequence[BudgetLine], norm: str) -> str:
    if len(drawn) > 1:
        return "How fast does accuracy fall with the budget?"
    first, last = drawn[0][2].points[0], drawn[0][2].points[-1]
    at = "without attack" if first.epsilon == 0 else f"at {budget_text(first.epsilon)}"
    return (
        f"{share_text(first.robust.value)} are right {at}, {share_text(last.robust.value)} at a budget of"
        f" {budget_text(last.epsilon)}"
    )


def _note(drawn: Sequence[BudgetLine], epsilon: float | None) -> str:
    how = list(dict.fromkeys(f"{curve.attack}, n = {curve.n:,}" for *_, curve in drawn))
    parts = [
        (
            how[0]
            if len(how) == 1
            else "attacks or numbers of images differ between curves: see the hovers"
        ),
        "band: 95 %",
    ]
    if epsilon is not None:
        parts.append(f"dotted: budget {budget_text(epsilon)}")
    return "; ".join(parts)


def _curve(sign: Sign, label: str, curve: Curve, group: str) -> list[go.Scatter]:
    x, found = [point.epsilon for point in curve.points], [point.robust for point in curve.points]
    band = go.Scatter(
        x=[*x, *reversed(x)],
        y=[100 * i.high for i in found] + [100 * i.low for i in reversed(found)],
        fill="toself",
        mode="lines",
        line={"width": 0},
        fillcolor=faint(sign.color, 0.16),
        hoverinfo="skip",
        showlegend=False,
        legendgroup=group,
    )
    words = [
        f"<b>{shown(label)}</b><br>budget {budget_text(p.epsilon)}:"
        f" {share_with_bounds(p.robust, level=True)}<br>{shown(curve.attack)}, n = {curve.n:,}"
        for p in curve.points
    ]
    line = go.Scatter(
        x=x,
        y=[100 * i.value for i in found],
        mode="lines+markers",
        name=shown(label),
        legendgroup=group,
        line={"color": sign.color, "dash": sign.dash},
        marker={"color": sign.color, "symbol": sign.symbol, "size": 8},
        hovertext=words,
        hoverinfo="text",
    )
    return [band, line]


def budget_rows(lines: Sequence[BudgetLine]) -> list[Row]:
    """The numbers behind ``budget_curves``."""
    return [
        {"model": label, "budget": point.epsilon}
        | cells(point.robust, "robust")
        | {"n": point.robust.n, "attack": curve.attack}
        for _, label, curve in lines
        for point in curve.points
    ]
