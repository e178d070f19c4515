"""One arm of the study: its images as the judge sees them, kept on disk, and its difference to the
unguided arm."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from benchmarks.results import Figure
from cdp.config.generate import GenerateConfig, flatten
from cdp.embedding.classes import separation_difference, separation_interval
from cdp.embedding.intervals import agreement, agreement_difference
from cdp.errors import MissingError
from cdp.files.atomic import atomic_file
from cdp.paths import home
from cdp.statistics.shares import wilson
from cdp.tasks.batches import batch_count, generate_batch
from cdp.tasks.judge import judged, load_judge
from cdp.tasks.loaded import load_engine
from cdp.tasks.sources import dataset_of_generation

NEIGHBOURS, COVER_NEIGHBOURS = 3, 5
"""k of precision and recall (Kynkaanniemi 2019) and of coverage (Naeem 2020), as in cdp.embedding.
"""


@dataclass(frozen=True)
class Arm:
    """image: (n,H,W,C) uint8; label, predicted: (n,) class numbers; features: (n,d) of the
    judge."""

    image: np.ndarray
    label: np.ndarray
    predicted: np.ndarray
    features: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Arm]) -> Arm:
        """Several seeds as one arm."""
        fields = ("image", "label", "predicted", "features")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def load_or_make(config: GenerateConfig) -> Arm:
    """The arm of a config from disk, or made now and kept."""
    path = _place(config)
    if path.exists():
        with np.load(path, allow_pickle=False) as kept:
            return Arm(kept["image"], kept["label"], kept["predicted"], kept["features"])
    made = [generate_batch(config, index) for index in range(batch_count(config))]
    image, label = (
        np.concatenate(parts) for parts in zip(*(batch for batch in made if batch), strict=True)
    )
    dataset = dataset_of_generation(config)
    judge = load_judge(dataset)
    if judge is None:
        raise MissingError(
            f"dataset: {dataset} has no judge to score with: train one with python -m cdp"
            " pretrain-encoder"
        )
    seen = judged(judge, image)
    arm = Arm(image, label, np.asarray(seen.predicted), seen.features)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        np.savez(
            file, image=arm.image, label=arm.label, predicted=arm.predicted, features=arm.features
        )
    return arm


def _place(config: GenerateConfig) -> Path:
    """A name from everything the arm depends on: settings and the weights of model, encoder and
    judge."""
    loaded, judge = load_engine(config), load_judge(dataset_of_generation(config))
    weights = [
        loaded.model.sha256,
        loaded.encoder.sha256 if loaded.encoder else "",
        judge.sha256 if judge else "",
    ]
    key = hashlib.sha256(repr((weights, sorted(flatten(config).items()))).encode()).hexdigest()[:24]
    return home() / "benchmarks" / "study" / f"{config.guidance.loss}-{config.seed}-{key}.npz"


@dataclass(frozen=True)
class Overlap:
    """Which images of either side lie among the other's. inside: (n,) samples among real ones;
    recalled, covered: (m,) real ones."""

    inside: np.ndarray
    recalled: np.ndarray
    covered: np.ndarray


class RealSide:
    """Real test images in the judge's features, with the radii that do not depend on the arm."""

    def __init__(self, features: np.ndarray) -> None:
        """features: (m,d)."""
        self.features = features
        within = np.sort(cdist(features, features), axis=1)
        self._radius, self._cover_radius = within[:, NEIGHBOURS], within[:, COVER_NEIGHBOURS]

    def overlap(self, features: np.ndarray) -> Overlap:
        """features: (n,d) of an arm."""
        across = cdist(features, self.features)
        own = np.sort(cdist(features, features), axis=1)[:, NEIGHBOURS]
        return Overlap(
            (across <= self._radius).any(axis=1),
            (across <= own[:, None]).any(axis=0),
            (across <= self._cover_radius).any(axis=0),
        )


def describe(arm: Arm, real: RealSide, name: str = "unguided") -> Iterator[Figure]:
    """The figures of one arm by itself."""
    overlap = real.overlap(arm.features)
    yield Figure.of_interval(name, agreement(arm.predicted, arm.label), "%", key="agreement")
    yield Figure.of_interval(name, separation_interval(arm.features, arm.label), key="separation")
    for key, hits in _shares(overlap):
        yield Figure.of_interval(name, wilson(int(hits.sum()), len(hits)), "%", key=key)
    yield Figure(name, 0.0, "%", n=len(arm.label), key="pixel change")


def compare(name: str, arm: Arm, plain: Arm, real: RealSide) -> Iterator[Figure]:
    """An arm minus the unguided one, row i of both being from the same noise and label."""
    yield Figure.of_interval(
        name,
        agreement_difference(arm.predicted, plain.predicted, plain.label),
        "points",
        key="agreement",
    )
    yield Figure.of_interval(
        name, separation_difference(arm.features, plain.features, plain.label), key="separation"
    )
    first, second = _shares(real.overlap(arm.features)), _shares(real.overlap(plain.features))
    for (key, mine), (_, theirs) in zip(first, second, strict=True):
        yes = np.ones(len(mine), np.int64)
        difference = agreement_difference(mine.astype(np.int64), theirs.astype(np.int64), yes)
        yield Figure.of_interval(name, difference, "points", key=key)
    change = np.abs(arm.image.astype(np.int16) - plain.image.astype(np.int16)).mean() / 255
    yield Figure(name, 100 * float(change), "%", n=len(arm.label), key="pixel change")


def _shares(overlap: Overlap) -> list[tuple[str, np.ndarray]]:
    return [
        ("precision", overlap.inside),
        ("recall", overlap.recalled),
        ("coverage", overlap.covered),
    ]
