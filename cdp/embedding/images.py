"""A set of images in an encoder's eyes, and the real ones: what its figures share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from cdp.embedding.classes import linear_probe, neighbour_hits, other_class_distances, silhouettes
from cdp.embedding.intervals import Scale, estimate, or_value
from cdp.embedding.neighbours import Around, fidelity, look_around
from cdp.embedding.report import RealBaseline
from cdp.embedding.rows import FREEDOM, Floats, Ints, Parts, UndefinedError, balanced_sample
from cdp.values.types import Interval

TOLD_APART = 20_000
"""Images of each side that the AUC looks at."""
TRAINED_FREEDOM, CLASS_FREEDOM, CLASS_ROWS = 12, 6, 400
"""Degrees of freedom of intervals that train classifiers anew in each part, of the whole set and of
a class, whose AUC looks at so many images of each side: ten classes would otherwise cost more than
the whole set."""
NEIGHBOURS = 10
"""Nearest images that vote for a class: a class needs more images, or they cannot be of it."""


@dataclass(frozen=True)
class Real:
    """Real images in the same eyes. features: (n, d) of held-out ones; baseline: the training
    images, None to leave memorisation out; label: (n,), None to compare nothing by class."""

    features: np.ndarray
    baseline: RealBaseline | None = None
    label: np.ndarray | None = None


class OutvotedError(UndefinedError):
    """A class has so few images that neighbours of its images are of other classes."""


class MeasuredImages:
    """A set, the real images it is compared with, and what several of its figures share, computed
    once. classes: (n,) numbers, None without labels."""

    def __init__(
        self,
        rows: Floats,
        classes: Ints | None,
        real: Real | None = None,
        seed: int = 0,
        around: Around | None = None,
        *,
        told_apart: int = TOLD_APART,
        trained: int = TRAINED_FREEDOM,
    ) -> None:
        """told_apart: images of each side for the AUC; trained: freedom of its interval."""
        self.rows, self.real, self.seed = rows, real, seed
        self.told_apart, self.trained, self.around = told_apart, trained, around
        self.labelled = classes is not None
        self.classes = np.zeros(len(rows), np.int64) if classes is None else classes
        self.names = np.unique(self.classes) if self.labelled else np.empty(0, np.int64)
        self._scored: dict[bool, dict[str, list[Interval]]] = {}
        self._missing: dict[str, str] = {}
        self._of_class: dict[int, MeasuredImages] = {}

    def has(self, needs: str) -> bool:
        if needs == "classes":
            return self.labelled
        if needs == "train":
            return self.real is not None and self.real.baseline is not None
        return needs == "" or self.real is not None

    def at(self, value: int | None) -> MeasuredImages:
        """The images of one class, against the real ones of this class; all of them for None."""
        if value is None:
            return self
        if value not in self._of_class:
            members, real = self.classes == value, self.real
            if real is not None and real.label is not None:
                theirs = real.label == value
                if min(members.sum(), theirs.sum()) > 1:
                    real = replace(real, features=real.features[theirs], label=real.label[theirs])
                else:
                    real = None
            else:
                real = None
            self._of_class[value] = MeasuredImages(
                self.rows[members],
                self.classes[members],
                real,
                self.seed,
                told_apart=CLASS_ROWS,
                trained=CLASS_FREEDOM,
            )
        return self._of_class[value]

    @property
    def against(self) -> Floats:
        """Features of the real images. Raises UndefinedError where there are too few of a class."""
        if self.real is None:
            raise UndefinedError("there are too few images of this class to compare with real ones")
        return self.real.features

    @property
    def known(self) -> Ints:
        """(n,) class numbers of the real images, all equal where they have none."""
        label = None if self.real is None else self.real.label
        return np.zeros(len(self.against), np.int64) if label is None else label

    def parts(self, freedom: int = FREEDOM) -> Parts:
        """These images and the real ones, dealt to independent parts."""
        return Parts.of(self.classes, self.known, seed=self.seed, freedom=freedom)

    def some(self, most: int) -> tuple[Ints, Ints]:
        """At most so many rows of the real images and of these."""
        known, own = (balanced_sample(side, most, self.seed) for side in (self.known, self.classes))
        return known, own

    @cached_property
    def balls(self) -> dict[str, Interval]:
        """Precision, recall, density and coverage, as far as there are images for them."""
        few, real = min(len(self.rows), len(self.against)), len(self.against)
        near, wide = 3 if few > 3 else None, 5 if real > 5 else None
        if near is None and wide is None:
            return {}
        return fidelity(self.against, self.rows, self.parts(), near=near, wide=wide)

    def ball(self, key: str) -> Interval:
        if key not in self.balls:
            side = {"near": 3, "wide": None} if key in ("precision", "recall") else {"near": None}
            fidelity(self.against, self.rows, **side)  # which says why not
        return self.balls[key]

    def score(self, key: str, value: int | None) -> Interval:
        """The mean of one of the scores of ``_scores``, of all images or of a class."""
        probes = key.startswith("probe")
        if probes not in self._scored:
            self._scored[probes] = self._means_of_scores(probes)
        if key in self._missing:
            raise UndefinedError(self._missing[key])
        place = 0 if value is None else 1 + int(np.searchsorted(self.names, value))
        figure = self._scored[probes][key][place]
        if figure.n < 2:
            raise UndefinedError("a class of 1 image has no figure of its own")
        return figure

    def votes(self, value: int | None) -> Interval:
        """Whether neighbours vote right, where there are enough of a class to be neighbours."""
        sizes = np.array([(self.classes == name).sum() for name in self.names])
        figure, few = self.score("knn_accuracy", value), self.names[sizes <= NEIGHBOURS]
        outvoted = np.isin(self.classes, few).mean() > 0.5 if value is None else value in few
        if outvoted:
            some = ", ".join(str(name) for name in few[:5]) + ", ..." * (len(few) > 5)
            raise OutvotedError(
                f"the {NEIGHBOURS}-nearest-neighbour accuracy of class {some}, of {NEIGHBOURS}"
                " images or fewer: their neighbours are of other classes for want of images, so"
                f" generate {NEIGHBOURS + 1} or more a class"
            )
        return figure

    def _means_of_scores(self, probes: bool) -> dict[str, list[Interval]]:
        """By key: the figure of all images, then of each class."""
        coded = np.searchsorted(self.names, self.classes)
        sizes, count = np.bincount(coded, minlength=len(self.names)), len(self.names)
        whole, missing = _scores(self.rows, self.classes, self.around, self.seed, probes=probes)
        self._missing |= missing

        def of_part(own: Ints, _: Ints) -> Floats:
            scores = _scores(self.rows[own], self.classes[own], None, self.seed, probes=probes)[0]
            return np.concatenate([_means(scores.get(key), coded[own], count) for key in whole])

        def of_distance(own: Ints, _: Ints) -> Floats:
            try:
                away = other_class_distances(self.rows[own], self.classes[own])
            except UndefinedError:
                return _means(None, coded[own], count)
            return _means(away, coded[own], count)

        if not whole:
            return {}
        freedom = TRAINED_FREEDOM if probes else FREEDOM
        dealt = Parts.of(self.classes, seed=self.seed, freedom=freedom)
        parts = dealt.values(of_part).reshape(*dealt.shape, len(whole), count + 1)
        figures: dict[str, list[Interval]] = {}
        for at, (key, score) in enumerate(whole.items()):
            means, finer = _means(score, coded, count), None
            single = _means(np.square(score - means[1:][coded]), coded, count)
            if key == "other_class_distance":
                finer = dealt.halved(self.classes, seed=self.seed).values(of_distance)
            figures[key] = []
            for place, n in enumerate([len(self.rows), *sizes.tolist()]):
                figure = partial(
                    estimate,
                    float(means[place]),
                    parts[:, :, at, place],
                    n,
                    scale=_SCALES.get(key, "plain"),
                    finer=None if finer is None else finer[:, :, place],
                    single=single[place] if probes else 0.0,
                )
                figures[key].append(or_value(figure, float(means[place]), n))
        return figures


_SCALES: dict[str, Scale] = {"knn_accuracy": "share", "probe_accuracy": "share"}


def _scores(
    rows: Floats, classes: Ints, around: Around | None, seed: int, *, probes: bool
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(n,) scores of every image by key, and why others do not exist. probes: of the linear one."""
    scores: dict[str, np.ndarray] = {}
    missing: dict[str, str] = {}
    if around is None and not probes and len(np.unique(classes)) > 1:
        around = look_around(rows, classes)

    def probe() -> tuple[np.ndarray, ...]:
        answers = linear_probe(rows, classes, seed=seed)
        return answers.hit, answers.margin

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
