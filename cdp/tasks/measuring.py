"""Measuring sets by name: features by an encoder, figures with intervals, kept on disk."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import TypedDict, Unpack

import numpy as np

from cdp.data.registry import load_split
from cdp.embedding.classes import Pairs, class_pairs, class_rows
from cdp.embedding.images import Real
from cdp.embedding.measure import METRICS, Measurement, measure
from cdp.embedding.neighbours import Around, look_around
from cdp.embedding.report import real_baseline
from cdp.embedding.rows import UndefinedError
from cdp.errors import InputError
from cdp.files import cache
from cdp.files.cache import Cached, Report, ignore
from cdp.models.encoders import JUDGE
from cdp.tasks.features import features, identity
from cdp.tasks.measured import (
    UNLABELLED,
    Measured,
    SetComparison,
    Sizes,
    equal_sizes,
    from_json,
    to_json,
)
from cdp.tasks.sources import NAME_DATASET, Source, dataset_of, matched, open_source, real_images
from cdp.values.text import counted

ROWS = 5000
"""Images of a set that are measured, class-balanced, where it has more."""
SHARED_ROWS = 1000
"""Images from which on the figures of classes take longer than other processes do to start."""
VERSION = 7
"""Raised when a figure changes its meaning, so that none kept before is taken for it."""


class How(TypedDict, total=False):
    """How a set is measured. encoder: of the data set by name or path, or "pixels"; dataset: whose
    real images to compare with, empty for the one on the set's card; rows: images of the set,
    class-balanced, and real ones it is compared with; sizes: as many of each class, drawn by
    ``seed``, in place of all."""

    encoder: str
    dataset: str
    rows: int
    seed: int
    sizes: Sizes | None


def measured_of(name: str, **how: Unpack[How]) -> Cached[Measured]:
    """Every figure of a saved set, a path to one, or a real split such as ``fashion-mnist:test``.

    A set is compared with held-out real images and with training images; a real split, and a set
    whose real images are not here, has its own separability only. Raises InputError or MissingError
    with the remedy.
    """
    _check_rows(how)
    return _Task(open_source(name), **how).result


def measure_set(name: str, *, report: Report = ignore, **how: Unpack[How]) -> Measured:
    """The same, computed where it is not known."""
    return measured_of(name, **how).get(report)


def measure_source(source: Source, *, by_class: bool = True, **how: Unpack[How]) -> Measured:
    """The same of an open set or a part of one. by_class: also what single classes come to."""
    return _Task(source, by_class=by_class, **how).result.get()


def compare(
    first: str, second: str, *, report: Report = ignore, **how: Unpack[How]
) -> SetComparison:
    """Two sets at the same number of images: of the larger one a seeded part is measured."""
    _check_rows(how)
    own = [_Task(open_source(name), **how).sizes for name in (first, second)]
    pair = []
    for name, sizes, wanted in zip((first, second), own, equal_sizes(*own), strict=True):
        part: How = {**how, "sizes": None if sizes == wanted else wanted}
        pair.append(measure_set(name, report=report, **part))
    return SetComparison(*pair)


class _Task:
    """What is measured against what: everything that the figures follow from."""

    def __init__(
        self,
        source: Source,
        *,
        encoder: str = JUDGE,
        dataset: str = "",
        rows: int = ROWS,
        seed: int = 0,
        sizes: Sizes | None = None,
        by_class: bool = True,
    ) -> None:
        self.encoder, self.rows, self.seed = encoder, rows, seed
        # Of what is measured to compare sets, nothing is shown class by class.
        self.by_class = by_class and sizes is None
        self.dataset = dataset_of([source], dataset, encoder=encoder)
        self.source = source = matched(source, self.dataset)
        chosen = source.rows(rows)
        if len(chosen) < 2:
            raise InputError(
                f"{source.title} has {counted(len(chosen), 'image')}: figures take 2"
                " or more, so generate more"
            )
        if sizes is not None:
            chosen = chosen[_drawn(_classes(source, chosen), sizes, seed)]
        self.sizes = dict(sorted(Counter(_classes(source, chosen).tolist()).items()))
        self.image = source.image[chosen]
        self.label = None if source.label is None else source.label[chosen]
        # Real images measured against themselves say nothing of fidelity.
        itself = bool(source.split) and source.dataset == self.dataset
        self.missing = "" if itself else _missing(self.dataset)
        self.with_real = not itself and not self.missing

    @cached_property
    def real_key(self) -> str:
        """Equal exactly where the real images and their features are; "" for none."""
        if not self.with_real:
            return ""
        parts: list[object] = []
        for split in ("test", "train"):
            image, label = real_images(self.dataset, split, self.rows)
            parts += [identity(self.encoder, self.dataset, image), label]
        return cache.digest(*parts)

    @cached_property
    def key(self) -> str:
        """Equal exactly where all figures are."""
        own = identity(self.encoder, self.dataset, self.image)
        return cache.digest(
            VERSION, own, self.label, self.rows, self.seed, self.by_class, self.real_key
        )

    @property
    def result(self) -> Cached[Measured]:
        """What is kept knows images and no names."""
        stored = cache.cached_json(
            "measured",
            self.key,
            self._computed,
            encode=lambda figures: to_json(*figures),
            decode=from_json,
        )
        return stored.then(lambda figures: self._named(*figures))

    def _named(self, result: Measurement, pairs: Pairs | None) -> Measured:
        """The figures as those of this set."""
        if self.label is None:
            reason = self.source.without_labels("any figure of classes")
            result.undefined.update(
                {key: reason for key, metric in METRICS.items() if metric.needs == "classes"}
            )
        source = self.source
        figures = (result, pairs, self.sizes, source.note)
        return Measured(source.title, len(source), source.class_names, *figures)

    def _computed(self, report: Report) -> tuple[Measurement, Pairs | None]:
        """The shares reported are those of a set of 5,000 images."""
        report(0.0, f"features of {self.source.title}")
        seen = features(self.encoder, self.dataset, self.image)
        real = (
            _real(self.encoder, self.dataset, self.rows, self.real_key) if self.with_real else None
        )
        around: Around | None = None
        if self.label is not None:
            report(0.25, f"neighbours in {self.source.title}")
            with suppress(UndefinedError):
                around = look_around(*class_rows(seen, self.label))
        report(0.35, f"figures of {self.source.title}")
        result = measure(
            seen,
            self.label,
            real,
            seed=self.seed,
            around=around,
            by_class=self.by_class,
            workers=_other_cores() if len(seen) >= SHARED_ROWS else 0,
        )
        if self.missing:
            result.undefined["frechet"] = self.missing
        pairs: Pairs | None = None
        if self.label is not None:
            report(0.9, f"class pairs of {self.source.title}")
            with suppress(UndefinedError):
                pairs = class_pairs(seen, self.label, seed=self.seed, around=around)
        return result, pairs


def _other_cores() -> int:
    """Cores that this process may use, beside the one that it runs on."""
    allowed = getattr(os, "sched_getaffinity", None)
    return (len(allowed(0)) if allowed else os.cpu_count() or 1) - 1


def _classes(source: Source, rows: np.ndarray) -> np.ndarray:
    """(k,) class numbers of these images, ``UNLABELLED`` where the set has no labels."""
    return np.full(len(rows), UNLABELLED) if source.label is None else source.label[rows]


def _drawn(label: np.ndarray, sizes: Sizes, seed: int) -> np.ndarray:
    """Rows, ascending, of as many images of each class, at random; all of one that has fewer."""
    rng = np.random.default_rng((seed, len(label)))
    parts = [
        rng.permutation(np.flatnonzero(label == value))[: sizes.get(int(value), 0)]
        for value in np.unique(label)
    ]
    return np.sort(np.concatenate(parts))


def _missing(dataset: str) -> str:
    """Why there are no real images to compare with; "" where there are."""
    if not dataset:
        return (
            "the set's card names no data set, so there are no real images to compare with: "
            + NAME_DATASET
        )
    try:
        for split in ("test", "train"):
            load_split(dataset, split)
    except InputError as error:  # not here, or no match for the training images
        return str(error)
    return ""


def _check_rows(how: How) -> None:
    if (rows := how.get("rows", ROWS)) < 100:
        raise InputError(f"rows is {rows}: measure at least 100 images, or intervals say nothing")


@lru_cache(maxsize=4)
def _real(encoder: str, dataset: str, rows: int, key: str) -> Real:
    """Held-out real images, and training images to look for copies among. key: of their content."""
    held_out, train = real_images(dataset, "test", rows), real_images(dataset, "train", rows)
    seen = features(encoder, dataset, held_out[0])
    return Real(
        seen, real_baseline(features(encoder, dataset, train[0]), seen, held_out[1]), held_out[1]
    )
