"""What the Explore page shows, taken from the caches or asked of the helper processes; a page run
itself computes nothing long."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cdp import paths
from cdp.config.explore import ExploreConfig, pca_of
from cdp.tasks import atlas, measuring
from cdp.tasks.atlas import Closeup
from cdp.tasks.measured import Measured, SetComparison, Sizes, equal_sizes
from cdp.ui.components.map import Thumbs
from cdp.ui.kit.ask import Waiting, remembered
from cdp.ui.kit.images import showable
from cdp.values.types import Embedding, MapQuality

T = TypeVar("T")


def ask_map(
    pending: Waiting,
    title: str,
    name: str,
    config: ExploreConfig,
    what: str,
    *,
    size: int = 0,
) -> None:
    """Ask for what depends on a map's config. size: its points, where fewer than asked for are
    there."""
    payload = config.model_dump(mode="json")
    size, of = size or config.points, map_key(config)
    pending.ask(title, name, payload, what=what, size=size, of=of)


def map_key(config: ExploreConfig) -> str:
    """A name for one map: changes exactly when its points may."""
    return hashlib.sha256((config.model_dump_json() + repr(_stamps(config))).encode()).hexdigest()[
        :16
    ]


def embedding(
    config: ExploreConfig, pending: Waiting
) -> tuple[Embedding | None, ExploreConfig | None]:
    """The map that is there and its config: the one wanted, or PCA until that is ready. What is
    missing is asked for."""
    ready = _remembered("map", config, lambda: atlas.map_of(config).known())
    if ready is not None:
        return ready, config
    first = pca_of(config)
    stand_in = _remembered("map", first, lambda: atlas.map_of(first).known())
    if stand_in is None:
        # The features that both need are computed once, so UMAP is asked for when PCA is there.
        ask_map(pending, "PCA", "embed", first, f"pca {config.encoder}")
        return None, None
    if config.method == "umap":
        what, size = f"umap {config.dims}", len(stand_in)
        ask_map(pending, "UMAP", "umap", config, what, size=size)
    else:
        ask_map(pending, "PCA", "embed", config, f"pca {config.encoder}")
    return stand_in, first


def point_scores(config: ExploreConfig, pending: Waiting) -> atlas.PointScores | None:
    """Scores of every point of the map; asked for where they are not known."""
    plain = pca_of(config)

    def look() -> atlas.PointScores | None:
        points = atlas.map_of(plain).known()
        return None if points is None else atlas.map_scores(plain, points).known()

    scores = _remembered("scores", plain, look)
    if scores is None:
        ask_map(pending, "Scores of each image", "scores", plain, config.encoder)
    return scores


def quality(config: ExploreConfig, pending: Waiting) -> MapQuality | None:
    """How far the map can be trusted; asked for where it is not known."""
    known = _remembered("quality", config, lambda: atlas.quality_of(config).known())
    if known is None:
        ask_map(pending, "Checking the map", "quality", config, config.method)
    return known


def measured(config: ExploreConfig, pending: Waiting) -> list[Measured] | None:
    """Figures of every set; asked for where they are not known."""
    figures = [_measured(config, name, None, pending) for name in config.sets]
    ready = [item for item in figures if item is not None]
    return ready if len(ready) == len(figures) else None


def comparisons(
    config: ExploreConfig,
    figures: Sequence[Measured],
    places: Sequence[tuple[int, int]],
    pending: Waiting,
) -> list[SetComparison] | None:
    """Pairs of the sets, by number, each pair at the same number of images; what that takes is
    asked for where it is not known."""
    ready: list[SetComparison] = []
    for pair in places:
        sizes = equal_sizes(*(figures[place].sizes for place in pair))
        first, second = (
            figures[place]
            if figures[place].sizes == wanted
            else _measured(config, config.sets[place], wanted, pending)
            for place, wanted in zip(pair, sizes, strict=True)
        )
        if first is not None and second is not None:
            ready.append(SetComparison(first, second))
    return ready if len(ready) == len(places) else None


def _measured(
    config: ExploreConfig, name: str, sizes: Sizes | None, pending: Waiting
) -> Measured | None:
    """One set, or as many of each class of its images."""
    pairs = None if sizes is None else sorted(sizes.items())
    encoder, dataset = config.encoder, config.dataset
    figures = _remembered(
        f"measured {name} {pairs}",
        config,
        lambda: measuring.measured_of(name, sizes=sizes, encoder=encoder, dataset=dataset).known(),
    )
    if figures is None:
        part = "" if sizes is None else f" at {sum(sizes.values()):,} images"
        payload: dict[str, Any] = {"name": name, "encoder": encoder, "dataset": dataset}
        payload |= {} if pairs is None else {"sizes": pairs}
        title = f"Measuring {name}{part}"
        pending.ask(title, "measure", payload, what=encoder, of=map_key(config))
    return figures


def closeup(config: ExploreConfig, point: int, pending: Waiting) -> Closeup | None:
    """One point in detail; asked for, and held by the helper's answer."""
    payload = {"config": config.model_dump(mode="json"), "point": point}
    answer = pending.result("Looking closer", "closeup", payload, of=map_key(config))
    return None if answer is None else Closeup.from_json(answer)


def thumbs(config: ExploreConfig, points: Embedding) -> Thumbs | None:
    """The images of all points for the card under the pointer, None where they are too many to
    send."""

    def read() -> Thumbs | None:
        images = showable(atlas.point_images(points, range(len(points))))
        return Thumbs.of(images, key=map_key(config))

    return _remembered("thumbs", config, read, missing=True)


def _remembered(
    what: str, config: ExploreConfig, read: Callable[[], T | None], *, missing: bool = False
) -> T | None:
    return remembered(f"{what} {map_key(config)}", read, missing=missing)


def _stamps(config: ExploreConfig) -> list[int]:
    """When the saved sets among them were last written, so that another set of the same name is
    another map."""
    cards = [paths.sets_dir() / name / "card.json" for name in config.sets]
    return [card.stat().st_mtime_ns if card.is_file() else 0 for card in cards]
