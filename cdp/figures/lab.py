"""The attack lab: class probabilities before and after an attack, the path of its loss, and the
smallest budgets that fool on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go

from cdp.figures.palette import CLEAR, INK, Sign, faint
from cdp.figures.panels import stacked

CLEAN = Sign("clean", INK, "dot", "circle-open")
ATTACKED = Sign("attacked", "#b8578f", "solid", "circle")
MOST_CLASSES = 12
"""Up to so many classes all are drawn, of more the likeliest ten."""
BAR_PX, ROW_PX, PATH_PX = 27, 44, 150
TITLE_LETTERS = 46
"""So many letters of a title fit into a line on a phone."""
_LEGEND = (
    f"<span style='color:{CLEAN.color}'>▭</span> clean   <span"
    f" style='color:{ATTACKED.color}'>■</span> attacked"
)


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
    shown = likeliest(before, after)
    marks = {label: f", {label_is}"} | ({target: ", target"} if target is not None else {})
    ticks = [f"{_short(names[c])}{marks.get(c, '')}" for c in shown]
    left = len(names) - len(shown)
    more = f"   without {left} classes of less" if left else ""
    figure = _framed(
        title,
        f"{_LEGEND}{more}",
        panel_px=BAR_PX * len(shown) + 10,
        left_px=14 + 7 * max(map(len, ticks)),
        key="lab-bars",
    )
    at = list(range(len(shown)))
    for sign, values, shift in ((CLEAN, before, -0.19), (ATTACKED, after, 0.19)):
        filled = sign is ATTACKED
        figure.add_bar(
            x=[values[c] for c in shown],
            y=[k + shift for k in at],
            orientation="h",
            width=0.34,
            name=sign.name,
            cliponaxis=False,
            marker={
                "color": sign.color if filled else CLEAR,
                "line": {"color": sign.color, "width": 1.2},
            },
            text=[f"{values[c]:.2f}" if values[c] >= 0.005 else "" for c in shown],
            textposition="outside",
            textfont={"size": 10, "color": sign.color},
            customdata=[names[c] for c in shown],
            hovertemplate=f"%{{customdata}}, {sign.name}: %{{x:.4f}}<extra></extra>",
        )
    figure.layout.xaxis.update(
        range=[0, 1.12], tickvals=[0, 0.25, 0.5, 0.75, 1], title={"text": "probability"}
    )
    figure.layout.yaxis.update(
        tickvals=at, ticktext=ticks, range=[len(shown) - 0.4, -0.6], showgrid=False, ticks=""
    )
    return figure.update_layout(hovermode="closest", showlegend=False, barmode="overlay")


def likeliest(before: Sequence[float], after: Sequence[float]) -> list[int]:
    """The classes that are drawn, in their own order."""
    if len(before) <= MOST_CLASSES:
        return list(range(len(before)))
    order = np.argsort(-np.maximum(before, after), kind="stable")[: MOST_CLASSES - 2]
    return sorted(int(c) for c in order)


def loss_path(
    losses: Sequence[Sequence[float]],
    *,
    chosen: int,
    turned_at: int | None,
    unit: str,
    title: str,
    zero: bool = False,
) -> go.Figure:
    """The loss of every start over the PGD steps, the start that is shown drawn strong.

    losses: (S, T+1); turned_at: the first step at which that start has what it wants; zero: whether
    a loss above 0 means misclassified.
    """
    note = f"{len(losses)} random starts, the strongest thick" + (
        "; ✖ first success" if turned_at is not None else ""
    )
    figure = _framed(title, note, panel_px=PATH_PX, left_px=54, key="lab-path")
    order = [*(k for k in range(len(losses)) if k != chosen), chosen]
    for k in order:
        strong = k == chosen
        figure.add_scatter(
            x=list(range(len(losses[k]))),
            y=list(losses[k]),
            mode="lines",
            name=f"start {k + 1}",
            line={
                "color": ATTACKED.color if strong else faint(INK, 0.55),
                "width": 2.4 if strong else 1,
            },
            hovertemplate=f"step %{{x}}, start {k + 1}: %{{y:.3f}}<extra></extra>",
        )
    if turned_at is not None:
        figure.add_scatter(
            x=[turned_at],
            y=[losses[chosen][turned_at]],
            mode="markers",
            name="first success",
            marker={
                "symbol": "x",
                "size": 9,
                "color": ATTACKED.color,
                "line": {"width": 1, "color": "#ffffff"},
            },
            hovertemplate="first succeeds at step %{x}<extra></extra>",
        )
    if zero:
        figure.add_shape(
            type="line",
            x0=0,
            x1=1,
            xref="paper",
            y0=0,
            y1=0,
            line={"color": INK, "dash": "dot", "width": 1},
        )
    figure.layout.xaxis.update(title={"text": "PGD step"}, nticks=8, rangemode="tozero")
    figure.layout.yaxis.update(title={"text": unit}, nticks=5, exponentformat="e")
    return figure.update_layout(hovermode="closest", showlegend=False)


@dataclass(frozen=True)
class Found:
    """One model on the ruler. smallest: the smallest budget found that fools, None where none did
    up to the end of the axis."""

    name: str
    sign: Sign
    smallest: float | None


_ABOVE, _BELOW = 54, 46


def ruler_px(models: int) -> int:
    """The height of ``budget_ruler`` for so many models."""
    return _ABOVE + _BELOW + ROW_PX * models


def budget_ruler(
    found: Sequence[Found],
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
    figure = stacked(
        [title],
        panel_px=ROW_PX * len(found),
        gap_px=0,
        bottom_px=_BELOW,
        left_px=10,
        title_px=_ABOVE,
        key="lab-ruler",
    )
    for row, one in enumerate(found):
        end = largest if one.smallest is None else one.smallest
        said = f"none found up to {end:.3g}" if one.smallest is None else f"{end:.3g}"
        left = end > 0.7 * largest
        figure.add_scatter(
            x=[0, end],
            y=[row, row],
            mode="lines",
            line={"color": one.sign.color, "width": 5},
            hoverinfo="skip",
            name=one.name,
        )
        figure.add_scatter(
            x=[end],
            y=[row],
            mode="markers+text",
            name=one.name,
            text=[f"<b>{said}</b>"],
            textposition="top left" if left else "middle right",
            marker={
                "symbol": "triangle-right-open" if one.smallest is None else one.sign.symbol,
                "size": 12,
                "color": one.sign.color,
            },
            textfont={"size": 12, "color": INK},
            cliponaxis=False,
            hovertext=f"{_short(one.name, 100)}: {said}",
            hoverinfo="text",
        )
        figure.add_annotation(
            text=_short(one.name, 40),
            x=0,
            y=row,
            xref="x",
            yref="y",
            xanchor="left",
            yanchor="bottom",
            yshift=5,
            showarrow=False,
            font={"size": 12},
        )
    for at, text, dash, shift in (
        (budget, f"{budget_is} {budget:.3g}", "dot", 2),
        (epsilon, f"chosen {epsilon:.3g}", "solid", 17),
    ):
        figure.add_shape(
            type="line",
            x0=at,
            x1=at,
            y0=0,
            y1=1,
            yref="paper",
            line={"color": INK, "dash": dash, "width": 1.2},
        )
        anchor = "left" if at < 0.15 * largest else "right" if at > 0.85 * largest else "center"
        figure.add_annotation(
            text=text,
            x=at,
            y=1,
            xref="x",
            yref="paper",
            xanchor=anchor,
            yanchor="bottom",
            yshift=shift,
            showarrow=False,
            font={"size": 11},
        )
    figure.layout.annotations[0].update(yshift=34)
    figure.layout.margin.r = 10
    figure.layout.xaxis.update(range=[0, largest], nticks=7, title={"text": unit})
    figure.layout.yaxis.update(range=[len(found) - 0.5, -0.75], visible=False)
    return figure.update_layout(hovermode="closest", showlegend=False)


def _framed(title: str, note: str, *, panel_px: int, left_px: int, key: str) -> go.Figure:
    """One panel under a title that begins at the left edge and is broken where a phone would cut
    it."""
    lines = wrap(title, TITLE_LETTERS)
    figure = stacked(
        ["<br>".join(map(_text, lines)) + f"<br><span style='font-size:11px'>{note}</span>"],
        panel_px=panel_px,
        gap_px=0,
        bottom_px=44,
        left_px=left_px,
        title_px=26 + 18 * len(lines),
        key=key,
    )
    figure.layout.annotations[0].update(xshift=4 - left_px)
    return figure


def _short(text: str, most: int = 20) -> str:
    """For a tick: cut where too long, and never markup."""
    return _text(text if len(text) <= most else f"{text[: most - 1]}…")


def _text(text: str) -> str:
    """Text of a stranger, which plotly would take for markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
