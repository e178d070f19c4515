"""Projected gradient descent, for training and quick estimates. Images are in [0,1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdp.errors import InputError
from cdp.models.frozen import frozen

NORMS = ("linf", "l2")
RANGE_TOLERANCE = 1e-4

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """logits: (B,K), y: (B,) -> (B,) nats."""
    return F.cross_entropy(logits, y, reduction="none")


def kl(logits: Tensor, probabilities: Tensor) -> Tensor:
    """The inner loss of TRADES (Zhang 2019): KL(probabilities || softmax(logits)). Both (B,K) -> (B,) nats."""
    return F.kl_div(logits.log_softmax(dim=1), probabilities, reduction="none").sum(dim=1)


def pgd(
    net: nn.Module, x: Tensor, y: Tensor, *, epsilon: float, step_size: float, steps: int, norm: str = "linf",
    loss: Loss = cross_entropy, random_start: bool = True, generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """Ascend ``loss(net(x), y)`` inside the ball of radius epsilon around x (Madry 2018, Eq. 3).

    x: (B,C,H,W) in [0,1]; y: what the loss compares with, one row an image; step_size in units of the norm; generator:
    of the random start. Returns the last iterate, in [0,1] and in the ball, detached. The network runs in eval mode
    without parameter gradients and is handed back as it was. Raises InputError for images outside [0,1].
    """
    _check(x, epsilon, norm)
    centre = x.detach().clamp(0, 1)
    x_adv = _start(centre, epsilon, norm, generator) if random_start else centre
    with frozen(net), torch.enable_grad():
        for _ in range(steps):
            x_adv.requires_grad_(True)
            (gradient,) = torch.autograd.grad(loss(net(x_adv), y).sum(), x_adv)
            x_adv = _project(x_adv.detach() + step_size * _direction(gradient, norm), centre, epsilon, norm)
    return x_adv.detach()


def _check(x: Tensor, epsilon: float, norm: str) -> None:
    if norm not in NORMS:
        raise InputError(f"norm {norm!r} is unknown: choose one of {', '.join(NORMS)}")
    if not epsilon >= 0:
        raise InputError(f"epsilon {epsilon} is negative: give a radius of 0 or more")
    low, high = x.min().item(), x.max().item()
    if low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
        raise InputError(f"attacks take images in [0,1], but these run from {low:.3g} to {high:.3g}: convert with to_image_range")


def _start(centre: Tensor, epsilon: float, norm: str, generator: torch.Generator | None) -> Tensor:
    """A uniform draw from the ball, cut to [0,1]."""
    device = generator.device if generator is not None else centre.device
    if norm == "linf":
        delta = (2 * torch.rand(centre.shape, generator=generator, device=device) - 1).to(centre)
    else:
        direction = torch.randn(centre.shape, generator=generator, device=device).to(centre)
        radius = torch.rand(len(centre), generator=generator, device=device).to(centre) ** (1 / centre[0].numel())
        delta = _direction(direction, norm) * _per_image(radius, centre)
    return _project(centre + epsilon * delta, centre, epsilon, norm)


def _direction(gradient: Tensor, norm: str) -> Tensor:
    """The steepest unit step; zero where the gradient is zero."""
    if norm == "linf":
        return gradient.sign()
    length = gradient.flatten(1).norm(dim=1)
    return gradient / _per_image(length.clamp_min(torch.finfo(gradient.dtype).tiny), gradient)


def _project(x: Tensor, centre: Tensor, epsilon: float, norm: str) -> Tensor:
    """The nearest point in the ball, then in [0,1]; the centre is in [0,1], so the second keeps the first."""
    delta = x - centre
    if norm == "linf":
        delta = delta.clamp(-epsilon, epsilon)
    else:
        length = delta.flatten(1).norm(dim=1).clamp_min(torch.finfo(x.dtype).tiny)
        delta = delta * _per_image((epsilon / length).clamp(max=1), delta)
    return (centre + delta).clamp(0, 1)


def _per_image(value: Tensor, like: Tensor) -> Tensor:
    return value.view(-1, *[1] * (like.dim() - 1))
