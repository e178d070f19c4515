"""What charts of the Gaussian model share: how a number was found, signs of what is drawn, words
for accuracies and counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from cdp.figures.frame import axis, heading, panels
from cdp.figures.palette import INK, Sign

REAL = Sign("real mean mu", INK, "dot", "diamond")
SYNTHETIC = Sign("synthetic mean m", "#E69F00", "dash", "square")
OPTIMUM = Sign("robust optimum", "#0072B2", "solid", "circle")
LEARNED = Sign("learned", "#D55E00", "dash", "x")
KINDS = {"exact": "exact", "asymptotic": "asymptotic in the dimension", "simulated": "simulated"}
"""How a number was found, as titles and legends say it."""
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def share(value: float) -> str:
    """A robust accuracy as "71.3 %"; near its ends with the digits that tell it from them."""
    return f"{100 * value:.1f} %" if 0.0005 <= value <= 0.9995 else f"{100 * value:.4g} %"


def samples(n: float) -> str:
    """A number of samples in words: "1,000", "2.3 million", "under 1"."""
    if math.isinf(n):
        return "endless"
    if n < 1:
        return "under 1"
    return f"{n:,.0f}" if n < 1e6 else f"{n / 1e6:,.3g} million" if n < 1e9 else f"{n:.2g}"


def count(n: float) -> str:
    """A number of samples as an axis shows it: 10, 1k, 2M."""
    for size, unit in _UNITS:
        if n >= size:
            return f"{n / size:.3g}{unit}"
    return f"{n:.3g}"


def decades(low: float, high: float, most: int = 8) -> tuple[list[float], list[str]]:
    """Powers of ten from low to high as ticks of a log axis, every second or third where they are
    many."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, math.ceil((last - first + 1) / most))
    at = [10.0**k for k in range(first, last + 1, step)]
    return at, [count(value) for value in at]


def framed(
    title: str,
    note: str,
    *,
    key: str,
    png: str,
    panel_px: int = 330,
    left_px: int = 54,
    legend: bool = True,
) -> go.Figure:
    """One panel under its title; ``png`` names the picture that it is saved as."""
    figure = panels(
        [heading(title, note)], panel_px=panel_px, left_px=left_px, key=key, legend=legend
    )
    # The frame has room for a legend's lines above the title, and the chart component a button for
    # the picture.
    return figure.update_layout(meta={**(figure.layout.meta or {}), "png": png})


def accuracy_axis(figure: go.Figure, values: Sequence[float], name: str = "yaxis") -> None:
    """Robust accuracy in per cent over what is drawn, with the guess of 50 % in sight."""
    low, high = min([0.5, *values]), max([0.5, *values])
    room = max(high - low, 0.02)
    axis(
        figure,
        name,
        "robust accuracy [%]",
        range=[100 * (low - 0.03 * room), 100 * (high + 0.1 * room)],
        nticks=7,
    )


def separated(c: float) -> str:
    """ "c = 1", kept on one line."""
    return f"c\u00a0=\u00a0{c:.3g}"


def level(at: float, text: str, color: str = INK) -> dict[str, Any]:
    """A dotted line across at this height, with a word on it at the left."""
    return {
        "type": "line",
        "x0": 0,
        "x1": 1,
        "xref": "x domain",
        "y0": at,
        "y1": at,
        "yref": "y",
        "layer": "below",
        "line": {"color": color, "dash": "dot", "width": 1},
        "label": {
            "text": text,
            "textposition": "start",
            "font": {"size": 10, "color": INK},
            "yanchor": "bottom",
            "padding": 2,
        },
    }
