"""The loss around an image: along the gradient, which should lead up, and along random directions, which should not lead as far."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from cdp.evaluation import Surface
from cdp.robust.attacks import cross_entropy, unit_step
from cdp.robust.trial import Trial, batches, seeded

POINTS, DIRECTIONS = 21, 8
_STREAM = 1 << 20
"""Keeps these random directions apart from the random starts of attacks."""


def loss_rises(trial: Trial, rows: np.ndarray, *, norm: str, epsilon: float, seed: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Rise of the cross-entropy of each of b images, in nats, by one step of length epsilon, cut to [0,1]: (b,) along the gradient (of its
    signs in l_inf), and (b,) along the best of eight random directions of signs."""
    along, across = [np.zeros(0)], [np.zeros(0)]
    for number, some in enumerate(batches(rows, batch)):
        x, y = trial.images(some)
        generator = seeded(seed, _STREAM, number)
        with trial.still(), torch.no_grad():
            before = cross_entropy(trial.net(x), y)
            there = cross_entropy(trial.net((x + epsilon * _gradient_step(trial, x, y, norm)).clamp(0, 1)), y)
            random = [
                cross_entropy(trial.net((x + epsilon * _signs(x, norm, generator)).clamp(0, 1)), y) for _ in range(DIRECTIONS)
            ]  # fmt: skip
        along.append((there - before).cpu().numpy())
        across.append((torch.stack(random).amax(dim=0) - before).cpu().numpy())
    return np.concatenate(along), np.concatenate(across)


def loss_surface(trial: Trial, row: int, *, norm: str, epsilon: float, seed: int, batch: int) -> Surface:
    """The loss around the image of ``row``, 21 x 21 points up to epsilon along and across the gradient, each cut to [0,1]."""
    x, y = trial.images(np.array([row]))
    lengths = torch.linspace(-epsilon, epsilon, POINTS, dtype=torch.float64)
    with trial.still(), torch.no_grad():
        predicted = int(trial.net(x).argmax(dim=1))
        along = _gradient_step(trial, x, y, norm)
        across = _signs(x, norm, seeded(seed, _STREAM + 1))
        steps = lengths.to(x).view(-1, 1, 1, 1)
        grid = (x + steps.unsqueeze(1) * across + steps * along).clamp(0, 1).flatten(0, 1)
        loss = torch.cat([cross_entropy(trial.net(part), y.expand(len(part))) for part in grid.split(batch)])
    axis = tuple(lengths.tolist())
    return Surface(row, int(y), predicted, axis, axis, tuple(tuple(line) for line in loss.view(POINTS, POINTS).tolist()))


def _gradient_step(trial: Trial, x: Tensor, y: Tensor, norm: str) -> Tensor:
    leaf = x.clone().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(cross_entropy(trial.net(leaf), y).sum(), leaf)
    return unit_step(gradient, norm)


def _signs(x: Tensor, norm: str, generator: torch.Generator) -> Tensor:
    """A random sign in every place, of length 1 in the norm."""
    signs = (2 * torch.randint(2, x.shape, generator=generator) - 1).to(x)
    return signs if norm == "linf" else signs / math.sqrt(x[0].numel())
