"""What a training is made of besides its network and its images: methods with their losses,
schedules in closed form, and what is done to images on their way in.

Losses are pure, one value an image, in log space, so that extreme logits stay finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cdp.config.train import AUTO, TrainConfig
from cdp.data.catalog import mirrored
from cdp.errors import InputError
from cdp.models.denoiser import to_image_range, to_model_range
from cdp.models.noise_schedule import COSINE, alpha_bars
from cdp.robust.attacks import full_precision

WARM, START, END = 0.25, 25.0, 1e4
"""One-cycle: share of training that the rate rises, its start below the peak, and its end below the
start (Smith 2018, PyTorch's)."""
LIGHT, HEAVY = 0.85, 0.95
"""Momentum at the peak of a cycled momentum and at both ends (PyTorch's)."""
VALIDATION_SHARE, MOST_POINTS = 0.09, 100
"""Automatic validation: its share of the training's work, a little below the tenth that is
promised, and how many there are at most."""
HALF_GAIN = {"cpu": 1.6, "cuda": 8.0}
"""How much faster a pass is in bf16 than in fp32, in which validation always runs: on a CPU as
measured (benchmarks/train_step.py), on a GPU by the peaks of recent ones, with tensor cores against
without."""
GREY = 0.5
"""What cutout leaves. DeVries 2017 fills with 0 after the mean was subtracted; the networks here
take grey to 0."""
AUGMENTATIONS = ("auto", "none", "crop", "crop-flip", "cutout")


# ---- Losses and methods ----


@dataclass(frozen=True)
class LossParts:
    """A loss and what it is made of, each (B,) nats. total: what is trained on; clean: the term on
    the images as they are; robust: that on attacked images, without its weight beta."""

    total: Tensor
    clean: Tensor
    robust: Tensor


@dataclass(frozen=True)
class Method:
    """A way to train. view: what it shows the network: the images, noised ones, or attacked ones by
    cross-entropy ("ce") or divergence from p(x) ("kl"); parts(logits or None, logits of the view,
    y, beta, label_smoothing); needs_clean: whether it looks at p(x); passes: forward and backward
    passes of a step besides its attack."""

    view: Literal["clean", "noised", "ce", "kl"]
    parts: Callable[[Tensor | None, Tensor, Tensor, float, float], LossParts]
    needs_clean: bool = False
    passes: float = 1.0


def on_view(
    logits: Tensor | None, logits_seen: Tensor, y: Tensor, beta: float, label_smoothing: float
) -> LossParts:
    """Cross-entropy on the view alone: with attacked images adversarial training (Madry 2018, Eq.
    2). logits_seen: (B,K), y: (B,). Raises InputError for K = 1 or other shapes."""
    logits_seen = _checked(logits_seen, y, beta, label_smoothing)
    loss = F.cross_entropy(logits_seen, y, reduction="none", label_smoothing=label_smoothing)
    return LossParts(loss, torch.zeros_like(loss), loss)


def trades(
    logits: Tensor | None, logits_adv: Tensor, y: Tensor, beta: float, label_smoothing: float
) -> LossParts:
    """TRADES (Zhang 2019, Eq. 5): CE(x, y) + beta KL(p(x) || p(x_adv)), both sides differentiated.
    Logits: (B,K), y: (B,). label_smoothing acts on the cross-entropy. Raises InputError."""
    logits, logits_adv = _pair(logits, logits_adv, y, beta, label_smoothing)
    clean = F.cross_entropy(logits, y, reduction="none", label_smoothing=label_smoothing)
    robust = _divergence(logits.log_softmax(dim=1), logits_adv.log_softmax(dim=1))
    return LossParts(clean + beta * robust, clean, robust)


def mart(
    logits: Tensor | None, logits_adv: Tensor, y: Tensor, beta: float, label_smoothing: float
) -> LossParts:
    """MART (Wang 2020, Eq. 12): BCE(x_adv, y) + beta KL(p(x) || p(x_adv)) (1 - p_y(x)), with BCE =
    -log p_y(x_adv) - log(1 - max over k != y of p_k(x_adv)). Logits: (B,K), y: (B,).

    The clean term is 0, and total - beta robust is BCE. label_smoothing acts on BCE's first half
    alone. Raises InputError for K = 1 or shapes that do not match.
    """
    logits, logits_adv = _pair(logits, logits_adv, y, beta, label_smoothing)
    log_p, log_p_adv = logits.log_softmax(dim=1), logits_adv.log_softmax(dim=1)
    others = log_p_adv.detach().scatter(1, y.unsqueeze(1), -torch.inf)
    boosted = F.cross_entropy(logits_adv, y, reduction="none", label_smoothing=label_smoothing)
    boosted = boosted - _log_complement(log_p_adv, others.argmax(dim=1))
    robust = _divergence(log_p, log_p_adv) * _log_complement(log_p, y).exp()
    return LossParts(boosted + beta * robust, torch.zeros_like(boosted), robust)


METHODS: dict[str, Method] = {
    "standard": Method("clean", on_view),
    "noised": Method("noised", on_view),
    "pgd-at": Method("ce", on_view),
    "trades": Method("kl", trades, needs_clean=True, passes=2 + 1 / 3),
    "mart": Method("ce", mart, needs_clean=True, passes=2.0),
}
"""Encoders are trained by the first three, robust classifiers by the last three."""


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) of rows of log-probabilities. (B,K) each -> (B,) nats."""
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)


def _log_complement(log_p: Tensor, index: Tensor) -> Tensor:
    """log(1 - p_index), exact also near 1. (B,K), (B,) -> (B,) nats."""
    return log_p.scatter(1, index.unsqueeze(1), -torch.inf).logsumexp(dim=1)


def _pair(
    logits: Tensor | None, logits_adv: Tensor, y: Tensor, beta: float, label_smoothing: float
) -> tuple[Tensor, Tensor]:
    if logits is None or logits.shape != logits_adv.shape:
        given = "none" if logits is None else list(logits.shape)
        raise InputError(
            f"clean logits have shape {given} and attacked ones {list(logits_adv.shape)}: give both"
            " of the same images"
        )
    return full_precision(logits), _checked(logits_adv, y, beta, label_smoothing)


def _checked(logits: Tensor, y: Tensor, beta: float, label_smoothing: float) -> Tensor:
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise InputError(
            f"logits have shape {list(logits.shape)}: give (B,K) with 2 classes or more"
        )
    if y.shape != logits.shape[:1]:
        raise InputError(
            f"labels have shape {list(y.shape)} where logits have {list(logits.shape)}: give one"
            " label a row"
        )
    if not 0 <= beta < float("inf"):
        raise InputError(f"beta {beta} cannot weigh a loss: give a finite number of 0 or more")
    if not 0 <= label_smoothing < 1:
        raise InputError(
            f"label_smoothing {label_smoothing} is not a share: give 0 or more and less than 1"
        )
    return full_precision(logits)


# ---- Schedules: any step can be asked for alone ----


def one_cycle(step: int, total: int, *, peak: float) -> float:
    """The rate of step ``step`` (from 0): torch's OneCycleLR with pct_start ``WARM``."""
    return _cycle(step, total, peak / START, peak, peak / START / END)


def cycled_momentum(step: int, total: int) -> float:
    """The momentum of that OneCycleLR: ``HEAVY``, ``LIGHT`` at the peak, ``HEAVY``."""
    return _cycle(step, total, HEAVY, LIGHT, HEAVY)


def warm_cosine(step: int, total: int, *, peak: float) -> float:
    """A rate that rises over a tenth of training, then falls as a cosine to zero."""
    progress = step / total
    return peak * min(
        progress / 0.1, 0.5 * (1 + math.cos(math.pi * max(0.0, progress - 0.1) / 0.9))
    )


def warmed_up(step: int, total: int, *, share: float) -> float:
    """The part of the full budget at step ``step`` (from 0), full after ``share``."""
    return min(1.0, (step + 1) / (share * total)) if share > 0 else 1.0


def _cycle(step: int, total: int, start: float, middle: float, end: float) -> float:
    top = WARM * total - 1
    if step <= top:
        return _cosine(start, middle, step / top if top > 0 else 1.0)
    return _cosine(middle, end, (step - top) / (total - 1 - top))


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * part))


def pass_gain(device: str, *, half: bool) -> float:
    """How much faster a pass of training is than one of validation, by the kind of device ("cpu",
    "cuda"). half: whether training runs in bf16."""
    return HALF_GAIN.get(device, 1.0) if half else 1.0


def validation_interval(
    config: TrainConfig, *, total: int, steps_per_epoch: int, images: int, gain: float
) -> int:
    """Optimiser steps from one validation of ``images`` images to the next. gain: ``pass_gain``.
    Automatic intervals are even, at most ``MOST_POINTS``, and follow from counted work alone, so
    that they are the same at every speed of the machine."""
    if config.validate_every != AUTO:
        count, unit = config.validate_every.split()
        return int(count) * (steps_per_epoch if unit.startswith("epoch") else 1)
    step = config.batch * (config.pgd_steps + METHODS[config.method].passes)
    checking = images * (config.validation_steps + 2 / 3) * gain
    points = min(MOST_POINTS, int(VALIDATION_SHARE * total * step / checking))
    return math.ceil(total / max(1, points))


# ---- Images: in [0,1], and every random draw comes from the generator given ----


def to_tensor(image: np.ndarray) -> Tensor:
    """(N,H,W,C) uint8 -> (N,C,H,W) fp32 in [0,1]."""
    # A copy, because the images may be mapped read-only, which torch does not know.
    return torch.from_numpy(np.array(image)).permute(0, 3, 1, 2).float().div(255)


@dataclass(frozen=True)
class Augmentation:
    """Shift in pixels, mirror half of the images, cut a square of ``cut`` pixels out."""

    shift: int = 0
    flip: bool = False
    cut: int = 0

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """x: (B,C,H,W) in [0,1] -> the same shape."""
        if self.shift or self.flip:
            x = augment(x, shift=self.shift, flip=self.flip, generator=generator)
        return cutout(x, side=self.cut, generator=generator) if self.cut else x


def augmentation_of(name: str, dataset: str, shape: tuple[int, int, int]) -> Augmentation:
    """The augmentation a config names, for images of ``shape`` (C,H,W). "auto" goes by the data
    set. Shifts are the field's: 4 px at 32 px, 2 px at 28 px. Raises InputError for an unknown
    name."""
    if name not in AUGMENTATIONS:
        raise InputError(
            f"augmentation {name!r} is unknown: choose one of {', '.join(AUGMENTATIONS)}"
        )
    if name == "auto":
        name = "crop-flip" if mirrored(dataset) else "crop"
    if name == "none":
        return Augmentation()
    side = min(shape[1:])
    shift = side // 8 if side >= 32 else side // 14
    return Augmentation(shift, flip=name != "crop", cut=side // 2 if name == "cutout" else 0)


def augment(x: Tensor, *, shift: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Move every image by up to ``shift`` pixels (zeros come in) and mirror half of them."""
    count, _, height, width = x.shape
    padded = F.pad(x, (shift, shift, shift, shift))
    top, left = torch.randint(2 * shift + 1, (2, count, 1), generator=generator)
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    if flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    which = torch.arange(count).view(-1, 1, 1)
    moved = padded.permute(0, 2, 3, 1)[which, rows.unsqueeze(2), columns.unsqueeze(1)]
    return moved.permute(0, 3, 1, 2).contiguous()


def cutout(x: Tensor, *, side: int, generator: torch.Generator) -> Tensor:
    """Grey out a square of ``side`` pixels about any pixel of every image (DeVries 2017)."""
    count, _, height, width = x.shape
    top = torch.randint(height, (count, 1), generator=generator) - side // 2
    left = torch.randint(width, (count, 1), generator=generator) - side // 2
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = (rows >= top) & (rows < top + side)
    in_columns = (columns >= left) & (columns < left + side)
    return torch.where((in_rows.unsqueeze(2) & in_columns.unsqueeze(1)).unsqueeze(1), GREY, x)


def noised(x: Tensor, generator: torch.Generator, alpha_bar: Tensor | None = None) -> Tensor:
    """x_t of the diffusion process at a uniform t for each image, in image range and not clamped,
    as a guide at x_t shows it. alpha_bar: (T,), that of our cosine schedule where not given."""
    if alpha_bar is None:
        alpha_bar = torch.from_numpy(alpha_bars(COSINE)).float()
    t = torch.randint(len(alpha_bar), (len(x),), generator=generator)
    noise = torch.randn(x.shape, generator=generator).to(x)
    ab = alpha_bar[t].to(x).view(-1, 1, 1, 1)
    return to_image_range(ab.sqrt() * to_model_range(x) + (1 - ab).sqrt() * noise)
