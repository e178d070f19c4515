"""A tiny class-conditional denoiser with random weights, made anew from a seed."""

from collections.abc import Iterator
from typing import Any

import torch

from cdp.diffusion.sampling import Trajectory
from cdp.models.denoiser import Denoiser, build_unet
from cdp.values.types import Step


def tiny_denoiser(
    *,
    classes: int = 3,
    prediction: str = "v_prediction",
    shape: tuple[int, int, int] = (1, 8, 8),
    patch: int = 2,
    seed: int = 0,
) -> Denoiser:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet = build_unet(shape, patch=patch, classes=classes, widths=(16, 32), layers=1)
    net = Denoiser(unet, shape=shape, patch=patch, classes=classes, prediction_type=prediction)
    return net.eval().requires_grad_(False)


def sample(*args: Any, **settings: Any) -> Iterator[Step]:
    """One batch from noise to images."""
    return Trajectory(*args, **settings).steps()
