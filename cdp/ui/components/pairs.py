"""Grids of images side by side that fill in without flicker; a click or Enter chooses one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Self

from cdp.figures.palette import NEUTRAL, Sign
from cdp.ui.components import renderer


@dataclass(frozen=True)
class Marked:
    """What a grid with marks came to. picked: cell that was chosen, None before; marks: by row as
    text, of the cells that are marked; None where no mark was changed yet."""

    picked: int | None
    marks: Mapping[str, str] | None


@dataclass(frozen=True)
class Grid:
    """One grid. src: PNG data URL of all cells in rows; color, dash: its sign, as on charts."""

    title: str
    src: str
    color: str = NEUTRAL.color
    dash: str = "solid"

    @classmethod
    def of(cls, sign: Sign, src: str, title: str = "") -> Self:
        """A grid in the fixed colour and line of its arm."""
        return cls(title or sign.name.capitalize(), src, sign.color, sign.dash)


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


def marked(
    grid: Grid,
    labels: Sequence[str],
    rows: Sequence[int],
    marks: Mapping[int, str],
    *,
    columns: int,
    key: str,
    selected: int | None = None,
) -> Marked:
    """Draw one grid whose cells can be marked: K keeps, D drops, U or the same key again unmarks; a
    click or Enter chooses. labels, rows: one a cell; marks: those of its rows that have one. The
    browser's own marks of the same rows stand until another ``key`` is given."""
    data = {
        "grids": [asdict(grid)],
        "labels": list(labels),
        "columns": columns,
        "selected": selected,
        "interactive": True,
        "shape": "wide",
        "rows": list(map(int, rows)),
        "marks": {str(row): mark for row, mark in marks.items()},
    }
    state = renderer("pairs")(
        key=key, data=data, on_picked_change=lambda: None, on_marks_change=lambda: None
    )
    picked = state.picked
    known = isinstance(picked, int | float) and 0 <= picked < len(labels)
    return Marked(int(picked) if known else None, state.marks if state.marks is not None else None)
