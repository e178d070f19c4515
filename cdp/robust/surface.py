"""The loss around an image: along the gradient, which should lead up, and along random directions,
which should not lead as far."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from cdp.robust.attacks import cross_entropy, unit_step
from cdp.robust.trial import Trial, batches, seeded
from cdp.values.evaluation import Surface

POINTS, DIRECTIONS, SHARES = 21, 8, (0.25, 1.0)
_STREAM = 1 << 20
"""Keeps these random directions apart from the random starts of attacks."""


def loss_rises(
    trial: Trial, rows: np.ndarray, *, norm: str, epsilon: float, seed: int, batch: int
) -> tuple[np.ndarray, np.ndarray]:
    """How far the cross-entropy of each of b images rises, in nats: (b,) along the gradient (its
    signs in l_inf), and (b,) along the best of eight random directions of signs. Each is the larger
    rise of two steps cut to [0,1], one of epsilon and one of a quarter of it, for a long step may
    lead over the top."""
    along, across = [np.zeros(0)], [np.zeros(0)]
    for number, some in enumerate(batches(rows, batch)):
        x, y = trial.images(some)
        generator = seeded(seed, _STREAM, number)
        with trial.still(), torch.no_grad():
            before = cross_entropy(trial.net(x), y)
            directions = [
                _gradient_step(trial, x, y, norm),
                *(_signs(x, norm, generator) for _ in range(DIRECTIONS)),
            ]
            there = (
                torch.stack(
                    [_highest(trial, x, y, epsilon * direction) for direction in directions]
                )
                - before
            )
        along.append(there[0].cpu().numpy())
        across.append(there[1:].amax(dim=0).cpu().numpy())
    return np.concatenate(along), np.concatenate(across)


def _highest(trial: Trial, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    losses = [cross_entropy(trial.net((x + share * step).clamp(0, 1)), y) for share in SHARES]
    return torch.stack(losses).amax(dim=0)


def loss_surface(
    trial: Trial, row: int, *, norm: str, epsilon: float, seed: int, batch: int
) -> Surface:
    """The loss around the image of ``row``, 21 x 21 points up to epsilon along and across the
    gradient, each cut to [0,1]."""
    x, y = trial.images(np.array([row]))
    lengths = torch.linspace(-epsilon, epsilon, POINTS, dtype=torch.float64)
    with trial.still(), torch.no_grad():
        predicted = int(trial.net(x).argmax(dim=1))
        along = _gradient_step(trial, x, y, norm)
        across = _signs(x, norm, seeded(seed, _STREAM + 1))
        steps = lengths.to(x).view(-1, 1, 1, 1)
        grid = (x + steps.unsqueeze(1) * across + steps * along).clamp(0, 1).flatten(0, 1)
        loss = torch.cat(
            [cross_entropy(trial.net(part), y.expand(len(part))) for part in grid.split(batch)]
        )
    axis = tuple(lengths.tolist())
    return Surface(
        row,
        int(y),
        predicted,
        axis,
        axis,
        tuple(tuple(line) for line in loss.view(POINTS, POINTS).tolist()),
    )


def _gradient_step(trial: Trial, x: Tensor, y: Tensor, norm: str) -> Tensor:
    leaf = x.clone().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(cross_entropy(trial.net(leaf), y).sum(), leaf)
    return unit_step(gradient, norm)


def _signs(x: Tensor, norm: str, generator: torch.Generator) -> Tensor:
    """A random sign in every place, of length 1 in the norm."""
    signs = (2 * torch.randint(2, x.shape, generator=generator) - 1).to(x)
    return signs if norm == "linf" else signs / math.sqrt(x[0].numel())
