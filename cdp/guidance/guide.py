"""Guidance as values that compose: a gradient, scaled, within a window."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from cdp.config.generate import Guidance, looks_back
from cdp.errors import CdpError
from cdp.guidance.contrast import Bank, Contrast
from cdp.guidance.schedule import in_window, raw_weight, relative_strength
from cdp.models.classifiers import Classifier
from cdp.models.denoiser import to_image_range
from cdp.values.types import Guide, NoiseState, Nudge


class Descent(NamedTuple):
    """gradient: of the loss summed over its rows, (B,C,H,W); loss: of each image, (B,); rows: how
    many the sum has, which is B, or 2B for hard_negative, whose anchors are both views."""

    gradient: Tensor
    loss: Tensor
    rows: int


Gradient = Callable[[NoiseState], Descent | None]
"""None where there is nothing to descend yet."""

Strength = Callable[[float, float], float]
"""(t/T, alpha_bar) -> how strong."""


def descend(contrast: Contrast, *, point: str) -> Gradient:
    """The gradient of a contrast with respect to x_t, taken at one of three points.

    "x_t": the encoder sees the noisy iterate. "x0": it sees the denoised estimate and the network
    counts as fixed, so that dx0/dx_t = 1/sqrt(alpha_bar). "x0_through_network": the same,
    differentiated through the network.
    """

    def gradient(state: NoiseState) -> Descent | None:
        with torch.enable_grad():
            at = (
                (state.x_t if point == "x0_through_network" else _at(state, point))
                .detach()
                .requires_grad_()
            )
            x = state.predict_x0(at) if point == "x0_through_network" else at
            rows = contrast(to_image_range(x), state.labels)
            if rows is None:
                return None
            learned = list(contrast.head.parameters()) if contrast.head else []
            g, *rest = torch.autograd.grad(rows.sum(), [at, *learned])
        if contrast.head:
            contrast.head.learn([part / len(rows) for part in rest])
        if point == "x0":
            g = g / math.sqrt(state.alpha_bar)
        if not bool(torch.isfinite(g).all()):
            raise CdpError(
                f"the guidance gradient is not finite at t = {state.t}: raise the temperature or"
                " lower the strength"
            )
        return Descent(g, rows.detach().view(-1, len(at)).mean(0), len(rows))

    return gradient


def _at(state: NoiseState, point: str) -> Tensor:
    """What the encoder sees of a state, in model range."""
    return state.x_t if point == "x_t" else state.x0


def relative(gradient: Gradient, strength: Strength) -> Guide:
    """Rescale per image so that |delta| = strength * |predicted noise|."""

    def guide(state: NoiseState) -> Nudge | None:
        descent = gradient(state)
        if descent is None:
            return None
        g, loss, _ = descent
        asked = strength(state.t_fraction, state.alpha_bar)
        length, noise = norms(g), norms(state.eps)
        # An image whose loss is flat has no direction to go: leave it where it is.
        scale = torch.where(
            length > 0, asked * noise / length.clamp(min=torch.finfo(g.dtype).tiny), 0.0
        )
        delta = g * scale.view(-1, 1, 1, 1)
        return Nudge(delta, loss, norms(delta) / noise, asked)

    return guide


def raw(gradient: Gradient, weight: Strength) -> Guide:
    """weight * gradient of the loss's mean over all rows, as published."""

    def guide(state: NoiseState) -> Nudge | None:
        descent = gradient(state)
        if descent is None:
            return None
        g, loss, rows = descent
        delta = g * (weight(state.t_fraction, state.alpha_bar) / rows)
        return Nudge(delta, loss, norms(delta) / norms(state.eps), math.nan)

    return guide


def during(
    guide: Guide, inside: Callable[[float], bool], outside: Callable[[NoiseState], None]
) -> Guide:
    """The guide where ``inside(t/T)`` holds; elsewhere ``outside`` is told the state."""

    def within(state: NoiseState) -> Nudge | None:
        if inside(state.t_fraction):
            return guide(state)
        outside(state)
        return None

    return within


def sparing(guide: Guide, share: float, seed: int) -> Guide:
    """The guide for all but this share of a batch, rounded, which is left as it is: the same images
    at every step."""

    def spared(state: NoiseState) -> Nudge | None:
        nudge = guide(state)
        if nudge is None:
            return None
        order = torch.randperm(len(state.x_t), generator=torch.Generator().manual_seed(seed + 1))
        left = order[: round(share * len(order))].to(nudge.delta.device)
        return replace(
            nudge,
            delta=nudge.delta.index_fill(0, left, 0.0),
            ratio=nudge.ratio.index_fill(0, left, 0.0),
        )

    return spared if share else guide


def norms(x: Tensor) -> Tensor:
    """Euclidean norm per image, (B,)."""
    return x.flatten(1).norm(dim=1)


def build_guide(
    guidance: Guidance,
    net: Classifier,
    *,
    bank: Bank | None = None,
    gradient: Tensor | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Guide | None:
    """The guide of a config for one batch; None without guidance, so that 0 is exactly unguided.
    gradient: of ``robust_gradient``, where the loss asks for it; seed: of the batch's own random
    choices; dtype: of the encoder's forward pass."""
    strength = guidance.strength if guidance.strength_mode == "relative" else guidance.raw_lambda
    if guidance.loss == "none" or strength == 0:
        return None
    contrast = Contrast(guidance, net, bank=bank, seed=seed, dtype=dtype, gradient=gradient)
    descent = descend(contrast, point=guidance.point)
    if guidance.strength_mode == "raw":
        scaled = raw(descent, lambda t, level: raw_weight(guidance, t, level))
    else:
        scaled = relative(descent, lambda t, level: relative_strength(guidance, t, level))
    scaled = sparing(scaled, guidance.unguided_share, seed)

    def pass_by(state: NoiseState) -> None:
        if looks_back(guidance):
            contrast.pass_by(to_image_range(_at(state, guidance.point)), state.labels)

    return during(scaled, lambda t: in_window(guidance, t), pass_by)
