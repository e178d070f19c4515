"""One point of a map: the image, where an attack would push it, its neighbours in the set and among
real training images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.figures.palette import NEUTRAL
from cdp.tasks.closeup import TRAINING, Closeup
from cdp.tasks.mapped import PointScores
from cdp.tasks.sources import dataset_of, open_source, real_images
from cdp.ui.components.pairs import Grid, pairs
from cdp.ui.explore.data import Waiting, closeup
from cdp.ui.kit.images import difference, sprite
from cdp.ui.kit.side import waiting
from cdp.ui.kit.words import plain
from cdp.values.types import Embedding


def show(shown: Embedding, drawn: ExploreConfig, scores: PointScores | None, point: int) -> None:
    """Draw what is known; the rest is asked for."""
    pending = Waiting()
    found = closeup(drawn, point, pending)
    number = int(shown.which[point])
    label = int(shown.label[point])
    name = shown.class_name(label)
    with st.container(border=True, key="closeup"):
        st.markdown(
            f"**{plain(shown.names[number])}**, row {int(shown.row[point]):,}, {plain(name)}"
        )
        if scores is not None:
            facts = [
                f"{scores.titles[key]} {values[point]:.3g}"
                for key, values in scores.values.items()
                if np.isfinite(values[point])
            ]
            st.caption(plain(" · ".join(facts)))
        waiting(pending.errands, key="closeup_wait")
        if found is not None:
            _pictures(drawn, number, int(shown.row[point]), found)


def _pictures(drawn: ExploreConfig, number: int, row: int, found: Closeup) -> None:
    sources = [open_source(name) for name in drawn.sets]
    source = sources[number]
    image = np.asarray(source.image[row : row + 1])
    grids = [_grid("the image", image)]
    if found.saliency is not None:
        grids.append(
            _grid("attack direction (orange brightens, blue darkens)", _signed(found.saliency))
        )
    pairs(
        grids, [""], columns=1, key=f"closeup_image_{found.point}", interactive=False, shape="small"
    )
    if found.missing:
        st.caption(plain(f"No attack direction: {found.missing}."))
    _neighbours(
        "Nearest in the set",
        np.asarray(source.image[list(found.own)]),
        found.own_distance,
        f"own_{found.point}",
    )
    if found.training:
        real = real_images(dataset_of(sources, drawn.dataset), "train", TRAINING)[0][
            list(found.training)
        ]
        _neighbours(
            "Nearest real training images",
            np.asarray(real),
            found.training_distance,
            f"train_{found.point}",
        )


def _neighbours(title: str, images: np.ndarray, distance: Sequence[float], key: str) -> None:
    if not len(images):
        return
    far = ", ".join(f"{value:.3g}" for value in distance)
    labels = [f"distance {value:.3g}" for value in distance]
    pairs(
        [_grid(f"{title} (distance {far})", images)],
        labels,
        columns=len(images),
        key=f"closeup_{key}",
        interactive=False,
    )


def _grid(title: str, images: np.ndarray) -> Grid:
    shown = images[..., :3] if images.shape[-1] >= 3 else images[..., :1]
    return Grid(title, sprite(shown, len(shown)), NEUTRAL.color)


def _signed(saliency: np.ndarray) -> np.ndarray:
    """(H, W) in [-1, 1] -> (1, H, W, 3) uint8 on the app's scale of differences."""
    grey = np.full(saliency.shape, 127.5)
    return difference((grey + 127.5 * saliency)[None, ..., None], grey[None, ..., None], gain=2.0)
