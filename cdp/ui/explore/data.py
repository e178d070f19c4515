"""What the Explore page shows, taken from the caches or asked of the helper processes; a page run
itself computes nothing long."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from cdp import paths
from cdp.config.explore import ExploreConfig, pca_of
from cdp.tasks import atlas, mapped, measuring
from cdp.tasks.closeup import Closeup
from cdp.tasks.measured import Comparison, Measured, Sizes, equal_sizes
from cdp.ui.components.map import Thumbs
from cdp.ui.kit.side import Kind, side
from cdp.values.types import Embedding, MapQuality
from cdp.work.helper import Errand

KEPT = 24
"""Results a session holds in memory; all of them lie on disk as well."""
T = TypeVar("T")


@dataclass
class Waiting:
    """Errands that the view waits for, with the title of each and the process that does it."""

    errands: list[tuple[str, Kind, Errand]] = field(default_factory=list)

    def ask(
        self,
        title: str,
        kind: Kind,
        name: str,
        payload: dict[str, Any],
        *,
        what: str = "",
        size: int = 1,
        of: str = "",
    ) -> None:
        """Have it done, or find it on its way."""
        self.errands.append(
            (title, kind, side(kind).ask(name, payload, kind=what, size=size, of=of))
        )

    def ask_map(
        self, title: str, kind: Kind, name: str, config: ExploreConfig, *, what: str, size: int = 0
    ) -> None:
        """A task whose argument is a map's config. size: its points, where fewer than asked for are
        there."""
        self.ask(
            title,
            kind,
            name,
            config.model_dump(mode="json"),
            what=what,
            size=size or config.points,
            of=map_key(config),
        )


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
    found = _held("map", config, lambda: atlas.map_of(config).known())
    if found is not None:
        return found, config
    first = pca_of(config)
    stand_in = _held("map", first, lambda: atlas.map_of(first).known())
    if stand_in is None:
        # The features that both need are computed once, so UMAP is asked for when PCA is there.
        pending.ask_map("PCA", "looks", "embed", first, what=f"pca {config.encoder}")
        return None, None
    if config.method == "umap":
        pending.ask_map(
            "UMAP", "maps", "embed", config, what=f"umap {config.dims}", size=len(stand_in)
        )
    else:
        pending.ask_map("PCA", "looks", "embed", config, what=f"pca {config.encoder}")
    return stand_in, first


def point_scores(config: ExploreConfig, pending: Waiting) -> mapped.PointScores | None:
    """Scores of every point of the map; asked for where they are not known."""

    plain = pca_of(config)

    def look() -> mapped.PointScores | None:
        shown = atlas.map_of(plain).known()
        return None if shown is None else mapped.map_scores(plain, shown).known()

    found = _held("scores", plain, look)
    if found is None:
        pending.ask_map("Scores of each image", "looks", "scores", plain, what=config.encoder)
    return found


def quality(config: ExploreConfig, pending: Waiting) -> MapQuality | None:
    """How far the map can be trusted; asked for where it is not known."""
    found = _held("quality", config, lambda: atlas.quality_of(config).known())
    if found is None:
        pending.ask_map("Checking the map", "maps", "quality", config, what=config.method)
    return found


def measured(config: ExploreConfig, pending: Waiting) -> list[Measured] | None:
    """Figures of every set; asked for where they are not known."""
    found = [_one(config, name, None, pending) for name in config.sets]
    ready = [one for one in found if one is not None]
    return ready if len(ready) == len(found) else None


def comparisons(
    config: ExploreConfig,
    found: Sequence[Measured],
    places: Sequence[tuple[int, int]],
    pending: Waiting,
) -> list[Comparison] | None:
    """Pairs of the sets, by number, each pair at the same number of images; what that takes is
    asked for where it is not known."""
    ready: list[Comparison] = []
    for pair in places:
        sizes = equal_sizes(*(found[place].sizes for place in pair))
        parts = [
            (
                found[place]
                if found[place].sizes == wanted
                else _one(config, config.sets[place], wanted, pending)
            )
            for place, wanted in zip(pair, sizes, strict=True)
        ]
        if parts[0] is not None and parts[1] is not None:
            ready.append(Comparison(parts[0], parts[1]))
    return ready if len(ready) == len(places) else None


def _one(
    config: ExploreConfig, name: str, sizes: Sizes | None, pending: Waiting
) -> Measured | None:
    """One set, or as many of each class of its images."""
    options = {"encoder": config.encoder, "dataset": config.dataset}
    pairs = None if sizes is None else sorted(sizes.items())
    found = _held(
        f"measured {name} {pairs}",
        config,
        lambda: measuring.measured_of(
            name, sizes=sizes, encoder=config.encoder, dataset=config.dataset
        ).known(),
    )
    if found is None:
        part = "" if sizes is None else f" at {sum(sizes.values()):,} images"
        payload = {"name": name} | options | ({} if pairs is None else {"sizes": pairs})
        pending.ask(
            f"Measuring {name}{part}",
            "looks",
            "measure",
            payload,
            what=config.encoder,
            of=map_key(config),
        )
    return found


def closeup(config: ExploreConfig, point: int, pending: Waiting) -> Closeup | None:
    """One point in detail; asked for, and held by the helper's answer."""
    errand = side("looks").ask(
        "closeup", {"config": config.model_dump(mode="json"), "point": point}, of=map_key(config)
    )
    if errand.state == "done":
        return Closeup.from_json(errand.result)
    pending.errands.append(("Looking closer", "looks", errand))
    return None


def thumbs(config: ExploreConfig, shown: Embedding) -> Thumbs | None:
    """The images of all points for the card under the pointer, None where they are too many to
    send."""

    def read() -> Thumbs | None:
        images = atlas.point_images(shown, range(len(shown)))
        return Thumbs.of(
            images[..., :3] if images.shape[-1] >= 3 else images[..., :1], key=map_key(config)
        )

    return _held("thumbs", config, read, missing=True)


def _held(
    what: str, config: ExploreConfig, read: Callable[[], T | None], *, missing: bool = False
) -> T | None:
    """From this session's memory, else read. What is not there is remembered only where ``missing``
    says that it will not come."""
    store: OrderedDict[str, Any] = st.session_state.setdefault("explore_held", OrderedDict())
    key = f"{what} {map_key(config)}"
    if key in store:
        store.move_to_end(key)
        return store[key]
    value = read()
    if value is not None or missing:
        store[key] = value
        while len(store) > KEPT:
            store.popitem(last=False)
    return value


def _stamps(config: ExploreConfig) -> list[int]:
    """When the saved sets among them were last written, so that another set of the same name is
    another map."""
    cards = [paths.sets_dir() / name / "card.json" for name in config.sets]
    return [card.stat().st_mtime_ns if card.is_file() else 0 for card in cards]
