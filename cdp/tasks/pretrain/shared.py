"""What training a diffusion model and training an encoder share: whether the data allow it, how far
it is, and what its card says. Figures of quality are added by the script that measures them."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdp.config.knobs import Frozen
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.facts import require_trainable
from cdp.data.fitting import fit, labelling_of, labelling_of_card
from cdp.data.registry import dataset_info, load_split
from cdp.data.training import real_rows
from cdp.errors import Cancelled, CdpError, InputError
from cdp.models.checkpoints import training_folder
from cdp.models.encoders import card_facts
from cdp.models.pipelines import model_card
from cdp.models.state import arithmetic
from cdp.values.types import Split
from cdp.work.checkpoint import Checkpoint

CURVE_POINTS = 200
_PART = {"real": None, "subset_seed": 0, "held_out": 0}
"""The settings that choose a part of the training images, where they choose all: neither cards nor
checkpoints of before had them."""


def diffusion_card(
    config: PretrainConfig,
    split: Split,
    *,
    parameters: int,
    steps: int,
    losses: Sequence[float],
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The card of a diffusion model. steps: taken so far; before: card of the model it began
    from."""
    info = split.info
    names = ("training", "loss_curve", "before")
    history = {"before": {key: before[key] for key in names if key in before}} if before else {}
    left_out = {"name", "dataset", "steps", "save_every", "patch", "anyway"}
    settings = config.model_dump(
        mode="json", exclude=left_out if config.real else left_out | _PART.keys()
    )
    settings |= {"images": len(split), "steps": steps, "steps_planned": config.steps}
    settings |= {"images_seen": steps * config.batch}
    facts = {"patch": config.patch, "parameters": parameters, "training": settings}
    rest = {"loss_curve": curve(losses), "quality": {}}
    return card_facts("diffusion", info) | facts | rest | history


def encoder_card(
    config: EncoderConfig,
    split: Split,
    *,
    epsilon: float | None,
    held_out: int,
    history: Sequence[float],
    measured: Mapping[str, Any],
) -> dict[str, Any]:
    """The card of an encoder. history: held-out score of every epoch; measured: accuracies."""
    settings = config.model_dump(
        mode="json",
        exclude={"name", "dataset", "kind", "widths", "blocks", "epsilon", "held_out", "anyway"},
    )
    if config.kind == "robust":
        settings |= {"epsilon": epsilon}
    else:
        settings.pop("attack_steps")
    settings |= {"images": len(split) - held_out, "held_out": held_out}
    settings |= {"held_out_score": [round(s, 4) for s in history]}
    facts = {"kind": config.kind, "training": settings, "accuracy": dict(measured)}
    facts["arithmetic"] = arithmetic()
    return card_facts("encoder", split.info) | facts


def curve(losses: Sequence[float]) -> list[list[float]]:
    """At most CURVE_POINTS pairs of step and mean loss over the steps since the pair before."""
    if not len(losses):
        return []
    ends = np.unique(
        np.linspace(0, len(losses), min(CURVE_POINTS, len(losses)) + 1).round().astype(int)
    )
    sums = np.concatenate([[0.0], np.cumsum(losses, dtype=np.float64)])
    means = np.diff(sums[ends]) / np.diff(ends)
    return [[int(end), round(float(mean), 6)] for end, mean in zip(ends[1:], means, strict=True)]


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is. loss: of the last step; seconds_left: at the speed so far; score:
    accuracy of the last finished epoch on held-out images (encoders only), else None."""

    step: int
    total: int
    loss: float
    seconds_left: float | None
    score: float | None = None


OnProgress = Callable[[TrainingProgress], None]
ShouldStop = Callable[[], bool]


def drive(
    training: Generator[TrainingProgress, None, None],
    on_progress: OnProgress | None,
    should_stop: ShouldStop | None,
    remedy: str = "start again with the same settings to go on",
) -> None:
    """Run to the end, or close the training where it should stop and raise Cancelled."""
    with closing(training):
        for progress in training:
            if on_progress:
                on_progress(progress)
            if should_stop and progress.step < progress.total and should_stop():
                raise Cancelled(f"stopped at step {progress.step} of {progress.total}: {remedy}")


def finite(loss: float, step: int) -> float:
    """The loss itself. Raises CdpError where training has diverged."""
    if not math.isfinite(loss):
        raise CdpError(f"training diverged at step {step} (loss {loss}): lower learning_rate")
    return loss


def require_ready(config: PretrainConfig | EncoderConfig) -> list[str]:
    """What is to be known before the training, a sentence each. Raises InputError with what stands
    in the way, MissingError where data set or starting model are not here."""
    if isinstance(config, PretrainConfig):
        training_rows(config, load_split(config.dataset, "train").label)
    notes = require_trainable(
        config.dataset, encoder=isinstance(config, EncoderConfig), anyway=config.anyway
    )
    info = dataset_info(config.dataset)
    if (
        isinstance(config, EncoderConfig)
        and config.kind == "robust"
        and config.epsilon is None
        and info.epsilon_linf is None
    ):
        notes.append(
            f"The data set has no conventional attack budget, so {info.usual_linf:.3g} is taken, as"
            " for images like these."
        )
    if isinstance(config, PretrainConfig) and config.start:
        matching = fit(
            labelling_of(info), labelling_of_card(config.start, model_card(config.start))
        )
        reason = matching.refusal or (
            "its classes are numbered otherwise" if matching.mapping else ""
        )
        if reason:
            raise InputError(
                f"start: the model {config.start} was not trained on images like those of"
                f" {config.dataset} ({reason}): choose another model, or leave start empty"
            )
    return notes


def checkpoint_of(target: Path, config: Frozen) -> Checkpoint:
    """The checkpoint of a training, in a hidden folder beside its result ``target``. Raises
    InputError where that is done already, or was begun with other settings."""
    folder = training_folder(target)
    if target.exists() and not (folder / "config.json").exists():
        raise InputError(
            f"name: {target.name!r} exists already: choose another name, or delete {target}"
        )
    return Checkpoint(
        folder,
        settings_of(config.model_dump(mode="json")),
        what=f"the unfinished training of {target.name!r}",
        remedy=f"choose another name, or delete {folder} to begin again",
        upgrade=settings_of,
    )


def settings_of(record: dict[str, Any]) -> dict[str, Any]:
    """What must be the same to go on: whether a concern was overruled changes no number."""
    return {
        name: value
        for name, value in record.items()
        if name != "anyway" and (name, value) not in _PART.items()
    }


def training_rows(config: PretrainConfig, label: np.ndarray) -> np.ndarray | None:
    """Of the training images those that a diffusion model learns from; None for all. label: (N,)
    of all. Raises InputError where there are too few."""
    if config.real is None:
        return None
    return real_rows(
        np.asarray(label, np.int64), config.real, held_out=config.held_out, seed=config.subset_seed
    )
