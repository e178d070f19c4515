"""Sample sets on one map: drawn, seen by an encoder, projected, and kept under CDP_HOME/cache. What
is known needs no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cdp.config.explore import PIXELS, ExploreConfig
from cdp.embedding.projection import disparity, library, project_pca, project_umap, trustworthiness
from cdp.errors import InputError
from cdp.files import cache
from cdp.files.cache import Cached
from cdp.tasks.features import features, identity
from cdp.tasks.sources import (
    Source,
    dataset_of,
    numbered_alike,
    open_source,
    real_images,
    require_alike,
)
from cdp.tasks.watching import Report, ignore
from cdp.values.types import NO_LABEL, Embedding, MapQuality

KIND = "projections"
REAL = 5000
"""Real training images that shape a map at most, where it is fitted on them."""
MEASURED = 1500
"""Images that trustworthiness is measured on at most."""
_SEEDS = 2**31
_RECIPE = 1  # raised when the same settings give another map than before


def embed(config: ExploreConfig, report: Report = ignore) -> Embedding:
    """The map of a config, from CDP_HOME/cache where the same images met the same settings before.

    fit "union": all sets shape it together. fit "real": real training images shape it and each set
    is placed in it by itself, so that a set keeps its place while others come and go, as long as
    the same of its images are drawn.
    report: called with the share done in [0, 1] and what comes next. Raises InputError or
    MissingError with the remedy.
    """
    return map_of(config).get(report)


def map_of(config: ExploreConfig) -> Cached[Embedding]:
    """The same where it is known; then it imports no torch, scikit-learn, scipy or umap."""
    drawn = _draw(config)
    count = sum(map(len, drawn.rows))
    stored = cache.cached_array(
        KIND,
        drawn.key,
        lambda report: _project(drawn, report),
        lambda points: (
            points.shape == (count, config.dims)
            and points.dtype == np.float32
            and bool(np.isfinite(points).all())
        ),
    )
    return stored.then(drawn.embedding)


def map_quality(config: ExploreConfig, report: Report = ignore) -> MapQuality:
    """How far the map of a config can be trusted, from CDP_HOME/cache where it was measured before.

    Trustworthiness is of neighbourhoods of ``config.neighbors`` images, or of just under half of
    the images measured where that is less; disparity is to the map of the next seed, which is kept
    like any other. report and errors: as of ``embed``.
    """
    return quality_of(config).get(report)


def quality_of(config: ExploreConfig) -> Cached[MapQuality]:
    """The same where it is known; then it imports no torch, scikit-learn, scipy or umap."""
    drawn = _draw(config)
    # A PCA has neither, but the sample and the neighbourhoods it is measured on do.
    key = f"{drawn.key}-{config.neighbors}-{config.seed}"
    return cache.cached_value(KIND, key, MapQuality, lambda report: _measure(drawn, report))


def _measure(drawn: _Drawn, report: Report) -> MapQuality:
    config = drawn.config
    first = embed(config, lambda share, words: report(0.45 * share, words)).coordinates
    apart = None
    if config.method == "umap":
        again = config.model_copy(update={"seed": (config.seed + 1) % _SEEDS})
        second = embed(
            again, lambda share, words: report(0.45 + 0.45 * share, f"{words}, another seed")
        ).coordinates
        apart = disparity(first, second)
    report(0.9, "trustworthiness of the map")
    seen = np.concatenate(
        [features(config.encoder, drawn.dataset, image) for image in drawn.images]
    )
    neighbors = min(config.neighbors, (min(len(seen), MEASURED) - 1) // 2)
    value, n = trustworthiness(seen, first, neighbors=neighbors, most=MEASURED, seed=config.seed)
    return MapQuality(value, apart, n, neighbors)


def point_images(embedding: Embedding, index: Sequence[int] | np.ndarray) -> np.ndarray:
    """Images of the points of these numbers, (k,H,W,C) uint8 in their order, read from disk. Raises
    InputError where there is none."""
    chosen = np.asarray(index, np.int64).reshape(-1)
    outside = chosen[(chosen < 0) | (chosen >= len(embedding))]
    if len(outside):
        raise InputError(f"point {outside[0]} is not on the map: choose 0 to {len(embedding) - 1}")
    which, row = embedding.which[chosen], embedding.row[chosen]
    opened = {number: open_source(embedding.names[number]) for number in np.unique(which)} or {
        0: open_source(embedding.names[0])
    }
    found = np.empty((len(chosen), *next(iter(opened.values())).image.shape[1:]), np.uint8)
    for number, source in opened.items():
        mine = which == number
        if mine.any() and (
            row[mine].max() >= len(source) or source.image.shape[1:] != found.shape[1:]
        ):
            raise InputError(
                f"{source.name} is no longer the set that is on the map: make the map again"
            )
        found[mine] = source.image[row[mine]]
    return found


@dataclass(frozen=True)
class _Drawn:
    """The images of a config. rows: of each source, ascending; dataset: whose encoder and real
    images, "" where none is needed."""

    config: ExploreConfig
    sources: list[Source]
    dataset: str
    rows: list[np.ndarray]

    @cached_property
    def images(self) -> list[np.ndarray]:
        """Of each source, (n,H,W,C) uint8."""
        return [source.image[rows] for source, rows in zip(self.sources, self.rows, strict=True)]

    @cached_property
    def real(self) -> np.ndarray | None:
        """Real training images that shape the map, (n,H,W,C) uint8; None where the sets do."""
        if self.config.fit == "union":
            return None
        image, _ = real_images(self.dataset, "train", min(self.config.points, REAL))
        if image.shape[1:] != self.images[0].shape[1:]:
            raise InputError(
                f"fit: {self.dataset} has images of shape {image.shape[1:]} and"
                f" {self.sources[0].name} of {self.images[0].shape[1:]}: fit on the union, or name"
                " their own data set"
            )
        return image

    @cached_property
    def key(self) -> str:
        """A name for the map: equal exactly where images, weights, settings and library are."""
        config = self.config
        of_umap = {
            name: getattr(config, name) for name in ("neighbors", "min_dist", "metric", "seed")
        }
        shaping = [] if self.real is None else [self.real]
        settings: dict[str, Any] = {
            "recipe": _RECIPE,
            "method": config.method,
            "library": library(config.method),
            "dims": config.dims,
            "fit": config.fit,
            "images": [
                identity(config.encoder, self.dataset, image) for image in (*shaping, *self.images)
            ],
        } | (of_umap if config.method == "umap" else {})
        return cache.digest(json.dumps(settings, sort_keys=True))

    def embedding(self, coordinates: np.ndarray) -> Embedding:
        """The map with what is known of its points."""
        counts = [len(rows) for rows in self.rows]
        label = np.concatenate(
            [
                np.full(len(rows), NO_LABEL) if source.label is None else source.label[rows]
                for source, rows in zip(self.sources, self.rows, strict=True)
            ]
        )
        names = max(
            (source.class_names for source in self.sources), key=len
        )  # the same for all that have labels
        which = np.repeat(np.arange(len(counts)), counts)
        return Embedding(
            self.config.sets,
            names,
            tuple(map(len, self.sources)),
            coordinates,
            which,
            np.concatenate(self.rows),
            label,
        )


def _draw(config: ExploreConfig) -> _Drawn:
    """The same images of the same sets every time, whatever the seed, so that maps of two seeds can
    be laid over each other."""
    sources = numbered_alike([open_source(name) for name in config.sets])
    require_alike(sources)
    wanted = config.encoder != PIXELS or config.fit == "real"
    dataset = dataset_of(sources, config.dataset) if wanted else config.dataset
    counts = shares([len(source) for source in sources], config.points)
    return _Drawn(
        config,
        sources,
        dataset,
        [source.rows(count) for source, count in zip(sources, counts, strict=True)],
    )


def shares(sizes: Sequence[int], total: int) -> list[int]:
    """``total`` in equal parts, but of no set more than it has: what a small one leaves over goes
    to the others."""
    found, left = [0] * len(sizes), total
    for place, number in enumerate(sorted(range(len(sizes)), key=lambda number: sizes[number])):
        found[number] = min(sizes[number], left // (len(sizes) - place))
        left -= found[number]
    return found


def _project(drawn: _Drawn, report: Report) -> np.ndarray:
    """(n, dims) float32, sets one after the other."""
    config = drawn.config
    named = [
        (source.title, image) for source, image in zip(drawn.sources, drawn.images, strict=True)
    ]
    if drawn.real is not None:
        named.insert(0, (f"real {drawn.dataset}", drawn.real))
    seen = []
    for place, (name, image) in enumerate(named):
        report(0.5 * place / len(named), f"features of {name}")
        seen.append(features(config.encoder, drawn.dataset, image))
    report(0.5, f"{config.method.upper()} of {sum(map(len, seen)):,} points")
    given = [np.concatenate(seen)] if drawn.real is None else seen
    if config.method == "pca":
        made = project_pca(*given, dims=config.dims)
    else:
        made = project_umap(
            *given,
            dims=config.dims,
            neighbors=config.neighbors,
            min_dist=config.min_dist,
            metric=config.metric,
            seed=config.seed,
        )
    return made[0] if drawn.real is None else np.concatenate(made[1:])
