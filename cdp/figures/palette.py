"""The colours of the studio, fixed on every page, and the second sign (dash, marker) that always
goes with a colour.

Source of the hues: Okabe and Ito, "Color Universal Design" (2008), safe for the common
colour-vision deficiencies. Arms and ink reach a contrast of 3:1 and 4:1 on both themes' backgrounds
(tests/figures/test_palette.py computes it).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

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
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "cross",
    "x",
    "star",
    "triangle-down",
    "triangle-left",
    "triangle-right",
    "circle-open",
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
