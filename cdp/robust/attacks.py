"""Projected gradient descent, for training and quick estimates. Images are in [0,1]."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdp.errors import InputError
from cdp.models.state import frozen

NORMS = ("linf", "l2")
RANGE_TOLERANCE = 1e-4
TRADES_START = 0.001
"""Scale of the normal noise that the published attack of TRADES starts from (Zhang 2019)."""

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """logits: (B,K), y: (B,) -> (B,) nats."""
    return F.cross_entropy(full_precision(logits), y, reduction="none")


def kl(logits: Tensor, probabilities: Tensor) -> Tensor:
    """The inner loss of TRADES (Zhang 2019): KL(probabilities || softmax(logits)). Both (B,K) ->
    (B,) nats. Its gradient is zero where both are of one image, so an attack needs the random
    start."""
    logits = full_precision(logits)
    return F.kl_div(logits.log_softmax(dim=1), probabilities.to(logits), reduction="none").sum(
        dim=1
    )


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """How far the best other class is ahead of the true one (Carlini and Wagner 2017), above 0
    where misclassified. logits: (B,K), y: (B,) -> (B,). Its gradient does not vanish where the
    softmax is saturated."""
    logits = full_precision(logits)
    others = logits.scatter(1, y.unsqueeze(1), -math.inf)
    return others.max(dim=1).values - logits.gather(1, y.unsqueeze(1)).squeeze(1)


def towards(logits: Tensor, target: Tensor) -> Tensor:
    """The log-probability of the class aimed at. logits (B,K), target (B,) -> (B,) nats."""
    return -cross_entropy(logits, target)


def full_precision(logits: Tensor) -> Tensor:
    """fp32 where autocast gave less, whose differences of logits round to zero; fp64 stays."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def pgd(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    epsilon: float,
    step_size: float,
    steps: int,
    norm: str = "linf",
    loss: Loss = cross_entropy,
    random_start: bool = True,
    start_noise: float | None = None,
    generator: torch.Generator | None = None,
    trace: list[Tensor] | None = None,
) -> Tensor:
    """Ascend ``loss(net(x), y)`` inside the ball of radius epsilon around x (Madry 2018, Eq. 3).

    x: (B,C,H,W) fp32 or fp64 in [0,1]; y: what the loss compares with; start_noise: a random start
    of normal noise of this scale in place of a uniform draw (published for TRADES); generator: of
    the random start; trace: gets the (B,) loss before every step and after the last. Returns the
    last iterate, in [0,1] and in the ball, detached, in x's type. The network runs in eval mode
    without parameter gradients and is handed back as it was. Raises InputError for images outside
    [0,1] or with NaN, and for settings that are no attack.
    """
    _check_settings(epsilon, step_size, steps, norm)
    _check_images(x, y)
    centre = x.detach().clamp(0, 1)
    if random_start and start_noise is not None:
        x_adv = centre + start_noise * _normal(centre, generator)
        x_adv = x_adv if steps else _project(x_adv, centre, epsilon, norm)
    else:
        x_adv = _start(centre, epsilon, norm, generator) if random_start else centre
    with frozen(net), torch.enable_grad():
        for _ in range(steps):
            x_adv = x_adv.detach().requires_grad_(True)
            value = loss(net(x_adv), y)
            if trace is not None:
                trace.append(value.detach())
            (gradient,) = torch.autograd.grad(value.sum(), x_adv)
            x_adv = _project(
                x_adv.detach() + step_size * unit_step(gradient, norm), centre, epsilon, norm
            )
        if trace is not None:
            trace.append(loss(net(x_adv), y).detach())
    return x_adv.detach()


def madry(epsilon: float, steps: int, norm: str) -> dict[str, Any]:
    """Settings of ``pgd`` by Madry's rule: 2.5 budgets over all steps."""
    step_size = 2.5 * epsilon / steps
    return {"epsilon": epsilon, "step_size": step_size, "steps": steps, "norm": norm}


def _check_settings(epsilon: float, step_size: float, steps: int, norm: str) -> None:
    if norm not in NORMS:
        raise InputError(f"norm {norm!r} is unknown: choose one of {', '.join(NORMS)}")
    for name, value in (("epsilon", epsilon), ("step_size", step_size)):
        if not 0 <= value < math.inf:
            raise InputError(f"{name} {value} is not a length: give a finite number of 0 or more")
    if steps < 0:
        raise InputError(f"steps {steps} is negative: give 0 or more")


def _check_images(x: Tensor, y: Tensor) -> None:
    if x.dim() != 4 or not x.numel():
        raise InputError(
            f"attacks take (B,C,H,W) images, but these have shape {list(x.shape)}: give one image"
            " or more"
        )
    if len(y) != len(x):
        raise InputError(f"there are {len(x)} images and {len(y)} targets: give one row for each")
    if x.dtype not in (torch.float32, torch.float64):
        raise InputError(
            f"attacks take fp32 or fp64 images, but these are {x.dtype}, too coarse for a small"
            " budget: convert with .float()"
        )
    # One pass and, on a GPU, one wait; NaN comes through both.
    low, high = torch.stack(x.detach().aminmax()).tolist()
    if math.isnan(low) or math.isnan(high):
        raise InputError(
            "attacks take images in [0,1], but these hold NaN: find where they were made"
        )
    if low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
        raise InputError(
            f"attacks take images in [0,1], but these run from {low:.3g} to {high:.3g}: convert"
            " with to_image_range"
        )


def _normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    device = generator.device if generator is not None else like.device
    return torch.randn(like.shape, generator=generator, device=device).to(like)


def _start(centre: Tensor, epsilon: float, norm: str, generator: torch.Generator | None) -> Tensor:
    """A uniform draw from the ball, cut to [0,1]."""
    device = generator.device if generator is not None else centre.device
    if norm == "linf":
        delta = (2 * torch.rand(centre.shape, generator=generator, device=device) - 1).to(centre)
    else:
        direction = _normal(centre, generator)
        radius = torch.rand(len(centre), generator=generator, device=device).to(centre) ** (
            1 / centre[0].numel()
        )
        delta = unit_step(direction, norm) * _per_image(radius, centre)
    return _project(centre + epsilon * delta, centre, epsilon, norm)


def unit_step(gradient: Tensor, norm: str) -> Tensor:
    """The steepest step of length 1 in the norm, (B,C,H,W); zero where the gradient is zero."""
    if norm == "linf":
        return gradient.sign()
    # Gradients of a sure network are so small that their squares are zero in fp32: measured against
    # their largest part first.
    tiny = torch.finfo(gradient.dtype).tiny
    scaled = gradient / _per_image(gradient.flatten(1).abs().amax(dim=1).clamp_min(tiny), gradient)
    return scaled / _per_image(scaled.flatten(1).norm(dim=1).clamp_min(tiny), gradient)


def _project(x: Tensor, centre: Tensor, epsilon: float, norm: str) -> Tensor:
    """The nearest point in the ball, then in [0,1], where the centre is."""
    delta = x - centre
    if norm == "linf":
        delta = delta.clamp(-epsilon, epsilon)
    else:
        length = delta.flatten(1).norm(dim=1).clamp_min(torch.finfo(x.dtype).tiny)
        delta = delta * _per_image((epsilon / length).clamp(max=1), delta)
    return (centre + delta).clamp(0, 1)


def _per_image(value: Tensor, like: Tensor) -> Tensor:
    return value.view(-1, *[1] * (like.dim() - 1))
