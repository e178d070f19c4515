"""The colour scale of a score: perceptually uniform, safe for colour-vision deficiencies, visible
on both themes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from cdp.figures.palette import INK

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
        low, high = (
            (float(v) for v in np.percentile(finite, (1, 99)))
            if len(finite) >= MANY
            else (lowest, highest)
        )
        if low == high:
            low, high = (lowest, highest) if lowest < highest else (low - 0.5, high + 0.5)
        return cls(low, high, lowest, highest)

    def levels(self, values: np.ndarray) -> np.ndarray:
        """(m,) finite -> (m,) float32: the nearest of the scale's 64 levels."""
        steps = np.rint(
            (np.clip(values, self.low, self.high) - self.low)
            / (self.high - self.low)
            * (LEVELS - 1)
        )
        return (self.low + steps / (LEVELS - 1) * (self.high - self.low)).astype(np.float32)

    def axis(self, title: str) -> dict[str, Any]:
        """Plotly's ``coloraxis``. An end that stands for more than its value says so (≤, ≥)."""
        ticks = np.linspace(self.low, self.high, TICKS).tolist()
        text = [f"{tick:.3g}" for tick in ticks]
        text[0] = f"≤ {text[0]}" if self.low > self.lowest else text[0]
        text[-1] = f"≥ {text[-1]}" if self.high < self.highest else text[-1]
        bar = {
            "title": {"text": title, "side": "right"},
            "thickness": 12,
            "lenmode": "pixels",
            "len": LENGTH,
            "y": 1,
            "yanchor": "top",
            "outlinewidth": 0,
            "tickvals": ticks,
            "ticktext": text,
            "ticks": "",
            "tickfont": {"color": INK, "size": 11},
            "xpad": 6,
        }
        return {"cmin": self.low, "cmax": self.high, "colorscale": _stops(), "colorbar": bar}


def _stops() -> list[list[float | str]]:
    return [[k / (len(VIRIDIS) - 1), color] for k, color in enumerate(VIRIDIS)]
