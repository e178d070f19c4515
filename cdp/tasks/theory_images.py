"""A sample set in the terms of the Gaussian model: separation, angle and effective dimension of its
features. Kept on disk; a hit needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cdp import paths
from cdp.data.registry import load_split
from cdp.errors import InputError
from cdp.files import cache
from cdp.files.cache import Cached
from cdp.models.encoders import JUDGE, WEIGHTS, list_encoders
from cdp.tasks.features import features, identity
from cdp.tasks.sources import Source, balanced_rows, dataset_of, matched, open_source, real_images
from cdp.tasks.watching import Report, ignore
from cdp.theory.from_features import FeatureEstimate, estimate_from_features
from cdp.values.types import Interval

KIND, VERSION = "theory-images", 2
"""Where results lie in the cache, and what to raise where a figure changes its meaning."""
ROWS = 5000
"""Images of a set, and real ones, that are looked at, class-balanced, where there are more."""


@dataclass(frozen=True)
class Pair:
    """Two classes by number and |m|/s between them."""

    first: int
    second: int
    separation: float


@dataclass(frozen=True)
class Figures:
    """As in ``FeatureEstimate``; pairs: every two classes once, nearest first."""

    separation: Interval
    dimension: Interval
    angle: Interval | None
    ratio: Interval | None
    real: Interval | None
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Place:
    """Where a set lies. name: as asked for; total: its images; against: the real split that it is
    compared with, "" where ``missing`` says why there is none; note: what has to be said of its
    labels, "" mostly."""

    name: str
    total: int
    class_names: tuple[str, ...]
    against: str
    missing: str
    figures: Figures
    note: str = ""


def place(name: str, *, encoder: str = JUDGE, dataset: str = "", report: Report = ignore) -> Place:
    """Estimate the model's quantities of one set.

    name: a saved set, a path to one, or a real split such as ``fashion-mnist:test``. encoder: of
    the data set by name or path, or "pixels". It is compared with held-out real images, which no
    encoder was trained on; the held-out ones themselves with training images. report: called with
    the share done in [0, 1] and what comes next. Raises InputError or MissingError with the remedy.
    """
    return place_of(name, encoder=encoder, dataset=dataset).get(report)


def place_of(name: str, *, encoder: str = JUDGE, dataset: str = "") -> Cached[Place]:
    """The same where it is known. Errors as there."""
    return _Task(name, encoder, dataset).result


def stamp(name: str, *, encoder: str = JUDGE, dataset: str = "") -> str:
    """A name for what ``place`` follows from, by the times of files: another one after any of them
    was written. Errors as there.

    For pages that ask at every move of a knob: the digest that keeps results on disk reads every
    pixel.
    """
    source = open_source(name)
    dataset = dataset_of([source], dataset, encoder=encoder)
    source = matched(source, dataset)
    weights = (
        next(
            (one.folder for one in list_encoders(dataset) if one.name == encoder),
            Path(encoder).expanduser(),
        )
        / WEIGHTS
    )
    parts = [
        paths.cache_dir(),
        name,
        encoder,
        dataset,
        source.class_names,
        _written(weights),
        _pixels(source.image),
        source.label,
    ]
    try:
        real = load_split(dataset, _other_split(source, dataset)) if dataset else None
    except InputError:  # not here, or no match for the training images
        real = None
    return cache.digest(
        VERSION, *parts, *([_pixels(real.image), np.asarray(real.label)] if real else [])
    )


def _pixels(image: np.ndarray) -> str:
    """When a memory-mapped array was written; the pixels of any other."""
    return (
        _written(Path(image.filename))
        if isinstance(image, np.memmap) and image.filename
        else cache.digest(image)
    )


def _written(file: Path) -> str:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return ""
    return f"{file} {found.st_mtime_ns} {found.st_size} {found.st_ino}"


def _other_split(source: Source, dataset: str) -> str:
    """The real images that a set is compared with: held-out ones, for which these are training
    images."""
    return "train" if source.dataset == dataset and source.split == "test" else "test"


class _Task:
    """What is placed against what: everything that the figures follow from."""

    def __init__(self, name: str, encoder: str, dataset: str) -> None:
        source, self.encoder = open_source(name), encoder
        self.dataset = dataset_of([source], dataset, encoder=encoder)
        self.source = matched(source, self.dataset)
        label = self.source.labels("the theory's estimate of class separation")
        rows = balanced_rows(label, ROWS)
        self.image, self.label = np.asarray(self.source.image[rows]), label[rows]
        self.split = _other_split(self.source, self.dataset)
        self.real, self.missing = _real(self.dataset, self.split)

    @cached_property
    def key(self) -> str:
        real = (
            [identity(self.encoder, self.dataset, self.real[0]), self.real[1]]
            if self.real
            else [""]
        )
        return cache.digest(
            VERSION, ROWS, identity(self.encoder, self.dataset, self.image), self.label, *real
        )

    @property
    def result(self) -> Cached[Place]:
        return cache.cached_value(KIND, self.key, Figures, self._computed).then(self._placed)

    def _computed(self, report: Report) -> Figures:
        report(0.0, f"features of {self.source.title}")
        seen = features(self.encoder, self.dataset, self.image)
        reference: dict[str, Any] = {}
        if self.real:
            report(0.4, "features of real images")
            reference = {
                "reference": features(self.encoder, self.dataset, self.real[0]),
                "reference_labels": self.real[1],
            }
        report(0.8, f"class means of {self.source.title}")
        return _figures(estimate_from_features(seen, self.label, **reference))

    def _placed(self, found: Figures) -> Place:
        against = f"{self.dataset}:{self.split}" if self.real else ""
        return Place(
            self.source.name,
            len(self.source),
            tuple(self.source.class_names),
            against,
            self.missing,
            found,
            self.source.note,
        )


def _real(dataset: str, split: str) -> tuple[tuple[np.ndarray, np.ndarray] | None, str]:
    """Real images and their labels, or why there are none."""
    if not dataset:
        return None, "the set's card names no data set, so there are no real images to compare with"
    try:
        return real_images(dataset, split, ROWS), ""
    except InputError as error:  # not here, or no match for the training images
        return None, str(error)


def _figures(found: FeatureEstimate) -> Figures:
    classes = [int(value) for value in found.classes]
    pairs = [
        Pair(a, b, float(found.pairs[i, j]))
        for i, a in enumerate(classes)
        for j, b in enumerate(classes)
        if i < j
    ]
    return Figures(
        found.separation,
        found.dimension,
        found.angle,
        found.ratio,
        found.real,
        tuple(sorted(pairs, key=lambda one: one.separation)),
    )
