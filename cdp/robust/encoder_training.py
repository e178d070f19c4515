"""Training small classifiers that serve as encoders: plain, adversarially, or on noised images. A
generator of metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cdp.models.classifiers import SmallCNN
from cdp.models.precision import autocast
from cdp.models.ranges import to_image_range, to_model_range
from cdp.models.training_state import (
    flatten_state,
    load_optimiser,
    part_of,
    update_average,
    young_decay,
)
from cdp.robust.attacks import pgd
from cdp.robust.augment import augment, to_tensor

# (net, x, y, progress in 0..1, generator) -> the images the loss sees instead of x.
View = Callable[[SmallCNN, Tensor, Tensor, float, torch.Generator], Tensor]


def plain(
    net: SmallCNN, x: Tensor, y: Tensor, progress: float, generator: torch.Generator
) -> Tensor:
    """The images as they are."""
    return x


def adversarial(*, epsilon: float, steps: int, warm_up: float) -> View:
    """PGD adversarial training (Madry 2018), l_inf. epsilon grows linearly over the first
    ``warm_up`` share of training: at full size from the start a small network stays at chance."""

    def view(
        net: SmallCNN, x: Tensor, y: Tensor, progress: float, generator: torch.Generator
    ) -> Tensor:
        radius = epsilon * min(1.0, progress / warm_up) if warm_up else epsilon
        return pgd(
            net,
            x,
            y,
            epsilon=radius,
            step_size=1.25 * radius / max(1, steps - 1),
            steps=steps,
            generator=generator,
        )

    return view


def noised(alpha_bar: Tensor) -> View:
    """x_t of the diffusion process at a uniform t, in image range and not clamped, as a guide at
    x_t shows it."""

    def view(
        net: SmallCNN, x: Tensor, y: Tensor, progress: float, generator: torch.Generator
    ) -> Tensor:
        t = torch.randint(len(alpha_bar), (len(x),), generator=generator)
        noise = torch.randn(x.shape, generator=generator).to(x)
        ab = alpha_bar[t].to(x).view(-1, 1, 1, 1)
        return to_image_range(ab.sqrt() * to_model_range(x) + (1 - ab).sqrt() * noise)

    return view


@dataclass(frozen=True)
class EncoderStep:
    """What one optimiser step says of itself. loss: mean nats on the view; epoch_ended: its number
    from 1, else 0."""

    step: int
    total: int
    epoch_ended: int
    loss: float
    seconds: float


class EncoderTrainer:
    """Network, weight average and optimiser. Randomness is a function of (seed, step), so a stop
    loses nothing."""

    def __init__(
        self,
        net: SmallCNN,
        view: View,
        *,
        seed: int,
        epochs: int,
        batch: int,
        count: int,
        learning_rate: float,
        shift: int,
        flip: bool,
        dtype: torch.dtype,
        label_smoothing: float = 0.0,
        weight_decay: float = 0.02,
    ) -> None:
        """count: training images; shift, flip: augmentation (pixels; mirror images left to
        right)."""
        self.net, self.view, self.seed, self.batch = net, view, seed, batch
        self.shift, self.flip, self.dtype, self.label_smoothing = (
            shift,
            flip,
            dtype,
            label_smoothing,
        )
        self.device = next(net.parameters()).device
        self.per_epoch = count // batch
        self.total = epochs * self.per_epoch
        self.learning_rate = learning_rate
        self.ema = {name: value.detach().clone() for name, value in net.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            net.parameters(), lr=learning_rate, weight_decay=weight_decay
        )
        self.step = 0

    def rate(self, step: int) -> float:
        """Linear warm-up over a tenth of training, then a cosine to zero."""
        progress = step / self.total
        return self.learning_rate * min(
            progress / 0.1, 0.5 * (1 + math.cos(math.pi * max(0.0, progress - 0.1) / 0.9))
        )

    def run(self, images: np.ndarray, labels: np.ndarray) -> Iterator[EncoderStep]:
        """images: (N,H,W,C) uint8, labels: (N,) -> one EncoderStep an optimiser step."""
        started = time.monotonic()
        while self.step < self.total:
            self.net.train()
            loss = self._step(images, labels)
            self.step += 1
            epoch_ended = 0 if self.step % self.per_epoch else self.step // self.per_epoch
            yield EncoderStep(self.step, self.total, epoch_ended, loss, time.monotonic() - started)

    def _step(self, images: np.ndarray, labels: np.ndarray) -> float:
        epoch, index = divmod(self.step, self.per_epoch)
        rows = np.random.default_rng([self.seed, epoch]).permutation(len(images))[
            index * self.batch : (index + 1) * self.batch
        ]
        entropy = np.random.SeedSequence([self.seed, self.step]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(entropy))
        x = augment(
            to_tensor(images[rows]), shift=self.shift, flip=self.flip, generator=generator
        ).to(self.device)
        y = torch.from_numpy(labels[rows].astype(np.int64)).to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(self.step)
        with autocast(self.device, self.dtype):
            shown = self.view(self.net, x, y, self.step / self.total, generator)
            logits = self.net(shown)
        loss = F.cross_entropy(logits.float(), y, label_smoothing=self.label_smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        update_average(self.ema, self.net, decay=young_decay(0.998, self.step))
        return loss.item()

    def state(self) -> dict[str, Tensor]:
        """Everything that changes while training, as flat tensors."""
        return flatten_state(self.step, self.net.state_dict(), self.ema, self.optimiser)

    def load(self, state: dict[str, Tensor]) -> None:
        """Take back what ``state`` gave."""
        self.step = int(state["step"])
        self.net.load_state_dict(part_of(state, "net"))
        self.ema = {k: v.to(self.device) for k, v in part_of(state, "ema").items()}
        load_optimiser(self.optimiser, part_of(state, "opt"))


def accuracy(
    net: SmallCNN,
    view: View,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    seed: int,
    batch: int = 250,
) -> float:
    """Share of images whose view the network classifies rightly, in fp32 and eval mode."""
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    right = 0
    for first in range(0, len(labels), batch):
        generator = torch.Generator().manual_seed(seed + first)
        x = to_tensor(images[first : first + batch]).to(device)
        y = torch.from_numpy(labels[first : first + batch].astype(np.int64)).to(device)
        with torch.no_grad():
            right += int((net(view(net, x, y, 1.0, generator)).argmax(dim=1) == y).sum())
    net.train(was_training)
    return right / len(labels)
