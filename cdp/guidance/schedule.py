"""How strong guidance is at each step, as numbers, so that the form can draw it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cdp.config.generate import Guidance, Sampler, looks_back
from cdp.models import noise_schedule as noise


def in_window(guidance: Guidance, t_fraction: float) -> bool:
    """Whether timestep t/T lies in the guidance window [stop, start)."""
    return guidance.window_stop <= t_fraction < guidance.window_start


def schedule_weight(guidance: Guidance, t_fraction: float, alpha_bar: float) -> float:
    """The schedule's factor in 0..1; linear and cosine rise to 1 at the window's clean end."""
    if guidance.schedule == "noise_scaled":
        return math.sqrt(1 - alpha_bar)
    if guidance.schedule == "constant":
        return 1.0
    width = guidance.window_start - guidance.window_stop
    done = min(1.0, max(0.0, (guidance.window_start - t_fraction) / width)) if width else 1.0
    return done if guidance.schedule == "linear" else (1 - math.cos(math.pi * done)) / 2


def noise_cap(guidance: Guidance, alpha_bar: float) -> float:
    """Factor in 0..1 that keeps strength times noise/signal below strength times the limit; 1 where
    the limit is off.

    A change d of the noise moves the image estimate by sqrt(1 - alpha_bar)/sqrt(alpha_bar) d: the
    same strength that is mild at low noise destroys images at high noise. [derived]
    """
    if guidance.noise_limit == 0:
        return 1.0
    ratio = math.sqrt((1 - alpha_bar) / alpha_bar)
    return min(1.0, guidance.noise_limit / ratio) if ratio else 1.0


def raw_weight(guidance: Guidance, t_fraction: float, alpha_bar: float) -> float:
    """Lambda times every factor: the weight of the gradient of the loss's mean."""
    factor = math.sqrt(1 - alpha_bar) if guidance.factor == "sqrt_one_minus_alpha_bar" else 1.0
    weight = schedule_weight(guidance, t_fraction, alpha_bar) * noise_cap(guidance, alpha_bar)
    return guidance.raw_lambda * factor * weight


def relative_strength(guidance: Guidance, t_fraction: float, alpha_bar: float) -> float:
    """|guidance| / |predicted noise| asked for at this step, per image."""
    return (
        guidance.strength
        * schedule_weight(guidance, t_fraction, alpha_bar)
        * noise_cap(guidance, alpha_bar)
    )


def profile(
    guidance: Guidance, sampler: Sampler, scheduler: Mapping[str, Any] = noise.COSINE
) -> list[tuple[float, float]]:
    """(t/T, effective strength) for every step of the solver, noisiest first; 0 outside the window,
    and at a first step that would look back.

    For raw strength the second value is the weight of the mean gradient instead. DPM-Solver++ and
    UniPC may clip or shift the noisiest step by a few timesteps.
    """
    levels = noise.alpha_bars(scheduler)
    strength = raw_weight if guidance.strength_mode == "raw" else relative_strength
    points = []
    for index, t in enumerate(noise.timesteps(scheduler, sampler.steps)):
        fraction = float(t) / len(levels)
        on = (
            guidance.loss != "none"
            and in_window(guidance, fraction)
            and (index > 0 or not looks_back(guidance))
        )
        points.append((fraction, strength(guidance, fraction, float(levels[t])) if on else 0.0))
    return points
