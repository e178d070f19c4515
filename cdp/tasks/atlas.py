"""Sample sets on one map: drawn, seen by an encoder, projected, scored, and one image of it in
detail; kept under CDP_HOME/cache. What is known needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cdp.config.explore import PIXELS, ExploreConfig, pca_of
from cdp.embedding.projection import disparity, library, project_pca, project_umap, trustworthiness
from cdp.errors import InputError, MissingError
from cdp.files import cache
from cdp.files.cache import Cached, Report, ignore
from cdp.tasks.features import encoder_labelling, features, identity
from cdp.tasks.scoring import SCORES, Scores, scores_of
from cdp.tasks.sources import (
    COMMON_ROWS,
    Source,
    dataset_of,
    numbered_alike,
    open_source,
    real_images,
    require_alike,
)
from cdp.values.types import NO_LABEL, Embedding, MapQuality
from cdp.work.session import Session

KIND = "projections"
REAL = 5000
"""Real training images that shape a map at most, where it is fitted on them."""
MEASURED = 1500
"""Images that trustworthiness is measured on at most."""
_SEEDS = 2**31
_RECIPE = 1  # raised when the same settings give another map than before


def embed(config: ExploreConfig, report: Report = ignore) -> Embedding:
    """The map of a config. fit "union": all sets shape it; "real": real training images do, and
    each set is placed in it by itself, so that it keeps its place while others come and go.

    Raises InputError or MissingError with the remedy.
    """
    return map_of(config).get(report)


def map_of(config: ExploreConfig) -> Cached[Embedding]:
    """``embed`` where it is known; then it imports no torch, scikit-learn, scipy or umap."""
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
    """How far the map of a config can be trusted. Errors as of ``embed``.

    Trustworthiness is of ``config.neighbors`` images, or of just under half of those measured where
    that is less; disparity is to the map of the next seed, which is kept like any other.
    """
    return quality_of(config).get(report)


def quality_of(config: ExploreConfig) -> Cached[MapQuality]:
    """``map_quality`` where it is known; then it imports as little."""
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
    """Images of these points, (k,H,W,C) uint8, from disk. Raises InputError for other numbers."""
    chosen = np.asarray(index, np.int64).reshape(-1)
    outside = chosen[(chosen < 0) | (chosen >= len(embedding))]
    if len(outside):
        raise InputError(f"point {outside[0]} is not on the map: choose 0 to {len(embedding) - 1}")
    which, row = embedding.which[chosen], embedding.row[chosen]
    opened = {number: open_source(embedding.names[number]) for number in np.unique(which)} or {
        0: open_source(embedding.names[0])
    }
    images = np.empty((len(chosen), *next(iter(opened.values())).image.shape[1:]), np.uint8)
    for number, source in opened.items():
        members = which == number
        if members.any() and (
            row[members].max() >= len(source) or source.image.shape[1:] != images.shape[1:]
        ):
            raise InputError(
                f"{source.name} is no longer the set that is on the map: make the map again"
            )
        images[members] = source.image[row[members]]
    return images


@dataclass(frozen=True)
class _Drawn:
    """The images of a config. rows: of each source; dataset: whose encoder, "" where none is."""

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
    """The same images whatever the seed, so that maps of two seeds can be laid over each other."""
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
    """``total`` in equal parts; what a small set leaves over goes to the others."""
    counts, left = [0] * len(sizes), total
    for place, number in enumerate(sorted(range(len(sizes)), key=lambda number: sizes[number])):
        counts[number] = min(sizes[number], left // (len(sizes) - place))
        left -= counts[number]
    return counts


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
        coordinates = project_pca(*given, dims=config.dims)
    else:
        coordinates = project_umap(
            *given,
            dims=config.dims,
            neighbors=config.neighbors,
            min_dist=config.min_dist,
            metric=config.metric,
            seed=config.seed,
        )
    return coordinates[0] if drawn.real is None else np.concatenate(coordinates[1:])


ON_MAP = tuple(key for key, each in SCORES.items() if each.on_map)
"""Scores that points are coloured by."""


@dataclass(frozen=True)
class PointScores:
    """values: (n,) float64 by key of ``scoring.SCORES``, NaN for points of a set that has no such
    score; titles: with units; undefined: why a score is missing, by title."""

    values: Mapping[str, np.ndarray]
    titles: Mapping[str, str]
    undefined: Mapping[str, str]


def map_scores(config: ExploreConfig, embedding: Embedding) -> Cached[PointScores]:
    """Every score that the map has, of every point."""
    parts = [
        scores_of(source, rows, config.encoder, dataset, ON_MAP)
        for source, rows, dataset in _parts(config, embedding)
    ]

    def known() -> PointScores | None:
        scores = [score for part in parts if (score := part.known()) is not None]
        return _joined(embedding, scores) if len(scores) == len(parts) else None

    def make(report: Report) -> PointScores:
        return _joined(embedding, [part.get() for part in parts])

    return Cached(cache.digest(*[part.key for part in parts]), known, make, lambda scores: None)


def score(config: ExploreConfig, session: Session) -> PointScores:
    """Every score of every point. Every map of these points has the same."""
    plain = pca_of(config)
    return map_scores(plain, embed(plain, session.share)).get()


def _parts(config: ExploreConfig, embedding: Embedding) -> list[tuple[Source, np.ndarray, str]]:
    """Each set with its rows on the map."""
    sources = [open_source(name) for name in config.sets]
    dataset = dataset_of(sources, config.dataset, encoder=config.encoder)
    return [
        (source, embedding.row[embedding.which == number], dataset)
        for number, source in enumerate(sources)
    ]


def _joined(embedding: Embedding, scores: list[Scores]) -> PointScores:
    values, titles, undefined = {}, {}, {}
    for key in ON_MAP:
        info = SCORES[key]
        title = f"{info.title} [{info.unit}]" if info.unit else info.title
        if any(key in part.values for part in scores):
            values[key] = np.concatenate(
                [
                    part.values.get(key, np.full(int((embedding.which == number).sum()), np.nan))
                    for number, part in enumerate(scores)
                ]
            )
            titles[key] = title
        reasons = [part.undefined[key] for part in scores if key in part.undefined]
        if reasons:
            undefined[info.title] = reasons[0]
    return PointScores(values, titles, undefined)


NEIGHBOURS = 5
TRAINING = COMMON_ROWS
"""Real training images to look for neighbours among: those that the scores look among."""


@dataclass(frozen=True)
class Closeup:
    """Of point ``point``. own: rows of its set, nearest first, among the images on the map;
    training: rows of ``real_images(dataset, "train", TRAINING)``; distances in the encoder's
    features. saliency: (H, W) in [-1, 1], the gradient of the cross-entropy of the image's label,
    summed over channels and scaled to its largest value; None where ``missing`` says why."""

    point: int
    own: tuple[int, ...]
    own_distance: tuple[float, ...]
    training: tuple[int, ...]
    training_distance: tuple[float, ...]
    saliency: np.ndarray | None
    missing: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; the inverse of ``from_json``."""
        return asdict(self) | {
            "saliency": None if self.saliency is None else np.round(self.saliency, 4).tolist()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Closeup:
        """What ``to_json`` gave."""
        saliency = data["saliency"]
        lists = {
            name: tuple(data[name])
            for name in ("own", "own_distance", "training", "training_distance")
        }
        return cls(
            point=data["point"],
            missing=data["missing"],
            saliency=None if saliency is None else np.asarray(saliency, np.float32),
            **lists,
        )


def closeup(config: ExploreConfig, point: int) -> Closeup:
    """Raises InputError for a map that was not drawn yet, or a point that is not on it."""
    embedding = map_of(config).known()
    if embedding is None:
        raise InputError("this map is not drawn yet: draw it, then choose a point")
    if not 0 <= point < len(embedding):
        raise InputError(f"point {point} is not on the map: choose 0 to {len(embedding) - 1}")
    sources = [open_source(name) for name in config.sets]
    source, dataset = (
        sources[embedding.which[point]],
        dataset_of(sources, config.dataset, encoder=config.encoder),
    )
    rows = _rows_of(embedding, int(embedding.which[point]))
    seen = features(config.encoder, dataset, source.image[rows])
    at = int(np.flatnonzero(rows == embedding.row[point])[0])
    own, own_distance = _nearest(seen[at], np.delete(seen, at, axis=0))
    try:
        train = features(config.encoder, dataset, real_images(dataset, "train", TRAINING)[0])
        training, training_distance = _nearest(seen[at], train)
    except MissingError:
        training, training_distance = (), ()
    saliency, missing = _saliency(
        config.encoder,
        dataset,
        source.image[embedding.row[point]],
        embedding.class_names,
        int(embedding.label[point]),
    )
    return Closeup(
        point,
        tuple(int(np.delete(rows, at)[i]) for i in own),
        own_distance,
        training,
        training_distance,
        saliency,
        missing,
    )


def _rows_of(embedding: Embedding, which: int) -> np.ndarray:
    return embedding.row[embedding.which == which]


def _nearest(row: np.ndarray, others: np.ndarray) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Positions and distances of the nearest rows, nearest first."""
    distance = np.linalg.norm(others.astype(np.float64) - row, axis=1)
    order = np.argsort(distance, kind="stable")[:NEIGHBOURS]
    return tuple(int(i) for i in order), tuple(float(distance[i]) for i in order)


def _saliency(
    encoder: str, dataset: str, image: np.ndarray, names: tuple[str, ...], label: int
) -> tuple[np.ndarray | None, str]:
    if encoder == PIXELS:
        return None, "pixels classify nothing, so no attack follows from them: choose an encoder"
    if label == NO_LABEL:
        return (
            None,
            (
                "this image has no label that an attack could lead away from: give its set labels"
                " in the gallery"
            ),
        )
    import torch
    import torch.nn.functional as F

    from cdp.robust.recipes import to_tensor
    from cdp.tasks.loaded import encoder_on_device

    # The map numbers classes in its own way; the encoder's number is that of the same name.
    known = encoder_labelling(encoder, dataset)
    classes = names if known.nameless and len(names) == len(known.classes) else known.classes
    if names[label] not in classes:
        return None, f"the encoder does not know the class {names[label][:60]!r} of this image"
    net, own = encoder_on_device(encoder, dataset).net, classes.index(names[label])
    x = to_tensor(image[None]).to(next(net.parameters()).device).requires_grad_(True)
    loss = F.cross_entropy(net(x), torch.tensor([own], device=x.device))
    gradient = torch.autograd.grad(loss, x)[0][0].sum(0)
    largest = gradient.abs().max()
    return (gradient / largest if largest > 0 else gradient).cpu().numpy(), ""
