"""Choosing points of a map without a mouse, and what can be done with those chosen: look at them,
keep them, take them away."""

from __future__ import annotations

from math import ceil

import numpy as np
import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.figures.palette import NEUTRAL
from cdp.tasks import atlas
from cdp.tasks.mapped import PointScores
from cdp.ui.components.pairs import Grid, pairs
from cdp.ui.explore import detail
from cdp.ui.explore.save import take
from cdp.ui.kit.images import sprite
from cdp.values.types import Embedding

PAGE, COLUMNS = 60, 12
"""Images of the selection shown at a time, and in a row."""


def filtered(shown: Embedding, scores: PointScores | None, key: str) -> np.ndarray:
    """The filters, and which points they leave, (n,) bool. What they choose is what a box on the
    map would: they add up with the lasso."""
    mask = np.ones(len(shown), bool)
    with st.expander("Filter by set, class, score or place", key=f"filters_{key}"):
        left, right = st.columns(2, gap="medium")
        with left:
            if len(shown.names) > 1:
                sets = st.multiselect(
                    "Sets",
                    range(len(shown.names)),
                    key=f"f_sets_{key}",
                    format_func=lambda i: shown.names[i],
                    placeholder="all",
                )
                mask &= np.isin(shown.which, sets) if sets else True
            present = np.unique(shown.label).tolist()
            classes = st.multiselect(
                "Classes",
                present,
                key=f"f_classes_{key}",
                format_func=shown.class_name,
                placeholder="all",
            )
            mask &= np.isin(shown.label, classes) if classes else True
            mask &= _by_score(scores, key)
        with right:
            for axis, name in enumerate(("x", "y", "z")[: shown.coordinates.shape[1]]):
                mask &= _between(
                    shown.coordinates[:, axis].astype(np.float64),
                    f"From {name} to {name}",
                    f"f_{name}_{key}",
                )
        st.caption(f"{int(mask.sum()):,} of {len(shown):,} points are left.")
    return mask


def _by_score(scores: PointScores | None, key: str) -> np.ndarray | bool:
    if scores is None or not scores.values:
        return True
    which = st.selectbox(
        "Score",
        list(scores.values),
        index=None,
        key=f"f_score_{key}",
        format_func=scores.titles.__getitem__,
        placeholder="any",
    )
    return (
        True
        if which is None
        else _between(scores.values[which], "From and to", f"f_range_{which}_{key}")
    )


def _between(values: np.ndarray, label: str, key: str) -> np.ndarray:
    """Two boxes. Left alone they exclude nothing, not even a value that does not exist."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    first, second = st.columns(2)
    start = first.number_input(
        label.split(" to ")[0], value=None, placeholder=f"{low:.3g}", key=f"{key}_from", format="%g"
    )
    stop = second.number_input(
        "to", value=None, placeholder=f"{high:.3g}", key=f"{key}_to", format="%g"
    )
    mask = np.ones(len(values), bool)
    if start is not None:
        mask &= values >= start
    if stop is not None:
        mask &= values <= stop
    return mask


def panel(
    shown: Embedding,
    drawn: ExploreConfig,
    scores: PointScores | None,
    chosen: np.ndarray,
    *,
    lasso: bool,
    picked: int | None,
) -> None:
    """The grid of exactly the chosen points, and the detail of one. chosen: point numbers; lasso:
    whether some were drawn around."""
    selected = lasso or len(chosen) < len(shown)
    if not selected:
        st.caption(
            "Draw a lasso or a box around points, or filter them, to see their images; click a"
            " point for its detail."
        )
    elif not len(chosen):
        st.info(
            "No point is selected: widen the filters, or double-click the map to clear the lasso."
        )
    else:
        picked = _grid(shown, drawn, chosen, picked)
    if picked is not None:
        detail.show(shown, drawn, scores, picked)


def _grid(
    shown: Embedding, drawn: ExploreConfig, chosen: np.ndarray, picked: int | None
) -> int | None:
    """Images of the selection, page by page; returns the point whose detail is wanted."""
    st.subheader(f"{len(chosen):,} selected", anchor=False)
    counts = [
        f"{shown.names[w]}: {int((shown.which[chosen] == w).sum()):,}"
        for w in np.unique(shown.which[chosen])
    ]
    st.caption(" · ".join(counts))
    pages = ceil(len(chosen) / PAGE)
    page = st.pagination(pages, key=f"selected_page_{len(chosen)}") - 1 if pages > 1 else 0
    here = chosen[page * PAGE : (page + 1) * PAGE]
    labels = [
        f"{shown.names[shown.which[i]]} row {shown.row[i]}, {shown.class_name(int(shown.label[i]))}"
        for i in here
    ]
    key = f"selected_{hash((tuple(here.tolist()), drawn.model_dump_json()))}"
    images = atlas.point_images(shown, here)
    cell = pairs(
        [
            Grid(
                "selected",
                sprite(images[..., :3] if images.shape[-1] >= 3 else images[..., :1], COLUMNS),
                NEUTRAL.color,
            )
        ],
        labels,
        columns=COLUMNS,
        key=key,
    )
    take(shown, drawn, chosen)
    return picked if cell is None else int(here[cell])
