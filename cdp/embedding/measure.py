"""All figures of one set in one call, each with the interval that suits it. A figure is one entry
of ``METRICS``: what it is called, what it needs, how it is computed, and what is said of its
change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cdp.embedding import distances
from cdp.embedding.classes import separation_interval
from cdp.embedding.images import MeasuredImages, OutvotedError, Real
from cdp.embedding.neighbours import Around
from cdp.embedding.report import JudgedArm, arm_report
from cdp.embedding.rows import UndefinedError, class_numbers, feature_rows
from cdp.errors import InputError
from cdp.values.types import Interval

PAIRWISE_ROWS = 1000
"""Images of each side for MMD, whose cost is quadratic."""


@dataclass(frozen=True)
class Claim:
    """How a clear change is put. unit: "points" for shares, "" for other differences, and "%" for a
    change relative to the second set; up, down: the sentence, {} being how much, for a figure that
    does not simply rise or fall."""

    name: str
    unit: str = ""
    up: str = ""
    down: str = ""


@dataclass(frozen=True)
class SetMetric:
    """title, label: short, and with what its values mean. of: the figure of the whole set (None) or
    of a class. group: what it is read beside. needs: "classes" (labels), "real" (held-out images)
    or "train" (training images, too). claim: None where nothing is ever claimed. reference: a value
    to draw, None without one. score: whether it is the mean of one score an image."""

    title: str
    label: str
    of: Callable[[MeasuredImages, int | None], Interval]
    group: Literal["separability", "fidelity", "distance"]
    needs: Literal["", "classes", "real", "train"] = ""
    claim: Claim | None = None
    reference: float | None = None
    score: bool = False


@dataclass(frozen=True)
class Measurement:
    """figures, per_class (by number), undefined (why one is missing) by keys of ``METRICS``."""

    n: int
    figures: dict[str, Interval]
    per_class: dict[int, dict[str, Interval]]
    undefined: dict[str, str]


def measure(
    features: np.ndarray,
    labels: np.ndarray | None,
    real: Real | None = None,
    *,
    seed: int = 0,
    around: Around | None = None,
    by_class: bool = True,
    workers: int = 0,
) -> Measurement:
    """features: (n, d) of one set, labels: (n,) or None. Without ``real``, only what needs the set
    alone.

    around: of these images, where it was computed already. by_class: also of single classes.
    workers: processes to measure single classes in beside this one, with the same figures. An
    interval is for the figure's mean over fresh sets of as many images; that of the Frechet
    distance for the distance of the distributions. A figure that does not exist is named in
    ``undefined``. Raises InputError for features or labels that are no such thing.
    """
    rows = feature_rows("features", features, at_least=2)
    classes = None if labels is None else class_numbers("labels", labels, len(rows))
    if real is not None:
        held_out = feature_rows("real features", real.features, width=rows.shape[1])
        real = replace(real, features=held_out)
    images = MeasuredImages(rows, classes, real, seed, around)
    with _class_rows(images, by_class, workers) as of_classes:
        figures, undefined = _of_set(images)
        per_class: dict[int, dict[str, Interval]] = {}
        for value, apart in zip(images.names.tolist(), of_classes(), strict=True):
            row = _of_class(images, value, [key for key in METRICS if METRICS[key].score])
            undefined |= row.outvoted
            both = row.figures | apart.figures
            per_class[value] = {key: both[key] for key in METRICS if key in both}
    return Measurement(len(rows), figures, per_class, undefined)


def _of_set(images: MeasuredImages) -> tuple[dict[str, Interval], dict[str, str]]:
    """The figures of all images, and why others are missing, by key."""
    figures: dict[str, Interval] = {}
    undefined: dict[str, str] = {}
    for key, metric in METRICS.items():
        if metric.needs == "classes" and not images.labelled:
            undefined[key] = "its images have no labels"
        elif images.has(metric.needs):
            try:
                figures[key] = metric.of(images, None)
            except UndefinedError as error:
                undefined[key] = str(error)
    return figures, undefined


@dataclass(frozen=True)
class _Row:
    """A class has fewer figures than the set, and only what is odd about one is said."""

    figures: dict[str, Interval]
    outvoted: dict[str, str]


def _of_class(images: MeasuredImages, value: int, keys: Sequence[str]) -> _Row:
    row = _Row({}, {})
    for key in keys:
        try:
            if images.has(METRICS[key].needs):
                row.figures[key] = METRICS[key].of(images, value)
        except OutvotedError as error:
            row.outvoted[key] = str(error)
        except InputError:
            continue
    return row


@contextmanager
def _class_rows(
    images: MeasuredImages, by_class: bool, workers: int
) -> Iterator[Callable[[], list[_Row]]]:
    """What gives, class by class, the figures that do not follow from scores of all images. Workers
    begin with them at once, one thread each, and leave one to this process meanwhile."""
    keys = [key for key in METRICS if by_class and not METRICS[key].score]
    values = images.names.tolist()
    if not (workers and keys and values):
        yield lambda: [_of_class(images, value, keys) for value in values]
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from threadpoolctl import threadpool_limits

    with (
        threadpool_limits(1),
        ProcessPoolExecutor(
            min(workers, len(values)), get_context("spawn"), _begin, (images, keys)
        ) as pool,
    ):
        waiting = [(value, pool.submit(_in_worker, value)) for value in values]

        def rows() -> list[_Row]:
            # From the last one on, those that no worker has begun with are measured here.
            done = [
                _of_class(images, value, keys) if row.cancel() else row.result()
                for value, row in reversed(waiting)
            ]
            return done[::-1]

        yield rows


_given: list[tuple[MeasuredImages, Sequence[str]]] = []
"""In a worker: what it measures."""


def _begin(images: MeasuredImages, keys: Sequence[str]) -> None:
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = "1"  # for what is imported from here on
    threadpool_limits(1)
    _given.append((images, keys))


def _in_worker(value: int) -> _Row:
    images, keys = _given[0]
    return _of_class(images, value, keys)


def _separation(images: MeasuredImages, value: int | None) -> Interval:
    """Of a class: from all other images together."""
    classes = images.classes if value is None else (images.classes == value).astype(np.int64)
    return separation_interval(images.rows, classes, seed=images.seed)


def _alignment(images: MeasuredImages, value: int | None) -> Interval:
    part = images.at(value)
    return distances.alignment(part.rows, part.classes, seed=part.seed)


def _uniformity(images: MeasuredImages, value: int | None) -> Interval:
    part = images.at(value)
    classes = part.classes if value is None and part.labelled else None
    return distances.uniformity(part.rows, classes, seed=part.seed)


def _frechet(images: MeasuredImages, value: int | None) -> Interval:
    part = images.at(value)
    return distances.frechet_interval(
        part.against, part.rows, part.known, part.classes, seed=part.seed
    )


def _auc(images: MeasuredImages, value: int | None) -> Interval:
    part = images.at(value)
    known, own = part.some(part.told_apart)
    return distances.classifier_auc(
        part.against[known],
        part.rows[own],
        part.parts(part.trained).only(own, known),
        seed=part.seed,
    )


def _mmd(images: MeasuredImages, value: int | None) -> Interval:
    part = images.at(value)
    known, own = part.some(PAIRWISE_ROWS)
    return distances.mmd(
        part.against[known], part.rows[own], part.known[known], part.classes[own], seed=part.seed
    )


def _nearest(images: MeasuredImages, value: int | None) -> Interval:
    part = images.at(value)
    part.against  # noqa: B018 raises where a class has too few images
    labels = part.classes if part.labelled else None
    baseline = None if images.real is None else images.real.baseline
    ratio = arm_report(JudgedArm(part.rows), labels, baseline, seed=part.seed).nearest
    if ratio is None:
        raise UndefinedError("the distance to real training images is undefined for this set")
    return ratio


def _of_scores(key: str, title: str, label: str = "", claim: Claim | None = None) -> SetMetric:
    """The mean of one score an image."""

    def of(images: MeasuredImages, value: int | None) -> Interval:
        return images.votes(value) if key == "knn_accuracy" else images.score(key, value)

    return SetMetric(title, label or title, of, "separability", "classes", claim, score=True)


def _of_balls(key: str, what: str, unit: str = "points") -> SetMetric:
    """A share of images that lie in balls around others."""
    title = key.capitalize()

    def of(images: MeasuredImages, value: int | None) -> Interval:
        return images.at(value).ball(key)

    label = f"{title}: {what}" if what else title
    return SetMetric(title, label, of, "fidelity", "real", Claim(key, unit))


METRICS: dict[str, SetMetric] = {
    "separation": SetMetric(
        "Between / within scatter",
        "Between / within scatter",
        _separation,
        "separability",
        "classes",
        Claim(
            "between / within scatter",
            "%",
            "classes are {} further apart",
            "classes are {} closer together",
        ),
    ),
    "silhouette": _of_scores(
        "silhouette", "Silhouette", "Silhouette, -1 to 1", Claim("silhouette")
    ),
    "knn_accuracy": _of_scores(
        "knn_accuracy",
        "10-nearest-neighbour accuracy",
        claim=Claim("10-nearest-neighbour accuracy", "points"),
    ),
    "probe_accuracy": _of_scores(
        "probe_accuracy", "Linear-probe accuracy", claim=Claim("linear-probe accuracy", "points")
    ),
    "probe_margin": _of_scores("probe_margin", "Linear-probe margin"),
    "other_class_distance": _of_scores(
        "other_class_distance", "Distance to the nearest other class"
    ),
    "alignment": SetMetric(
        "Alignment", "Alignment: 0 is one point a class", _alignment, "separability", "classes"
    ),
    "uniformity": SetMetric(
        "Uniformity", "Uniformity: lower is more spread out", _uniformity, "separability"
    ),
    "frechet": SetMetric(
        "Frechet distance to real",
        "Frechet distance to held-out real images",
        _frechet,
        "distance",
        "real",
        Claim("Frechet distance to real"),
    ),
    "precision": _of_balls("precision", "share that looks real"),
    "recall": _of_balls("recall", "share of real images reached"),
    "density": _of_balls("density", "", unit=""),
    "coverage": _of_balls("coverage", "share of real images with a neighbour"),
    "real_auc": SetMetric(
        "AUC of telling it from real",
        "AUC of telling it from real: 0.5 is not at all",
        _auc,
        "distance",
        "real",
        Claim(
            "AUC of telling it from real",
            "points",
            "it is easier to tell from real, by {} of AUC",
            "it is harder to tell from real, by {} of AUC",
        ),
        0.5,
    ),
    "mmd": SetMetric(
        "MMD from real", "MMD from real: 0 is none", _mmd, "distance", "real", None, 0.0
    ),
    "nearest": SetMetric(
        "Nearest-training-image ratio",
        "Nearest-training-image ratio: below 1 hints at copying",
        _nearest,
        "distance",
        "train",
        Claim("nearest-training-image ratio"),
        1.0,
    ),
}
"""Every figure by the key that is stored: separability first, then fidelity and coverage, which
always stand beside it."""
TITLES = {key: metric.title for key, metric in METRICS.items()}
