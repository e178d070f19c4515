"""What the Explore page shows, from the caches or asked of the helper processes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from cdp import paths
from cdp.config.explore import ExploreConfig, pca_of
from cdp.tasks import atlas, measuring
from cdp.tasks.atlas import Closeup
from cdp.tasks.measured import Measured, SetComparison, Sizes, equal_sizes
from cdp.tasks.scoring import SCORES, scores_of
from cdp.tasks.sources import Source
from cdp.ui.components.map import Thumbs
from cdp.ui.kit.ask import Waiting, remembered
from cdp.ui.kit.images import showable
from cdp.ui.kit.words import plain
from cdp.values.types import Embedding, MapQuality

T = TypeVar("T")


def map_key(config: ExploreConfig) -> str:
    """A name for one map: changes when its config does, or a set of its name was saved anew."""
    cards = [paths.sets_dir() / name / "card.json" for name in config.sets]
    stamps = [card.stat().st_mtime_ns if card.is_file() else 0 for card in cards]
    return hashlib.sha256(f"{config.model_dump_json()}{stamps}".encode()).hexdigest()[:16]


def embedding(
    config: ExploreConfig, pending: Waiting
) -> tuple[Embedding | None, ExploreConfig | None]:
    """The map that is there and its config: the one wanted, or PCA until that is ready. What is
    missing is asked for."""
    if (ready := _map(config)) is not None:
        return ready, config
    first = pca_of(config)
    points = _map(first)
    # The features that both need are computed once, so UMAP is asked for when PCA is there.
    if points is not None and config.method == "umap":
        _ask(pending, "UMAP", "umap", config, f"umap {config.dims}", size=len(points))
    else:
        wanted = first if points is None else config
        _ask(pending, "PCA", "embed", wanted, f"pca {config.encoder}")
    return points, None if points is None else first


def _map(config: ExploreConfig) -> Embedding | None:
    return remembered(f"map {map_key(config)}", lambda: atlas.map_of(config).known())


def point_scores(config: ExploreConfig, pending: Waiting) -> atlas.PointScores | None:
    """Scores of every point of the map; asked for where they are not known."""
    plain = pca_of(config)

    def known() -> atlas.PointScores | None:
        points = atlas.map_of(plain).known()
        return None if points is None else atlas.map_scores(plain, points).known()

    scores = remembered(f"scores {map_key(plain)}", known)
    if scores is None:
        _ask(pending, "Scores of each image", "scores", plain, config.encoder)
    return scores


def quality(config: ExploreConfig, pending: Waiting) -> MapQuality | None:
    """How far the map can be trusted; asked for where it is not known."""
    known = remembered(f"quality {map_key(config)}", lambda: atlas.quality_of(config).known())
    if known is None:
        _ask(pending, "Checking the map", "quality", config, config.method)
    return known


def _ask(
    pending: Waiting, title: str, name: str, config: ExploreConfig, what: str, *, size: int = 0
) -> None:
    """size: points of the map, where there are fewer than were asked for."""
    payload = config.model_dump(mode="json")
    pending.ask(title, name, payload, what=what, size=size or config.points, of=map_key(config))


def measured(config: ExploreConfig, pending: Waiting) -> list[Measured] | None:
    """Figures of every set; asked for where they are not known."""
    return _complete([_measured(config, name, None, pending) for name in config.sets])


def comparisons(
    config: ExploreConfig,
    figures: Sequence[Measured],
    places: Sequence[tuple[int, int]],
    pending: Waiting,
) -> list[SetComparison] | None:
    """Pairs of the sets, by number, at equal numbers of images; asked for where not known."""

    def pair(places: tuple[int, int]) -> SetComparison | None:
        sizes = equal_sizes(*(figures[place].sizes for place in places))
        sets = [
            figures[place]
            if figures[place].sizes == wanted
            else _measured(config, config.sets[place], wanted, pending)
            for place, wanted in zip(places, sizes, strict=True)
        ]
        both = _complete(sets)
        return None if both is None else SetComparison(*both)

    return _complete([pair(numbers) for numbers in places])


def _complete(items: Sequence[T | None]) -> list[T] | None:
    """All of them; None where one is missing."""
    ready = [item for item in items if item is not None]
    return ready if len(ready) == len(items) else None


def _measured(
    config: ExploreConfig, name: str, sizes: Sizes | None, pending: Waiting
) -> Measured | None:
    """One set, or as many of each class of its images."""
    pairs = None if sizes is None else sorted(sizes.items())
    encoder, dataset, key = config.encoder, config.dataset, map_key(config)

    def known() -> Measured | None:
        return measuring.measured_of(name, sizes=sizes, encoder=encoder, dataset=dataset).known()

    figures = remembered(f"measured {name} {pairs} {key}", known)
    if figures is None:
        part = "" if sizes is None else f" at {sum(sizes.values()):,} images"
        payload: dict[str, Any] = {"name": name, "encoder": encoder, "dataset": dataset}
        payload |= {} if pairs is None else {"sizes": pairs}
        pending.ask(f"Measuring {name}{part}", "measure", payload, what=encoder, of=key)
    return figures


def closeup(config: ExploreConfig, point: int, pending: Waiting) -> Closeup | None:
    """One point in detail; asked for, and held by the helper's answer."""
    payload = {"config": config.model_dump(mode="json"), "point": point}
    answer = pending.result("Looking closer", "closeup", payload, of=map_key(config))
    return None if answer is None else Closeup.from_json(answer)


def thumbs(config: ExploreConfig, points: Embedding) -> Thumbs | None:
    """The images of all points for the card under the pointer, None where they are too many."""

    def read() -> Thumbs | None:
        images = showable(atlas.point_images(points, range(len(points))))
        return Thumbs.of(images, key=map_key(config))

    return remembered(f"thumbs {map_key(config)}", read, missing=True)


def image_scores(
    source: Source, by: str, encoder: str, dataset: str, pending: Waiting
) -> np.ndarray | None:
    """One score an image of a whole set, (n,), from the cache; asked for where it is not there. None
    meanwhile, and where it does not exist, which is said."""
    scores = scores_of(source, np.arange(len(source)), encoder, dataset, [by]).known()
    if scores is None:
        payload = {"name": source.name, "by": by, "encoder": encoder, "dataset": dataset}
        pending.ask("Scoring the images", "score_set", payload, what=encoder, size=len(source))
        return None
    if by in scores.undefined:
        st.error(plain(f"{SCORES[by].title}: {scores.undefined[by]}."))
        return None
    return scores.values[by]
