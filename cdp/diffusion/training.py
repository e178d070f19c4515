"""Training a class-conditional diffusion model: a generator of metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cdp.config.pretrain import PretrainConfig
from cdp.models.denoiser import Denoiser
from cdp.models.precision import autocast, pick_dtype
from cdp.models.state import flatten_state, load_optimiser, part_of, update_average, young_decay


@dataclass(frozen=True)
class TrainStep:
    """One optimiser step. loss: mean v-prediction error; seconds: since training began here."""

    step: int
    images_seen: int
    loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Distillation:
    """Classifier-free guidance to be learned. teacher: a finished model, frozen, on the trainer's
    device; scale: above 1; window: t/T, [from, to)."""

    teacher: Denoiser
    scale: float
    window: tuple[float, float]

    def offset(self, x_t: Tensor, t_fraction: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """What guidance adds to the prediction: (scale - 1)(conditional - unconditional) inside the
        window, 0 outside it and where the label is the null one. x_t: (B,C,H,W); t, t_fraction,
        labels: (B,) -> (B,C,H,W).
        """
        low, high = self.window
        at = (t_fraction >= low) & (t_fraction < high) & (labels != self.teacher.null_label)
        out = torch.zeros_like(x_t)
        if not at.any():
            return out
        null = torch.full_like(labels[at], self.teacher.null_label)
        with torch.no_grad():
            cond, uncond = (
                self.teacher(
                    torch.cat([x_t[at]] * 2), torch.cat([t[at]] * 2), torch.cat([labels[at], null])
                )
                .float()
                .chunk(2)
            )
        out[at] = (self.scale - 1) * (cond - uncond)
        return out


class Trainer:
    """Network, EMA and optimiser. Randomness is a function of (seed, step) alone, so a stop loses
    nothing."""

    def __init__(
        self,
        denoiser: Denoiser,
        alpha_bar: Tensor,
        config: PretrainConfig,
        *,
        distillation: Distillation | None = None,
    ) -> None:
        self.denoiser, self.alpha_bar, self.config = denoiser, alpha_bar, config
        self.batch, self.steps, self.distillation = config.batch, config.steps, distillation
        self.device = next(denoiser.parameters()).device
        self.dtype = pick_dtype(config.precision, self.device)
        self.ema = {
            name: value.detach().clone() for name, value in denoiser.unet.state_dict().items()
        }
        self.optimiser = torch.optim.AdamW(
            denoiser.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-3
        )
        self.step = 0

    def rate(self, step: int) -> float:
        """Warm-up over 200 steps, then constant, then linear to zero over the last fifth."""
        decay_from = 0.8 * self.steps
        left = max(0.0, (self.steps - step) / (self.steps - decay_from))
        decay = 1.0 if step < decay_from else left
        return self.config.learning_rate * min(1.0, (step + 1) / 200) * decay

    def run(self, images: np.ndarray, labels: np.ndarray) -> Iterator[TrainStep]:
        """images (N,H,W,C) uint8, labels (N,) -> one TrainStep a step, until ``steps``."""
        started = time.monotonic()
        self.denoiser.train()
        while self.step < self.steps:
            loss = self._step(images, labels)
            self.step += 1
            yield TrainStep(
                self.step,
                self.step * self.batch,
                loss,
                self.rate(self.step),
                time.monotonic() - started,
            )

    def _step(self, images: np.ndarray, labels: np.ndarray) -> float:
        entropy = np.random.SeedSequence([self.config.seed, self.step]).generate_state(
            1, np.uint64
        )[0]
        generator = torch.Generator().manual_seed(int(entropy))
        rows = epoch_rows(len(images), self.batch, self.step, self.config.seed)
        x0 = torch.from_numpy(np.ascontiguousarray(images[rows])).permute(0, 3, 1, 2).float()
        x0 = x0.div(127.5).sub(1)
        y = torch.from_numpy(labels[rows].astype(np.int64))
        noise = torch.randn(x0.shape, generator=generator)
        # Stratified timesteps: one per equal slice of the schedule, which lowers the variance of
        # the loss (Kingma 2021, VDM).
        levels, inside = len(self.alpha_bar), torch.rand(self.batch, generator=generator)
        slices = (torch.arange(self.batch) + inside) / self.batch
        t = (slices * levels).long().clamp_(max=levels - 1)
        t = t[torch.randperm(self.batch, generator=generator)]
        drop = torch.rand(self.batch, generator=generator) < self.config.class_dropout
        y = torch.where(drop, self.denoiser.null_label, y)
        x0, y, noise, t = (value.to(self.device, non_blocking=True) for value in (x0, y, noise, t))

        ab = self.alpha_bar.to(self.device)[t].view(-1, 1, 1, 1)
        x_t = ab.sqrt() * x0 + (1 - ab).sqrt() * noise
        target = ab.sqrt() * noise - (1 - ab).sqrt() * x0  # v of Salimans and Ho 2022, section 4
        with autocast(self.device, self.dtype):
            if self.distillation is not None:
                target = target + self.distillation.offset(x_t, t / len(self.alpha_bar), t, y)
            out = self.denoiser(x_t, t, y)
        loss = F.mse_loss(out.float(), target)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        self.optimiser.step()
        decay = young_decay(self.config.ema_decay, self.step)
        update_average(self.ema, self.denoiser.unet, decay=decay)
        return loss.item()

    def state(self) -> dict[str, Tensor]:
        """Everything that changes while training, as flat tensors (for safetensors)."""
        return flatten_state(self.step, self.denoiser.unet.state_dict(), self.ema, self.optimiser)

    def load(self, state: dict[str, Tensor]) -> None:
        """Take back what ``state`` gave."""
        self.step = int(state["step"])
        self.denoiser.unet.load_state_dict(part_of(state, "net"))
        self.ema = {name: value.to(self.device) for name, value in part_of(state, "ema").items()}
        load_optimiser(self.optimiser, part_of(state, "opt"))


def epoch_rows(count: int, batch: int, step: int, seed: int) -> np.ndarray:
    """The rows of one batch: slices of one seeded permutation an epoch, running on."""
    first = step * batch
    wanted = np.arange(first, first + batch)
    rows = np.empty(batch, np.int64)
    for epoch in range(first // count, math.ceil((first + batch) / count)):
        here = wanted // count == epoch
        rows[here] = np.random.default_rng([seed, epoch]).permutation(count)[wanted[here] % count]
    return rows
