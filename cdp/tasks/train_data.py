"""From a training's settings to its images: splits, subsets, synthetic sets. Needs no torch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cdp.config.choices import ARCHITECTURES
from cdp.config.knobs import parse
from cdp.config.presets import TRAIN_PRESETS
from cdp.config.train import TrainConfig
from cdp.data.fitting import Fit, fit, labelling_of
from cdp.data.registry import load_split
from cdp.data.samples import CARD, SampleSet
from cdp.data.sets import open_set
from cdp.data.training import Mixture, Pool, TrainingData, hold_out, nested_subset
from cdp.errors import CdpError, InputError
from cdp.models.checkpoints import sha256_of
from cdp.values.types import DatasetInfo


@dataclass(frozen=True)
class TrainingInputs:
    """All that a training reads. real, synthetic: images it can draw from, further real ones among
    the second; sets: of every synthetic set, for the record."""

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


def prepare(config: TrainConfig) -> TrainingInputs:
    """Open everything, mapped. Raises InputError or MissingError that names field or set."""
    split = load_split(config.dataset, "train")
    info, label = split.info, np.asarray(split.label, np.int64)
    if len(info.classes) < 2:
        raise InputError(
            f"dataset: {config.dataset} has one class, and a classifier needs two or more: choose"
            " another data set"
        )
    epsilon = config.budget(info.conventional(config.norm))
    rows, validation = hold_out(label, config.held_out)
    further = rows[_further(config, label[rows], len(validation))]
    rows = rows[_subset(config, label[rows])]
    sets = [_fitting(open_set(name), info) for name in config.sets]
    synthetic = _synthetic(config, sets, Pool([(split.image, label)], further))
    real = (
        Pool([(split.image, label)], rows)
        if len(rows) and config.synthetic_per_batch < config.batch
        else None
    )
    return TrainingInputs(
        info,
        epsilon,
        TrainingData(
            real, synthetic, np.array(split.image[validation]), label[validation], len(info.classes)
        ),
        real=len(real or ()),
        synthetic=len(synthetic or ()),
        sets=tuple(_record_of(source, matching) for source, matching in sets),
    )


def _synthetic(
    config: TrainConfig, sets: list[tuple[SampleSet, Fit]], further: Pool
) -> Pool | None:
    """What the synthetic part of every batch is drawn from; None where it has none."""
    if not config.synthetic_per_batch:
        return None
    if config.further_real:
        return further
    numbered = ((source, source.labels("a training"), matching) for source, matching in sets)
    return Pool([(source.image, matching.relabel(label)) for source, label, matching in numbered])


def _further(config: TrainConfig, label: np.ndarray, validation: int) -> np.ndarray:
    """Further real images: those by which a larger subset of the same seed exceeds the real ones.
    Raises InputError where there are too few."""
    count, real = config.further_real, config.real
    if not count or real is None:
        return np.empty(0, np.int64)
    left = len(label) - real
    if count > left >= 0:
        raise InputError(
            f"synthetic: real:{count} asks for {count} further real images, but {config.dataset}"
            f" has {left} here besides the {real} real ones and the {validation} validation"
            " images: "
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


def _fitting(source: SampleSet, info: DatasetInfo) -> tuple[SampleSet, Fit]:
    """The set and how to read its labels. Raises InputError where it is not the data set's."""
    source.labels("a training")
    matching = fit(source.labelling, labelling_of(info), subset_ok=True)
    if matching.refusal:
        raise InputError(
            f"synthetic: set {source.name} does not fit ({matching.refusal}): choose a set that was"
            " made for this data set, or import it again with the names of its classes"
        )
    return source, matching


def _record_of(source: SampleSet, matching: Fit) -> dict[str, Any]:
    created = str(source.card.get("created") or "")
    note = {"labels": matching.sentence} if matching.sentence else {}
    return {
        "name": source.name,
        "images": len(source),
        "created": created,
        "card_sha256": sha256_of(source.folder / CARD),
    } | note


LARGE_BUDGET = {"linf": 0.2, "l2": 3.0}
"""From here on a small network stays at chance where the budget is full from the first step
(MNIST's l_inf 0.3 is such a one)."""
MANY_REPEATS = 100
"""Times a synthetic image is seen; the published recipe shows each about 50 times (a million
images, 400 epochs)."""
FAST = 0.5
"""Learning rate from which the small network, which has no normalisation, was seen to break."""


def warnings_of(config: TrainConfig, info: DatasetInfo) -> tuple[str, ...]:
    """One sentence for each choice known to fail. Opens the sets' cards, never raises."""
    return (*_of_method(config, info), *_of_network(config), *_of_images(config, info))


def _of_method(config: TrainConfig, info: DatasetInfo) -> Iterator[str]:
    epsilon = config.epsilon if config.epsilon is not None else info.conventional(config.norm)
    small = not ARCHITECTURES[config.architecture].large
    if (
        small
        and epsilon is not None
        and epsilon >= LARGE_BUDGET[config.norm]
        and config.warm_up == 0
    ):
        yield (
            f"A small network is known to stay at chance under a {config.norm} budget of"
            f" {epsilon:g} that is full from the first step: set the budget warm-up to 0.2 or more"
        )
    if config.method == "trades" and config.beta == 0:
        yield (
            "TRADES with beta 0 trains on clean images alone, so nothing makes the network robust:"
            " set beta to 6"
        )


def _of_network(config: TrainConfig) -> Iterator[str]:
    network = ARCHITECTURES[config.architecture]
    if network.large:
        if not has_gpu():
            yield (
                f"{network.title} on a CPU takes days where a GPU takes hours: choose the small"
                " network, or run this where there is a GPU"
            )
    elif config.learning_rate >= FAST:
        yield (
            "The small network has no normalisation, and a learning rate of"
            f" {config.learning_rate:g} is known to break it under SGD: set the learning rate"
            " to 0.1"
        )


def _of_images(config: TrainConfig, info: DatasetInfo) -> Iterator[str]:
    if config.real is not None and 0 < config.real < len(info.classes):
        yield (
            f"{config.real} real images cannot show all {len(info.classes)} classes: give it"
            f" {len(info.classes)} or more"
        )
    if config.synthetic and not config.synthetic_per_batch:
        yield (
            "The synthetic fraction is 0, so no batch holds an image of the synthetic sets that are"
            " named: raise fraction, or take the sets out"
        )
    if not config.synthetic_per_batch:
        return
    try:
        prepared = prepare(config)
    except (CdpError, OSError):
        return  # the launch says what is wrong with them
    for source in prepared.sets:
        if note := source.get("labels"):
            yield str(note)
    wanted = images_wanted(config, prepared.mixture(config).steps_per_epoch)
    if prepared.synthetic < wanted:
        seen = MANY_REPEATS * wanted / prepared.synthetic
        what = "further real" if config.further_real else "synthetic"
        yield (
            f"Each of the {prepared.synthetic:,} {what} images is seen about {seen:,.0f} times, so"
            f" the network may learn them by heart: take {wanted:,} {what} images or more, or lower"
            f" fraction or {'steps' if config.steps is not None else 'epochs'}"
        )


def images_wanted(config: TrainConfig, steps_per_epoch: int) -> int:
    """Synthetic images of which a training sees none more than ``MANY_REPEATS`` times."""
    drawn = config.total_steps(steps_per_epoch) * config.synthetic_per_batch
    return -(-drawn // MANY_REPEATS)


def too_few(config: TrainConfig) -> int:
    """How many synthetic images a training wants, where its sets have fewer; else 0, also where they
    cannot be opened."""
    if not config.sets or not config.synthetic_per_batch:
        return 0
    try:
        prepared = prepare(config)
    except (CdpError, OSError):
        return 0
    wanted = images_wanted(config, prepared.mixture(config).steps_per_epoch)
    return wanted if prepared.synthetic < wanted else 0


def wanted_by_presets() -> dict[str, int]:
    """The same for the trainings on offer, by title; without those whose length is in epochs, which
    depends on the data set."""
    some = {"synthetic": ["some"]}
    configs = {
        entry.title: parse(TrainConfig, entry.flat | some) for entry in TRAIN_PRESETS.values()
    }
    return {title: images_wanted(c, 0) for title, c in configs.items() if c.steps is not None}


def few_for_training(count: int) -> str:
    """How many images the trainings on offer want, where a set of ``count`` has fewer; "" where it
    has enough."""
    wanted = {title: least for title, least in wanted_by_presets().items() if least > count}
    if not wanted:
        return ""
    each = ", ".join(f"{least:,} images or more ({title})" for title, least in wanted.items())
    return (
        f"Few for a training, which wants {each}: with these {count:,} it would see each one more"
        f" than {MANY_REPEATS} times"
    )


def has_gpu() -> bool:
    """Whether torch would find a GPU, as far as that can be told without loading it."""
    chosen = os.environ.get("CDP_DEVICE") or "auto"
    return chosen not in ("auto", "cpu") or (
        chosen == "auto" and shutil.which("nvidia-smi") is not None
    )
