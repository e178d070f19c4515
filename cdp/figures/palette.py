"""The colours of the studio, fixed on every page, the second sign (dash, marker) that always goes
with a colour, and the colour scale of scores. A role has the same colour and mark everywhere;
guided, unguided and real are Okabe and Ito's (Color Universal Design, 2008). All reach a contrast
of 3:1 on both themes' backgrounds, text 4:1 (tests/figures/test_palette.py computes it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from cdp.values.types import Role

INK = "#777b80"
"""Text and axes: readable on white and on the dark background alike. Pages give text of this colour
that of their theme."""
GRID = "rgba(128,132,140,0.22)"
CLEAR = "rgba(0,0,0,0)"


@dataclass(frozen=True)
class Sign:
    """How one thing is drawn everywhere: colour, line dash and marker symbol in plotly's words."""

    name: str
    color: str
    dash: str
    symbol: str


_FAMILIES: Mapping[Role, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "guided": (
        "solid",
        ("#D55E00", "#E0457B", "#A67C00", "#B5524A"),
        ("circle", "triangle-up", "triangle-right"),
    ),
    "unguided": ("dash", ("#0072B2", "#3E90C8", "#6A6FE8"), ("square", "cross")),
    "real": ("dot", ("#009E73", "#6E8C00", "#2E8C9A"), ("diamond", "x")),
    "ceiling": ("dashdot", ("#B870F0", "#C457B4", "#8468A8"), ("triangle-down", "triangle-left")),
    "other": ("solid", (INK, "#8F7050", "#5F8A80"), ("hexagon", "pentagon")),
}
"""Dash, hues and marks of a role: its own first, then those of further arms of the same role. Marks
belong to one role; the numbers of hues and marks are coprime."""


def role_sign(role: Role, number: int = 0, name: str = "") -> Sign:
    """The sign of a role's arm ``number``: 0 is the role's own."""
    dash, hues, symbols = _FAMILIES[role]
    return Sign(name or role, hues[number % len(hues)], dash, symbols[number % len(symbols)])


Signs = Mapping[str, Sign]
"""How each thing of a figure is drawn, by its name."""
NO_SIGNS: Signs = MappingProxyType({})


def sign_in(signs: Signs, name: str) -> Sign:
    """The sign of a name, the neutral one where it has none."""
    return signs.get(name) or role_sign("other", 0, name)


GUIDED, UNGUIDED = role_sign("guided"), role_sign("unguided")
NEUTRAL = role_sign("other", 0, "images")

HUES = (
    *("#0069F0", "#FF5A0F", "#00A53C", "#A53CC3", "#69691E"),
    *("#F05AC3", "#3C6987", "#C30F69", "#968787", "#8787FF"),
)
"""Of classes: ten that lie as far apart as ten can, to usual and to colour-blind eyes (a search over
OKLab and Machado's simulation of 2009)."""
_SYMBOLS = (
    *("circle", "square", "diamond", "triangle-up", "cross", "x", "hexagon"),
    *("triangle-down", "triangle-left", "triangle-right", "circle-open"),
)
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def class_sign(index: int, name: str = "") -> Sign:
    """The sign of class ``index``. Hues and symbols cycle with coprime periods: 110 pairs before one
    repeats."""
    hue, symbol, dash = (cycle[index % len(cycle)] for cycle in (HUES, _SYMBOLS, _DASHES))
    return Sign(name or f"class {index}", hue, dash, symbol)


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
