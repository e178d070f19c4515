"""Training a diffusion model: data in, checkpoints on the way, a pipeline folder at the end."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cdp.config.pretrain import PretrainConfig
from cdp.data.registry import load_split
from cdp.diffusion.training import Distillation, Trainer
from cdp.errors import InputError
from cdp.models.denoiser import Denoiser, build_unet
from cdp.models.noise_schedule import COSINE, alpha_bars
from cdp.models.pipelines import load_pipeline, model_folder, save_pipeline
from cdp.models.precision import lay_out, pick_device
from cdp.models.state import part_of
from cdp.tasks.pretrain.shared import (
    TrainingProgress,
    checkpoint_of,
    diffusion_card,
    finite,
    training_rows,
)
from cdp.values.types import DatasetInfo, Split
from cdp.work.cost import time_left


def pretrain(config: PretrainConfig) -> Generator[TrainingProgress, None, None]:
    """One TrainingProgress an optimiser step; saves as it goes; ends with the pipeline folder."""
    target = model_folder(config)
    split = load_split(config.dataset, "train")
    if (rows := training_rows(config, split.label)) is not None:
        split = replace(split, image=split.image[rows], label=split.label[rows])
    work = checkpoint_of(target, config)
    trainer = _trainer(config, split.info)
    losses: list[float] = []

    def take(state: dict[str, Tensor]) -> None:
        trainer.load(state)
        losses.extend(state["losses"].tolist())

    def save() -> None:
        work.save(trainer.state() | {"losses": torch.tensor(losses, dtype=torch.float64)})

    work.restore(take)
    first = trainer.step
    try:
        for step in trainer.run(split.image, split.label):
            losses.append(finite(step.loss, step.step))
            seconds_left = time_left(step.seconds, step.step - first, config.steps - step.step)
            yield TrainingProgress(step.step, config.steps, step.loss, seconds_left)
            # After the caller has written down this step: a kill in between costs doing some steps
            # again, not a point of the curve.
            if step.step % config.save_every == 0:
                save()
    except GeneratorExit:
        # Thrown in at the yield only, where network, average and optimiser are of the same step.
        save()
        raise
    save()
    export_checkpoint(trainer.state(), target, config, split, losses)
    work.remove()


def export_checkpoint(
    state: Mapping[str, Tensor],
    folder: Path,
    config: PretrainConfig,
    split: Split,
    losses: Sequence[float],
) -> None:
    """Make a pipeline folder of a training state, with the averaged weights. losses: one an
    optimiser step, for the card."""
    unet = new_denoiser(config, split.info).unet
    unet.load_state_dict(part_of(state, "ema"))
    parameters = sum(p.numel() for p in unet.parameters())
    before = load_pipeline(config.start).card if config.start else None
    card = diffusion_card(
        config, split, parameters=parameters, steps=int(state["step"]), losses=losses, before=before
    )
    save_pipeline(folder, unet, COSINE, card)


def _trainer(config: PretrainConfig, info: DatasetInfo) -> Trainer:
    device, denoiser = pick_device(), new_denoiser(config, info)
    if config.start:
        _take_weights(denoiser, config, info)
    lay_out(denoiser, device)
    bars = torch.from_numpy(alpha_bars(COSINE)).float()
    return Trainer(denoiser, bars, config, distillation=_distillation(config, device))


def _distillation(config: PretrainConfig, device: torch.device) -> Distillation | None:
    """The guidance to be learned, of the model that training starts from."""
    if config.distil_scale == 1:
        return None
    teacher = load_pipeline(config.start).denoiser
    lay_out(teacher, device).eval().requires_grad_(False)
    return Distillation(teacher, config.distil_scale, config.distil_window)


def _take_weights(denoiser: Denoiser, config: PretrainConfig, info: DatasetInfo) -> None:
    """Begin with a finished model's averaged weights. Raises InputError for another network."""
    unet, given = denoiser.unet, load_pipeline(config.start).denoiser
    state = given.unet.state_dict()
    same = {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in unet.state_dict().items()
    }
    if not same or (given.shape, given.patch, given.prediction_type) != (
        info.shape,
        config.patch,
        COSINE["prediction_type"],
    ):
        raise InputError(
            f"start: {config.start} is built otherwise: give its own patch, widths and layers, or"
            " leave start empty"
        )
    unet.load_state_dict(state)


def new_denoiser(config: PretrainConfig, info: DatasetInfo) -> Denoiser:
    """The network with its seeded first weights; the caller's random stream is left alone."""
    built: Any = {"patch": config.patch, "classes": len(info.classes)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        unet = build_unet(info.shape, widths=config.widths, layers=config.layers, **built)
    return Denoiser(unet, shape=info.shape, prediction_type=COSINE["prediction_type"], **built)
