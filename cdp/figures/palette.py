"""The colours of the studio, fixed on every page, the second sign (dash, marker) that always goes
with a colour, and the colour scale of scores. Source of the hues: Okabe and Ito, "Color Universal
Design" (2008), safe for the common colour-vision deficiencies. Arms and ink reach a contrast of 3:1
and 4:1 on both themes' backgrounds (tests/figures/test_palette.py computes it)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

INK = "#777b80"
"""Text and axes: readable on white and on the dark background alike."""
GRID = "rgba(128,132,140,0.22)"
CLEAR = "rgba(0,0,0,0)"


@dataclass(frozen=True)
class Sign:
    """How one thing is drawn everywhere: colour, line dash and marker symbol in plotly's words."""

    name: str
    color: str
    dash: str
    symbol: str


GUIDED = Sign("guided", "#D55E00", "solid", "circle")
UNGUIDED = Sign("unguided", "#0072B2", "dash", "square-open")
NEUTRAL = Sign("images", "#777b80", "solid", "diamond")

_HUES = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#7f7f7f")
_SYMBOLS = (
    *("circle", "square", "diamond", "triangle-up", "cross", "x", "star"),
    *("triangle-down", "triangle-left", "triangle-right", "circle-open"),
)
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def class_sign(index: int, name: str = "") -> Sign:
    """The sign of class ``index``. Hues, symbols and dashes cycle with coprime periods: 77 (hue,
    symbol) pairs before one repeats."""
    hue, symbol, dash = (cycle[index % len(cycle)] for cycle in (_HUES, _SYMBOLS, _DASHES))
    return Sign(name or f"class {index}", hue, dash, symbol)


def named_sign(name: str) -> Sign:
    """The sign of a sample set or run: it follows from the name alone, so it is the same on every
    page and after a restart."""
    return class_sign(zlib.crc32(name.encode()) % (len(_HUES) * len(_SYMBOLS)), name)


def named_signs(names: Sequence[str]) -> dict[str, Sign]:
    """``named_sign`` of each, but for one whose colour or mark an earlier one has: in one chart no
    two of up to seven share either."""
    signs: dict[str, Sign] = {}
    for name in names:
        first = zlib.crc32(name.encode()) % (len(_HUES) * len(_SYMBOLS))
        tried = (class_sign(first + step, name) for step in range(len(_HUES) * len(_SYMBOLS)))
        taken = {part for sign in signs.values() for part in (sign.color, sign.symbol)}
        signs[name] = next(
            (sign for sign in tried if not {sign.color, sign.symbol} & taken), named_sign(name)
        )
    return signs


def faint(color: str, alpha: float) -> str:
    """A hex colour as rgba with opacity ``alpha`` in 0..1, for bands."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


# Viridis (van der Walt and Smith, 2015) from 20 % to 90 % in steps of 10 %: its dark end cannot be
# seen on the dark theme, its yellow end not on white.
VIRIDIS = ("#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26")
MANY = 100
"""From so many values on the outermost per cent at either end share a colour, so that one outlier
does not flatten all others."""
LEVELS = 64
"""Colours on the map: plotly.js 4.1 paints other ones than asked for when WebGL traces have about
two thousand different ones."""
TICKS = 5
LENGTH = 280
"""Pixels of the bar."""


@dataclass(frozen=True)
class Scale:
    """From ``low`` to ``high``; lowest and highest are the values themselves, which may lie
    outside."""

    low: float
    high: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: np.ndarray) -> Self | None:
        """For values (n,), nan where there is none; None where there is none at all."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return None
        lowest, highest = float(finite.min()), float(finite.max())
        low, high = lowest, highest
        if len(finite) >= MANY:
            low, high = (float(v) for v in np.percentile(finite, (1, 99)))
        if low == high:
            low, high = (lowest, highest) if lowest < highest else (low - 0.5, high + 0.5)
        return cls(low, high, lowest, highest)

    def levels(self, values: np.ndarray) -> np.ndarray:
        """(m,) finite -> (m,) float32: the nearest of the scale's 64 levels."""
        step = (self.high - self.low) / (LEVELS - 1)
        number = np.rint((np.clip(values, self.low, self.high) - self.low) / step)
        return (self.low + number * step).astype(np.float32)

    def axis(self, title: str) -> dict[str, Any]:
        """Plotly's ``coloraxis``. An end that stands for more than its value says so (≤, ≥)."""
        ticks = np.linspace(self.low, self.high, TICKS).tolist()
        text = [f"{tick:.3g}" for tick in ticks]
        text[0] = f"≤ {text[0]}" if self.low > self.lowest else text[0]
        text[-1] = f"≥ {text[-1]}" if self.high < self.highest else text[-1]
        place = {"lenmode": "pixels", "len": LENGTH, "y": 1, "yanchor": "top", "xpad": 6}
        written = {"tickvals": ticks, "ticktext": text, "tickfont": {"color": INK, "size": 11}}
        bar = {"title": {"text": title, "side": "right"}, "thickness": 12, "outlinewidth": 0}
        stops = [[k / (len(VIRIDIS) - 1), color] for k, color in enumerate(VIRIDIS)]
        ends = {"cmin": self.low, "cmax": self.high}
        return ends | {"colorscale": stops, "colorbar": bar | place | written | {"ticks": ""}}
