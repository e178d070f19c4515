"""Training a diffusion model: data in, checkpoints on the way, a pipeline folder at the end."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cdp.config.pretrain import PretrainConfig
from cdp.data.registry import load_split
from cdp.diffusion.training import Distillation, Trainer
from cdp.errors import InputError
from cdp.models.denoiser import Denoiser, build_unet
from cdp.models.noise_schedule import COSINE, alpha_bars
from cdp.models.pipelines import load_pipeline, model_folder, save_pipeline
from cdp.models.precision import lay_out, pick_device, pick_dtype
from cdp.models.state import part_of
from cdp.tasks.pretrain.shared import (
    OnProgress,
    ShouldStop,
    TrainingProgress,
    checkpoint_of,
    diffusion_card,
    drive,
    finite,
)
from cdp.values.types import DatasetInfo, Split
from cdp.work.cost import time_left

if TYPE_CHECKING:
    from diffusers import UNet2DModel


def run_pretrain(
    config: PretrainConfig,
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:
    """Train a diffusion model to the end; returns its pipeline folder.

    on_progress is called after every optimiser step, should_stop asked there. Raises Cancelled once
    stopped, with the checkpoint saved; started again with the same config it goes on as if it had
    never stopped.
    """
    drive(pretrain(config), on_progress, should_stop)
    return model_folder(config)


def pretrain(config: PretrainConfig) -> Generator[TrainingProgress, None, None]:
    """One TrainingProgress an optimiser step. Saves every ``save_every`` steps and when closed;
    ends with the pipeline folder."""
    target = model_folder(config)
    split = load_split(config.dataset, "train")
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
    """Make a pipeline folder of a training state (``Trainer.state()``, finished or not), with the
    averaged weights.

    config: what the network was built with; split: the training data; losses: one an optimiser
    step, for the card.
    """
    unet = _unet(config, split.info)
    unet.load_state_dict(part_of(state, "ema"))
    parameters = sum(p.numel() for p in unet.parameters())
    before = load_pipeline(config.start).card if config.start else None
    card = diffusion_card(
        config, split, parameters=parameters, steps=int(state["step"]), losses=losses, before=before
    )
    save_pipeline(folder, unet, COSINE, card)


def _trainer(config: PretrainConfig, info: DatasetInfo) -> Trainer:
    device = pick_device()
    unet = _unet(config, info)
    if config.start:
        _take_weights(unet, config, info)
    denoiser = Denoiser(
        unet,
        shape=info.shape,
        patch=config.patch,
        classes=len(info.classes),
        prediction_type=COSINE["prediction_type"],
    )
    lay_out(denoiser, device)
    return Trainer(
        denoiser,
        torch.from_numpy(alpha_bars(COSINE)).float(),
        seed=config.seed,
        batch=config.batch,
        steps=config.steps,
        learning_rate=config.learning_rate,
        class_dropout=config.class_dropout,
        ema_decay=config.ema_decay,
        dtype=pick_dtype(config.precision, device),
        distillation=_distillation(config, device),
    )


def _distillation(config: PretrainConfig, device: torch.device) -> Distillation | None:
    """The guidance to be learned, of the model that training starts from."""
    if config.distil_scale == 1:
        return None
    teacher = load_pipeline(config.start).denoiser
    lay_out(teacher, device).eval().requires_grad_(False)
    return Distillation(teacher, config.distil_scale, config.distil_window)


def _take_weights(unet: UNet2DModel, config: PretrainConfig, info: DatasetInfo) -> None:
    """Begin with the averaged weights of a finished model. Raises InputError where it was built
    otherwise."""
    given = load_pipeline(config.start).denoiser
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


def _unet(config: PretrainConfig, info: DatasetInfo) -> UNet2DModel:
    """The network with its seeded first weights; the caller's random stream is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return build_unet(
            info.shape,
            patch=config.patch,
            classes=len(info.classes),
            widths=config.widths,
            layers=config.layers,
        )
