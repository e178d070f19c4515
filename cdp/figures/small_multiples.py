"""The layout of a map: one panel or one a set, all with the same ranges and linked axes of equal
scale; no ticks, as maps have no unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cdp.figures.palette import CLEAR, GRID, INK
from cdp.figures.panels import axis_name, layout_name

GAP = 16
"""Pixels between panels beside each other; below each other there is a title between them."""
TITLE, LEFT, RIGHT, BOTTOM = 28, 26, 12, 30
UNDER = 42
"""Pixels from the lowest panels to the legend; an axis title lies between, and a legend of several
rows takes from the panels' height."""
BUTTONS = 26
"""Pixels of the mode bar, which titles leave free."""
ROW = 0.75
"""Height of a panel that lies below or above another, as a share of the height of one row alone."""
WIDTH = 900
"""Pixels that a wide figure is laid out for; only the gaps depend on it."""


@dataclass(frozen=True)
class Grid:
    """What the panels have in common. coordinates: (n, 2 or 3), their range is every panel's;
    titles: of the panels, none for one alone; height: pixels of one row."""

    coordinates: np.ndarray
    titles: list[str]
    axis: str
    height: int

    @property
    def panels(self) -> int:
        """At least one."""
        return max(1, len(self.titles))

    @property
    def columns(self) -> int:
        """Panels beside each other in a wide window: four make a square."""
        return 2 if self.panels == 4 else self.panels

    @property
    def top(self) -> int:
        """Pixels above the uppermost panels."""
        return TITLE + BUTTONS if self.titles else TITLE

    def total(self, columns: int) -> int:
        """Pixels of the whole figure with so many panels beside each other."""
        rows = -(-self.panels // columns)
        return self.height if rows == 1 else round(self.height * ROW) * rows


def layout_of(grid: Grid, key: str) -> dict[str, Any]:
    """Plotly's layout. meta.narrow: {path in the layout: value} that puts all panels below each
    other."""
    deep = grid.coordinates.shape[1] == 3
    height = grid.total(grid.columns)
    layout: dict[str, Any] = {
        "template": "none",
        "height": height,
        "margin": {"l": LEFT, "r": RIGHT, "t": grid.top, "b": BOTTOM},
        "uirevision": key,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": INK, "size": 12},
        "hovermode": "closest",
        "hoverdistance": 12,
        "dragmode": "lasso",
        "modebar": {"bgcolor": CLEAR, "color": INK, "activecolor": "#4277b0"},
        "annotations": [],
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": _under(grid, grid.columns),
            "yanchor": "top",
            "itemsizing": "constant",
            "bgcolor": CLEAR,
            "font": {"size": 12},
            "tracegroupgap": 0,
        },
        "newselection": {"line": {"color": INK, "width": 1.5, "dash": "dot"}},
        "activeselection": {"fillcolor": CLEAR, "opacity": 1},
        "meta": {"narrow": _narrow(grid, deep=deep)},
    }
    for k, (x, y) in enumerate(_places(grid, grid.columns)):
        if deep:
            layout[f"scene{k + 1 if k else ''}"] = _scene(grid, x, y)
        else:
            layout |= _axes(grid, k, x, y)
        if grid.titles:
            layout["annotations"].append(_title(grid.titles[k], x[0], y[1]))
    return layout


def _places(grid: Grid, columns: int) -> list[tuple[list[float], list[float]]]:
    """Domains (x, y) of the panels in paper coordinates, row by row from the top."""
    rows = -(-grid.panels // columns)
    gap_x, gap_y = GAP / WIDTH, (TITLE + 6) / (grid.total(columns) - grid.top - BOTTOM)
    wide, tall = (1 - gap_x * (columns - 1)) / columns, (1 - gap_y * (rows - 1)) / rows
    places = []
    for k in range(grid.panels):
        left, top = (k % columns) * (wide + gap_x), 1 - (k // columns) * (tall + gap_y)
        places.append(([left, min(1.0, left + wide)], [max(0.0, top - tall), top]))
    return places


def _under(grid: Grid, columns: int) -> float:
    """Where the legend begins, in paper coordinates."""
    return -UNDER / (grid.total(columns) - grid.top - BOTTOM)


def _narrow(grid: Grid, *, deep: bool) -> dict[str, Any]:
    if grid.panels == 1:
        return {}
    changes: dict[str, Any] = {"height": grid.total(1), "legend.y": _under(grid, 1)}
    for k, (x, y) in enumerate(_places(grid, 1)):
        if deep:
            changes[f"scene{k + 1 if k else ''}.domain"] = {"x": x, "y": y}
        else:
            names = {
                f"{layout_name('x', k)}.title.text": _named(grid, 1, last=k == grid.panels - 1),
                f"{layout_name('y', k)}.title.text": _named(grid, 2),
            }
            changes |= names | {
                f"{layout_name('x', k)}.domain": x,
                f"{layout_name('y', k)}.domain": y,
            }
        changes |= {f"annotations.{k}.x": x[0], f"annotations.{k}.y": y[1]}
    return changes


def _named(grid: Grid, number: int, *, last: bool = True) -> str:
    """last: whether no panel follows that could bear the name for this one too."""
    return f"{grid.axis} {number}" if last else ""


def _axes(grid: Grid, k: int, x: list[float], y: list[float]) -> dict[str, Any]:
    low = grid.panels - grid.columns <= k
    across, up = grid.coordinates[:, 0], grid.coordinates[:, 1]
    linked: tuple[dict[str, Any], dict[str, Any]] = (
        ({"matches": "x"}, {"matches": "y"}) if k else ({}, {"scaleanchor": "x", "scaleratio": 1})
    )
    return {
        layout_name("x", k): (
            _axis(_named(grid, 1, last=low), across, standoff=4)
            | {"domain": x, "anchor": axis_name("y", k)}
            | linked[0]
        ),
        layout_name("y", k): (
            _axis(_named(grid, 2, last=k % grid.columns == 0), up, standoff=4)
            | {"domain": y, "anchor": axis_name("x", k)}
            | linked[1]
        ),
    }


def _scene(grid: Grid, x: list[float], y: list[float]) -> dict[str, Any]:
    """Equal scale in all directions; turning with the mouse, as a lasso has no meaning in depth."""
    axes = {
        f"{letter}axis": (
            _axis(_named(grid, k + 1), grid.coordinates[:, k])
            | {
                "showgrid": True,
                "gridcolor": INK,
                "nticks": 4,
                "showspikes": False,
                "showbackground": False,
            }
        )
        for k, letter in enumerate("xyz")
    }
    return axes | {
        "domain": {"x": x, "y": y},
        "aspectmode": "data",
        "dragmode": "orbit",
        "bgcolor": CLEAR,
    }


def _axis(title: str, values: np.ndarray, **more: Any) -> dict[str, Any]:
    """values: (n,), all of them lie in the range, whatever is hidden.

    The range is plotly's own: it takes one that is given and then fitted to equal scale for a zoom
    of the page's, and drops the reader's at the next redraw.
    """
    ends = [float(values.min()), float(values.max())] if len(values) else [-1.0, 1.0]
    return {
        "title": {"text": title, "font": {"size": 12, "color": INK}} | more,
        "autorangeoptions": {"include": ends},
        "showgrid": False,
        "zeroline": False,
        "showticklabels": False,
        "ticks": "",
        "showline": True,
        "linecolor": GRID,
        "mirror": True,
    }


def _title(text: str, x: float, y: float) -> dict[str, Any]:
    return {
        "text": text,
        "x": x,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "align": "left",
        "font": {"size": 13, "color": INK},
        "yshift": 3,
    }
