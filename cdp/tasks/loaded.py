"""What a generation needs in memory, loaded once: model, encoder, real images to contrast with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module

import numpy as np
import torch
from torch import Tensor

from cdp.config.choices import LOSSES
from cdp.config.generate import GenerateConfig, negatives_of, positives_of
from cdp.data.fitting import fit, labelling_of_card
from cdp.data.registry import dataset_info
from cdp.errors import InputError
from cdp.guidance.contrast import Bank, robust_gradient
from cdp.models.checkpoints import is_name
from cdp.models.denoiser import compiled, to_image_range
from cdp.models.encoders import Encoder, load_encoder
from cdp.models.pipelines import DiffusionModel, load_pipeline
from cdp.models.precision import lay_out, pick_device, pick_dtype
from cdp.paths import home
from cdp.robust.attacks import madry, pgd
from cdp.robust.recipes import to_tensor
from cdp.tasks.sources import (
    dataset_of_generation,
    looking_for,
    real_images,
    require_aims,
    require_weak_model,
)

GRADIENT_STEPS = 10
"""Of the attack on the real images of ``Loaded.gradient``."""


@dataclass(frozen=True)
class Loaded:
    """Everything a generation needs in memory. gradient: of a robust loss on real images, where the
    guide's loss asks for it; dataset: whose encoders and real images these are; weak: the model
    that autoguidance moves away from."""

    model: DiffusionModel
    encoder: Encoder | None
    bank: Bank | None
    device: torch.device
    dtype: torch.dtype
    dataset: str
    gradient: Tensor | None = None
    weak: DiffusionModel | None = None


@lru_cache(maxsize=2)
def _model(name: str) -> DiffusionModel:
    model = load_pipeline(name)
    lay_out(model.denoiser, pick_device()).eval().requires_grad_(False)
    return model


@lru_cache(maxsize=2)
def _compiled(name: str) -> DiffusionModel:
    model = _model(name)
    return replace(model, denoiser=compiled(model.denoiser))


@lru_cache(maxsize=8)
def _dataset(model: str, named: str, home: str) -> str:
    """Remembered, as a folder of images takes long to look through."""
    return dataset_of_generation(GenerateConfig(model=model, dataset=named))


def get_ready() -> None:
    """Load what work of the helpers needs, while nobody waits."""
    import_module("sklearn.decomposition")


@lru_cache(maxsize=8)
def encoder_on_device(name: str, dataset: str) -> Encoder:
    """An encoder in eval mode on this machine's device, loaded once."""
    with looking_for(name, dataset):
        encoder = load_encoder(name, dataset)
    encoder.net.to(pick_device()).eval().requires_grad_(False)
    return encoder


@lru_cache(maxsize=8)
def _bank(encoder: str, dataset: str, size: int) -> Bank:
    """Features of real training images, classes in turn, so that every class has its share."""
    image, label = real_images(dataset, "train", size)
    net = encoder_on_device(encoder, dataset).net
    return Bank(features_of(net, image), torch.from_numpy(label).to(pick_device()))


@lru_cache(maxsize=8)
def _robust_gradient(encoder: str, dataset: str, size: int) -> Tensor:
    """Of an encoder's loss on attacked real training images (PGD-10 at the conventional budget)."""
    image, label = real_images(dataset, "train", size)
    net = encoder_on_device(encoder, dataset).net
    device = next(net.parameters()).device
    epsilon = dataset_info(dataset).usual_linf
    parts = []
    for i in range(0, len(image), 128):
        x, y = to_tensor(image[i : i + 128]).to(device), torch.from_numpy(label[i : i + 128])
        stream = torch.Generator(device).manual_seed(i)
        attacked = pgd(
            net, x, y.to(device), generator=stream, **madry(epsilon, GRADIENT_STEPS, "linf")
        )
        with torch.no_grad():
            parts.append(net.features(attacked).float())
    features = torch.cat(parts)
    with torch.no_grad():
        logits = net.logits_of(features)
    return robust_gradient(logits, features, torch.from_numpy(label).to(device))


def features_of(net: torch.nn.Module, image: np.ndarray) -> Tensor:
    """Encoder features of (N,H,W,C) uint8 images, (N,F) fp32 on the encoder's device."""
    device = next(net.parameters()).device
    # What a processor's cache holds is a quarter faster.
    chunk = 128 if device.type == "cpu" else 2048
    with torch.no_grad():
        parts = [
            net.features(to_tensor(image[i : i + chunk]).to(device)).float()  # type: ignore[operator]
            for i in range(0, len(image), chunk)
        ]
    return torch.cat(parts)


def to_uint8(x: Tensor) -> np.ndarray:
    """(N,C,H,W) in model range -> (N,H,W,C) uint8, clamped and rounded."""
    return to_image_range(x).clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def load_engine(config: GenerateConfig) -> Loaded:
    """Load, or find in memory, what ``config`` needs; refuses what does not fit together.

    Raises InputError or MissingError with the remedy.
    """
    require_aims(config)
    require_weak_model(config)
    load = _compiled if config.sampler.compile else _model
    model = load(config.model)
    weak = load(config.sampler.weak_model) if config.sampler.autoguided else None
    guidance, dataset = config.guidance, _dataset(config.model, config.dataset, str(home()))
    device = pick_device()
    dtype = pick_dtype(config.sampler.precision, device)
    known = model.denoiser.classes
    if config.classes and known and max(config.classes) >= known:
        raise InputError(
            f"classes: {max(config.classes)} is not one of this model's classes 0 to {known - 1}:"
            " leave it out"
        )
    if guidance.loss == "none":
        return Loaded(model, None, None, device, dtype, dataset, weak=weak)
    wants_real = (
        "real" in (positives_of(guidance), negatives_of(guidance))
        and LOSSES[guidance.loss].contrasts
    )
    wants_real |= LOSSES[guidance.loss].robustness
    if not dataset and (wants_real or is_name(guidance.encoder)):
        raise InputError(
            f"dataset: the model {config.model} does not say what it was trained on, so its"
            " encoders and real images are not known: name its data set (--dataset NAME; on the"
            " page: Real data, under More settings), or generate without guidance"
        )
    encoder = encoder_on_device(guidance.encoder, dataset)
    if (
        config.classes and not known and max(config.classes) >= encoder.net.classes
    ):  # which the guide alone aims at
        raise InputError(
            f"classes: {max(config.classes)} is not one of the classes 0 to"
            f" {encoder.net.classes - 1} of encoder {encoder.name}: leave it out"
        )
    # Losses compare features, so any encoder of such images serves; a classifier's classes have to
    # be the model's.
    ours = labelling_of_card(config.model, model.card)
    match = fit(
        labelling_of_card(guidance.encoder, encoder.card),
        ours if LOSSES[guidance.loss].compares == "logits" else ours.images,
    )
    if match.refusal or match.mapping:
        reason = match.refusal or "its classes are numbered otherwise"
        raise InputError(
            f"encoder: {guidance.encoder} does not fit the model {config.model} ({reason}): choose"
            " an encoder of the model's data set"
        )
    contrasts = LOSSES[guidance.loss].contrasts
    bank = None
    if wants_real and contrasts:
        bank = _bank(guidance.encoder, dataset, guidance.bank_size)
    gradient = None
    if LOSSES[guidance.loss].robustness:
        gradient = _robust_gradient(guidance.encoder, dataset, guidance.bank_size)
    return Loaded(model, encoder, bank, device, dtype, dataset, gradient, weak)
