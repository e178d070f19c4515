"""Grids of images side by side that fill in without flicker; an image is chosen by click or by
arrow keys and Enter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from cdp.ui.components import renderer


@dataclass(frozen=True)
class Grid:
    """One grid. src: PNG data URL of all cells in rows; color and dash: its fixed sign, as on every
    chart."""

    title: str
    src: str
    color: str
    dash: str = "solid"


def pairs(
    grids: Sequence[Grid],
    labels: Sequence[str],
    *,
    columns: int,
    key: str,
    selected: int | None = None,
    interactive: bool = True,
    shape: Literal["grid", "film", "small"] = "grid",
) -> int | None:
    """Draw grids of equal layout. labels: one a cell, read out with it. shape: film strips lie
    under each other over the full width, small ones beside each other. Returns the index of the
    chosen cell, None before a choice."""
    data = {
        "grids": [asdict(g) for g in grids],
        "labels": list(labels),
        "columns": columns,
        "selected": selected,
        "interactive": interactive,
        "shape": shape,
    }
    picked = renderer("pairs")(key=key, data=data, on_picked_change=lambda: None).picked
    return int(picked) if isinstance(picked, int | float) and 0 <= picked < len(labels) else None
