"""The map of sample sets as a scatter figure in two or three dimensions, overlaid or a panel a set,
and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from cdp.errors import InputError
from cdp.figures.palette import INK, Sign, class_sign, named_signs
from cdp.figures.scale import Scale
from cdp.figures.small_multiples import Grid, layout_of
from cdp.values.types import NO_LABEL, Embedding

FAINT = 0.3
"""Opacity of the points that a filter leaves out, as a share of the others'."""
CROWDED = 20_000
"""Points in a panel from which on all are dots: of three pixels no eye tells a star from a cross,
and without a graphics card symbols more than double the time of a frame. Legend clicks and the card
under the pointer then say what colour says."""
_FAINT, _NO_VALUE = (
    Sign("left out", INK, "solid", "circle"),
    Sign("no value", INK, "solid", "circle-open"),
)
_UNLABELLED = Sign("no label", INK, "solid", "circle-open")
LONGEST = 40
"""Characters of a name; what is longer ends in an ellipsis."""
# scatter3d knows eight symbols; the others become the open form of one that a neighbouring class
# does not have.
_SYMBOLS_3D = {
    "triangle-up": "diamond-open",
    "star": "square-open",
    "triangle-down": "circle-open",
    "triangle-left": "diamond-open",
    "triangle-right": "square-open",
}


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
    axis: str = "UMAP",
    score: np.ndarray | None = None,
    score_title: str = "",
    layout: Literal["overlaid", "side by side"] = "overlaid",
    shown: np.ndarray | None = None,
    height: int = 560,
) -> go.Figure:
    """The map, coloured by class, by set or by ``score`` (n,), whose points without a value (nan)
    are grey.

    key: names the coordinates; while it stays the same, a redraw keeps zoom, hidden classes and
    selection whatever the colours are. axis: what an axis is called, without its number. shown:
    (n,) bool, the points that a filter lets pass; the others stay as a faint grey background that
    neither hover nor lasso sees. customdata of every trace are point numbers, int32; layout.meta
    has their count ("points") and the changes for a narrow window ("narrow", paths in the layout to
    values). Raises InputError for a missing score or a score or mask of another length.
    """
    n = len(embedding)
    values = _checked(score, n, "score", np.float64)
    mask = _checked(shown, n, "shown", np.bool_)
    if color_by != "score":
        values = None
    elif values is None:
        raise InputError("score: colouring by a score needs its values, one a point")
    panels = len(embedding.names) if layout == "side by side" else 1
    panel_of = embedding.which if panels > 1 else np.zeros(n, np.int64)
    scale = None if values is None else Scale.of(values)
    groups = [*_faint(panel_of, mask), *_groups(embedding, color_by, panel_of, values, mask)]
    frame = layout_of(
        Grid(embedding.coordinates, _titles(embedding) if panels > 1 else [], axis, height), key
    )
    frame["showlegend"] = panels == 1 or color_by != "set"
    # Plotly remembers hidden traces by their place, where another colouring has others; the
    # component does by legend entry.
    frame["legend"]["uirevision"] = f"{key} {color_by}"
    frame["meta"]["points"] = n
    if scale:
        frame["coloraxis"] = scale.axis(_plain(score_title))
    crowd = int(np.bincount(panel_of, minlength=1).max())
    return go.Figure(data=list(_traces(embedding, groups, crowd, scale)), layout=frame)


def embedding_rows(embedding: Embedding, scores: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    """The numbers behind the map, a column a list of n: set, row, class, x, y (z), scores. A score
    that is nan is None.

    Raises InputError for a score of another length.
    """
    columns: dict[str, list[Any]] = {
        "set": [embedding.names[k] for k in embedding.which.tolist()],
        "row": embedding.row.tolist(),
        "class": [embedding.class_name(k) for k in embedding.label.tolist()],
    }
    columns |= {
        letter: embedding.coordinates[:, k].tolist()
        for k, letter in enumerate("xyz"[: embedding.coordinates.shape[1]])
    }
    for name, score in scores.items():
        values = _checked(score, len(embedding), name, np.float64)
        columns[name] = [] if values is None else [v if v == v else None for v in values.tolist()]
    return columns


def _titles(embedding: Embedding) -> list[str]:
    return [
        f"{_plain(name)} · n = {np.sum(embedding.which == k):,}"
        for k, name in enumerate(embedding.names)
    ]


def _checked(
    values: np.ndarray | None, n: int, name: str, dtype: type[np.generic]
) -> np.ndarray | None:
    if values is None:
        return None
    if np.shape(values) != (n,):
        raise InputError(
            f"{name}: shape {np.shape(values)} does not fit {n} points: give one value a point"
        )
    return np.asarray(values).astype(dtype)


def _faint(panel_of: np.ndarray, mask: np.ndarray | None) -> Iterator[_Group]:
    """What a filter leaves out, one group a panel."""
    points = np.flatnonzero(~mask) if mask is not None else np.zeros(0, np.int64)
    for panel, here in _by_panel(points, panel_of):
        yield _Group("", _FAINT, 0, panel, here)


def _groups(
    embedding: Embedding,
    color_by: str,
    panel_of: np.ndarray,
    score: np.ndarray | None,
    mask: np.ndarray | None,
) -> Iterator[_Group]:
    """One a class, or one a set, in each panel; by score one a set. Where there are any, one of the
    points without a value or label."""
    shown = np.ones(len(embedding), np.bool_) if mask is None else mask
    names, number = (
        (embedding.class_names, embedding.label)
        if color_by == "class"
        else (embedding.names, embedding.which)
    )
    signs = named_signs(names)
    sign_of = (
        (lambda k: class_sign(k, names[k])) if color_by == "class" else (lambda k: signs[names[k]])
    )
    color = score if color_by == "score" else None
    known = shown if color is None else shown & ~np.isnan(color)
    for k in range(len(names)):
        for panel, here in _by_panel(np.flatnonzero(known & (number == k)), panel_of):
            # Sets and classes may bear the same name, so a legend entry is known by its number.
            yield _Group(
                f"{color_by}-{k}",
                sign_of(k),
                k,
                panel,
                here,
                None if color is None else color[here],
            )
    for panel, here in _by_panel(np.flatnonzero(known & (number == NO_LABEL)), panel_of):
        yield _Group("no label", _UNLABELLED, len(names), panel, here)
    for panel, here in _by_panel(np.flatnonzero(shown & ~known), panel_of):
        yield _Group("no value", _NO_VALUE, len(names), panel, here)


def _by_panel(points: np.ndarray, panel_of: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    panels = panel_of[points]
    for panel in np.unique(panels).tolist():
        yield panel, points[panels == panel]


def _traces(
    embedding: Embedding, groups: Sequence[_Group], crowd: int, scale: Scale | None
) -> Iterator[dict[str, Any]]:
    """crowd: points of the fullest panel, which decides size and opacity."""
    deep = embedding.coordinates.shape[1] == 3
    seen = {""}
    for group in groups:
        marker = _marker(group, crowd, deep=deep)
        common = (
            _place(group.panel, deep=deep)
            | {
                "type": "scatter3d" if deep else "scattergl",
                "mode": "markers",
                "name": _plain(group.sign.name),
                "showlegend": False,
            }
            | ({"legendgroup": group.entry, "legendrank": group.rank + 1} if group.entry else {})
        )
        if group.entry not in seen:
            # A trace of its own, as plotly draws the entry of a trace that a score colours in
            # black.
            nothing = {letter: [None] for letter in ("xyz" if deep else "xy")}
            yield (
                common
                | nothing
                | {
                    "showlegend": True,
                    "hoverinfo": "skip",
                    "marker": marker | {"opacity": 0.9},
                }
            )
            seen.add(group.entry)
        if group.color is not None and scale:
            marker = marker | {"color": scale.levels(group.color), "coloraxis": "coloraxis"}
        yield (
            common
            | {
                letter: embedding.coordinates[group.points, k]
                for k, letter in enumerate("xyz" if deep else "xy")
            }
            | {
                "customdata": group.points.astype(np.int32),
                "marker": marker,
                "hoverinfo": "none" if group.entry else "skip",
            }
        )


def _place(panel: int, *, deep: bool) -> dict[str, str]:
    number = panel + 1 if panel else ""
    return {"scene": f"scene{number}"} if deep else {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def _marker(group: _Group, crowd: int, *, deep: bool) -> dict[str, Any]:
    symbol = "circle" if crowd >= CROWDED else group.sign.symbol
    if deep:
        symbol = _SYMBOLS_3D.get(symbol, symbol)
    opacity = _opacity(crowd) * (1.0 if group.entry else FAINT)
    color = group.sign.color if group.color is None else INK
    return {
        "symbol": symbol,
        "size": _size(crowd) * (0.5 if deep else 1.0),
        "opacity": opacity,
        "color": color,
    }


def _size(n: int) -> float:
    """Pixels: 8 for a hundred points, 5 for five thousand, 3 for fifty thousand."""
    return float(np.clip(12 - 1.9 * log10(max(n, 1)), 3, 8))


def _opacity(n: int) -> float:
    return float(np.clip(1.15 - 0.13 * log10(max(n, 1)), 0.5, 0.9))


def _plain(text: str) -> str:
    """A name as plotly shows it literally: its labels understand tags."""
    return escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…", quote=False)
