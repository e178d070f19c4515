"""What of the Gaussian model takes long, kept in the cache: points whose classifiers have to be
trained, and a sample set in the model's terms, with the sentences and rows that page and command
line show of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

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
from cdp.theory.views import SEPARATIONS, STRENGTHS, Points, curve_points, guided_points
from cdp.values.types import Interval

What = Literal["curves", "guided"]
POINTS, IMAGES, VERSION = "theory-points", "theory-images", 3
"""Where results lie in the cache, and what to raise where a figure changes its meaning."""
TRAININGS, TRAINED_AT = 20, (1, 10, 30, 100, 300, 1_000, 3_000)
"""Adversarial trainings behind a point, and their numbers of samples."""
MOST_NUMBERS = 2_000_000
"""Samples times coordinates of the largest of these trainings, so that each takes seconds at most.
"""
DRAWN_AT = tuple(10**k for k in range(8))
LEAST, QUICK = 20, 6_000_000
"""Draws behind a point of any other learner at least, and random numbers of all points together at
most: a fraction of a second."""
ROWS = 5000
"""Images of a set, and real ones, that are looked at, class-balanced, where there are more."""
UNGUIDED = (JUDGE, PIXELS)
"""Encoders that guide no generator."""


def is_trained(config: TheoryConfig) -> bool:
    """Whether every draw is a training, which takes long."""
    return config.learner == "adversarial-logistic"


def points_of(config: TheoryConfig, what: What) -> Cached[list[Points | None]]:
    """Simulated points at each of ``SEPARATIONS`` (curves), or one list over ``STRENGTHS``
    (guided). None where nothing has room; made at once unless ``is_trained``."""

    def make(report: Report) -> list[Points | None]:
        draws, room = _draws(config, what), MOST_NUMBERS // config.dim
        words = f"Training classifiers, {TRAININGS} a point"
        if what == "guided":
            none = is_trained(config) and config.n > room
            return [None if none else guided_points(config, draws=draws)]
        marks = [n for n in TRAINED_AT if n <= room] if is_trained(config) else DRAWN_AT
        points = []
        for number, factor in enumerate(SEPARATIONS):
            points.append(curve_points(config, factor, marks, draws=draws))
            report((number + 1) / len(SEPARATIONS), words)
        return points

    key = cache.digest(VERSION, what, config.model_dump_json(), TRAININGS, TRAINED_AT, STRENGTHS)
    return cache.cached_json(POINTS, key, make, encode=_plain, decode=_points)


def _draws(config: TheoryConfig, what: What) -> int:
    """As many as set, but fewer where they would take long."""
    if is_trained(config):
        return TRAININGS
    points = len(SEPARATIONS) * len(DRAWN_AT) if what == "curves" else len(STRENGTHS)
    return max(LEAST, min(config.draws, QUICK // (points * config.dim)))


def _plain(points: list[Points | None]) -> dict[str, Any]:
    def plain(each: Points) -> dict[str, Any]:
        values = asdict(each).items()
        return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in values}

    return {"points": [None if each is None else plain(each) for each in points]}


def _points(data: Mapping[str, Any]) -> list[Points | None]:
    """Raises KeyError, TypeError or ValueError for anything but what ``_plain`` gave."""

    def read(each: dict[str, Any]) -> Points:
        at, value, low, high = (
            np.asarray(each[name], np.float64) for name in ("at", "value", "low", "high")
        )
        if not at.shape == value.shape == low.shape == high.shape == (len(at),):
            raise ValueError("points of different shapes")
        return Points(at, value, low, high, int(each["draws"]))

    return [None if each is None else read(each) for each in data["points"]]


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
    """Where a set lies on the model's map. name: as asked for; against: the real split that it is
    compared with, "" where ``missing`` says why there is none; note: what has to be said of its
    labels, "" mostly."""

    name: str
    class_names: tuple[str, ...]
    against: str
    missing: str
    figures: Figures
    note: str = ""

    def class_title(self, number: int) -> str:
        """A class by name, or by number where the set names fewer."""
        names = self.class_names
        return names[number] if number < len(names) else f"class {number}"

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

    def make(report: Report) -> Figures:
        report(0.0, f"features of {source.title}")
        seen = features(encoder, dataset, image)
        reference: dict[str, Any] = {}
        if real:
            report(0.4, "features of real images")
            reference = {
                "reference": features(encoder, dataset, real[0]),
                "reference_labels": real[1],
            }
        report(0.8, f"class means of {source.title}")
        return _figures(estimate_from_features(seen, label, **reference))

    def placed(figures: Figures) -> Place:
        against = f"{dataset}:{split}" if real else ""
        return Place(source.name, tuple(source.class_names), against, missing, figures, source.note)

    compared = [identity(encoder, dataset, real[0]), real[1]] if real else [""]
    key = cache.digest(VERSION, ROWS, identity(encoder, dataset, image), label, *compared)
    return cache.cached_value(IMAGES, key, Figures, make).then(placed)


def _real(dataset: str, split: str) -> tuple[tuple[np.ndarray, np.ndarray] | None, str]:
    """Real images and their labels, or why there are none."""
    if not dataset:
        return None, "the set's card names no data set, so there are no real images to compare with"
    try:
        return real_images(dataset, split, ROWS), ""
    except InputError as error:  # not here, or no match for the training images
        return None, str(error)


def _figures(estimate: FeatureEstimate) -> Figures:
    classes = [int(value) for value in estimate.classes]
    pairs = [
        Pair(a, b, float(estimate.pairs[i, j]))
        for i, a in enumerate(classes)
        for j, b in enumerate(classes)
        if i < j
    ]
    return Figures(
        estimate.separation,
        estimate.dimension,
        estimate.angle,
        estimate.ratio,
        estimate.real,
        tuple(sorted(pairs, key=lambda pair: pair.separation)),
    )


def caveats(place: Place, encoder: str) -> list[str]:
    """What the map leaves out, in plain sentences."""
    figures, nearest = place.figures, place.figures.pairs[0]
    names = f"{place.class_title(nearest.first)} and {place.class_title(nearest.second)}"
    classes = len({number for pair in figures.pairs for number in (pair.first, pair.second)})
    sentences = [
        "The map says where the set lies, not how robust a network becomes on it: an estimate, not"
        " a result.",
        "Features are not Gaussian, and classes do not spread alike; s is that of an isotropic"
        " Gaussian with the same spread and effective dimension.",
        f"There are {classes} classes, the model has two: separation is the root mean square over"
        f" pairs. The nearest pair, {names}, is {nearest.separation:.2f} apart, all pairs"
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


def place_rows(place: Place) -> list[dict[str, Any]]:
    """Every figure with its interval, then every pair of classes."""
    figures = place.figures
    named = {
        "separation |m|/s": figures.separation,
        "separation of real images": figures.real,
        "separation c": figures.ratio,
        "angle to the real class means [degrees]": figures.angle,
        "effective dimension": figures.dimension,
    }

    def row(figure: str, value: float, n: int, **more: Any) -> dict[str, Any]:
        cells = {"against": "", "figure": figure, "value": value, "low": None, "high": None}
        return {"set": place.name} | cells | more | {"n": n}

    rows = [
        row(name, each.value, each.n, against=place.against, low=each.low, high=each.high)
        for name, each in named.items()
        if each is not None
    ]
    for pair in figures.pairs:
        names = f"{place.class_title(pair.first)} and {place.class_title(pair.second)}"
        rows.append(row(f"separation of {names}", pair.separation, figures.separation.n))
    return rows
