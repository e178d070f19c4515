"""The attack lab: class probabilities before and after an attack, the path of its loss, and the
smallest budgets that fool on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import Heading, as_text, axis, dots, panel, stacked, title_at, told
from cdp.figures.palette import CLEAR, INK, Sign, faint

CLEAN = Sign("clean", INK, "dot", "circle-open")
ATTACKED = Sign("attacked", "#b8578f", "solid", "circle")
MOST_CLASSES = 12
"""Up to so many classes all are drawn, of more the likeliest ten."""
BAR_PX, ROW_PX, PATH_PX = 27, 44, 150
_LEGEND = f"▭ clean   <span style='color:{ATTACKED.color}'>■</span> attacked"
_ABOVE, _BELOW = 36, 46
_DOTTED = {"color": INK, "dash": "dot", "width": 1}


def probability_bars(
    names: Sequence[str],
    before: Sequence[float],
    after: Sequence[float],
    *,
    title: str,
    label: int,
    target: int | None = None,
    label_is: str = "true",
) -> go.Figure:
    """One pair of bars a class, in the order of the classes. before, after: (K,) in [0, 1]; label:
    the true class, or what ``label_is`` calls it; target: the one aimed at."""
    drawn = likeliest(before, after)
    marks = {label: f", {label_is}"} | ({target: ", target"} if target is not None else {})
    ticks = [f"{as_text(names[c], 20)}{marks.get(c, '')}" for c in drawn]
    left_out = len(names) - len(drawn)
    more = f"without {left_out} classes of less probability" if left_out else ""
    height, left = BAR_PX * len(drawn) + 10, 14 + 7 * max(map(len, ticks))
    figure = panel(title, more, panel_px=height, left_px=left, key="lab-bars")
    figure.update_layout(annotations=[title_at(_LEGEND, 0, 1)], margin_t=26, height=height + 70)
    at = list(range(len(drawn)))
    for sign, values, shift in ((CLEAN, before, -0.19), (ATTACKED, after, 0.19)):
        fill = sign.color if sign is ATTACKED else CLEAR
        figure.add_bar(
            x=[values[c] for c in drawn],
            y=[k + shift for k in at],
            orientation="h",
            width=0.34,
            name=sign.name,
            cliponaxis=False,
            marker={"color": fill, "line": {"color": sign.color, "width": 1.2}},
            text=[f"{values[c]:.2f}" if values[c] >= 0.005 else "" for c in drawn],
            textposition="outside",
            textfont={"size": 10, "color": INK},
            customdata=[names[c] for c in drawn],
            hovertemplate=f"%{{customdata}}, {sign.name}: %{{x:.4f}}<extra></extra>",
        )
    axis(figure, "xaxis", "probability", range=[0, 1.12], tickvals=[0, 0.25, 0.5, 0.75, 1])
    places: dict[str, Any] = {"tickvals": at, "ticktext": ticks, "showgrid": False, "ticks": ""}
    figure.layout.yaxis.update(places | {"range": [len(drawn) - 0.4, -0.6]})
    return figure.update_layout(hovermode="closest", showlegend=False, barmode="overlay")


def likeliest(before: Sequence[float], after: Sequence[float]) -> list[int]:
    """The classes that are drawn, in their order: all of few, else those that are likeliest before
    or after."""
    if len(before) <= MOST_CLASSES:
        return list(range(len(before)))
    rank = np.argsort(-np.maximum(before, after), kind="stable")
    return sorted(rank[: MOST_CLASSES - 2].tolist())


def loss_path(
    losses: Sequence[Sequence[float]],
    *,
    chosen: int,
    turned_at: int | None,
    unit: str,
    title: str,
    zero: bool = False,
) -> go.Figure:
    """The loss of every start over the PGD steps, the start that is shown drawn strong. losses: (S,
    T+1); turned_at: the first step at which that start has what it wants; zero: whether a loss
    above 0 means misclassified."""
    note = f"{len(losses)} random starts, the strongest thick"
    note += "; ✖ first success" * (turned_at is not None)
    figure = panel(title, note, panel_px=PATH_PX, left_px=54, key="lab-path")
    for k in [*(k for k in range(len(losses)) if k != chosen), chosen]:
        strong = k == chosen
        color = ATTACKED.color if strong else faint(INK, 0.55)
        figure.add_scatter(
            x=list(range(len(losses[k]))),
            y=list(losses[k]),
            mode="lines",
            name=f"start {k + 1}",
            line={"color": color, "width": 2.4 if strong else 1},
            hovertemplate=f"step %{{x}}, start {k + 1}: %{{y:.3f}}<extra></extra>",
        )
    if turned_at is not None:
        look = {"symbol": "x", "size": 9, "color": ATTACKED.color}
        look |= {"line": {"width": 1, "color": "#ffffff"}}
        words = [f"first succeeds at step {turned_at}"]
        y = [losses[chosen][turned_at]]
        figure.add_trace(dots([turned_at], y, ATTACKED, words, name="first success", marker=look))
    if zero:
        figure.add_shape(type="line", x0=0, x1=1, xref="paper", y0=0, y1=0, line=_DOTTED)
    axis(figure, "xaxis", "PGD step", nticks=8, rangemode="tozero")
    axis(figure, "yaxis", unit, nticks=5, exponentformat="e")
    return figure.update_layout(hovermode="closest", showlegend=False)


@dataclass(frozen=True)
class RulerMark:
    """One model on the ruler. smallest: the smallest budget found that fools, None where none did
    up to the end of the axis."""

    name: str
    sign: Sign
    smallest: float | None


def ruler_px(models: int) -> int:
    """The height of ``budget_ruler`` for so many models."""
    return _ABOVE + _BELOW + ROW_PX * models


def budget_ruler(
    marks: Sequence[RulerMark],
    *,
    epsilon: float,
    budget: float,
    budget_is: str,
    largest: float,
    unit: str,
    title: str,
) -> go.Figure:
    """Every model's smallest budget on one axis from 0 to ``largest``. epsilon: the budget chosen
    above; budget: the conventional one, which ``budget_is`` names."""
    height, sizes = ROW_PX * len(marks), {"bottom_px": _BELOW, "left_px": 10, "title_px": _ABOVE}
    figure = stacked([""], panel_px=height, key="lab-ruler", **sizes)
    figure = told(figure.update_layout(annotations=[]), Heading(title))
    for row, mark in enumerate(marks):
        figure.add_traces(_on_ruler(mark, row, largest))
        name, place = as_text(mark.name), {"x": 0, "y": row, "xanchor": "left", "yanchor": "bottom"}
        figure.add_annotation(text=name, yshift=5, showarrow=False, font={"size": 12}, **place)
    for at, name, dash, shift in ((budget, budget_is, "dot", 2), (epsilon, "chosen", "solid", 17)):
        look = {"color": INK, "dash": dash, "width": 1.2}
        figure.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, yref="paper", line=look)
        side = "left" if at < 0.15 * largest else "right" if at > 0.85 * largest else "center"
        place = {"x": at, "y": 1, "yref": "paper", "xanchor": side, "yanchor": "bottom"}
        text = f"{name} {at:.3g}"
        figure.add_annotation(text=text, yshift=shift, showarrow=False, font={"size": 11}, **place)
    figure.layout.margin.r = 10
    axis(figure, "xaxis", unit, range=[0, largest], nticks=7)
    figure.layout.yaxis.update(range=[len(marks) - 0.5, -0.75], visible=False)
    return figure.update_layout(hovermode="closest", showlegend=False)


def _on_ruler(model: RulerMark, row: int, largest: float) -> list[go.Scatter]:
    """A bar to the smallest budget, and there its mark and number."""
    none = model.smallest is None
    end = largest if model.smallest is None else model.smallest
    number = f"none found up to {end:.3g}" if none else f"{end:.3g}"
    bar = {"mode": "lines", "line": {"color": model.sign.color, "width": 5}, "hoverinfo": "skip"}
    symbol = "triangle-right-open" if none else model.sign.symbol
    text: dict[str, Any] = {"text": [f"<b>{number}</b>"], "textfont": {"size": 12, "color": INK}}
    text |= {"textposition": "top left" if end > 0.7 * largest else "middle right"}
    text |= {"mode": "markers+text", "cliponaxis": False, "name": model.name}
    look = {"symbol": symbol, "size": 12, "color": model.sign.color}
    words = [f"{as_text(model.name, 100)}: {number}"]
    mark = dots([end], [row], model.sign, words, marker=look, **text)
    return [go.Scatter(x=[0, end], y=[row, row], name=model.name, **bar), mark]
