"""The map of sample sets as a scatter figure in two or three dimensions, overlaid or a panel a set,
and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log10
from textwrap import wrap
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from cdp.errors import InputError
from cdp.figures.frame import LINE_PX, as_text, base, in_panel, layout_name, title_at
from cdp.figures.palette import (
    CLEAR,
    GRID,
    INK,
    NO_SIGNS,
    Scale,
    Sign,
    Signs,
    class_sign,
    sign_in,
)
from cdp.values.types import NO_LABEL, Embedding

FAINT = 0.3
"""Opacity of the points that a filter leaves out, as a share of the others'."""
CROWDED = 20_000
"""Points in a panel from which on all are dots: of three pixels no eye tells a star from a cross,
and without a graphics card symbols more than double the time of a frame. Legend clicks and the card
under the pointer then say what colour says."""
_FAINT = Sign("left out", INK, "solid", "circle")
_NO_VALUE = Sign("no value", INK, "solid", "circle-open")
_UNLABELLED = Sign("no label", INK, "solid", "circle-open")
# scatter3d knows eight symbols; the others become the open form of one that a neighbouring class
# does not have.
_SYMBOLS_3D = {
    "triangle-up": "diamond-open",
    "hexagon": "square-open",
    "triangle-down": "circle-open",
    "triangle-left": "diamond-open",
    "triangle-right": "square-open",
}
GAP, WIDTH = 16, 900
"""Pixels between panels beside each other, and those that a wide figure is laid out for."""
TITLE, LEFT, RIGHT, BOTTOM = 28, 26, 12, 30
UNDER = 42
"""Pixels from the lowest panels to the legend; an axis title lies between, and a legend of several
rows takes from the panels' height."""
BUTTONS = 26
"""Pixels of the mode bar, which titles leave free."""
PANEL_LETTERS = 30
"""Of a line over a panel."""
LABEL_FROM = 3
"""Points of a class from which its name stands at their centre."""
LETTER_PX, LABEL_PX = 6.6, 20
"""Width of a letter of a label, and its height."""
ALONE, BESIDE = np.array([540, 400]), np.array([170, 210])
"""Width and height in pixels that the points of a map take at least, alone or beside others."""
PLATE, PLATE_INK = "rgba(255,255,255,0.86)", "#1f2933"
ROW = 0.75
"""Height of a panel that lies below or above another, as a share of the height of one row alone."""


@dataclass(frozen=True)
class _Group:
    """Points of one sign in one panel. points: their numbers, (m,) int; entry: which legend entry
    toggles them, "" for none; rank: its place there; color: their values (m,) where a score colours
    them."""

    entry: str
    sign: Sign
    rank: int
    panel: int
    points: np.ndarray
    color: np.ndarray | None = None


def embedding_scatter(
    embedding: Embedding,
    *,
    color_by: Literal["class", "set", "score"],
    key: str,
    signs: Signs = NO_SIGNS,
    axis: str = "UMAP",
    score: np.ndarray | None = None,
    score_title: str = "",
    layout: Literal["overlaid", "side by side"] = "overlaid",
    mask: np.ndarray | None = None,
    height: int = 560,
) -> go.Figure:
    """The map, coloured by class, by set or by ``score`` (n,), whose points without a value (nan)
    are grey.

    signs: of the sets, by name. key: names the coordinates; while it stays the same, a redraw keeps zoom, hidden classes and
    selection whatever the colours are. axis: what an axis is called, without its number. mask:
    (n,) bool, the points that a filter lets pass; the others stay as a faint grey background that
    neither hover nor lasso sees. customdata of every trace are point numbers, int32; layout.meta
    has their count ("points") and the changes for a narrow window ("narrow", paths in the layout to
    values). Raises InputError for a missing score or a score or mask of another length.
    """
    n = len(embedding)
    values = None if score is None else _checked(score, n, "score", np.float64)
    mask = np.ones(n, bool) if mask is None else _checked(mask, n, "mask", np.bool_)
    if color_by != "score":
        values = None
    elif values is None:
        raise InputError("score: colouring by a score needs its values, one a point")
    several = layout == "side by side" and len(embedding.names) > 1
    panel_of = embedding.which if several else np.zeros(n, np.int64)
    scale = None if values is None else Scale.of(values)
    titles = _titles(embedding) if several else []
    frame = _layout(_Grid(embedding.coordinates, titles, axis, height), key)
    frame["showlegend"] = not several or color_by != "set"
    # Plotly remembers hidden traces by their place, where another colouring has others; the
    # component does by legend entry.
    frame["legend"]["uirevision"] = f"{key} {color_by}"
    frame["meta"]["points"] = n
    if scale:
        frame["coloraxis"] = scale.axis(as_text(score_title))
    crowd = int(np.bincount(panel_of, minlength=1).max())
    if color_by == "class" and embedding.coordinates.shape[1] == 2:
        frame["annotations"] += _class_labels(embedding, panel_of, mask)
    groups = _groups(embedding, color_by, panel_of, values, mask, signs)
    return go.Figure(data=list(_traces(embedding, groups, crowd, scale)), layout=frame)


def embedding_rows(embedding: Embedding, scores: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    """The numbers behind the map, a column a list of n: set, row, class, x, y (z), scores. A score
    that is nan is None. Raises InputError for a score of another length."""
    columns: dict[str, list[Any]] = {
        "set": [embedding.names[k] for k in embedding.which.tolist()],
        "row": embedding.row.tolist(),
        "class": [embedding.class_name(k) for k in embedding.label.tolist()],
    }
    columns |= dict(zip("xyz", embedding.coordinates.T.tolist(), strict=False))
    for name, score in scores.items():
        values = _checked(score, len(embedding), name, np.float64).tolist()
        columns[name] = [value if value == value else None for value in values]
    return columns


def _class_labels(
    embedding: Embedding, panel_of: np.ndarray, mask: np.ndarray
) -> list[dict[str, Any]]:
    """The name of every class at the centre of its points, in every panel where it has any: on a
    plate, which is light on either theme. name: the legend entry that hides it."""
    labels = []
    reach = np.ptp(embedding.coordinates, axis=0) if len(embedding) else np.ones(2)
    panels = int(panel_of.max(initial=0)) + 1
    # Both axes have one scale, so the tighter one decides how much a pixel is.
    pixel = float((np.maximum(reach, 1e-9) / (ALONE if panels == 1 else BESIDE)).max())
    names = [as_text(embedding.class_name(k), 16) for k in range(len(embedding.class_names))]
    for panel in range(panels):
        places = {}
        for k in range(len(embedding.class_names)):
            points = embedding.coordinates[mask & (panel_of == panel) & (embedding.label == k)]
            if len(points) >= LABEL_FROM:
                places[k] = np.median(points, axis=0)
        sizes = np.array([(LETTER_PX * len(names[k]) + 6, LABEL_PX) for k in places]) * pixel
        for k, at in zip(places, _apart(np.array([*places.values()]), sizes), strict=True):
            sign = class_sign(k, embedding.class_name(k))
            look = {"bgcolor": PLATE, "bordercolor": sign.color, "borderwidth": 1, "borderpad": 1}
            look |= {"font": {"size": 11, "color": PLATE_INK}, "showarrow": False}
            look |= {"yanchor": "bottom", "yshift": 5}  # the centre itself stays in sight
            axes = in_panel(panel)
            place = {"x": at[0], "y": at[1], "xref": axes["xaxis"], "yref": axes["yaxis"]}
            text = {"text": names[k], "name": f"class-{k}", "captureevents": False}
            labels.append(look | place | text)
    return labels


def _apart(places: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Centres (m, 2) of labels, moved up and down until none lies over another. sizes: of the
    labels, (m, 2), width and height."""
    moved = places.copy()
    for _ in range(100):
        still = True
        for a in range(len(moved)):
            for b in range(a):
                between, room = moved[a] - moved[b], (sizes[a] + sizes[b]) / 2
                if (np.abs(between) < room).all():
                    step = (room[1] - abs(between[1])) / 2 + 1e-6 * room[1]
                    way = 1.0 if between[1] >= 0 else -1.0
                    moved[a, 1] += way * step
                    moved[b, 1] -= way * step
                    still = False
        if still:
            break
    return moved


def _titles(embedding: Embedding) -> list[str]:
    counts = np.bincount(embedding.which, minlength=len(embedding.names))
    return [_title(*of) for of in zip(embedding.names, counts, strict=True)]


def _title(name: str, count: int) -> str:
    """On lines that a panel beside others has room for."""
    lines, size = wrap(name, PANEL_LETTERS) or [""], f"n = {count:,}"
    if len(f"{lines[-1]} · {size}") > PANEL_LETTERS:
        lines.append(size)
    else:
        lines[-1] += f" · {size}"
    return "<br>".join(map(as_text, lines))


def _checked(values: np.ndarray, n: int, name: str, dtype: type[np.generic]) -> np.ndarray:
    if np.shape(values) != (n,):
        raise InputError(
            f"{name}: shape {np.shape(values)} does not fit {n} points: give one value a point"
        )
    return np.asarray(values).astype(dtype)


def _groups(
    embedding: Embedding,
    color_by: str,
    panel_of: np.ndarray,
    values: np.ndarray | None,
    mask: np.ndarray,
    signs: Signs,
) -> Iterator[_Group]:
    """What a filter leaves out, then the groups of the legend in its order, panel by panel."""

    def parts(
        points: np.ndarray, entry: str, sign: Sign, rank: int, color: np.ndarray | None = None
    ) -> Iterator[_Group]:
        for panel in np.unique(panel_of[points]).tolist():
            here = points[panel_of[points] == panel]
            yield _Group(entry, sign, rank, panel, here, None if color is None else color[here])

    yield from parts(np.flatnonzero(~mask), "", _FAINT, 0)
    by_class = color_by == "class"
    number = embedding.label if by_class else embedding.which
    names = embedding.class_names if by_class else embedding.names
    known = mask if values is None else mask & ~np.isnan(values)
    for k, name in enumerate(names):
        sign = class_sign(k, name) if by_class else sign_in(signs, name)
        # Sets and classes may bear the same name, so a legend entry is known by its number.
        points = np.flatnonzero(known & (number == k))
        yield from parts(points, f"{color_by}-{k}", sign, k, color=values)
    last = len(names)
    yield from parts(np.flatnonzero(known & (number == NO_LABEL)), "no label", _UNLABELLED, last)
    yield from parts(np.flatnonzero(mask & ~known), "no value", _NO_VALUE, last)


def _traces(
    embedding: Embedding, groups: Iterator[_Group], crowd: int, scale: Scale | None
) -> Iterator[dict[str, Any]]:
    """crowd: points of the fullest panel, which decides size and opacity."""
    deep = embedding.coordinates.shape[1] == 3
    letters = "xyz" if deep else "xy"
    seen = {""}
    for group in groups:
        number = group.panel + 1 if group.panel else ""
        marker = _marker(group, crowd, deep=deep)
        common: dict[str, Any] = {"scene": f"scene{number}"} if deep else in_panel(group.panel)
        common |= {"type": "scatter3d" if deep else "scattergl", "mode": "markers"}
        common |= {"name": as_text(group.sign.name), "showlegend": False}
        if group.entry:
            common |= {"legendgroup": group.entry, "legendrank": group.rank + 1}
        if group.entry not in seen:
            # A trace of its own, as plotly draws the entry of a trace that a score colours in
            # black.
            nothing: dict[str, Any] = {letter: [None] for letter in letters}
            entry = {"showlegend": True, "hoverinfo": "skip", "marker": marker | {"opacity": 0.9}}
            yield common | nothing | entry
            seen.add(group.entry)
        if group.color is not None and scale:
            marker |= {"color": scale.levels(group.color), "coloraxis": "coloraxis"}
        places = dict(zip(letters, embedding.coordinates[group.points].T, strict=True))
        points = {"customdata": group.points.astype(np.int32), "marker": marker}
        yield common | places | points | {"hoverinfo": "none" if group.entry else "skip"}


def _marker(group: _Group, crowd: int, *, deep: bool) -> dict[str, Any]:
    """Pixels: 8 for a hundred points, 5 for five thousand, 3 for fifty thousand."""
    symbol = "circle" if crowd >= CROWDED else group.sign.symbol
    crowded = log10(max(crowd, 1))
    size = float(np.clip(12 - 1.9 * crowded, 3, 8))
    opacity = float(np.clip(1.15 - 0.13 * crowded, 0.5, 0.9))
    return {
        "symbol": _SYMBOLS_3D.get(symbol, symbol) if deep else symbol,
        "size": size * (0.5 if deep else 1.0),
        "opacity": opacity * (1.0 if group.entry else FAINT),
        "color": group.sign.color if group.color is None else INK,
    }


@dataclass(frozen=True)
class _Grid:
    """Panels with the same ranges and linked axes of equal scale; no ticks, as maps have no unit.
    coordinates: (n, 2 or 3), their range is every panel's; titles: of the panels, none for one
    alone; height: pixels of one row."""

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
        return self.title + BUTTONS if self.titles else TITLE

    @property
    def title(self) -> int:
        """Pixels of the tallest title."""
        return TITLE + LINE_PX * max((text.count("<br>") for text in self.titles), default=0)

    def total(self, columns: int) -> int:
        """Pixels of the whole figure with so many panels beside each other."""
        rows = -(-self.panels // columns)
        return self.height if rows == 1 else round(self.height * ROW) * rows

    def inner(self, columns: int) -> int:
        """Pixels of all panels, one in paper coordinates."""
        return self.total(columns) - self.top - BOTTOM

    def places(self, columns: int) -> list[tuple[list[float], list[float]]]:
        """Domains (x, y) of the panels in paper coordinates, row by row from the top."""
        rows = -(-self.panels // columns)
        gap_x, gap_y = GAP / WIDTH, (self.title + 6) / self.inner(columns)
        wide, tall = (1 - gap_x * (columns - 1)) / columns, (1 - gap_y * (rows - 1)) / rows
        places = []
        for k in range(self.panels):
            left, top = (k % columns) * (wide + gap_x), 1 - (k // columns) * (tall + gap_y)
            places.append(([left, min(1.0, left + wide)], [max(0.0, top - tall), top]))
        return places

    def named(self, number: int, *, last: bool = True) -> str:
        """An axis; last: whether no panel follows that could bear the name for this one too."""
        return f"{self.axis} {number}" if last else ""


def _layout(grid: _Grid, key: str) -> dict[str, Any]:
    """Plotly's layout. meta.narrow: {path in the layout: value} that puts all panels below each
    other."""
    deep = grid.coordinates.shape[1] == 3
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": -UNDER / grid.inner(grid.columns)}
    legend |= {"yanchor": "top", "itemsizing": "constant", "tracegroupgap": 0}
    layout = base(
        grid.total(grid.columns),
        (LEFT, RIGHT, grid.top, BOTTOM),
        uirevision=key,
        hovermode="closest",
        hoverdistance=12,
        dragmode="lasso",
        modebar={"bgcolor": CLEAR, "color": INK, "activecolor": "#4277b0"},
        annotations=[],
        legend=legend | {"bgcolor": CLEAR, "font": {"size": 12}},
        newselection={"line": {"color": INK, "width": 1.5, "dash": "dot"}},
        activeselection={"fillcolor": CLEAR, "opacity": 1},
        meta={"narrow": _narrow(grid, deep=deep)},
    )
    for k, (x, y) in enumerate(grid.places(grid.columns)):
        if deep:
            layout[f"scene{k + 1 if k else ''}"] = _scene(grid, x, y)
        else:
            layout |= _axes(grid, k, x, y)
        if grid.titles:
            layout["annotations"].append(title_at(grid.titles[k], x[0], y[1]))
    return layout


def _narrow(grid: _Grid, *, deep: bool) -> dict[str, Any]:
    if grid.panels == 1:
        return {}
    changes: dict[str, Any] = {"height": grid.total(1), "legend.y": -UNDER / grid.inner(1)}
    for k, (x, y) in enumerate(grid.places(1)):
        across, up, last = layout_name("x", k), layout_name("y", k), k == grid.panels - 1
        if deep:
            changes[f"scene{k + 1 if k else ''}.domain"] = {"x": x, "y": y}
        else:
            changes |= {f"{across}.domain": x, f"{across}.title.text": grid.named(1, last=last)}
            changes |= {f"{up}.domain": y, f"{up}.title.text": grid.named(2)}
        changes |= {f"annotations.{k}.x": x[0], f"annotations.{k}.y": y[1]}
    return changes


def _axes(grid: _Grid, k: int, x: list[float], y: list[float]) -> dict[str, Any]:
    """The axes of panel ``k``; all follow those of the first."""
    low, left = grid.panels - grid.columns <= k, k % grid.columns == 0
    names = in_panel(k)
    across = {"domain": x, "anchor": names["yaxis"]} | ({"matches": "x"} if k else {})
    scale = {"matches": "y"} if k else {"scaleanchor": "x", "scaleratio": 1}
    up = {"domain": y, "anchor": names["xaxis"]} | scale
    titles, values = (grid.named(1, last=low), grid.named(2, last=left)), grid.coordinates.T
    return {
        layout_name("x", k): _axis(titles[0], values[0], standoff=4) | across,
        layout_name("y", k): _axis(titles[1], values[1], standoff=4) | up,
    }


def _scene(grid: _Grid, x: list[float], y: list[float]) -> dict[str, Any]:
    """Equal scale in all directions; turning with the mouse, as a lasso has no meaning in depth."""
    look = {"showgrid": True, "gridcolor": INK, "nticks": 4}
    look |= {"showspikes": False, "showbackground": False}
    axes = {
        f"{letter}axis": _axis(grid.named(k + 1), grid.coordinates[:, k]) | look
        for k, letter in enumerate("xyz")
    }
    more = {"aspectmode": "data", "dragmode": "orbit", "bgcolor": CLEAR}
    return axes | more | {"domain": {"x": x, "y": y}}


def _axis(title: str, values: np.ndarray, **more: Any) -> dict[str, Any]:
    """values: (n,), all of them lie in the range, whatever is hidden. The range is plotly's own: it
    takes one that is given and then fitted to equal scale for a zoom of the page's, and drops the
    reader's at the next redraw."""
    ends = [float(values.min()), float(values.max())] if len(values) else [-1.0, 1.0]
    plain = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": ""}
    words = {"text": title, "font": {"size": 12, "color": INK}} | more
    line = {"showline": True, "linecolor": GRID, "mirror": True}
    return {"title": words, "autorangeoptions": {"include": ends}} | plain | line
