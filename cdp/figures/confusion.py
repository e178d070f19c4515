"""Which class is taken for which, without attack or under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.accuracy import Row, axis, heading, names_px, panels, shown
from cdp.figures.heatmap import CELL_PX, NAMED
from cdp.figures.palette import INK
from cdp.statistics.extremes import most_frequent
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.values.evaluation import WeightsReport
from cdp.values.text import counted

LETTERS = 16
GREY = "rgba(119,123,128,0.22)"


def confusion_under_attack(
    weights: WeightsReport, class_names: Sequence[str], *, attacked: bool = True
) -> go.Figure:
    """Row by row, what per cent of a class's images is predicted as which class.

    Images that are classified right, on the diagonal, are grey and off the scale, which ends at the
    largest confusion. attacked: under the attack that turned an image, else without one.
    layout.meta.least_px: below this width the cells of many classes blur.
    """
    counts = _counts(weights, class_names, attacked=attacked)
    size = len(counts)
    share = _shares(counts)
    off = np.where(np.eye(size, dtype=bool), np.nan, share)
    own = np.where(np.eye(size, dtype=bool), share, np.nan)
    top = float(np.nanmax(off)) if np.isfinite(off).any() else 0.0
    title = heading(
        _finding(counts, class_names, attacked=attacked),
        "per cent of the images of a class; grey: classified right",
    )
    figure = panels(
        [title],
        panel_px=max(120, min(CELL_PX, max(18, 900 // max(size, 1))) * size),
        left_px=names_px(class_names, LETTERS) + (16 if size <= NAMED else 34),
        bottom_px=names_px(class_names, LETTERS) + 24 if 2 < size <= NAMED else 44,
        key="confusion",
    )
    figure.add_traces(
        [_heat(own, counts, class_names, None), _heat(off, counts, class_names, top or 1.0)]
    )
    _places(figure, class_names)
    return figure.update_layout(margin={"r": 64}, meta={"least_px": 640} if size > NAMED else None)


def _places(figure: go.Figure, names: Sequence[str]) -> None:
    """Classes along both axes. Across, there is room for the names of few; many have their number,
    as in front of the name on the left."""
    size, plain = len(names), {"showgrid": False, "ticks": ""}
    places, few = list(range(size)), size <= NAMED
    texts = [
        shown(name, LETTERS) if few else f"{shown(name, LETTERS)}  {place}"
        for place, name in zip(places, names, strict=True)
    ]
    axis(
        figure,
        "yaxis",
        "true class",
        range=[size - 0.5, -0.5],
        tickvals=places,
        ticktext=texts,
        **plain,
    )
    if few:
        axis(
            figure,
            "xaxis",
            "predicted class",
            tickangle=-90 if size > 2 else 0,
            tickvals=places,
            ticktext=texts,
            **plain,
        )
    else:
        axis(figure, "xaxis", "predicted class, by number", nticks=20, **plain)


def confusion_rows(
    weights: WeightsReport, class_names: Sequence[str], *, attacked: bool = True
) -> list[Row]:
    """Every pair of classes that occurs, the most frequent first: images, and what per cent of the
    true class they are."""
    counts = _counts(weights, class_names, attacked=attacked)
    share = _shares(counts)
    found = [
        {
            "true class": class_names[a],
            "predicted class": class_names[b],
            "images": int(counts[a, b]),
            "of the class [%]": round(float(share[a, b]), 2),
        }
        for a, b in zip(*np.nonzero(counts), strict=True)
    ]
    return sorted(
        found, key=lambda row: (row["true class"] == row["predicted class"], -row["images"])
    )


def _counts(weights: WeightsReport, class_names: Sequence[str], *, attacked: bool) -> np.ndarray:
    table = weights.confusion if attacked else weights.confusion_clean
    return np.array(table, np.int64).reshape(len(class_names), len(class_names))


def _shares(counts: np.ndarray) -> np.ndarray:
    """In per cent of each row; nan where a class has no images."""
    total = counts.sum(axis=1, keepdims=True)
    return 100 * counts / np.where(total > 0, total, np.nan)


def _finding(counts: np.ndarray, names: Sequence[str], *, attacked: bool) -> str:
    off = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    when = "under attack" if attacked else "without attack"
    if not off.any():
        return f"No image is taken for another class {when}"
    pairs = np.flatnonzero(~np.eye(len(off), dtype=bool).ravel())
    place, rivals = most_frequent(off.ravel()[pairs])
    a, b = divmod(int(pairs[place]), len(off))
    told = (
        f"{off[a, b]:,} of {counts[a].sum():,} {_short(names[a])} are taken for {_short(names[b])}"
    )
    if counts[a].sum() < LEAST_A_CLASS:
        return f"{told} {when}: {FEW}, so no confusion is called the most frequent"
    if rivals:
        others = (
            f"{counted(rivals, 'other pair')} of classes cannot be told from that"
            f" (corrected by Holm for {len(pairs) - 1:,})"
        )
        return f"Frequent confusion {when}: {told}; {others}"
    return (
        f"Most frequent confusion {when}: {told} (corrected by Holm for {len(pairs) - 1:,} other"
        " pairs)"
    )


def _short(name: str) -> str:
    """A class name within a title."""
    return name if len(name) <= 30 else name[:29] + "…"


def _heat(
    values: np.ndarray, counts: np.ndarray, names: Sequence[str], top: float | None
) -> go.Heatmap:
    """top: the end of the scale; None for the diagonal, which is grey."""
    size = len(values)
    text = [
        [
            f"{value:.0f}" if np.isfinite(value) and (top is None or value >= 0.5) else ""
            for value in row
        ]
        for row in values
    ]
    hover = [
        [
            f"true: {shown(names[a])}<br>predicted: {shown(names[b])}<br>{values[a, b]:.1f} % of"
            f" its images ({counts[a, b]:,} of {counts[a].sum():,})"
            for b in range(size)
        ]
        for a in range(size)
    ]
    colors: dict[str, Any] = {"colorscale": [[0, GREY], [1, GREY]], "showscale": False}
    if top is not None:
        bar = {
            "title": {"text": "confused [%]", "side": "right", "font": {"size": 12}},
            "thickness": 10,
            "outlinewidth": 0,
        }
        colors = {"colorscale": "Cividis", "colorbar": bar}
    gap = 1 if size <= NAMED else 0
    return go.Heatmap(
        z=values,
        zmin=0,
        zmax=top or 100.0,
        text=text if size <= NAMED else None,
        texttemplate="%{text}" if size <= NAMED else None,
        textfont={"size": 10} | ({"color": INK} if top is None else {}),
        hovertext=hover,
        hoverinfo="text",
        hoverongaps=False,
        xgap=gap,
        ygap=gap,
        **colors,
    )
