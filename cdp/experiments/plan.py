"""From an experiment to what is to be computed: for every arm and seed the settings of its sets,
training and evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.experiment import (
    UNGUIDED,
    ArmConfig,
    ExperimentConfig,
    PseudoLabel,
    Select,
    Settings,
    arm_title,
)
from cdp.config.fields import config_of
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.presets import PRESETS, TRAIN_PRESETS, named
from cdp.config.train import FURTHER_REAL, TrainConfig, overlaid
from cdp.data.limits import name_like
from cdp.errors import InputError
from cdp.work.cost import is_guided

PAIRED_IMAGES = 0
"""Seed of the choice of test images: all arms and seeds are evaluated on the same ones."""
LONGEST_NAME = 60


@dataclass(frozen=True)
class Cell:
    """One arm under one seed. generate: what makes its images, None where none are made; saved: a
    set that it takes instead, "" for none; settings: of its training, without the name of a set."""

    arm: str
    seed: int
    generate: GenerateConfig | None
    saved: str
    select: Select | None
    pseudo_label: PseudoLabel | None
    settings: Mapping[str, Any]
    evaluate: EvaluateConfig

    @property
    def synthetic(self) -> bool:
        """Whether it trains on a set, made or saved."""
        return self.generate is not None or bool(self.saved)

    def name(self, experiment: str) -> str:
        """What its sets and runs are called, where they are new."""
        return f"{name_like(f'{experiment}-{self.arm}')[:LONGEST_NAME].rstrip('-._')}-s{self.seed}"

    def training(self, name: str = "") -> TrainConfig:
        """Its training on the set of this name."""
        return config_of(
            TrainConfig, dict(self.settings) | ({"synthetic": (name,)} if name else {})
        )

    def evaluation(self, run_id: str) -> EvaluateConfig:
        """The evaluation of its training."""
        return self.evaluate.model_copy(update={"model": RUN + run_id})


def cell_of(experiment: ExperimentConfig, name: str, arm: ArmConfig, seed: int) -> Cell:
    """One arm under one seed. Raises InputError that names the arm and the setting."""
    try:
        generate = None if arm.generate is None else _generate(experiment, arm.generate, seed)
        cell = Cell(
            name,
            seed,
            generate,
            arm.set,
            arm.select,
            arm.pseudo_label,
            _train(experiment, arm, seed),
            _evaluate(experiment.evaluate),
        )
        cell.training("a-set" if cell.synthetic else "")
        return cell
    except InputError as error:
        raise InputError(f"arm {name!r}: {error}") from error


def cells(
    experiment: ExperimentConfig,
    arms: Iterable[tuple[str, ArmConfig]] | None = None,
    seeds: Iterable[int] | None = None,
) -> Iterator[Cell]:
    """Seed by seed, so that comparisons are paired as early as can be; the control first."""
    known = list(experiment.all_arms() if arms is None else arms)
    known.sort(key=lambda arm: arm[0] != experiment.control_name)
    for seed in experiment.seeds if seeds is None else seeds:
        for name, arm in known:
            yield cell_of(experiment, name, arm, seed)


def searched_arm(experiment: ExperimentConfig, chosen: Mapping[str, Any]) -> tuple[str, ArmConfig]:
    """The arm that a search asks for."""
    return arm_title(chosen), experiment.arm_of(chosen)


def _generate(experiment: ExperimentConfig, own: Settings, seed: int) -> GenerateConfig:
    given: dict[str, Any] = dict(experiment.generate) | dict(own)
    preset = given.pop("preset", "default")
    start = dict(named(PRESETS, str(preset)).flat)
    flat = flatten(GenerateConfig()) | start | given
    flat |= {"seed": seed, "dataset": flat["dataset"] or experiment.dataset}
    config = unflatten(flat)
    if is_guided(config):
        return config
        # Whatever the guidance would have been: it is the same set, so it is made once.
        sampling = {
            name: flat[name]
            for name in flat
            if name in GenerateConfig.model_fields or name in type(config.sampler).model_fields
        }
    return unflatten(flatten(GenerateConfig()) | PRESETS[UNGUIDED].flat | sampling)


def _train(experiment: ExperimentConfig, arm: ArmConfig, seed: int) -> dict[str, Any]:
    shared, own = dict(experiment.train), dict(arm.train)
    preset = own.pop("preset", shared.pop("preset", "quick"))
    shared.pop("preset", None)
    start = {
        name: value
        for name, value in named(TRAIN_PRESETS, str(preset)).flat.items()
        if name != "real"
    }
    flat = overlaid({"overfitting": "notice"} | start, overlaid(shared, own))
    flat |= {
        "dataset": experiment.dataset,
        "real": experiment.real,
        "seed": seed,
        "subset_seed": seed,
        "synthetic": () if arm.more_real is None else (f"{FURTHER_REAL}{arm.more_real}",),
    }
    return flat


def _evaluate(given: Settings) -> EvaluateConfig:
    quick = {"curve": False, "unseen": False, "masking": False, "part_seed": PAIRED_IMAGES}
    flat: dict[str, Any] = {"attack": "quick"} | quick | dict(given) | {"model": "run:later"}
    return config_of(EvaluateConfig, flat)
