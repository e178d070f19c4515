"""All figures of one set in one call, each with the interval that suits it; ``difference`` compares
two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from cdp.embedding.around import Around, look_around
from cdp.embedding.checks import Floats, Ints, UndefinedError, class_numbers, feature_rows
from cdp.embedding.classes import linear_probe, neighbour_hits, other_class_distances, silhouettes
from cdp.embedding.frechet import frechet_interval
from cdp.embedding.intervals import (
    FREEDOM,
    Parts,
    Scale,
    balanced_sample,
    difference,
    estimate_or_value,
)
from cdp.embedding.neighbours import density_coverage, fidelity, precision_recall
from cdp.embedding.report import Arm, RealBaseline, arm_report
from cdp.embedding.scatter import separation_interval
from cdp.embedding.sphere import alignment, uniformity
from cdp.embedding.two_sample import classifier_auc, mmd
from cdp.errors import InputError
from cdp.values.types import Interval

__all__ = ["TITLES", "Measurement", "Real", "difference", "measure"]

TITLES = {
    "separation": "Between / within scatter",
    "silhouette": "Silhouette",
    "knn_accuracy": "10-nearest-neighbour accuracy",
    "probe_accuracy": "Linear-probe accuracy",
    "probe_margin": "Linear-probe margin",
    "other_class_distance": "Distance to the nearest other class",
    "alignment": "Alignment",
    "uniformity": "Uniformity",
    "frechet": "Frechet distance to real",
    "precision": "Precision",
    "recall": "Recall",
    "density": "Density",
    "coverage": "Coverage",
    "real_auc": "AUC of telling it from real",
    "mmd": "MMD from real",
    "nearest": "Nearest-training-image ratio",
}
"""Every figure, separability first, then fidelity and coverage, which always stand beside it."""
OF_CLASSES = (
    "separation",
    "silhouette",
    "knn_accuracy",
    "probe_accuracy",
    "probe_margin",
    "other_class_distance",
    "alignment",
)
"""Figures that exist only for images with labels."""

PAIRWISE_ROWS = 1000
"""Images of each side for MMD, whose cost is quadratic."""
TRAINED_FREEDOM, CLASS_FREEDOM, CLASS_ROWS = 12, 6, 400
"""Degrees of freedom of intervals that train classifiers anew in each part, of the whole set and of
a class, whose AUC looks at so many images of each side: ten classes would otherwise cost more than
the whole set."""
SCORED: Mapping[str, Scale] = {
    "silhouette": "plain",
    "knn_accuracy": "share",
    "probe_accuracy": "share",
    "probe_margin": "plain",
    "other_class_distance": "spacing",
}
"""Figures that are means of one score an image."""
Take = Callable[[tuple[str, ...], Callable[[], tuple[Interval, ...]]], None]


@dataclass(frozen=True)
class Real:
    """Real images in the same encoder's eyes. features: (n, d) of held-out ones; baseline: the
    training images, None to leave memorisation out; label: (n,) classes of the held-out ones, None
    to leave out what compares class by class."""

    features: np.ndarray
    baseline: RealBaseline | None = None
    label: np.ndarray | None = None


@dataclass(frozen=True)
class Measurement:
    """figures and per_class (by class number) by the keys of ``TITLES``; undefined: why a figure is
    missing, by the same keys."""

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
) -> Measurement:
    """features: (n, d) of one set, labels: (n,), None for images without, which have no figure of
    ``OF_CLASSES``. Without ``real``, only what needs the set alone.

    around: the 10 nearest neighbours of these images, where they were looked for already. by_class:
    also what single classes come to. An interval is for the figure's mean over fresh sets of as
    many images of the same kind, generated and real; that of the Frechet distance for the distance
    of the distributions. A figure that does not exist for this set (one class, features that never
    vary) is named in ``undefined`` with the reason. Raises InputError for features or labels that
    are no such thing.
    """
    rows = feature_rows("features", features, at_least=2)
    figures: dict[str, Interval] = {}
    undefined: dict[str, str] = {}

    def take(keys: tuple[str, ...], figure: Callable[[], tuple[Interval, ...]]) -> None:
        try:
            figures.update(zip(keys, figure(), strict=True))
        except UndefinedError as error:
            undefined.update(dict.fromkeys(keys, str(error)))

    if labels is None:
        undefined.update(dict.fromkeys(OF_CLASSES, "its images have no labels"))
        _of_all(take, rows, None, real, seed)
        return Measurement(len(rows), _in_order(figures), {}, undefined)
    classes = class_numbers("labels", labels, len(rows))
    per_class: dict[int, dict[str, Interval]] = {int(value): {} for value in np.unique(classes)}
    take(("separation",), lambda: (separation_interval(rows, classes, seed=seed),))
    for probes in (False, True):
        _take_scores(figures, per_class, undefined, rows, classes, around, seed, probes=probes)
    take(("alignment",), lambda: (alignment(rows, classes, seed=seed),))
    _of_all(take, rows, classes, real, seed)
    for value, row in per_class.items() if by_class else ():
        _of_class(row, value, rows, classes, real, seed)
    return Measurement(
        len(rows),
        _in_order(figures),
        {value: _in_order(row) for value, row in per_class.items()},
        undefined,
    )


def _in_order(figures: dict[str, Interval]) -> dict[str, Interval]:
    return {key: figures[key] for key in TITLES if key in figures}


def _take_scores(
    figures: dict[str, Interval],
    per_class: dict[int, dict[str, Interval]],
    undefined: dict[str, str],
    rows: Floats,
    classes: Ints,
    around: Around | None,
    seed: int,
    *,
    probes: bool,
) -> None:
    """Figures that are means of one score an image, which exist for each class as well. probes:
    those of the linear probe, else those of neighbours."""
    names, coded, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    whole, missing = _scores(rows, classes, around, seed, probes=probes)
    undefined.update(missing)

    def of_part(own: Ints, _: Ints) -> Floats:
        found = _scores(rows[own], classes[own], None, seed, probes=probes)[0]
        return np.concatenate([_means(found.get(key), coded[own], len(names)) for key in whole])

    if not whole:
        return
    parts = Parts.of(classes, seed=seed, freedom=TRAINED_FREEDOM if probes else FREEDOM).values(
        of_part
    )
    parts = parts.reshape(*parts.shape[:2], len(whole), len(names) + 1)
    counts = [len(rows), *sizes.tolist()]
    for at, (key, score) in enumerate(whole.items()):
        means = _means(score, coded, len(names))
        for number, into in enumerate([figures, *per_class.values()]):
            if counts[number] > 1:
                note = (
                    f"{counts[number]} images are too few for an interval of this figure: generate"
                    " more a class"
                )
                into[key] = estimate_or_value(
                    float(means[number]),
                    parts[:, :, at, number],
                    counts[number],
                    note,
                    scale=SCORED[key],
                )


def _scores(
    rows: Floats, classes: Ints, around: Around | None, seed: int, *, probes: bool
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(n,) scores of every image by key, and why the others do not exist."""
    scores: dict[str, np.ndarray] = {}
    missing: dict[str, str] = {}
    if around is None and not probes and len(np.unique(classes)) > 1:
        around = look_around(rows, classes)

    def probe() -> tuple[np.ndarray, ...]:
        found = linear_probe(rows, classes, seed=seed)
        return found.hit, found.margin

    figures: dict[tuple[str, ...], Callable[[], tuple[np.ndarray, ...]]] = (
        {("probe_accuracy", "probe_margin"): probe}
        if probes
        else {
            ("silhouette",): lambda: (silhouettes(rows, classes, around),),
            ("knn_accuracy",): lambda: (neighbour_hits(rows, classes, around=around),),
            ("other_class_distance",): lambda: (other_class_distances(rows, classes, around),),
        }
    )
    for keys, figure in figures.items():
        try:
            scores.update(zip(keys, figure(), strict=True))
        except UndefinedError as error:
            missing.update(dict.fromkeys(keys, str(error)))
    return scores, missing


def _means(score: np.ndarray | None, coded: Ints, classes: int) -> Floats:
    """(1 + K,) mean of all images and of each class; NaN where there is none."""
    if score is None:
        return np.full(classes + 1, np.nan)
    with np.errstate(invalid="ignore"):
        own = np.bincount(coded, score, classes) / np.bincount(coded, minlength=classes)
    return np.concatenate([[score.mean()], own])


def _of_class(
    row: dict[str, Interval], value: int, rows: Floats, classes: Ints, real: Real | None, seed: int
) -> None:
    """The other figures of one class, into ``row``: separation is that of the class from all other
    images together, and what compares with real images compares with real ones of this class. A
    figure that does not exist for the class is left out."""
    mine = classes == value

    def take(keys: tuple[str, ...], figure: Callable[[], tuple[Interval, ...]]) -> None:
        try:
            row.update(zip(keys, figure(), strict=True))
        except InputError:
            return

    take(("separation",), lambda: (separation_interval(rows, mine.astype(np.int64), seed=seed),))
    take(("alignment",), lambda: (alignment(rows[mine], classes[mine], seed=seed),))
    take(("uniformity",), lambda: (uniformity(rows[mine], seed=seed),))
    if (
        real is not None
        and real.label is not None
        and (real.label == value).sum() > 1
        and mine.sum() > 1
    ):
        theirs = real.label == value
        part = replace(
            real,
            features=feature_rows("real features", real.features)[theirs],
            label=real.label[theirs],
        )
        _against_real(
            take,
            rows[mine],
            classes[mine],
            part,
            seed,
            told_apart=CLASS_ROWS,
            trained=CLASS_FREEDOM,
        )


def _of_all(take: Take, rows: Floats, classes: Ints | None, real: Real | None, seed: int) -> None:
    """The figures that exist without labels, too. classes: None there."""
    take(("uniformity",), lambda: (uniformity(rows, classes, seed=seed),))
    if real is not None:
        held_out = feature_rows("real features", real.features, width=rows.shape[1])
        _against_real(take, rows, classes, replace(real, features=held_out), seed)


def _against_real(
    take: Take,
    rows: Floats,
    classes: Ints | None,
    real: Real,
    seed: int,
    *,
    told_apart: int = 20_000,
    trained: int = TRAINED_FREEDOM,
) -> None:
    """told_apart: images of each side at most that the AUC looks at; trained: degrees of freedom of
    its interval."""
    held_out = real.features
    known, own = (
        np.zeros(len(side), np.int64) if label is None else label
        for side, label in ((held_out, real.label), (rows, classes))
    )
    parts, fewer = Parts.of(own, known, seed=seed), Parts.of(own, known, seed=seed, freedom=trained)

    def balls() -> tuple[Interval, ...]:
        found, crowd = fidelity(held_out, rows, parts)
        return found.precision, found.recall, crowd.density, crowd.coverage

    def narrow() -> tuple[Interval, ...]:
        found = precision_recall(held_out, rows, parts)
        return found.precision, found.recall

    def wide() -> tuple[Interval, ...]:
        found = density_coverage(held_out, rows, parts)
        return found.density, found.coverage

    def nearest() -> tuple[Interval, ...]:
        found = arm_report(Arm(rows), classes, real.baseline, seed=seed).nearest
        if found is None:
            raise UndefinedError("the distance to real training images is undefined for this set")
        return (found,)

    take(("frechet",), lambda: (frechet_interval(held_out, rows, known, own, seed=seed),))
    if min(len(held_out), len(rows)) > 5:
        take(("precision", "recall", "density", "coverage"), balls)
    else:  # too few for one of the pairs, maybe enough for the other
        take(("precision", "recall"), narrow)
        take(("density", "coverage"), wide)
    some = [balanced_sample(side, told_apart, seed) for side in (known, own)]
    take(
        ("real_auc",),
        lambda: (
            classifier_auc(
                held_out[some[0]], rows[some[1]], fewer.only(some[1], some[0]), seed=seed
            ),
        ),
    )
    few = [balanced_sample(side, PAIRWISE_ROWS, seed) for side in (known, own)]
    take(
        ("mmd",),
        lambda: (mmd(held_out[few[0]], rows[few[1]], known[few[0]], own[few[1]], seed=seed),),
    )
    if real.baseline is not None:
        take(("nearest",), nearest)
