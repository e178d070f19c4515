"""An experiment: which arms are compared, over which seeds, how they are measured, and when it is
enough. The page, its link, the YAML file and the command line read these."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from cdp.config.choices import Order
from cdp.config.evaluate import EvaluateConfig
from cdp.config.fields import fields_of
from cdp.config.generate import GenerateConfig
from cdp.config.knobs import Frozen, knob
from cdp.config.pretrain import PretrainConfig
from cdp.config.train import TrainConfig

MAX_ARMS, MAX_SEEDS, MAX_CELLS = 200, 50, 2000
"""Limits on what one experiment may ask for; a cell is an arm under a seed."""
UNGUIDED = "unguided"
"""A control of this name need not be among the arms: it is added."""
FORMAT = 2
"""Of the file. A later one is refused rather than misread; 1 is of before DPM-Solver++ was the
default solver, and keeps the one of then."""
Value = str | int | float | bool
Settings = dict[str, Any]
STAGES: Mapping[str, type[Frozen]] = {
    "pretrain": PretrainConfig,
    "generate": GenerateConfig,
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
}
OWN: Mapping[str, frozenset[str]] = {
    "pretrain": frozenset({"dataset", "name", "real", "seed", "subset_seed", "held_out"}),
    "generate": frozenset({"seed", "model", "dataset"}),
    "train": frozenset({"dataset", "real", "seed", "subset_seed", "synthetic"}),
    "evaluate": frozenset({"model", "dataset", "architecture"}),
}
"""Settings of the stages that the experiment sets itself, so that arms stay comparable."""
COMPUTE = frozenset({"steps", "epochs", "batch"})
"""Settings of a training that all arms have in common: the same optimiser steps of as many
images."""
EXTRA: Mapping[str, frozenset[str]] = {
    "pretrain": frozenset(),
    "generate": frozenset({"preset", "model"}),
    "train": frozenset({"preset"}),
    "evaluate": frozenset(),
}
"""What a stage takes besides settings: a preset to start from, and the diffusion model."""


class Select(Frozen):
    """Keep a part of an arm's generated images before training."""

    by: str = knob("separability", "Score", max_length=100)
    """One of the scores of the gallery, or random."""
    keep: int = knob(1000, "Keep", unit="images", ge=1, le=1_000_000)
    """How many images to keep."""
    order: Order = knob("highest", "Order")
    """Which end of the score to keep, or mixed: half from the lowest, half evenly over the others."""
    encoder: str = knob("judge", "Encoder", max_length=400)
    """The network whose features are scored."""


class PseudoLabel(Frozen):
    """Label an arm's images by a classifier before training."""

    encoder: str = knob("", "Encoder", max_length=400)
    """The classifier; empty takes the best of the data set."""
    min_confidence: float = knob(0.9, "Least confidence", ge=0, le=1)
    """Images of which it is less sure are left out."""


class ArmConfig(Frozen):
    """Where an arm's synthetic images come from, and how its training differs. With nothing set it
    trains on the real images alone. learner: another arm, whose network, as trained under the same
    seed, is the encoder that guides these images."""

    generate: Settings | None = None
    learner: str = ""
    set: str = ""
    more_real: int | None = Field(default=None, ge=1, le=10_000_000)
    select: Select | None = None
    pseudo_label: PseudoLabel | None = None
    train: Settings = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        named = {
            "generate": self.generate is not None,
            "set": bool(self.set),
            "more_real": self.more_real is not None,
        }
        several = [name for name, given in named.items() if given]
        if len(several) > 1:
            raise ValueError(f"{' and '.join(several)} contradict each other: keep one of them")
        if self.more_real is not None and (self.select or self.pseudo_label):
            raise ValueError("select and pseudo_label are for synthetic images: take them out")
        if not several and (self.select or self.pseudo_label):
            raise ValueError("select and pseudo_label need images to work on: add generate or set")
        if self.learner and self.generate is None:
            raise ValueError("learner guides images that are made: add generate")
        if self.learner and "encoder" in (self.generate or {}):
            raise ValueError("learner and generate.encoder contradict each other: keep one of them")
        _check("generate", self.generate or {})
        _check("train", self.train, COMPUTE)
        return self


class Range(Frozen):
    """Values that a search may try."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        if self.log and self.low <= 0:
            raise ValueError(f"low ({self.low:g}) must be above 0 where log is true")
        return self


def _whole_seeds(value: Any) -> Any:
    """``seeds: 3`` stands for 0, 1, 2."""
    if isinstance(value, list | tuple) and not any(isinstance(seed, bool) for seed in value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SEEDS:
        return tuple(range(value))
    raise ValueError(f"write a number from 1 to {MAX_SEEDS}, or a list such as [0, 1, 2]")


def _choices_kind(value: Any) -> str | None:
    return (
        "range"
        if isinstance(value, Mapping | Range)
        else "values"
        if isinstance(value, list | tuple)
        else None
    )


Choices = Annotated[
    Annotated[Range, Tag("range")] | Annotated[list[Value], Tag("values")],
    Discriminator(
        _choices_kind,
        custom_error_type="choices",
        custom_error_message="a range, such as {low: 0.01, high: 1}, or a list of values",
    ),
]
"""What a search may try of one setting."""
Objective = Literal["robust", "clean", "agreement", "separation", "coverage", "frechet", "nearest"]
"""What can be aimed for; all but frechet should be high."""
LOWER_IS_BETTER = frozenset({"frechet"})
SAMPLES_ONLY = frozenset({"agreement", "separation", "coverage", "frechet", "nearest"})


class ExperimentConfig(Frozen):
    """One experiment, complete. The same file gives the same numbers on the same machine, also
    after a stop, a kill and a resume."""

    format: int = Field(FORMAT, ge=1)
    name: str = Field("", max_length=100)
    dataset: str = knob("fashion-mnist", "Data set", min_length=1, max_length=400)
    """Real images, test images and class names."""
    real: int | None = knob(2000, "Real images", empty="all", unit="images", ge=0, le=10_000_000)
    """How many real training images every arm gets; empty takes all."""
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, le=2**31 - 1)], ...], BeforeValidator(_whole_seeds)
    ] = knob((0, 1, 2), "Seeds", min_length=1, max_length=MAX_SEEDS)
    """A seed draws real subset, noise and training together, so that all comparisons between arms
    are paired."""
    arms: dict[str, ArmConfig] = Field(default_factory=dict)
    pretrain: Settings | None = None
    """Where given, each seed trains a diffusion model of its own, by these settings, on the very
    real images that its classifiers train on, and arms that name no model are made with it."""
    generate: Settings = Field(default_factory=dict)
    train: Settings = Field(default_factory=dict)
    evaluate: Settings = Field(default_factory=dict)
    grid: dict[str, list[Value]] = Field(default_factory=dict)
    search: dict[str, Choices] = Field(default_factory=dict)
    sampler: Literal["tpe", "gp", "nsga2", "grid"] = "tpe"
    trials: int = Field(30, ge=1, le=MAX_ARMS)
    control: str = ""
    stage: Literal["samples", "train", "evaluate"] = "evaluate"
    objective: tuple[Objective, ...] = Field(("robust",), min_length=1, max_length=2)
    precision: float | None = Field(None, gt=0, le=50)
    max_seeds: int = Field(10, ge=2, le=MAX_SEEDS)
    hours: float | None = Field(None, gt=0, le=10_000)
    race: bool = False
    prune: bool = False

    @model_validator(mode="before")
    @classmethod
    def _known_format(cls, data: Any) -> Any:
        """Before anything else: a later version may have fields that this one calls unknown."""
        if isinstance(data, Mapping):
            given = data.get("format", FORMAT)
            if isinstance(given, int) and given > FORMAT:
                raise ValueError(
                    f"format {given} is of a later version of this software, which reads"
                    f" {FORMAT}: update it, or write the file for this one"
                )
            # "train:" with nothing behind it sets nothing.
            parts = ("arms", "grid", "search", "generate", "train", "evaluate")
            data = {k: {} if v is None and k in parts else v for k, v in data.items()}
            if isinstance(data.get("objective"), str):
                data = {**data, "objective": [data["objective"]]}
            if isinstance(data.get("arms"), Mapping):
                # "real only:" with nothing behind it is an arm with nothing set.
                arms = {str(name): {} if arm is None else arm for name, arm in data["arms"].items()}
                data = {**data, "arms": arms}
        return data

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: a seed is there twice: name each once")
        if len(set(self.objective)) != len(self.objective):
            raise ValueError("objective: name two different ones, or one")
        for stage in STAGES:
            _check(stage, getattr(self, stage) or {})
        for name in self.arms:
            _check_name(name)
        self._require_learners()
        self._require_factors()
        self._require_few()
        self._require_control()
        if self.stage == "samples":
            self._require_samples()
        if self.prune and (not self.search or self.objective not in (("robust",), ("clean",))):
            raise ValueError(
                "prune compares the validation of a search's trainings: add a search, and aim for"
                " robust or clean alone"
            )
        if self.precision is not None and len(self.seeds) < 2:
            raise ValueError("precision needs two seeds or more to start with")
        return self

    def _require_learners(self) -> None:
        """Rounds of feedback have a first one."""
        for name, arm in self.arms.items():
            if arm.learner and self.stage == "samples":
                raise ValueError(
                    f"arms: {name!r} needs the training of {arm.learner!r}, but stage is samples:"
                    " choose train or evaluate"
                )
            before, learner = [name], arm.learner
            while learner:
                if learner not in self.arms:
                    raise ValueError(
                        f"arms: learner {learner!r} of {before[-1]!r} is none of the arms: choose"
                        f" one of {', '.join(self.arms)}"
                    )
                if learner in before:
                    raise ValueError(
                        f"arms: {name!r} waits for itself, by learner {learner!r}: let the first"
                        " round have no learner"
                    )
                before.append(learner)
                learner = self.arms[learner].learner

    def _require_factors(self) -> None:
        if self.grid and self.search:
            raise ValueError("grid and search contradict each other: keep one of them")
        for name, values in self.grid.items():
            _check_knob("grid", name)
            if not values:
                raise ValueError(f"grid: {name} has no values: write one or more")
            if len(set(map(str, values))) != len(values):
                raise ValueError(f"grid: {name} has a value twice: write each once")
        for name, choices in self.search.items():
            _check_knob("search", name)
            if isinstance(choices, list) and not choices:
                raise ValueError(f"search: {name} has nothing to choose from")

    def _require_few(self) -> None:
        cells = math.prod(len(values) for values in self.grid.values()) if self.grid else 0
        arms = cells + len(self.arms) + (self.trials if self.search else 0)
        if arms > MAX_ARMS or arms * len(self.seeds) > MAX_CELLS:
            raise ValueError(
                f"this asks for {arms:,} arms over {len(self.seeds)} seeds, which is more than"
                f" {MAX_ARMS} arms or {MAX_CELLS:,} cells: take fewer values, or search"
            )
        if arms < 1:
            raise ValueError("there are no arms: add arms, a grid or a search")

    def _require_control(self) -> None:
        names = [name for name, _ in self.all_arms()]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"arm {twice!r} is there twice: rename it")
        if self.control and self.control not in names:
            raise ValueError(
                f"control: {self.control!r} is none of the arms: choose one of {', '.join(names)}"
            )

    def _require_samples(self) -> None:
        wanted = [name for name in self.objective if name not in SAMPLES_ONLY]
        if wanted and self.objective != ("robust",):
            raise ValueError(
                f"objective: {wanted[0]} needs a training, but stage is samples: aim for one of"
                f" {', '.join(sorted(SAMPLES_ONLY))}"
            )
        if self.objective == ("robust",):
            object.__setattr__(self, "objective", ("agreement",))

    @property
    def control_name(self) -> str:
        """The arm that the others are compared with: the one that is named, else "unguided", else
        the first."""
        names = [name for name, _ in self.all_arms()]
        if self.control:
            return self.control
        return UNGUIDED if UNGUIDED in names else next(iter(names), UNGUIDED)

    def all_arms(self) -> Iterator[tuple[str, ArmConfig]]:
        """Every arm with its name: those written out, then those of the grid. The arms of a search
        are not known beforehand."""
        yield from self.arms.items()
        wants_control = bool(self.grid or self.search) and UNGUIDED not in self.arms
        if wants_control and self.control in ("", UNGUIDED):
            only = {name: values[0] for name, values in self.grid.items() if len(values) == 1}
            shared = self.arm_of(only)
            yield (
                UNGUIDED,
                ArmConfig(
                    generate=dict(shared.generate or {}) | {"preset": UNGUIDED}, train=shared.train
                ),
            )
        if self.grid:
            for values in itertools.product(*self.grid.values()):
                chosen = dict(zip(self.grid, values, strict=True))
                yield arm_title(chosen), self.arm_of(chosen)

    def arm_of(self, chosen: Mapping[str, Value]) -> ArmConfig:
        """The arm with these values of ``stage.setting``."""
        parts: dict[str, Settings] = {"generate": dict(self.generate), "train": {}}
        for name, value in chosen.items():
            stage, _, setting = name.partition(".")
            parts[stage][setting] = value
        return ArmConfig(generate=parts["generate"], train=parts["train"])


def arm_title(chosen: Mapping[str, Value]) -> str:
    """ "strength 0.1, temperature 0.05"."""
    return ", ".join(f"{name.partition('.')[2]} {_short(value)}" for name, value in chosen.items())


def _short(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value) or "none"


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > 80 or any(ord(character) < 32 for character in name):
        raise ValueError(f"arms: {name[:40]!r} is no name: write up to 80 characters on one line")


def _check(stage: str, given: Settings, common: frozenset[str] = frozenset()) -> None:
    """Raises ValueError for a setting that the stage does not have, or that is not an arm's own."""
    known = fields_of(STAGES[stage])
    for name in given:
        if name in common:
            raise ValueError(
                f"{stage}.{name} has to be the same for all arms, so that they are compared at equal"
                f" compute: set it once, outside the arms"
            )
        if name in EXTRA[stage]:
            continue
        if name in OWN[stage]:
            raise ValueError(
                f"{stage}.{name} is set by the experiment itself: take it out (seeds, data set and"
                " real images stand at its top)"
            )
        if name not in known:
            allowed = sorted((known.keys() - OWN[stage]) | EXTRA[stage])
            raise ValueError(f"{stage}.{name} is not a setting: choose one of {', '.join(allowed)}")


def _check_knob(where: str, name: str) -> None:
    stage, dot, setting = name.partition(".")
    if dot and stage == "evaluate":
        raise ValueError(
            f"{where}: {name} makes no arms, as all arms are measured alike: set it once, under"
            " evaluate, and extend the experiment with another attack afterwards"
        )
    if not dot or stage not in ("generate", "train"):
        raise ValueError(
            f"{where}: {name!r} is no setting of a stage: write generate.strength,"
            " generate.temperature, train.fraction or the like"
        )
    if setting == "preset":
        return
    _check(stage, {setting: None}, COMPUTE if stage == "train" else frozenset())
