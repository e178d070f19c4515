"""How much robust accuracy a synthetic image buys: accuracy against their number, a line an arm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from cdp.figures.accuracy import Row, axis, cells, heading, nothing, panels, shown, whisker
from cdp.figures.palette import INK, Sign, named_sign
from cdp.values.comparison import EfficiencyLine, Equal
from cdp.values.text import counted, share_with_bounds

ZERO_GAP = 0.45
"""Decades between 0, which has no place on a log axis, and the smallest number."""
DODGE = 0.012
"""Shift of a line against the next, as a share of the axis, which keeps whiskers apart."""
TICKS = 7
_UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


def efficiency_curves(lines: Sequence[EfficiencyLine], signs: Mapping[str, Sign]) -> go.Figure:
    """Robust accuracy against the number of synthetic images, which is on a log axis with 0 at a
    place of its own on the left.

    signs: by the line's name. Whiskers: 95 % intervals of the mean over seeds, Wilson's where there
    is one seed.
    """
    drawn = [line for line in lines if line.points]
    if not drawn:
        return nothing("No arms differ in their number of synthetic images only")
    counts = sorted({point.count for line in drawn for point in line.points})
    place = _places(counts)
    width = max(place.values()) - min(place.values()) or 1.0
    note = "mean over seeds; whisker: 95 % interval" + (
        "; 0 has a place of its own on the log axis" if counts[0] == 0 else ""
    )
    title = heading("How many synthetic images buy how much robustness?", note)
    figure = panels([title], panel_px=300, left_px=54, key="efficiency", legend=True)
    for number, line in enumerate(drawn):
        sign = signs.get(line.name) or named_sign(line.name)
        shift = (number - (len(drawn) - 1) / 2) * DODGE * width
        figure.add_traces(_line(line, sign, place, shift))
    if counts[0] == 0 and len(counts) > 1:
        figure.add_shape(_break(min(value for count, value in place.items() if count)))
    ticks = _ticks(counts)
    edge = 0.06 * width
    axis(
        figure,
        "xaxis",
        "synthetic images, log",
        tickvals=[place[c] if c in place else math.log10(c) for c in ticks],
        ticktext=[count_text(c) for c in ticks],
        range=[min(place.values()) - edge, max(place.values()) + edge],
    )
    axis(figure, "yaxis", "robust accuracy [%]", nticks=7)
    return figure


def count_text(count: int) -> str:
    """A number of images as an axis shows it: 0, 500, 5k, 1.5M."""
    for size, unit in _UNITS:
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)


def _places(counts: Sequence[int]) -> dict[int, float]:
    """Where a number of images stands: its decimal logarithm, 0 left of all others."""
    positive = [count for count in counts if count > 0]
    zero = math.log10(positive[0]) - ZERO_GAP if positive else 0.0
    return {count: math.log10(count) if count > 0 else zero for count in counts}


def _ticks(counts: Sequence[int]) -> list[int]:
    """The numbers that were trained with, or round ones where those are too many; 0 in any case."""
    if len(counts) <= TICKS:
        return list(counts)
    positive = [count for count in counts if count > 0]
    round_ones = [
        10**power
        for power in range(
            math.floor(math.log10(positive[0])), math.ceil(math.log10(positive[-1])) + 1
        )
    ]
    kept = [count for count in round_ones if positive[0] <= count <= positive[-1]] or [
        positive[0],
        positive[-1],
    ]
    return ([0] if counts[0] == 0 else []) + kept


def _line(
    line: EfficiencyLine, sign: Sign, place: Mapping[int, float], shift: float
) -> list[go.Scatter]:
    found = sorted(line.points, key=lambda point: point.count)
    x = [place[point.count] + shift for point in found]
    y = [100 * point.robust.value for point in found]
    words = [
        f"<b>{shown(line.name)}</b><br>{point.count:,} synthetic images:"
        f" {share_with_bounds(point.robust, level=True)}<br>{counted(point.seeds, 'seed')}"
        for point in found
    ]
    return [
        go.Scatter(
            x=x,
            y=y,
            mode="lines+markers",
            name=shown(line.name),
            line={"color": sign.color, "dash": sign.dash, "width": 2},
            marker={"color": sign.color, "symbol": sign.symbol, "size": 9},
            error_y=whisker([point.robust for point in found], sign.color),
            hovertext=words,
            hoverinfo="text",
        )
    ]


def _break(first: float) -> dict[str, object]:
    """A faint line between 0 and the log axis."""
    at = first - ZERO_GAP / 2
    return {
        "type": "line",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "xref": "x",
        "yref": "y domain",
        "layer": "below",
        "line": {"color": INK, "dash": "dot", "width": 1},
        "opacity": 0.6,
    }


def efficiency_rows(lines: Sequence[EfficiencyLine]) -> list[Row]:
    """The numbers behind ``efficiency_curves``."""
    return [
        {"arms": line.name, "synthetic images": point.count}
        | cells(point.robust, "robust")
        | {"seeds": point.seeds}
        for line in lines
        for point in line.points
    ]


def equal_rows(equal: Sequence[Equal]) -> list[Row]:
    """How many synthetic images one line needs to equal another."""
    return [
        {
            "first": one.first,
            "at": one.count,
            "second": one.second,
            "equals it at": one.estimate,
            "low": one.low,
            "high": one.high,
            "in words": one.sentence,
        }
        for one in equal
    ]
