"""What a robust training will cost, from a step measured on this machine, and which choices are
known to fail. torch only where it measures."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdp.config.train import TrainConfig
from cdp.files import cache
from cdp.tasks.train_data import TrainingInputs, prepare, warnings_of
from cdp.work.cost import known_rates, learn_rates

if TYPE_CHECKING:
    from cdp.tasks.train_measure import StepCost

__all__ = ["TrainingEstimate", "estimate", "warnings_of"]

_VERSION = 2
VALIDATION_BATCH = 250
"""That of cdp.robust.validation, which needs torch."""


@dataclass(frozen=True)
class TrainingEstimate:
    """Cost before the launch. seconds: of all steps and validations; memory_bytes: of the process
    at its peak, on a GPU of the GPU; step_seconds: of one optimiser step; steps: in all;
    steps_per_epoch: of them in a whole epoch; validations: in all; device: in words; warnings:
    choices known to fail; measured_batch: the batch that was timed, from which the rest is in
    proportion; learned: whether a training of the kind has told its cost here."""

    seconds: float
    memory_bytes: int
    step_seconds: float
    steps: int
    steps_per_epoch: int
    validations: int
    device: str
    warnings: tuple[str, ...]
    measured_batch: int
    learned: bool = False


def estimate(config: TrainConfig) -> TrainingEstimate:
    """Seconds and memory of a training, measured once and then remembered for what it depends on,
    until a training of the kind has told its true cost. Seconds the first time; a machine too busy
    for timings to agree is measured again the next time.

    Steps are timed with 1 and 3 attack steps at up to the batch asked for and scaled in proportion
    to attack steps and batch; validation in proportion to images and attack steps. Raises
    InputError where the images cannot be opened.
    """
    from cdp.robust.recipes import validation_interval

    prepared = prepare(config)
    mixture = prepared.mixture(config)
    cost = _measured(config, prepared)
    step = (cost.seconds_fixed + cost.seconds_attack * config.pgd_steps) * config.batch / cost.batch
    seen = known_rates(*_trained(config, prepared)) or {}
    step = seen.get("step", step)
    image = seen.get("image", cost.validation * (config.validation_steps + 1))
    checking = image * len(prepared.data.label)
    steps = config.total_steps(mixture.steps_per_epoch)
    every = validation_interval(
        config,
        total=steps,
        steps_per_epoch=mixture.steps_per_epoch,
        images=len(prepared.data.label),
        gain=_gain(config),
    )
    validations = -(-steps // every)
    activations = max(
        cost.bytes_training * config.batch,
        cost.bytes_validation * min(VALIDATION_BATCH, len(prepared.data.label)),
    )
    return TrainingEstimate(
        seconds=steps * step + validations * checking,
        memory_bytes=int(cost.bytes_fixed + activations),
        step_seconds=step,
        steps=steps,
        steps_per_epoch=mixture.steps_per_epoch,
        validations=validations,
        device=cost.device,
        warnings=warnings_of(config, prepared.info),
        measured_batch=cost.batch,
        learned=bool(seen),
    )


def learn(
    config: TrainConfig, prepared: TrainingInputs, *, step_seconds: float, image_seconds: float
) -> None:
    """Remember what a training of this kind did cost here, which from then on counts instead of a
    measured step.

    step_seconds: of an optimiser step; image_seconds: of validating one image.
    """
    learn_rates(_trained(config, prepared), step=step_seconds, image=image_seconds)


def _trained(config: TrainConfig, prepared: TrainingInputs) -> tuple[object, ...]:
    """What the rates of a training depend on; those that share the machine have rates of their
    own."""
    import torch

    attacks = (config.pgd_steps, config.validation_steps)
    return "train", _key(config, prepared), *attacks, torch.get_num_threads()


def _gain(config: TrainConfig) -> float:
    """How much faster a pass of training would be here than one of validation."""
    import torch

    from cdp.models.precision import pick_device, pick_dtype
    from cdp.robust.recipes import pass_gain

    device = pick_device()
    return pass_gain(device.type, half=pick_dtype(config.precision, device) != torch.float32)


def _key(config: TrainConfig, prepared: TrainingInputs) -> str:
    """Of all that a step's cost depends on."""
    import torch

    from cdp.models.precision import pick_device, pick_dtype
    from cdp.tasks.train_measure import device_name

    device, info = pick_device(), prepared.info
    return cache.digest(
        _VERSION,
        platform.node(),
        torch.__version__,
        device_name(device),
        pick_dtype(config.precision, device),
        config.architecture,
        info.shape,
        len(info.classes),
        config.method,
        config.norm,
        config.augmentation,
        config.dataset,
        config.batch,
    )


def _measured(config: TrainConfig, prepared: TrainingInputs) -> StepCost:
    """From the cache, or measured now."""
    from cdp.tasks.train_measure import StepCost, measure

    stored = cache.cached_value(
        "train-cost",
        _key(config, prepared),
        StepCost,
        lambda report: measure(config, prepared.info),
    )
    cost = stored.known()
    if cost is None:
        cost = measure(config, prepared.info)
        if cost.settled:
            stored.keep(cost)
    return cost
