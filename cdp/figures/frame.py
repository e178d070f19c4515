"""What figures share: stacked panels under their titles, axes, marks with whiskers, lines, and the
cells of the tables behind them. All are transparent, and keep a reader's zoom over redraws."""

from __future__ import annotations

import html
import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

# Whole before any figure is made: plotly takes the pandas that another thread is still loading, and
# dies of what that lacks.
import pandas as pd  # noqa: F401
import plotly.graph_objects as go

from cdp.figures.palette import CLEAR, GRID, INK, Sign
from cdp.values.types import Interval

Row = dict[str, Any]
"""A row of the table behind a figure: column -> value."""

NAME = 52
"""Letters of a name above its row in one line at 360 pixels."""
LINE_PX = 17
LEGEND = {"legend": "above"}
"""For layout.meta: the legend lies above the first title, and whoever draws the figure makes room
for its lines."""
NORMS = {"linf": "l∞", "l2": "l2"}
SHARES = {"range": [-2, 102], "tickvals": list(range(0, 101, 20))}
"""An axis of all shares, in per cent."""


def axis_name(letter: str, row: int) -> str:
    """Plotly's name of an axis of panel ``row`` (from 0), as traces refer to it: x, x2, x3, ..."""
    return letter if row == 0 else f"{letter}{row + 1}"


def layout_name(letter: str, row: int) -> str:
    """The same axis as the layout spells it: xaxis, xaxis2, ..."""
    return f"{letter}axis" if row == 0 else f"{letter}axis{row + 1}"


def in_panel(row: int) -> dict[str, str]:
    """The axes of panel ``row``, for a trace."""
    return {"xaxis": axis_name("x", row), "yaxis": axis_name("y", row)}


def base(height: int, margin: tuple[int, int, int, int], **more: Any) -> dict[str, Any]:
    """A layout without panels. margin: pixels at the left, right, top and bottom."""
    layout = {"template": "none", "height": height, "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR}
    layout |= {"margin": dict(zip("lrtb", margin, strict=True)), "font": {"color": INK, "size": 12}}
    layout["hoverlabel"] = {"font": {"color": "#1f2328"}, "bgcolor": "#ffffff"}
    return layout | more


def title_at(text: str, x: float, y: float) -> dict[str, Any]:
    """A title over the panel whose upper left corner is at x, y in paper coordinates."""
    place = {"x": x, "y": y, "xref": "paper", "yref": "paper", "yshift": 3}
    side = {"xanchor": "left", "yanchor": "bottom", "align": "left", "showarrow": False}
    return {"text": text, "font": {"size": 13, "color": INK}} | place | side


def stacked(
    titles: Sequence[str],
    *,
    panel_px: int,
    key: str,
    bottom_px: int = 44,
    gap_px: int = 0,
    left_px: int = 58,
    title_px: int = 26,
) -> go.Figure:
    """An empty figure of ``len(titles)`` panels of ``panel_px`` pixels, top to bottom, each under
    its title. key: plotly's uirevision; while it stays the same, a redraw keeps the reader's zoom
    and hidden traces."""
    rows = len(titles)
    inner = rows * panel_px + (rows - 1) * gap_px
    legend = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"}
    legend |= {"bgcolor": CLEAR, "font": {"size": 11}}
    height, margin = inner + title_px + bottom_px, (left_px, 12, title_px, bottom_px)
    layout = base(height, margin, hovermode="x unified", legend=legend, uirevision=key)
    plain = {"gridcolor": GRID, "linecolor": GRID, "zeroline": False, "showline": True}
    plain |= {"ticks": "outside", "tickcolor": GRID, "automargin": False}
    plain |= {"title": {"standoff": 6, "font": {"size": 12}}}
    tops = [1 - row * (panel_px + gap_px) / inner for row in range(rows)]
    for row, top in enumerate(tops):
        domain = [max(0.0, top - panel_px / inner), top]
        own = {"domain": domain, "anchor": axis_name("x", row)}
        layout[layout_name("y", row)] = plain | own
        layout[layout_name("x", row)] = plain | {"domain": [0, 1], "anchor": axis_name("y", row)}
    notes = [title_at(text, 0, top) for text, top in zip(titles, tops, strict=True)]
    return go.Figure(layout=layout | {"annotations": notes})


class Heading(NamedTuple):
    """What a figure says in a sentence, and how that was measured, with n. Whoever draws the figure
    writes it above, as plain text."""

    finding: str
    note: str = ""

    @property
    def words(self) -> str:
        """Both, for a screen reader."""
        return "; ".join(filter(None, self))


def told(figure: go.Figure, heading: Heading) -> go.Figure:
    """The figure with its heading in layout.meta."""
    return figure.update_layout(meta=(figure.layout.meta or {}) | heading._asdict())


def heading_of(figure: go.Figure) -> Heading:
    """What ``told`` left; empty where it was not called."""
    meta = figure.layout.meta or {}
    return Heading(meta.get("finding", ""), meta.get("note", ""))


def panel(
    finding: str,
    note: str,
    *,
    panel_px: int,
    left_px: int,
    key: str,
    bottom_px: int = 44,
    legend: bool = False,
) -> go.Figure:
    """One panel under a finding."""
    sizes = {"bottom_px": bottom_px, "left_px": left_px, "title_px": 10}
    figure = stacked([""], panel_px=panel_px, key=key, **sizes)
    figure.update_layout(hovermode="closest", showlegend=legend, annotations=[])
    if legend:
        place = {"x": 0, "xanchor": "left", "xref": "container"}
        place |= {"y": 1, "yanchor": "top", "yref": "container"}
        figure.update_layout(meta=LEGEND, legend=place)
    return told(figure, Heading(finding, note))


def nothing(text: str) -> go.Figure:
    """A figure that says why it is empty."""
    figure = panel(text, "", panel_px=10, left_px=12, bottom_px=6, key="nothing")
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)


def as_text(text: str, most: int = 40) -> str:
    """A name as a chart shows it: cut short, and never taken for markup or for a placeholder."""
    plain = " ".join(text.split())
    short = plain if len(plain) <= most else f"{plain[: most - 1]}…"
    return html.escape(short, quote=False).replace("%{", "% {")


def large(text: str) -> str:
    """A finding over one of several panels."""
    return f"<b><span style='font-size:16px'>{text}</span></b>"


def small(text: str) -> str:
    """A line of a title in smaller letters."""
    return f"<span style='font-size:11px'>{text}</span>"


def wrapped(text: str, most: int = 60) -> str:
    """A sentence in a hover, in lines."""
    return "<br>".join(as_text(line, most) for line in textwrap.wrap(text, most))


def tied(text: str) -> str:
    """Numbers kept on one line with their signs and units, by spaces that do not break."""
    return re.sub(r" (?=%)|(?<=\bn) (?== \d)|(?<=\bn =) (?=\d)|(?<=\+/-) ", "\u00a0", text)


def axis(figure: go.Figure, name: str, title: str, **more: Any) -> None:
    """Title and settings of an axis. name: as the layout spells it."""
    text = {"text": title, "standoff": 6, "font": {"size": 12}}
    figure.layout[name].update({"title": text} | more)


def log_ticks(low: float, high: float, most: int = 7) -> dict[str, Any]:
    """Marks of a log axis, as whole numbers and decimals: 0.5, 1, 2, 1,000, 2M. low, high: its ends,
    above 0."""
    for steps in ((1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        marks = [step * 10.0**decade for decade in decades for step in steps]
        inside = [mark for mark in marks if low * 0.999 <= mark <= high * 1.001]
        if len(inside) <= most:
            break
    inside = inside[:: -(-len(inside) // most) or 1]
    if len(inside) < 2:
        inside = [low, high]
    return {"type": "log", "tickvals": inside, "ticktext": list(map(number_text, inside))}


def number_text(value: float) -> str:
    """A number as an axis shows it: 0.05, 500, 5,000, 1.5M."""
    for size, unit in ((1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def rows_of(figure: go.Figure, names: Sequence[str], row: int = 0, *, most: int = 22) -> None:
    """Names at the left of rows at 0, -1, -2, ... of panel ``row``."""
    texts: dict[str, Any] = {"ticktext": [as_text(name, most) for name in names]}
    texts["tickvals"] = [-k for k in range(len(names))]
    figure.layout[layout_name("y", row)].update(_rows(len(names)) | texts)


def names_px(names: Sequence[str], most: int = 22) -> int:
    """Left margin that these names need."""
    return 18 + round(6.8 * min(most, max((len(name) for name in names), default=0)))


def no_names(figure: go.Figure, count: int, row: int) -> None:
    """Rows at 0, -1, -2, ... of panel ``row`` without names at their left."""
    figure.layout[layout_name("y", row)].update(_rows(count) | {"showticklabels": False})


def _rows(count: int) -> dict[str, Any]:
    return {"range": [-count + 0.4, 0.6], "ticks": "", "showgrid": False}


def names_above(figure: go.Figure, names: Sequence[str]) -> None:
    """Names above their rows, as there is no room beside them on a phone."""
    no_names(figure, len(names), 0)
    place = {"xref": "x domain", "yref": "y"}
    font = {"size": 11, "color": INK}
    for number, name in enumerate(names):
        note = title_at(as_text(name, NAME), 0, -number + 0.16)
        figure.add_annotation(note | place | {"font": font, "xshift": 4, "yshift": 0})


def marker(
    color: str, symbol: str, *, filled: bool | None = None, size: float = 9
) -> dict[str, Any]:
    """A mark, filled or hollow where that is said, else as the symbol is."""
    if filled is not None:
        symbol = symbol.removesuffix("-open") + ("" if filled else "-open")
    return {"color": color, "symbol": symbol, "size": size, "line": {"width": 1.8, "color": color}}


def whisker(
    intervals: Sequence[Interval], color: str, *, factor: float = 100, thickness: float = 1.5
) -> dict[str, Any]:
    """Plotly's error bar over intervals; equal values, and those without an interval, have none.
    factor: shown value per stored value; 100 is per cent."""
    reach = [i.reach if i.wide and not i.note else None for i in intervals]
    down, up = (
        [None if ends is None else factor * max(0.0, ends[side]) for ends in reach]
        for side in (0, 1)
    )
    size = {"color": color, "thickness": thickness, "width": 4}
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down} | size


def dots(
    x: Sequence[float],
    y: Sequence[float],
    sign: Sign,
    hover: Sequence[str],
    *,
    row: int = 0,
    size: float = 9,
    filled: bool | None = None,
    **more: Any,
) -> go.Scatter:
    """The marks of a sign in panel ``row``. hover: the words of each."""
    words = {"name": as_text(sign.name), "showlegend": False}
    words |= {"hovertext": hover, "hoverinfo": "text"}
    look = {"mode": "markers", "marker": marker(sign.color, sign.symbol, filled=filled, size=size)}
    return go.Scatter(x=x, y=y, **(in_panel(row) | words | look | more))


def line(
    x: Sequence[float], y: Sequence[float | None], sign: Sign, *, size: float = 5, **more: Any
) -> go.Scatter:
    """A line with the marks of its sign."""
    look: dict[str, Any] = {"mode": "lines+markers", "name": as_text(sign.name)}
    look["line"] = {"color": sign.color, "dash": sign.dash, "width": 2}
    look["marker"] = {"color": sign.color, "symbol": sign.symbol, "size": size}
    return go.Scatter(x=x, y=y, **(look | more))


def vertical(at: float, row: int = 0) -> dict[str, Any]:
    """A dotted line over the height of panel ``row``."""
    place = {"xref": axis_name("x", row), "yref": f"{axis_name('y', row)} domain"}
    ends = {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "layer": "below"}
    return place | ends | {"line": {"color": INK, "dash": "dot", "width": 1}}


def stripes(count: int, row: int = 0) -> list[dict[str, Any]]:
    """A faint band behind every second of many rows, which keeps the eye on its row."""
    place = {"xref": f"{axis_name('x', row)} domain", "yref": axis_name("y", row)}
    look = {"line": {"width": 0}, "fillcolor": GRID, "opacity": 0.4, "layer": "below"}
    ends = {"type": "rect", "x0": 0, "x1": 1}
    return [place | look | ends | {"y0": -k - 0.5, "y1": -k + 0.5} for k in range(0, count, 2)]


def color_bar(title: str) -> dict[str, Any]:
    """A narrow colour bar with its title along it."""
    words = {"text": title, "side": "right", "font": {"size": 12}}
    return {"title": words, "thickness": 10, "outlinewidth": 0}


def around_zero(intervals: Sequence[Interval]) -> list[float]:
    """Range of an axis of differences in points: all intervals and 0, with room at both ends."""
    low = 100 * min([0.0, *(i.low for i in intervals)])
    high = 100 * max([0.0, *(i.high for i in intervals)])
    edge = 0.05 * (high - low or 1.0)
    return [low - edge, high + edge]


def cells(interval: Interval | None, name: str, unit: str = "%", *, factor: float = 100) -> Row:
    """Cells of a table: value and bounds in per cent or points, or times another factor, None where
    there is nothing; equal values have no bounds."""
    if interval is None:
        values: tuple[float | None, ...] = (None, None, None)
    else:
        bounds = (interval.low, interval.high) if interval.wide else (None, None)
        values = (interval.value, *bounds)
    cut = (
        None if value is None else round(factor * value, 2 if factor > 1 else 4) for value in values
    )
    return dict(
        zip((f"{name} [{unit}]" if unit else name, f"{name} low", f"{name} high"), cut, strict=True)
    )
