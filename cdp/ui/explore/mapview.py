"""The map of the Explore page: PCA at once, UMAP when it is ready, how far it can be trusted, and
what was picked on it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.tasks.mapped import PointScores
from cdp.ui.components.chart import load_plotly
from cdp.ui.components.map import Card, MapEvent, Thumbs, embedding_map, load_thumbs
from cdp.ui.explore import points
from cdp.ui.explore.data import Waiting, embedding, map_key, point_scores, quality, thumbs
from cdp.ui.explore.trust import trust
from cdp.ui.kit.side import waiting
from cdp.ui.kit.words import plain
from cdp.values.types import NO_LABEL, Embedding

CLASS, SET = "Class", "Set"
OVERLAID, APART = "Overlaid", "Side by side"
ONE_PX, THREE_PX = 560, 430


def show(config: ExploreConfig) -> None:
    """Map, strip, selection and detail; while something is on its way, what is there already."""
    pending = Waiting()
    shown, drawn = embedding(config, pending)
    if shown is None or drawn is None:
        waiting(pending.errands, key="map")
        st.skeleton(height=420)
        return
    scores = point_scores(config, pending)
    good = quality(config, pending) if drawn == config else None
    waiting(pending.errands, key="map")
    _said(shown, drawn, config)
    colour, layout = _toolbar(shown, scores)
    load_plotly()
    pictures = thumbs(drawn, shown)
    load_thumbs(pictures)
    mask = points.filtered(shown, scores, map_key(drawn))
    event = _chart(shown, drawn, scores, colour, layout, pictures, mask)
    trust(drawn, good)
    chosen = (
        mask if event.selected is None else mask & np.isin(np.arange(len(shown)), event.selected)
    )
    points.panel(
        shown,
        drawn,
        scores,
        np.flatnonzero(chosen),
        lasso=event.selected is not None,
        picked=event.picked,
    )
    _numbers(shown, scores)


def _numbers(shown: Embedding, scores: PointScores | None) -> None:
    """The numbers behind the map, computed when they are asked for."""
    from cdp.figures.embedding import embedding_rows

    titled = (
        {scores.titles[name]: values for name, values in scores.values.items()} if scores else {}
    )
    with (
        st.expander("Numbers of the map", key="map_numbers"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        st.download_button(
            "Download CSV",
            lambda: columns_csv(embedding_rows(shown, titled)),
            "map.csv",
            "text/csv",
            on_click="ignore",
            key="map_csv",
        )
        wanted = st.toggle("Show the table", key="map_table")
    if wanted:
        st.dataframe(embedding_rows(shown, titled), hide_index=True, width="stretch")


def columns_csv(columns: Mapping[str, Sequence[Any]]) -> str:
    """Columns of equal length as CSV text; what is not there is empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()


def _said(shown: Embedding, drawn: ExploreConfig, wanted: ExploreConfig) -> None:
    """What is on the map, in one line; a sample is called one."""
    parts = []
    for number, (name, total) in enumerate(zip(shown.names, shown.totals, strict=True)):
        here = int((shown.which == number).sum())
        # Not "name: ...", as Streamlit reads :train: as an emoji.
        labelled = bool((shown.label[shown.which == number] != NO_LABEL).any())
        some = (
            f"{here:,} of {total:,} class-balanced images"
            if labelled
            else f"the first {here:,} of {total:,} images"
        )
        many = some if here < total else f"all {total:,} images"
        parts.append(f"{many} of {plain(name)}")
    note = (
        " This is PCA; UMAP takes its place when it is ready."
        if drawn.method != wanted.method
        else ""
    )
    st.caption(" · ".join(parts) + "." + note)


def _toolbar(shown: Embedding, scores: PointScores | None) -> tuple[str, str]:
    """What colours mean, and whether sets lie over each other."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        offered = [
            CLASS,
            *([SET] if len(shown.names) > 1 else []),
            *(scores.values if scores else ()),
        ]
        titles = scores.titles if scores else {}
        colour = st.selectbox(
            "Colour by",
            offered,
            format_func=lambda name: titles.get(name, name),
            key="explore_colour",
            width=260,
        )
        if len(shown.names) > 1 and shown.coordinates.shape[1] == 2:
            layout = st.segmented_control(
                "Sets", [APART, OVERLAID], default=APART, required=True, key="explore_layout"
            )
        else:
            layout = OVERLAID
    if scores and scores.undefined:
        st.caption(
            plain(" ".join(f"{title}: {reason}." for title, reason in scores.undefined.items()))
        )
    return str(colour), str(layout)


def _chart(
    shown: Embedding,
    drawn: ExploreConfig,
    scores: PointScores | None,
    colour: str,
    layout: str,
    pictures: Thumbs | None,
    mask: np.ndarray,
) -> MapEvent:
    """The map itself. mask: (n,) bool, points that the filters leave; the others are drawn
    faintly."""
    from cdp.figures.embedding import embedding_scatter

    key = map_key(drawn)
    figure = embedding_scatter(
        shown,
        color_by="class" if colour == CLASS else "set" if colour == SET else "score",
        score=scores.values[colour] if scores and colour in scores.values else None,
        score_title=scores.titles.get(colour, "") if scores else "",
        layout="side by side" if layout == APART else "overlaid",
        shown=None if mask.all() else mask,
        axis=drawn.method.upper(),
        # Three panels in a row are narrow, and both axes have one scale.
        height=THREE_PX if layout == APART and len(shown.names) == 3 else ONE_PX,
        key=key,
    )
    alt = (
        f"{drawn.method.upper()} map of {len(shown):,} images of {', '.join(shown.names)}, coloured"
        f" by {colour.lower()}"
    )
    card = Card.of(
        shown,
        {scores.titles[name]: values for name, values in scores.values.items()} if scores else {},
    )
    return embedding_map(
        figure, key=f"map_{key}", alt=alt, thumbs=pictures, points=len(shown), card=card
    )
