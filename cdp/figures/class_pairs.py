"""Class against class: which is taken for which, which are confusable, and what changed between two
sets. Numbers stand in the cells, so colour is not the only sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import (
    Heading,
    Row,
    as_text,
    axis,
    base,
    color_bar,
    names_px,
    panel,
    told,
)
from cdp.figures.palette import INK
from cdp.statistics.significance import most_frequent
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.values.evaluation import WeightsReport
from cdp.values.text import counted

CELL_PX, NAMED = 34, 30
"""Height of a cell, and up to how many classes numbers and names are written."""
LETTERS = 16
GREY = "rgba(119,123,128,0.22)"


def confusion_under_attack(
    weights: WeightsReport, class_names: Sequence[str], *, attacked: bool = True
) -> go.Figure:
    """Row by row, what per cent of a class's images is predicted as which class. Images that are
    classified right, on the diagonal, are grey and off the scale, which ends at the largest
    confusion. attacked: under the attack that turned an image, else without one.
    layout.meta.least_px: below this width the cells of many classes blur."""
    counts = _counts(weights, class_names, attacked=attacked)
    size, share = len(counts), _shares(counts)
    off, own = share.copy(), np.full_like(share, np.nan)
    np.fill_diagonal(own, share.diagonal())
    np.fill_diagonal(off, np.nan)
    top = float(np.nanmax(off)) if np.isfinite(off).any() else 0.0
    finding, test = _finding(counts, class_names, attacked=attacked)
    few, room = size <= NAMED, names_px(class_names, LETTERS)
    figure = panel(
        finding,
        f"per cent of the images of a class; grey: classified right{test}",
        panel_px=max(120, min(CELL_PX, max(18, 900 // max(size, 1))) * size),
        left_px=room + (16 if few else 34),
        bottom_px=room + 24 if 2 < size <= NAMED else 44,
        key="confusion",
    )
    grey = {"colorscale": [[0, GREY], [1, GREY]], "showscale": False, "zmax": 100.0}
    scale = {"colorscale": "Cividis", "colorbar": color_bar("confused [%]"), "zmax": top or 100.0}
    ink = {"textfont": {"size": 10, "color": INK}}
    figure.add_trace(
        _heat(own, _written(own, 0), **grey, **ink, **_hover(own, counts, class_names))
    )
    figure.add_trace(_heat(off, _written(off, 0.5), **scale, **_hover(off, counts, class_names)))
    _places(figure, class_names)
    wide = {} if few else {"least_px": 640}
    return figure.update_layout(margin={"r": 64}, meta=figure.layout.meta | wide)


def _heat(values: np.ndarray, text: list[list[str]], **more: Any) -> go.Heatmap:
    """values: (K, K), NaN for an empty cell; text: written where there are few classes."""
    few = len(values) <= NAMED
    words = {"text": text, "texttemplate": "%{text}"} if few else {}
    gap = {"xgap": int(few), "ygap": int(few)}
    plain: dict[str, Any] = {"zmin": 0, "textfont": {"size": 10}, "hoverongaps": False}
    return go.Heatmap(z=values, **(plain | words | gap | more))


def _written(values: np.ndarray, least: float) -> list[list[str]]:
    """Whole per cent; nothing in an empty cell and below ``least``."""
    return [[f"{v:.0f}" if np.isfinite(v) and v >= least else "" for v in row] for row in values]


def _hover(values: np.ndarray, counts: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    text = [
        [
            f"true: {as_text(true)}<br>predicted: {as_text(predicted)}<br>{values[a, b]:.1f} % of"
            f" its images ({counts[a, b]:,} of {counts[a].sum():,})"
            for b, predicted in enumerate(names)
        ]
        for a, true in enumerate(names)
    ]
    return {"hovertext": text, "hoverinfo": "text"}


def _places(figure: go.Figure, names: Sequence[str]) -> None:
    """Classes along both axes. Across, there is room for the names of few; many have their number,
    as in front of the name on the left."""
    size, plain = len(names), {"showgrid": False, "ticks": ""}
    few = size <= NAMED
    texts = [as_text(name, LETTERS) + ("" if few else f"  {k}") for k, name in enumerate(names)]
    ticks = plain | {"tickvals": list(range(size)), "ticktext": texts}
    axis(figure, "yaxis", "true class", range=[size - 0.5, -0.5], **ticks)
    if few:
        axis(figure, "xaxis", "predicted class", tickangle=-90 if size > 2 else 0, **ticks)
    else:
        axis(figure, "xaxis", "predicted class, by number", nticks=20, **plain)


def confusion_rows(
    weights: WeightsReport, class_names: Sequence[str], *, attacked: bool = True
) -> list[Row]:
    """Every pair of classes that occurs, the most frequent first: images, and what per cent of the
    true class they are."""
    counts = _counts(weights, class_names, attacked=attacked)
    share = _shares(counts)
    rows = [
        {"true class": class_names[a], "predicted class": class_names[b]}
        | {"images": int(counts[a, b]), "of the class [%]": round(float(share[a, b]), 2)}
        for a, b in zip(*np.nonzero(counts), strict=True)
    ]
    return sorted(
        rows, key=lambda row: (row["true class"] == row["predicted class"], -row["images"])
    )


def _counts(weights: WeightsReport, class_names: Sequence[str], *, attacked: bool) -> np.ndarray:
    table = weights.confusion if attacked else weights.confusion_clean
    return np.array(table, np.int64).reshape(len(class_names), len(class_names))


def _shares(counts: np.ndarray) -> np.ndarray:
    """In per cent of each row; nan where a class has no images."""
    total = counts.sum(axis=1, keepdims=True)
    return 100 * counts / np.where(total > 0, total, np.nan)


def _finding(counts: np.ndarray, names: Sequence[str], *, attacked: bool) -> tuple[str, str]:
    """The most frequent confusion, as far as it can be told from the others, and by which test."""
    when = "under attack" if attacked else "without attack"
    apart = ~np.eye(len(counts), dtype=bool)
    if not counts[apart].any():
        return f"No image is taken for another class {when}", ""
    place, rivals = most_frequent(counts[apart])
    a, b = (int(of[place]) for of in np.nonzero(apart))
    true, other = (name if len(name) <= 30 else f"{name[:29]}…" for name in (names[a], names[b]))
    finding = f"{counts[a, b]:,} of {counts[a].sum():,} {true} are taken for {other}"
    test = f"; binomial test, corrected by Holm for {apart.sum() - 1:,} other pairs"
    if counts[a].sum() < LEAST_A_CLASS:
        return f"{finding} {when}: {FEW}, so no confusion is called the most frequent", ""
    if rivals:
        others = f"{counted(rivals, 'other pair')} of classes cannot be told from that"
        return f"Frequent confusion {when}: {finding}; {others}", test
    return f"Most frequent confusion {when}: {finding}", test


def pair_heatmap(
    values: np.ndarray,
    class_names: Sequence[str],
    *,
    heading: Heading,
    unit: str,
    signed: bool,
    uncertain: np.ndarray | None = None,
    top: float | None = None,
) -> go.Figure:
    """values: (K, K), NaN where there is nothing to say, row against column. signed: a difference,
    drawn on a scale with its middle at 0. uncertain: (K, K) bool, cells whose interval holds 0:
    their number is in brackets. top: the end of the scale, so that several maps share one; the
    largest value where not given."""
    if top is None:
        top = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    doubts = np.zeros(values.shape, bool) if uncertain is None else uncertain
    text = [list(map(_cell, *rows)) for rows in zip(values, doubts, strict=True)]
    scale: dict[str, Any] = {"colorscale": "Cividis", "zmax": top or 1.0}
    if signed:
        scale |= {"colorscale": "PuOr", "reversescale": True, "zmid": 0, "zmin": -top}
    scale |= {"x": list(class_names), "y": list(class_names), "colorbar": color_bar(unit)}
    words = f"%{{y}} and %{{x}}: %{{z:.3g}} {unit}<extra></extra>"
    heat = _heat(values, text, hovertemplate=words, **scale)
    height = max(220, min(CELL_PX, 900 // max(len(values), 1)) * len(values) + 106)
    layout = base(
        height,
        (96, 8, 10, 92),
        yaxis={"autorange": "reversed", "showgrid": False, "ticks": ""},
        xaxis={"tickangle": -40, "showgrid": False, "ticks": ""},
    )
    return told(go.Figure(heat, layout), heading)


def _cell(value: float, uncertain: bool) -> str:
    if not np.isfinite(value):
        return ""
    size = abs(value)
    text = f"{value:.0f}" if size >= 10 or size < 0.05 else f"{value:.1f}"
    return f"({text})" if uncertain else text
