"""The map of the Explore page: how far to trust it, the points selected, and one in detail."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.embedding.projection import poor, trust_sentence
from cdp.results.signs import set_signs
from cdp.tasks import atlas
from cdp.tasks.atlas import TRAINING, Closeup, PointScores
from cdp.tasks.sources import dataset_of, open_source, real_images
from cdp.ui.components.chart import load_plotly
from cdp.ui.components.map import MapEvent, card_of, embedding_map, load_thumbs
from cdp.ui.components.pairs import Grid, pairs
from cdp.ui.explore.data import closeup, embedding, map_key, point_scores, quality, thumbs
from cdp.ui.explore.form import Explored
from cdp.ui.explore.keep import take
from cdp.ui.kit.ask import Waiting
from cdp.ui.kit.images import difference, showable, sprite
from cdp.ui.kit.tables import numbers
from cdp.ui.kit.widgets import reported
from cdp.ui.kit.words import plain
from cdp.values.types import NO_LABEL, Embedding

CLASS, SET = "Class", "Set"
OVERLAID, APART = "Overlaid", "Side by side"
ONE_PX, THREE_PX = 560, 430
PAGE, COLUMNS = 60, 12
"""Images of the selection shown at a time, and in a row."""


def show(config: ExploreConfig, settings: Explored) -> None:
    """Map, strip, selection and detail; while something is on its way, what is there already.
    settings: what the address says of colour and classes."""
    pending = Waiting()
    points, drawn = embedding(config, pending)
    if points is None or drawn is None:
        pending.show("map")
        st.skeleton(height=420)
        return
    # The map that is wanted comes before what is said of it.
    ready = drawn == config
    scores = point_scores(config, pending) if ready else None
    trust = quality(config, pending) if ready else None
    pending.show("map")
    with st.container(horizontal=True, vertical_alignment="bottom", key="map_toolbar"):
        colour, layout = _toolbar(points, scores, settings)
        mask = filtered(points, scores, map_key(drawn), settings)
    load_plotly()
    event = draw_map(points, drawn, scores, colour, layout, mask)
    _caption(points, drawn, config)
    if scores and scores.undefined:
        reasons = [f"{title}: {reason}." for title, reason in scores.undefined.items()]
        st.caption(plain(" ".join(reasons)))
    if trust is not None:
        (st.warning if poor(trust) else st.caption)(trust_sentence(drawn.method, trust))
    lasso = event.selected is not None
    chosen = mask & np.isin(np.arange(len(points)), event.selected or ()) if lasso else mask
    _selected(points, drawn, scores, np.flatnonzero(chosen), lasso=lasso, picked=event.picked)
    numbers("the map", lambda: _rows(points, scores), "map.csv", key="map_numbers")


def _titled(scores: PointScores | None) -> dict[str, np.ndarray]:
    """Scores of the points by their titles."""
    return {scores.titles[key]: values for key, values in scores.values.items()} if scores else {}


def _rows(points: Embedding, scores: PointScores | None) -> list[dict[str, Any]]:
    """The numbers behind the map, one row a point."""
    from cdp.figures.embedding import embedding_rows

    columns = embedding_rows(points, _titled(scores))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _caption(points: Embedding, drawn: ExploreConfig, wanted: ExploreConfig) -> None:
    """What is on the map, in one line; a sample is called one."""
    parts = []
    for number, (name, total) in enumerate(zip(points.names, points.totals, strict=True)):
        labels = points.label[points.which == number]
        here = len(labels)
        how = " (class-balanced)" if (labels != NO_LABEL).any() else " (the first)"
        some, how = (f"{here:,} of", how) if here < total else ("all", "")
        # Not "name: ...", as Streamlit reads :train: as an emoji.
        parts.append(f"{some} {total:,} images of {plain(name)}{how}")
    later = " This is PCA; UMAP takes its place when it is ready."
    st.caption(" · ".join(parts) + "." + (later if drawn.method != wanted.method else ""))


def _toolbar(points: Embedding, scores: PointScores | None, settings: Explored) -> tuple[str, str]:
    """What colours mean, and whether sets lie over each other."""
    titles, layout = (scores.titles if scores else {}), OVERLAID
    options = [CLASS, *([SET] if len(points.names) > 1 else []), *(scores.values if scores else ())]
    # Scores come later than the points, and with them what a link may ask for.
    key = f"explore_colour_{settings.turn}_{len(options)}"

    shown = settings.colour if settings.colour in options else CLASS

    def chosen(name: str) -> None:
        settings.colour = "" if name == CLASS else name

    colour = st.selectbox(
        "Colour by",
        options,
        options.index(shown),
        format_func=lambda name: titles.get(name, name),
        **reported(key, shown, chosen),
        width=260,
    )
    if len(points.names) > 1 and points.coordinates.shape[1] == 2:
        layout = st.segmented_control(
            "Sets", [APART, OVERLAID], default=APART, required=True, key="explore_layout"
        )
    return colour, layout


def draw_map(
    points: Embedding,
    drawn: ExploreConfig,
    scores: PointScores | None = None,
    colour: str = CLASS,
    layout: str = APART,
    mask: np.ndarray | None = None,
    *,
    height: int = 0,
    prefix: str = "map",
) -> MapEvent:
    """The map itself. mask: (n,) bool, points that the filters leave; the others are drawn faintly;
    height: in px, 0 for the usual one; prefix: of its key."""
    from cdp.figures.embedding import embedding_scatter

    pictures = thumbs(drawn, points)
    load_thumbs(pictures)
    key, method, names = map_key(drawn), drawn.method.upper(), ", ".join(points.names)
    # Three panels in a row are narrow, and both axes have one scale.
    usual = THREE_PX if layout == APART and len(points.names) == 3 else ONE_PX
    figure = embedding_scatter(
        points,
        color_by="class" if colour == CLASS else "set" if colour == SET else "score",
        score=scores.values[colour] if scores and colour in scores.values else None,
        score_title=scores.titles.get(colour, "") if scores else "",
        layout="side by side" if layout == APART and len(points.names) > 1 else "overlaid",
        mask=None if mask is None or mask.all() else mask,
        axis=method,
        height=height or usual,
        key=key,
        signs=dict(zip(points.names, set_signs(drawn.sets).values(), strict=True)),
    )
    return embedding_map(
        figure,
        key=f"{prefix}_{key}",
        alt=f"{method} map of {len(points):,} images of {names}, coloured by {colour.lower()}",
        thumbs=pictures,
        points=len(points),
        card=card_of(points, _titled(scores)),
    )


def _of_sets(points: Embedding, key: str) -> np.ndarray:
    """Points of the chosen sets, (n,) bool; all where none is chosen."""
    options = np.unique(points.which).tolist()
    title = points.names.__getitem__
    place = f"f_sets_{key}"
    chosen = st.multiselect("Sets", options, key=place, format_func=title, placeholder="all")
    return np.isin(points.which, chosen or options)


def _of_classes(points: Embedding, key: str, settings: Explored) -> np.ndarray:
    """Of the chosen classes, which the address tells by name."""
    options = np.unique(points.label).tolist()
    place = f"f_classes_{key}_{settings.turn}"

    def keep(values: list[int]) -> None:
        settings.only = tuple(map(points.class_name, values))

    shown = [value for value in options if points.class_name(value) in settings.only]
    chosen = st.multiselect(
        "Classes",
        options,
        shown,
        format_func=points.class_name,
        **reported(place, shown, keep),
        placeholder="all",
    )
    return np.isin(points.label, chosen or options)


def filtered(
    points: Embedding, scores: PointScores | None, key: str, settings: Explored
) -> np.ndarray:
    """The filters, and which points they leave, (n,) bool. They add up with the lasso."""
    mask = np.ones(len(points), bool)

    def between(label: str, values: np.ndarray, name: str) -> None:
        """Two boxes. Left alone they exclude nothing, not even a value that does not exist."""
        (left, right), ends = st.columns(2), (np.nanmin(values), np.nanmax(values))
        low, high = (
            place.number_input(text, value=None, placeholder=f"{end:.3g}", key=box, format="%g")
            for place, text, end, box in (
                (left, label, ends[0], f"f_{name}_{key}_from"),
                (right, "to", ends[1], f"f_{name}_{key}_to"),
            )
        )
        if low is not None:
            mask[~(values >= low)] = False
        if high is not None:
            mask[~(values <= high)] = False

    with st.popover("Filter", icon=":material/filter_alt:", key=f"filters_{key}"):
        left, right = st.columns(2, gap="medium")
        with left:
            if len(points.names) > 1:
                mask &= _of_sets(points, key)
            mask &= _of_classes(points, key, settings)
            if scores and scores.values:
                title, options = scores.titles.__getitem__, list(scores.values)
                which = st.selectbox(
                    "Score",
                    options,
                    index=None,
                    key=f"f_score_{key}",
                    format_func=title,
                    placeholder="any",
                )
                if which is not None:
                    between("From", scores.values[which], f"range_{which}")
        with right:
            for axis, name in zip(points.coordinates.T, "xyz", strict=False):
                between(f"From {name}", axis.astype(np.float64), name)
        st.caption(f"{int(mask.sum()):,} of {len(points):,} points are left.")
    return mask


def _selected(
    points: Embedding,
    drawn: ExploreConfig,
    scores: PointScores | None,
    chosen: np.ndarray,
    *,
    lasso: bool,
    picked: int | None,
) -> None:
    """The grid of the chosen points, and the detail of one. lasso: whether one was drawn."""
    if not lasso and len(chosen) == len(points):
        st.caption(
            "Draw a lasso or a box around points, or filter them, to see their images. Click a"
            " point for its detail."
        )
    elif not len(chosen):
        st.info(
            "No point is selected: widen the filters, or double-click the map to clear the lasso."
        )
    else:
        picked = _grid(points, drawn, chosen, picked)
    if picked is not None:
        _closeup(points, drawn, scores, picked)


def _grid(
    points: Embedding, drawn: ExploreConfig, chosen: np.ndarray, picked: int | None
) -> int | None:
    """Images of the selection, page by page; returns the point whose detail is wanted."""
    st.subheader(f"{len(chosen):,} selected", anchor=False)
    counts = np.bincount(points.which[chosen], minlength=len(points.names))
    texts = [f"{name}: {n:,}" for name, n in zip(points.names, counts, strict=True) if n]
    st.caption(" · ".join(texts))
    pages = ceil(len(chosen) / PAGE)
    page = st.pagination(pages, key=f"selected_page_{len(chosen)}") - 1 if pages > 1 else 0
    here = chosen[page * PAGE : (page + 1) * PAGE]
    labels = [
        f"{points.names[points.which[i]]} row {points.row[i]},"
        f" {points.class_name(int(points.label[i]))}"
        for i in here
    ]
    images = sprite(showable(atlas.point_images(points, here)), COLUMNS)
    key = f"selected_{hash((tuple(here.tolist()), drawn.model_dump_json()))}"
    grid = Grid("selected", images)
    cell = pairs([grid], labels, columns=COLUMNS, key=key)
    take(points, drawn, chosen)
    return picked if cell is None else int(here[cell])


def _closeup(
    points: Embedding, drawn: ExploreConfig, scores: PointScores | None, point: int
) -> None:
    """One point: its image, where an attack would push it, and its nearest neighbours."""
    pending = Waiting()
    detail = closeup(drawn, point, pending)
    number, row = int(points.which[point]), int(points.row[point])
    with st.container(border=True, key="closeup"):
        name = points.class_name(int(points.label[point]))
        st.markdown(f"**{plain(points.names[number])}**, row {row:,}, {plain(name)}")
        facts = [
            f"{title} {values[point]:.3g}"
            for title, values in _titled(scores).items()
            if np.isfinite(values[point])
        ]
        if facts:
            st.caption(plain(" · ".join(facts)))
        pending.show("closeup_wait")
        if detail is not None:
            _pictures(drawn, number, row, detail)


def _pictures(drawn: ExploreConfig, number: int, row: int, detail: Closeup) -> None:
    sources = [open_source(name) for name in drawn.sets]
    images = sources[number].image
    grids = [_row("the image", np.asarray(images[row : row + 1]))]
    if detail.saliency is not None:
        title = "attack direction (orange brightens, blue darkens)"
        change = detail.saliency[None, ..., None]  # in [-1, 1], on the app's scale of differences
        grids.append(_row(title, difference(255 * change, np.zeros_like(change), gain=1.0)))
    key = f"closeup_image_{detail.point}"
    pairs(grids, [""], columns=1, key=key, interactive=False, shape="small")
    if detail.missing:
        st.caption(plain(f"No attack direction: {detail.missing}."))
    own = np.asarray(images[list(detail.own)])
    _neighbours("Nearest in the set", own, detail.own_distance, f"own_{detail.point}")
    if detail.training:
        dataset = dataset_of(sources, drawn.dataset)
        real = np.asarray(real_images(dataset, "train", TRAINING)[0][list(detail.training)])
        title, key = "Nearest real training images", f"train_{detail.point}"
        _neighbours(title, real, detail.training_distance, key)


def _neighbours(title: str, images: np.ndarray, distance: Sequence[float], key: str) -> None:
    if not len(images):
        return
    labels = [f"distance {value:.3g}" for value in distance]
    grid = _row(f"{title} (distance {', '.join(f'{value:.3g}' for value in distance)})", images)
    pairs([grid], labels, columns=len(images), key=f"closeup_{key}", interactive=False)


def _row(title: str, images: np.ndarray) -> Grid:
    return Grid(title, sprite(showable(images), len(images)))
