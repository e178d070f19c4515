"""From a training's settings to its images: splits, subsets, and synthetic sets that fit. Needs no
torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cdp.config.train import TrainConfig, budget
from cdp.data.cards import CARD
from cdp.data.fitting import Fit, fit, labelling_of
from cdp.data.holdout import hold_out, nested_subset
from cdp.data.mixing import Mixture
from cdp.data.pools import Pool, TrainingData
from cdp.data.registry import load_split
from cdp.data.samples import SampleSet
from cdp.data.sets import open_set
from cdp.errors import InputError
from cdp.models.checkpoints import sha256_of
from cdp.values.types import DatasetInfo


@dataclass(frozen=True)
class Prepared:
    """All that a training reads. epsilon: its full budget; real, synthetic: images it can draw
    from, further real ones among the second where they stand in place of synthetic sets.

    sets: name, number of images, date and hash of the card of every synthetic set, for the record.
    """

    info: DatasetInfo
    epsilon: float
    data: TrainingData
    real: int
    synthetic: int
    sets: tuple[dict[str, Any], ...]

    def mixture(self, config: TrainConfig) -> Mixture:
        """Which of the images a step sees."""
        return Mixture(
            self.real,
            self.synthetic,
            batch=config.batch,
            synthetic_per_batch=config.synthetic_per_batch,
            seed=config.seed,
        )


def prepare(config: TrainConfig) -> Prepared:
    """Open everything, mapped. Raises InputError or MissingError that names the field or the set
    that cannot be used."""
    split = load_split(config.dataset, "train")
    info, label = split.info, np.asarray(split.label, np.int64)
    if len(info.classes) < 2:
        raise InputError(
            f"dataset: {config.dataset} has one class, and a classifier needs two or more: choose"
            " another data set"
        )
    epsilon = budget(config, info.conventional(config.norm))
    rows, held = hold_out(label, config.held_out)
    further = rows[_further(config, label[rows], len(held))]
    rows = rows[_subset(config, label[rows])]
    made = [_fitting(open_set(name), info) for name in config.sets]
    synthetic = _synthetic(config, made, Pool([(split.image, label)], further))
    real = (
        Pool([(split.image, label)], rows)
        if len(rows) and config.synthetic_per_batch < config.batch
        else None
    )
    return Prepared(
        info,
        epsilon,
        TrainingData(real, synthetic, np.array(split.image[held]), label[held], len(info.classes)),
        real=len(real or ()),
        synthetic=len(synthetic or ()),
        sets=tuple(_told(one, found) for one, found in made),
    )


def _synthetic(
    config: TrainConfig, made: list[tuple[SampleSet, Fit]], further: Pool
) -> Pool | None:
    """What the synthetic part of every batch is drawn from; None where it has none."""
    if not config.synthetic_per_batch:
        return None
    return (
        further
        if config.further_real
        else Pool([(one.image, found.relabel(one.labels("a training"))) for one, found in made])
    )


def _further(config: TrainConfig, label: np.ndarray, held: int) -> np.ndarray:
    """Further real images, of the rows left for training: those by which a larger subset of the
    same seed exceeds the real ones, so that both together are balanced as either is. held:
    validation images. Raises InputError where there are too few."""
    count, real = config.further_real, config.real
    if not count or real is None:
        return np.empty(0, np.int64)
    left = len(label) - real
    if count > left >= 0:
        raise InputError(
            f"synthetic: real:{count} asks for {count} further real images, but {config.dataset}"
            f" has {left} here besides the {real} real ones and the {held} validation images: "
            + (
                f"take real:{left} or fewer, or lower real"
                if left
                else "lower real, so that there are some left"
            )
        )
    both = (
        nested_subset(label, real + count, seed=config.subset_seed, balanced=config.balanced)
        if left >= 0
        else np.empty(0, np.int64)
    )
    return np.setdiff1d(both, _subset(config, label))


def _subset(config: TrainConfig, label: np.ndarray) -> np.ndarray:
    """Of the rows left for training. Raises InputError where there are too few."""
    if config.real is None:
        return np.arange(len(label))
    if config.real > len(label):
        raise InputError(
            f"real: {config.real} images were asked for, but {config.dataset} has {len(label)} here"
            " besides the validation images: lower real, or leave it empty for all"
        )
    return nested_subset(label, config.real, seed=config.subset_seed, balanced=config.balanced)


def _fitting(made: SampleSet, info: DatasetInfo) -> tuple[SampleSet, Fit]:
    """The set and how its labels are to be read. Raises InputError that names it where its images
    or classes are not the data set's."""
    made.labels("a training")
    found = fit(made.labelling, labelling_of(info), subset_ok=True)
    if found.refusal:
        raise InputError(
            f"synthetic: set {made.name} does not fit ({found.refusal}): choose a set that was made"
            " for this data set, or import it again with the names of its classes"
        )
    return made, found


def _told(made: SampleSet, found: Fit) -> dict[str, Any]:
    created = str(made.card.get("created") or "")
    said = {"labels": found.sentence} if found.sentence else {}
    return {
        "name": made.name,
        "images": len(made),
        "created": created,
        "card_sha256": sha256_of(made.folder / CARD),
    } | said
