"""From an experiment to what is to be computed: for every arm and seed the settings of its sets,
training and evaluation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.experiment import (
    STAGES,
    UNGUIDED,
    ArmConfig,
    ExperimentConfig,
    PseudoLabel,
    Range,
    Select,
    Settings,
    arm_title,
)
from cdp.config.fields import config_of, fields_of
from cdp.config.generate import FORMER, GenerateConfig, Guidance, flatten, unflatten
from cdp.config.presets import PRESETS, TRAIN_PRESETS, named
from cdp.config.pretrain import PretrainConfig
from cdp.config.train import FURTHER_REAL, TrainConfig, overlaid
from cdp.data.limits import name_like, valid_name
from cdp.data.presets import preset_flat
from cdp.errors import CdpError, InputError
from cdp.work.cost import is_guided

PAIRED_IMAGES = 0
"""Seed of the choice of test images: all arms and seeds are evaluated on the same ones."""
LONGEST_NAME = 60
ALONE = "Nothing is compared, as there is one arm: extend the experiment with another."


@dataclass(frozen=True)
class Cell:
    """One arm under one seed. generate: what makes its images, None where none are made; saved: a
    set that it takes instead, "" for none; settings: of its training, without the name of a set;
    learner: the arm whose network guides them, "" where the encoder is a fixed one; pretrain: the
    diffusion model that makes them, where it is trained under the same seed."""

    arm: str
    seed: int
    generate: GenerateConfig | None
    saved: str
    select: Select | None
    pseudo_label: PseudoLabel | None
    settings: Mapping[str, Any]
    evaluate: EvaluateConfig
    learner: str = ""
    pretrain: PretrainConfig | None = None

    @property
    def synthetic(self) -> bool:
        """Whether it trains on a set, made or saved."""
        return self.generate is not None or bool(self.saved)

    def name(self, experiment: str) -> str:
        """What its sets and runs are called, where they are new."""
        return f"{name_like(f'{experiment}-{self.arm}')[:LONGEST_NAME].rstrip('-._')}-s{self.seed}"

    def group(self) -> str:
        """What it shares with the other seeds of its arm, and with arms of other experiments that
        are the same."""
        own = {"seed", "subset_seed"}
        parts: dict[str, Any] = {
            "train": {name: value for name, value in self.settings.items() if name not in own},
            "saved": self.saved,
            "learner": self.learner,
        }
        for name, part in (("generate", self.generate), ("pretrain", self.pretrain)):
            parts[name] = part and part.model_dump(mode="json", exclude=own)
        for name, wish in (("select", self.select), ("pseudo_label", self.pseudo_label)):
            parts[name] = wish and wish.model_dump(mode="json")
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

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
    evaluate = _evaluate(experiment.evaluate)
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
            evaluate,
            arm.learner,
            _pretrain(experiment, arm, seed),
        )
        if arm.learner and not (generate and is_guided(generate)):
            raise InputError("learner: nothing guides its images: choose a loss and a strength")
        with _of("train"):
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


def is_alone(experiment: ExperimentConfig) -> bool:
    """Whether there is one arm, so that nothing is compared."""
    return not experiment.search and sum(1 for _ in experiment.all_arms()) == 1


def searched_arm(experiment: ExperimentConfig, chosen: Mapping[str, Any]) -> tuple[str, ArmConfig]:
    """The arm that a search asks for."""
    return arm_title(chosen), experiment.arm_of(chosen)


def _generate(experiment: ExperimentConfig, own: Settings, seed: int) -> GenerateConfig:
    """What all arms share, then the arm's own. An arm with a preset takes its guidance from there
    alone, so that unguided stays unguided whatever the others share."""
    shared, own = dict(experiment.generate), dict(own)
    common = str(shared.pop("preset", "default"))
    if "preset" in own:
        common = str(own.pop("preset"))
        shared = {name: v for name, v in shared.items() if name not in Guidance.model_fields}
    plain = flatten(GenerateConfig()) | (FORMER if experiment.format == 1 else {})
    flat = plain | preset_flat(common) | shared | own
    flat |= {"seed": seed, "dataset": flat["dataset"] or experiment.dataset}
    with _of("generate"):
        config = unflatten(flat)
    if is_guided(config):
        return config
    # Whatever the guidance would have been, it is the same set, so it is made once.
    kept = {name: value for name, value in flat.items() if name not in Guidance.model_fields}
    return unflatten(flatten(GenerateConfig()) | PRESETS[UNGUIDED].flat | kept)


def _pretrain(experiment: ExperimentConfig, arm: ArmConfig, seed: int) -> PretrainConfig | None:
    """The diffusion model of a seed; None where the arm needs none, or names one."""
    named = {"model"} & {*experiment.generate, *(arm.generate or ())}
    if experiment.pretrain is None or arm.generate is None or named:
        return None
    trained = config_of(TrainConfig, _train(experiment, ArmConfig(), seed))
    with _of("pretrain"):
        return config_of(
            PretrainConfig,
            dict(experiment.pretrain)
            | {
                "dataset": experiment.dataset,
                "real": experiment.real,
                "seed": seed,
                "subset_seed": seed,
                "held_out": trained.held_out,
            },
        )


def _train(experiment: ExperimentConfig, arm: ArmConfig, seed: int) -> dict[str, Any]:
    if arm.more_real is not None and experiment.real is None:
        raise InputError(
            "more_real asks for real images besides the real ones, but real is empty and takes all:"
            " set real, such as 2000"
        )
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
    with _of("evaluate"):
        return config_of(EvaluateConfig, flat)


@contextmanager
def _of(stage: str) -> Iterator[None]:
    """Errors name a setting as the experiment does: "generate.strength"."""
    try:
        yield
    except InputError as error:
        said = str(error)
        head, _, rest = said.partition(".")
        said = rest if head in STAGES["generate"].model_fields else said  # a part, as "guidance"
        named = said.partition(":")[0] in fields_of(STAGES[stage])
        raise InputError(
            f"{stage}{'.' if named else ': '}{said.removeprefix('settings: ')}"
        ) from error


def require_ready(experiment: ExperimentConfig) -> None:
    """Raises CdpError where an arm cannot begin, such as for a set that is not here or that does not
    fit: said before anything is queued. Of a search only what is written out can be checked."""
    from cdp.models.encoders import encoder_weights
    from cdp.tasks.pretrain.shared import require_ready as require_pretraining
    from cdp.tasks.sources import dataset_of_generation, require_generation
    from cdp.tasks.train_data import prepare

    require_possible(experiment)
    for cell in cells(experiment, seeds=experiment.seeds[:1]):
        try:
            if cell.pretrain is not None:
                require_pretraining(cell.pretrain)
            elif cell.generate is not None:
                require_generation(cell.generate)
            if cell.generate is not None and is_guided(cell.generate) and not cell.learner:
                guidance = cell.generate.guidance
                encoder_weights(guidance.encoder, dataset_of_generation(cell.generate))
            _require_part(experiment, cell)
            if not cell.synthetic or (cell.saved and not cell.pseudo_label):
                prepare(cell.training(cell.saved))
        except CdpError as error:
            raise type(error)(f"arm {cell.arm!r}: {error}") from error


def require_possible(experiment: ExperimentConfig) -> None:
    """The part of ``require_ready`` that is quick enough to be said while it is being written: that
    there are as many images as are asked for, and values that a setting takes."""
    from cdp.experiments.images import require_images

    if experiment.name:
        valid_name(experiment.name)
    searched = [("search", experiment.arm_of({}))] if experiment.search else []
    known = [*experiment.all_arms(), *searched]
    require_images(experiment, cells(experiment, known, experiment.seeds[:1]))
    if experiment.sampler == "grid" and any(
        not isinstance(choices, list) for choices in experiment.search.values()
    ):
        raise InputError("search: the grid sampler needs lists of values: write them out")
    for name, choices in experiment.search.items():
        _require_values(experiment, name, choices)


def _require_part(experiment: ExperimentConfig, cell: Cell) -> None:
    """Raises CdpError where no part of the cell's set can be chosen or labelled as asked."""
    from cdp.data.sets import open_set
    from cdp.models.encoders import encoder_weights
    from cdp.tasks.scoring import criteria

    if cell.pseudo_label and cell.pseudo_label.encoder:
        encoder_weights(cell.pseudo_label.encoder, experiment.dataset)
    if cell.select is None:
        return
    if cell.select.by not in criteria():
        raise InputError(
            f"select.by: {cell.select.by!r} is unknown: choose one of {', '.join(criteria())}"
        )
    if cell.select.by != "random":
        encoder_weights(cell.select.encoder, experiment.dataset)
    count = cell.generate.count if cell.generate else len(open_set(cell.saved))
    if cell.select.keep > count:
        raise InputError(
            f"select.keep: {cell.select.keep:,} is more than the {count:,} images of the set: keep"
            " fewer"
        )


def _require_values(experiment: ExperimentConfig, name: str, choices: Range | list[Any]) -> None:
    """Raises InputError where a value that a search may try is none that the setting takes."""
    stage, _, setting = name.partition(".")
    field = fields_of(STAGES[stage]).get(setting)
    if field is None or (isinstance(choices, list) and setting == "preset"):
        return
    ends = choices if isinstance(choices, list) else [choices.low, choices.high]
    if not isinstance(choices, list) and field.kind not in ("number", "integer"):
        raise InputError(
            f"search: {name} is no number: write the values to choose from as a list, such as"
            f" [{', '.join(map(str, field.choices[:3]))}]"
        )
    for value in ends:
        try:
            field.adapter.validate_python(value)
        except ValueError as error:
            raise InputError(f"search: {name}: {value!r} is not {field.expected}") from error
