"""Sample sheets of a diffusion model while it trains, always from the same noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cdp.config.pretrain import PretrainConfig
from cdp.diffusion.sampling import Trajectory, image_seeds
from cdp.files.atomic import atomic_file
from cdp.models.denoiser import Denoiser
from cdp.models.noise_schedule import COSINE
from cdp.models.pipelines import load_pipeline
from cdp.models.precision import lay_out, pick_device, pick_dtype
from cdp.models.state import part_of
from cdp.tasks.loaded import to_uint8
from cdp.tasks.pretrain.diffusion import new_denoiser
from cdp.values.types import DatasetInfo

PER_CLASS = 2
STEPS = 20
MOST = 100
"""Images on a sheet, so that data of many classes have a sheet too."""


@dataclass(frozen=True)
class Sheet:
    """Images (n,H,W,C) uint8, classes in turn, with label (n,); step: optimiser steps taken."""

    image: np.ndarray
    label: np.ndarray
    step: int

    def save(self, path: Path) -> None:
        """Replace the file in one go. Raises OSError on a full disk."""
        with atomic_file(path) as file:
            np.savez(file, image=self.image, label=self.label, step=np.int64(self.step))


class SheetMaker:
    """Samples with the averaged weights of a checkpoint. The network is built once."""

    def __init__(self, config: PretrainConfig, info: DatasetInfo) -> None:
        self._config, self._info = config, info
        self._denoiser: Denoiser | None = None

    def of_checkpoint(
        self, state: Mapping[str, Tensor], should_stop: Callable[[], bool]
    ) -> Sheet | None:
        """state: of ``cdp.diffusion.training.Trainer``; None where it was stopped midway."""
        if self._denoiser is None:
            self._denoiser = self._build()
        self._denoiser.unet.load_state_dict(part_of(state, "ema"))
        return self._sample(self._denoiser, int(state["step"]), should_stop)

    def of_model(self, folder: Path, should_stop: Callable[[], bool]) -> Sheet | None:
        """Of the finished model in ``folder``; None where it was stopped midway."""
        denoiser = load_pipeline(folder).denoiser
        lay_out(denoiser, pick_device()).eval()
        return self._sample(denoiser, self._config.steps, should_stop)

    def _build(self) -> Denoiser:
        denoiser = new_denoiser(self._config, self._info)
        lay_out(denoiser, pick_device())
        return denoiser.eval().requires_grad_(False)

    def _sample(
        self, denoiser: Denoiser, step: int, should_stop: Callable[[], bool]
    ) -> Sheet | None:
        classes = max(1, len(self._info.classes))
        label = np.arange(min(MOST, PER_CLASS * classes), dtype=np.int64) % classes
        seeds = image_seeds(self._config.seed, range(len(label)))
        dtype = pick_dtype(self._config.precision, pick_device())
        steps = Trajectory(
            denoiser,
            COSINE,
            labels=torch.from_numpy(label),
            seeds=seeds,
            solver="ddim",
            steps=STEPS,
            dtype=dtype,
        ).steps()
        x: Tensor | None = None
        for taken in steps:
            if should_stop():
                return None
            x = taken.x
        assert x is not None  # a solver has at least one step
        return Sheet(to_uint8(x), label, step)
