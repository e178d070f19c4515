"""What the timings time: configs of one batch, ours and diffusers' loop over it, and the clock
inside the network."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.presets import PRESETS
from cdp.diffusion.sampling import Solver, build_scheduler, image_seeds
from cdp.models.precision import autocast
from cdp.tasks.batches import labels_of, sample_batch
from cdp.tasks.generate import generate_set
from cdp.tasks.loaded import load_engine, to_uint8
from cdp.values.types import Step

IMAGES = 64
COMPILES = bool(shutil.which("g++") or shutil.which("clang++"))
"""Whether torch.compile finds a compiler here."""


@dataclass(frozen=True)
class Options:
    """How long to measure. quick: few steps and images, to see that a line works; its numbers mean
    little."""

    repeats: int = 7
    quick: bool = False

    @property
    def rounds(self) -> int:
        """Timed rounds."""
        return 2 if self.quick else self.repeats

    @property
    def steps(self) -> dict[str, int]:
        """The default preset's steps, or a few where quick."""
        return {"steps": 3} if self.quick else {}

    @property
    def images(self) -> int:
        """Images a batch."""
        return 16 if self.quick else IMAGES

    def large(self, config: GenerateConfig) -> GenerateConfig:
        """The same with a batch for every core, which are sampled together."""
        return config.model_copy(update={"count": config.batch * torch.get_num_threads()})

    def config(self, preset: str = "default", **flat: Any) -> GenerateConfig:
        """One batch of a preset."""
        return unflatten(
            PRESETS[preset].flat | {"count": self.images, "batch": self.images} | self.steps | flat
        )


FULL_WINDOW: dict[str, Any] = {
    "loss": "info_nce",
    "positives": "previous",
    "negatives": "batch",
    "encoder": "standard",
    "window_start": 1.0,
    "window_stop": 0.0,
}
"""Guidance at every step, as in the published setting: one encoder pass forward and back a step."""


def to_bytes(config: GenerateConfig) -> Iterator[object]:
    """The steps of a config's batch, and last its images, (B,H,W,C) uint8."""
    step: Step | None = None
    for step in sample_batch(config, 0):
        yield step
    assert step is not None  # a solver has at least one step
    yield to_uint8(step.x)


@contextmanager
def clock_inside(net: torch.nn.Module) -> Iterator[list[float]]:
    """The wall seconds of every call of ``net`` within the block."""
    seconds: list[float] = []
    began = 0.0

    def before(*_: object) -> None:
        nonlocal began
        began = time.perf_counter()

    def after(*_: object) -> None:
        seconds.append(time.perf_counter() - began)

    hooks = [net.register_forward_pre_hook(before), net.register_forward_hook(after)]
    try:
        yield seconds
    finally:
        for hook in hooks:
            hook.remove()


def start_noise(config: GenerateConfig, rows: range) -> Tensor:
    """The noise our sampler starts from, (B,C,H,W)."""
    loaded = load_engine(config)
    solver = Solver(
        "ddim",
        loaded.model.scheduler_config,
        steps=config.sampler.steps,
        eta=0.0,
        seeds=image_seeds(config.seed, rows),
    )
    return solver.noise(loaded.model.denoiser.shape, loaded.device)


def compiled(config: GenerateConfig) -> GenerateConfig:
    """The same with its network compiled."""
    sampler = config.sampler.model_copy(update={"compile": True})
    return config.model_copy(update={"sampler": sampler})


def whole_set(config: GenerateConfig) -> Iterator[object]:
    """All of a config as the command line makes it, onto the disk and away again."""
    with tempfile.TemporaryDirectory() as folder:
        generate_set(config, Path(folder) / "set")
    yield


def diffusers_loop(config: GenerateConfig, rows: range) -> Iterator[object]:
    """The same batch by the loop of diffusers' pipelines: its steps, and last the images,
    (B,H,W,C) uint8. Precision "bf16" is autocast, every other fp32.

    The shipped network works on 2x2 blocks folded into channels; the solvers treat every value
    alike, so folding once before the loop and unfolding after it gives diffusers' loop the same
    work without the cost of folding at each step.
    """
    loaded, sampler = load_engine(config), config.sampler
    denoiser = loaded.model.denoiser
    labels = torch.from_numpy(labels_of(config, rows, loaded)).to(loaded.device)
    scheduler = build_scheduler(sampler.solver, loaded.model.scheduler_config, sampler.steps)
    dtype = torch.bfloat16 if sampler.precision == "bf16" else torch.float32
    image = F.pixel_unshuffle(start_noise(config, rows), denoiser.patch)
    for t in scheduler.timesteps:
        with torch.no_grad():
            with autocast(loaded.device, dtype):
                model_output = denoiser.unet(image, t, class_labels=labels).sample
            image = scheduler.step(model_output.float(), t, image).prev_sample
        yield t
    image = (F.pixel_shuffle(image, denoiser.patch) / 2 + 0.5).clamp(0, 1)
    yield (image.cpu().permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
