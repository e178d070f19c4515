"""All figures of one set in one call, and the difference between two sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cdp.embedding.around import Around, look_around
from cdp.embedding.checks import Floats, UndefinedError, class_numbers, feature_rows
from cdp.embedding.classes import linear_probe, neighbour_hits, other_class_distances, silhouettes
from cdp.embedding.frechet import frechet_interval
from cdp.embedding.intervals import difference as difference
from cdp.embedding.intervals import draws, percentile
from cdp.embedding.neighbours import density_coverage, fidelity, precision_recall
from cdp.embedding.report import Arm, RealBaseline, arm_report
from cdp.embedding.scatter import separation_interval
from cdp.embedding.sphere import alignment, uniformity
from cdp.embedding.two_sample import classifier_auc, mmd
from cdp.errors import InputError
from cdp.statistics.shares import wilson
from cdp.types import Interval

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
    "separation", "silhouette", "knn_accuracy", "probe_accuracy", "probe_margin", "other_class_distance", "alignment",
)  # fmt: skip
"""Figures that exist only for images with labels."""

PAIRWISE_ROWS = 1000
"""Images of each side for MMD, whose cost is quadratic."""
CLASS_DRAWS, CLASS_SIZES = 100, {"directions": 32, "told_apart": 400}
"""What a class's figures are computed with: ten classes would otherwise cost more than the whole set."""


@dataclass(frozen=True)
class Real:
    """Real images in the same encoder's eyes. features: (n, d) of held-out ones; baseline: the training images, None to leave memorisation
    out; label: (n,) classes of the held-out ones, None to leave out what compares class by class."""

    features: np.ndarray
    baseline: RealBaseline | None = None
    label: np.ndarray | None = None


@dataclass(frozen=True)
class Measurement:
    """figures and per_class (by class number) by the keys of ``TITLES``; undefined: why a figure is missing, by the same keys."""

    n: int
    figures: dict[str, Interval]
    per_class: dict[int, dict[str, Interval]]
    undefined: dict[str, str]


def measure(
    features: np.ndarray, labels: np.ndarray | None, real: Real | None = None, *, n_boot: int = 500, seed: int = 0,
    around: Around | None = None,
) -> Measurement:  # fmt: skip
    """features: (n, d) of one set, labels: (n,), None for images without, which have no figure of ``OF_CLASSES``. Without ``real``, only what
    needs the set alone.

    around: the 10 nearest neighbours of these images, where they were looked for already.
    A figure that does not exist for this set (one class, features that never vary) is named in ``undefined`` with the reason.
    Raises InputError for features or labels that are no such thing.
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
        _of_all(take, rows, None, real, n_boot, seed)
        return Measurement(len(rows), _in_order(figures), {}, undefined)
    classes = class_numbers("labels", labels, len(rows))
    per_class: dict[int, dict[str, Interval]] = {int(value): {} for value in np.unique(classes)}

    def take_scores(keys: tuple[str, ...], scores: Callable[[], tuple[np.ndarray, ...]]) -> None:
        """Figures that are means of one score an image: these exist for each class, too."""
        try:
            found = scores()
        except UndefinedError as error:
            undefined.update(dict.fromkeys(keys, str(error)))
            return
        for key, score in zip(keys, found, strict=True):
            figures[key] = mean_of(score, classes, n_boot=n_boot, seed=seed)
            for value, row in per_class.items():
                mine = score[classes == value]
                if len(mine) > 1:
                    row[key] = mean_of(mine, None, n_boot=n_boot, seed=seed)

    around = around or (look_around(rows, classes) if len(per_class) > 1 else None)

    def probe() -> tuple[np.ndarray, np.ndarray]:
        found = linear_probe(rows, classes, seed=seed)
        return found.hit, found.margin

    take(("separation",), lambda: (separation_interval(rows, classes, n_boot=n_boot, seed=seed),))
    take_scores(("silhouette",), lambda: (silhouettes(rows, classes, around),))
    take_scores(("knn_accuracy",), lambda: (neighbour_hits(rows, classes, around=around),))
    take_scores(("probe_accuracy", "probe_margin"), probe)
    take_scores(("other_class_distance",), lambda: (other_class_distances(rows, classes, around),))
    take(("alignment",), lambda: (alignment(rows, classes, n_boot=n_boot, seed=seed),))
    _of_all(take, rows, classes, real, n_boot, seed)
    _complete(per_class, rows, classes, real, n_boot, seed)
    return Measurement(len(rows), _in_order(figures), {value: _in_order(row) for value, row in per_class.items()}, undefined)


def _in_order(figures: dict[str, Interval]) -> dict[str, Interval]:
    return {key: figures[key] for key in TITLES if key in figures}


def _complete(
    per_class: dict[int, dict[str, Interval]], rows: Floats, classes: np.ndarray, real: Real | None, n_boot: int, seed: int
) -> None:  # fmt: skip
    for value, row in per_class.items():
        _of_class(row, value, rows, classes, real, n_boot, seed)


def _of_class(
    row: dict[str, Interval], value: int, rows: Floats, classes: np.ndarray, real: Real | None, n_boot: int, seed: int
) -> None:  # fmt: skip
    """The other figures of one class, into ``row``: separation is that of the class from all other images together, and what compares
    with real images compares with real ones of this class. A figure that does not exist for the class is left out."""
    mine = classes == value

    def take(keys: tuple[str, ...], figure: Callable[[], tuple[Interval, ...]]) -> None:
        try:
            row.update(zip(keys, figure(), strict=True))
        except InputError:
            return

    few = min(n_boot, CLASS_DRAWS)
    take(("separation",), lambda: (separation_interval(rows, mine.astype(np.int64), n_boot=few, seed=seed),))
    take(("alignment",), lambda: (alignment(rows[mine], classes[mine], n_boot=few, seed=seed),))
    take(("uniformity",), lambda: (uniformity(rows[mine], n_boot=few, seed=seed),))
    if real is not None and real.label is not None and (real.label == value).sum() > 1 and mine.sum() > 1:
        _against_real(take, rows[mine], classes[mine], replace(real, features=real.features[real.label == value]), few, seed, **CLASS_SIZES)


def _of_all(
    take: Callable[[tuple[str, ...], Callable[[], tuple[Interval, ...]]], None],
    rows: Floats, classes: np.ndarray | None, real: Real | None, n_boot: int, seed: int,
) -> None:  # fmt: skip
    """The figures that exist without labels, too. classes: None there."""
    take(("uniformity",), lambda: (uniformity(rows, n_boot=min(n_boot, 200), seed=seed),))
    if real is not None:
        _against_real(take, rows, classes, real, n_boot, seed)


def _against_real(
    take: Callable[[tuple[str, ...], Callable[[], tuple[Interval, ...]]], None],
    rows: Floats, classes: np.ndarray | None, real: Real, n_boot: int, seed: int, *, directions: int = 128, told_apart: int = 20_000,
) -> None:  # fmt: skip
    """directions: of the Frechet interval; told_apart: images of each side at most that the AUC looks at."""
    held_out = feature_rows("real features", real.features, width=rows.shape[1])

    def balls() -> tuple[Interval, ...]:
        found, crowd = fidelity(held_out, rows, n_boot=n_boot, seed=seed)
        return found.precision, found.recall, crowd.density, crowd.coverage

    def narrow() -> tuple[Interval, ...]:
        found = precision_recall(held_out, rows)
        return found.precision, found.recall

    def wide() -> tuple[Interval, ...]:
        found = density_coverage(held_out, rows, n_boot=n_boot, seed=seed)
        return found.density, found.coverage

    def nearest() -> tuple[Interval, ...]:
        found = arm_report(Arm(rows), classes, real.baseline, n_boot=n_boot, seed=seed).nearest
        if found is None:
            raise UndefinedError("the distance to real training images is undefined for this set")
        return (found,)

    take(("frechet",), lambda: (frechet_interval(held_out, rows, n_boot=min(n_boot, 200), seed=seed, directions=directions),))
    if min(len(held_out), len(rows)) > 5:
        take(("precision", "recall", "density", "coverage"), balls)
    else:  # too few for one of the pairs, maybe enough for the other
        take(("precision", "recall"), narrow)
        take(("density", "coverage"), wide)
    sides = [_some(part, told_apart, seed) for part in (held_out, rows)]
    take(("real_auc",), lambda: (classifier_auc(sides[0], sides[1], n_boot=n_boot, seed=seed),))
    some = [_some(part, PAIRWISE_ROWS, seed) for part in (held_out, rows)]
    take(("mmd",), lambda: (mmd(some[0], some[1], n_boot=min(n_boot, 200), seed=seed),))
    if real.baseline is not None:
        take(("nearest",), nearest)


def _some(rows: Floats, most: int, seed: int) -> Floats:
    """A seeded sample of at most so many rows, in their order."""
    return rows if len(rows) <= most else rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])]


def mean_of(score: np.ndarray, classes: np.ndarray | None, *, n_boot: int = 500, seed: int = 0, level: float = 0.95) -> Interval:
    """Mean of one score an image: Wilson's interval where the score is yes or no, else the bootstrap, class by class."""
    if score.dtype == bool:
        return wilson(int(score.sum()), len(score), level=level)
    values = np.concatenate([score[block].mean(axis=1) for block in draws(len(score), n_boot, seed, classes)])
    return percentile(float(score.mean()), values, len(score), level)
