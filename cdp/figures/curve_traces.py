"""Plotly traces of training curves, as plain dictionaries: checking each attribute, as plotly's own
classes do, takes longer than a tick has."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cdp.figures.curve_lines import Entry, Line
from cdp.figures.palette import faint
from cdp.figures.panels import axis_name
from cdp.figures.series import thin

MAX_POINTS = 500
MARKERS = 12
"""Markers drawn on a curve; they tell curves apart, and points are found by hovering."""
LABEL = 40

Trace = dict[str, Any]


@dataclass(frozen=True)
class Pen:
    """How one curve of an entry is drawn. row: its panel; part: its name beside others of the entry
    ("" where it is alone).

    digits: plotly's format of a value; unit: after it; at: the x axis in the words of a hover
    ("epoch"); epochs: whether hovers name the epoch too; closest: whether a hover shows one curve,
    which then has to say all by itself.
    """

    row: int
    part: str
    dash: str
    digits: str
    unit: str
    at: str
    epochs: bool
    closest: bool


def label_of(text: str) -> str:
    """A name as a legend shows it: cut short, and never taken for markup or for a placeholder."""
    short = text if len(text) <= LABEL else text[: LABEL - 1] + "…"
    return html.escape(short, quote=False).replace("%{", "% {")


def curve(
    entry: Entry, line: Line, pen: Pen, *, band: bool, legend: bool = False
) -> Iterator[Trace]:
    """Band, raw curve and curve, back to front."""
    kept = thin(line.value, MAX_POINTS)
    if band:
        yield from _band(entry, line, pen, kept)
    if line.raw is not None:
        yield _raw(entry, line, pen)
    columns, words = _hovered(entry, line, pen)
    color, name = (
        entry.sign.color,
        label_of(entry.label) + (f", n = {entry.seeds} seeds" if entry.seeds > 1 else ""),
    )
    yield _base(entry, pen, "line") | {
        "x": _x(line.x[kept]),
        "y": _f4(line.value[kept]),
        "mode": "lines+markers",
        "name": name,
        "showlegend": legend,
        "line": {"color": color, "dash": pen.dash, "width": 1.5 if pen.closest else 2},
        "marker": {"color": color, "symbol": entry.sign.symbol, "size": 5, "maxdisplayed": MARKERS},
        "customdata": (
            np.stack([_f4(column[kept]) for column in columns], axis=1) if columns else None
        ),
        "hovertemplate": words,
    }


def mark(entry: Entry, line: Line, at: int, pen: Pen, *, star: bool) -> Trace:
    """Point ``at`` with a whisker over its interval, as a star or as the entry's own mark."""
    value, low, high = (float(part[at]) for part in (line.value, line.low, line.high))
    whisker = {
        "type": "data",
        "symmetric": False,
        "array": [high - value],
        "arrayminus": [value - low],
        "color": entry.sign.color,
        "thickness": 1.5,
        "width": 4,
    }
    return (
        _base(entry, pen, "best")
        | {
            "x": [float(line.x[at])],
            "y": [value],
            "mode": "markers",
            "showlegend": False,
            "hoverinfo": "skip",
            "marker": {
                "color": entry.sign.color,
                "symbol": "star" if star else entry.sign.symbol,
                "size": 12 if star else 6,
            },
        }
        | ({"error_y": whisker} if np.isfinite(low) else {})
    )


def _base(entry: Entry, pen: Pen, role: str) -> Trace:
    # The uid is what plotly knows a trace by from one tick to the next: a hidden entry stays
    # hidden.
    return {
        "type": "scatter",
        "uid": f"{entry.uid}/{pen.row}/{pen.part}/{role}",
        "legendgroup": entry.uid,
        "connectgaps": False,
        "xaxis": axis_name("x", pen.row),
        "yaxis": axis_name("y", pen.row),
    }


def _raw(entry: Entry, line: Line, pen: Pen) -> Trace:
    raw = line.value if line.raw is None else line.raw
    kept = thin(raw, MAX_POINTS)
    return _base(entry, pen, "raw") | {
        "x": _x(line.x[kept]),
        "y": _f4(raw[kept]),
        "mode": "lines",
        "showlegend": False,
        "hoverinfo": "skip",
        "line": {"color": faint(entry.sign.color, 0.35), "dash": pen.dash, "width": 1},
    }


def _band(entry: Entry, line: Line, pen: Pen, kept: np.ndarray) -> Iterator[Trace]:
    drawn = kept[np.isfinite(line.low[kept]) & np.isfinite(line.high[kept])]
    edge = {
        "mode": "lines",
        "showlegend": False,
        "hoverinfo": "skip",
        "line": {"width": 0, "color": entry.sign.color},
    }
    for role, values in (("low", line.low), ("high", line.high)):
        filled = (
            {"fill": "tonexty", "fillcolor": faint(entry.sign.color, 0.14)}
            if role == "high"
            else {}
        )
        yield (
            _base(entry, pen, role)
            | {"x": _x(line.x[drawn]), "y": _f4(values[drawn])}
            | edge
            | filled
        )


def _hovered(entry: Entry, line: Line, pen: Pen) -> tuple[list[np.ndarray], str]:
    """Columns that a hover shows beside the value, and its template."""
    columns: list[np.ndarray] = []

    def shown(values: np.ndarray, digits: str) -> str:
        columns.append(values)
        return f"%{{customdata[{len(columns) - 1}]:{digits}}}"

    words = f"%{{y:{pen.digits}}}{pen.unit}"
    if np.isfinite(line.low).any():
        words += f" (95 %: {shown(line.low, pen.digits)} to {shown(line.high, pen.digits)}"
        words += f", n = {shown(line.n, ',.0f')}{' seeds' if entry.seeds > 1 else ''})"
    if line.raw is not None:
        words += f", unsmoothed {shown(line.raw, pen.digits)}"
    if pen.epochs:
        words += f", epoch {shown(line.epoch, '.0f')}"
    name = label_of(entry.label) + (f", {pen.part}" if pen.part else "")
    if pen.closest:
        return columns, f"<b>{name}</b><br>{pen.at} %{{x}}<br>{words}<extra></extra>"
    return columns, f"{words}<extra>{name}</extra>"


def _f4(values: np.ndarray) -> np.ndarray:
    """Seven digits are more than a screen shows, in half the bytes."""
    return values.astype(np.float32)


def _x(values: np.ndarray) -> np.ndarray:
    """Rising values; counts that seven digits cannot tell apart stay as they are."""
    return values if len(values) and values[-1] > 2**24 else _f4(values)
