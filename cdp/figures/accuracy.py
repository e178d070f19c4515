"""What charts of accuracies share: headings that fit a phone, whiskers in per cent, the words and
cells of an interval."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from cdp.figures.palette import GRID, INK
from cdp.figures.panels import axis_name, layout_name, stacked
from cdp.values.types import Interval

Row = dict[str, Any]

TITLE, NOTE, NAME = 48, 60, 52
"""Letters of a title, of a note and of a name above its row in one line at 360 pixels."""
LINE_PX = 17
LEGEND = {"legend": "above"}
"""For layout.meta: the legend lies above the first title, and whoever draws the figure makes room
for its lines."""
NORMS = {"linf": "l∞", "l2": "l2"}


def shown(text: str, most: int = 40) -> str:
    """A name as a chart shows it: cut short, and never taken for markup or for a placeholder."""
    plain = " ".join(text.split())
    return html.escape(
        plain if len(plain) <= most else plain[: most - 1] + "…", quote=False
    ).replace("%{", "% {")


def heading(title: str, note: str = "") -> str:
    """A title and a smaller note under it, broken into lines."""
    lines = [shown(line, TITLE) for line in _even(title, TITLE)]
    small = [
        f"<span style='font-size:11px'>{shown(line, NOTE)}</span>" for line in _even(note, NOTE)
    ]
    return "<br>".join([*lines, *small])


def tied(text: str) -> str:
    """Numbers kept on one line with their signs and units, by spaces that do not break."""
    return re.sub(r" (?=%)|(?<=\bn) (?== \d)|(?<=\bn =) (?=\d)|(?<=\+/-) ", "\u00a0", text)


def _even(text: str, most: int) -> list[str]:
    """As few lines as need be, of about the same length."""
    text = tied(text)
    lines = textwrap.wrap(text, most)
    while most > 1 and len(closer := textwrap.wrap(text, most - 1)) == len(lines) > 1:
        lines, most = closer, most - 1
    return lines


def heading_px(text: str) -> int:
    """Height of a heading."""
    return LINE_PX * (text.count("<br>") + 1) + 9


def panels(
    headings: Sequence[str],
    *,
    panel_px: int,
    left_px: int,
    key: str,
    bottom_px: int = 44,
    legend: bool = False,
) -> go.Figure:
    """Panels of one height below each other, each under its heading, which begins at the figure's
    left edge."""
    tallest = max(heading_px(text) for text in headings)
    figure = stacked(
        headings,
        panel_px=panel_px,
        gap_px=tallest + 50,
        bottom_px=bottom_px,
        left_px=left_px,
        title_px=tallest,
        key=key,
    )
    figure.update_annotations(xshift=4 - left_px).update_layout(
        hovermode="closest", showlegend=legend
    )
    if legend:
        figure.update_layout(
            meta=LEGEND,
            legend={
                "x": 0,
                "xanchor": "left",
                "xref": "container",
                "y": 1,
                "yanchor": "top",
                "yref": "container",
            },
        )
    return figure


def axis(figure: go.Figure, name: str, title: str, **more: Any) -> None:
    """Title and settings of an axis. name: as the layout spells it."""
    figure.layout[name].update(
        {"title": {"text": title, "standoff": 6, "font": {"size": 12}}} | more
    )


def rows_of(figure: go.Figure, names: Sequence[str], row: int = 0, *, most: int = 22) -> None:
    """Names at the left of rows at 0, -1, -2, ... of panel ``row``."""
    figure.layout[layout_name("y", row)].update(
        tickvals=[-k for k in range(len(names))],
        ticktext=[shown(name, most) for name in names],
        range=[-len(names) + 0.4, 0.6],
        showgrid=False,
        ticks="",
    )


def names_px(names: Sequence[str], most: int = 22) -> int:
    """Left margin that these names need."""
    return 18 + round(6.8 * min(most, max((len(name) for name in names), default=0)))


def names_above(figure: go.Figure, names: Sequence[str], row: int, most: int | None = None) -> None:
    """Names above their rows, as there is no room beside them on a phone."""
    y = layout_name("y", row)
    count = most or len(names)
    figure.layout[y].update(
        range=[-count + 0.4, 0.6], showticklabels=False, ticks="", showgrid=False
    )
    for number, name in enumerate(names):
        figure.add_annotation(
            text=shown(name, NAME),
            x=0,
            xref=f"{axis_name('x', row)} domain",
            xanchor="left",
            y=-number + 0.16,
            yref=axis_name("y", row),
            yanchor="bottom",
            showarrow=False,
            align="left",
            font={"size": 11, "color": INK},
            xshift=4,
        )


def whisker(found: Sequence[Interval], color: str, **more: Any) -> dict[str, Any]:
    """Plotly's error bar over intervals of shares, in per cent; equal values have none."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * max(0.0, i.high - i.value) if i.wide else None for i in found],
        "arrayminus": [100 * max(0.0, i.value - i.low) if i.wide else None for i in found],
        "color": color,
        "thickness": 1.5,
        "width": 4,
    } | more


def marker(color: str, symbol: str, *, filled: bool = True, size: int = 9) -> dict[str, Any]:
    """A mark, hollow where it is not filled."""
    solid = symbol.removesuffix("-open")
    return {
        "color": color,
        "symbol": solid if filled else f"{solid}-open",
        "size": size,
        "line": {"width": 1.8, "color": color},
    }


def vertical(at: float, row: int = 0) -> dict[str, Any]:
    """A dotted line over the height of panel ``row``."""
    number = "" if row == 0 else str(row + 1)
    return {
        "type": "line",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "xref": f"x{number}",
        "yref": f"y{number} domain",
        "layer": "below",
        "line": {"color": INK, "dash": "dot", "width": 1},
    }


def stripe(at: float, half: float, row: int = 0) -> dict[str, Any]:
    """A faint band behind one of many rows, which keeps the eye on it."""
    number = "" if row == 0 else str(row + 1)
    return {
        "type": "rect",
        "x0": 0,
        "x1": 1,
        "y0": at - half,
        "y1": at + half,
        "xref": f"x{number} domain",
        "yref": f"y{number}",
        "layer": "below",
        "line": {"width": 0},
        "fillcolor": GRID,
        "opacity": 0.4,
    }


def span(found: Sequence[Interval]) -> list[float]:
    """Range of an axis of differences in points: all intervals and 0, with room at both ends."""
    low, high = (
        100 * pick([0.0, *(getattr(i, end) for i in found)])
        for pick, end in ((min, "low"), (max, "high"))
    )
    edge = 0.05 * (high - low or 1.0)
    return [low - edge, high + edge]


def cells(found: Interval | None, name: str, unit: str = "%") -> Row:
    """Cells of a table: value and bounds in per cent or points, None where there is nothing; equal
    values have no bounds."""
    values: list[float | None] = (
        [None] * 3
        if found is None
        else [round(100 * x, 2) for x in (found.value, found.low, found.high)]
    )
    if found is not None and not found.wide:
        values[1:] = [None, None]
    return dict(zip((f"{name} [{unit}]", f"{name} low", f"{name} high"), values, strict=True))


def nothing(text: str) -> go.Figure:
    """A figure that says why it is empty."""
    figure = panels([heading(text)], panel_px=10, left_px=12, bottom_px=6, key="nothing")
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)
