"""What of the Gaussian model takes long, kept in the cache: simulated points, and a sample set in
the model's terms, with the sentences and rows that page and command line show of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cdp.config.explore import PIXELS
from cdp.config.theory import TheoryConfig
from cdp.errors import InputError
from cdp.files import cache
from cdp.files.cache import Cached, Report
from cdp.models.encoders import JUDGE
from cdp.tasks.features import features, identity
from cdp.tasks.sources import balanced_rows, dataset_of, matched, open_source, real_images
from cdp.theory.from_features import FeatureEstimate, estimate_from_features
from cdp.theory.views import TRAINED_AT, TRAININGS, Row, What, points
from cdp.values.text import class_name

POINTS, IMAGES, VERSION = "theory-points", "theory-images", 4
"""Where results lie in the cache, and what to raise where a figure changes its meaning."""
ROWS = 5000
"""Images of a set, and real ones, that are looked at, class-balanced, where there are more."""
UNGUIDED = (JUDGE, PIXELS)
"""Encoders that guide no generator."""


def points_of(config: TheoryConfig, what: What) -> Cached[list[Row]]:
    """Simulated points of a view as rows; none where trainings have no room."""

    def make(report: Report) -> list[Row]:
        return points(config, what, lambda share: report(share, "Simulate"))

    def read(data: Mapping[str, Any]) -> list[Row]:
        rows: list[Row] = data["rows"]
        if not all(row["robust low"] <= row["robust [%]"] <= row["robust high"] for row in rows):
            raise ValueError("intervals without their value")
        return rows

    key = cache.digest(VERSION, what, config.model_dump_json(), TRAININGS, TRAINED_AT)
    return cache.cached_json(POINTS, key, make, encode=lambda rows: {"rows": rows}, decode=read)


@dataclass(frozen=True)
class Place:
    """Where a set lies on the model's map. name: as asked for; against: the real split that it is
    compared with, "" where ``missing`` says why there is none; note: what has to be said of its
    labels, "" mostly."""

    name: str
    class_names: tuple[str, ...]
    against: str
    missing: str
    figures: FeatureEstimate
    note: str = ""

    def pair(self, first: int, second: int) -> str:
        """Two classes by name, or by number where the set names fewer."""
        return f"{class_name(self.class_names, first)} and {class_name(self.class_names, second)}"

    @property
    def unplaced(self) -> str:
        """Why the set has no place, as the end of a sentence without its full stop; "" where it has
        one."""
        if self.figures.ratio is not None and self.figures.angle is not None:
            return ""
        return self.missing or (
            f"the classes of {self.name}, or of the real images, cannot be told apart in these"
            " features, so class means point nowhere"
        )


def place_of(name: str, *, encoder: str = JUDGE, dataset: str = "") -> Cached[Place]:
    """The model's quantities of one set.

    name: a saved set, a path to one, or a real split such as ``fashion-mnist:test``. encoder: of
    the data set by name or path, or "pixels". It is compared with held-out real images, which no
    encoder was trained on; the held-out ones themselves with training images. A hit needs no torch.
    Raises InputError or MissingError with the remedy.
    """
    source = open_source(name)
    dataset = dataset_of([source], dataset, encoder=encoder)
    source = matched(source, dataset)
    labels = source.labels("the theory's estimate of class separation")
    rows = balanced_rows(labels, ROWS)
    image, label = np.asarray(source.image[rows]), labels[rows]
    held_out = source.dataset == dataset and source.split == "test"
    split = "train" if held_out else "test"
    real, missing = _real(dataset, split)

    def make(report: Report) -> FeatureEstimate:
        report(0.0, f"features of {source.title}")
        seen, reference = features(encoder, dataset, image), None
        if real:
            report(0.4, "features of real images")
            reference = features(encoder, dataset, real[0]), real[1]
        report(0.8, f"class means of {source.title}")
        return estimate_from_features(seen, label, reference=reference)

    def placed(figures: FeatureEstimate) -> Place:
        against = f"{dataset}:{split}" if real else ""
        return Place(source.name, tuple(source.class_names), against, missing, figures, source.note)

    compared = [identity(encoder, dataset, real[0]), real[1]] if real else [""]
    key = cache.digest(VERSION, ROWS, identity(encoder, dataset, image), label, *compared)
    return cache.cached_value(IMAGES, key, FeatureEstimate, make).then(placed)


def _real(dataset: str, split: str) -> tuple[tuple[np.ndarray, np.ndarray] | None, str]:
    """Real images and their labels, or why there are none."""
    if not dataset:
        return None, "the set's card names no data set, so there are no real images to compare with"
    try:
        return real_images(dataset, split, ROWS), ""
    except InputError as error:  # not here, or no match for the training images
        return None, str(error)


def caveats(place: Place, encoder: str) -> list[str]:
    """What the map leaves out, in plain sentences."""
    figures = place.figures
    first, second, nearest = figures.pairs[0]
    classes = len({number for pair in figures.pairs for number in pair[:2]})
    sentences = [
        "The map says where the set lies, not how robust a network becomes on it: an estimate, not"
        " a result.",
        "Features are not Gaussian, and classes do not spread alike; s is that of an isotropic"
        " Gaussian with the same spread and effective dimension.",
        f"There are {classes} classes, the model has two: separation is the root mean square over"
        f" pairs. The nearest pair, {place.pair(first, second)}, is {nearest:.2f} apart, all pairs"
        f" {figures.separation.value:.2f}.",
        "A budget in pixels is no budget in feature space: the model's epsilon is in its own units;"
        " how far an attack moves features is not measured.",
        "The angle is to the real class means; where the robust optimum lies nobody knows, so under"
        " l_inf whiskers cover every way it can add to mu's own.",
    ]
    if place.note:
        sentences.append(f"{place.note[0].upper()}{place.note[1:]}.")
    if place.against:
        sentences.append(
            f"Compared with {place.against}, up to {ROWS:,} images each; whiskers are 95 %"
            " jackknife intervals."
        )
    if encoder not in UNGUIDED:
        sentences.append(
            "An encoder that may have guided these images flatters them; the judge never guides."
        )
    return sentences


def place_rows(place: Place) -> list[Row]:
    """Every figure with its interval, then every pair of classes."""
    figures = place.figures
    named = {
        "separation |m|/s": figures.separation,
        "separation of real images": figures.real,
        "separation c": figures.ratio,
        "angle to the real class means [degrees]": figures.angle,
        "effective dimension": figures.dimension,
    }

    def row(figure: str, value: float, n: int, **more: Any) -> Row:
        cells = {"against": "", "figure": figure, "value": value, "low": None, "high": None}
        return {"set": place.name} | cells | more | {"n": n}

    rows = [
        row(name, each.value, each.n, against=place.against, low=each.low, high=each.high)
        for name, each in named.items()
        if each is not None
    ]
    for first, second, separation in figures.pairs:
        pair = f"separation of {place.pair(first, second)}"
        rows.append(row(pair, separation, figures.separation.n))
    return rows
