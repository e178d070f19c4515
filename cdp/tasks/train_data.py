"""From a training's settings to its images: splits, subsets, and synthetic sets that fit. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cdp.config_train import TrainConfig, budget
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
from cdp.types import DatasetInfo


@dataclass(frozen=True)
class Prepared:
    """All that a training reads. epsilon: its full budget; real, synthetic: images it can draw from.

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
        return Mixture(self.real, self.synthetic, batch=config.batch, synthetic_per_batch=config.synthetic_per_batch, seed=config.seed)


def prepare(config: TrainConfig) -> Prepared:
    """Open everything, mapped. Raises InputError or MissingError that names the field or the set that cannot be used."""
    split = load_split(config.dataset, "train")
    info, label = split.info, np.asarray(split.label, np.int64)
    if len(info.classes) < 2:
        raise InputError(f"dataset: {config.dataset} has one class, and a classifier needs two or more: choose another data set")
    epsilon = budget(config, info.conventional(config.norm))
    rows, held = hold_out(label, config.held_out)
    rows = rows[_subset(config, label[rows])]
    made = [_fitting(open_set(name), info) for name in config.synthetic]
    synthetic = Pool([(one.image, found.relabel(one.label)) for one, found in made]) if config.synthetic_per_batch else None
    real = Pool([(split.image, label)], rows) if len(rows) and config.synthetic_per_batch < config.batch else None
    return Prepared(
        info, epsilon, TrainingData(real, synthetic, np.array(split.image[held]), label[held], len(info.classes)),
        real=len(real or ()), synthetic=len(synthetic or ()), sets=tuple(_told(one, found) for one, found in made),
    )  # fmt: skip


def _subset(config: TrainConfig, label: np.ndarray) -> np.ndarray:
    """Of the rows left for training. Raises InputError where there are too few."""
    if config.real is None:
        return np.arange(len(label))
    if config.real > len(label):
        raise InputError(
            f"real: {config.real} images were asked for, but {config.dataset} has {len(label)} here besides the validation images: "
            "lower real, or leave it empty for all"
        )
    return nested_subset(label, config.real, seed=config.subset_seed, balanced=config.balanced)


def _fitting(made: SampleSet, info: DatasetInfo) -> tuple[SampleSet, Fit]:
    """The set and how its labels are to be read. Raises InputError that names it where its images or classes are not the data set's."""
    found = fit(made.labelling, labelling_of(info), subset_ok=True)
    if found.refusal:
        raise InputError(f"synthetic: set {made.name} does not fit ({found.refusal}): choose a set that was made for this data set")
    return made, found


def _told(made: SampleSet, found: Fit) -> dict[str, Any]:
    created = str(made.card.get("created") or "")
    said = {"labels": found.sentence} if found.sentence else {}
    return {"name": made.name, "images": len(made), "created": created, "card_sha256": sha256_of(made.folder / CARD)} | said
