"""The noise schedule as plain numbers: what the form's strength profile and the tests need without
torch.

A scheduler config is diffusers' own dictionary (``scheduler_config.json``); the solvers themselves
are diffusers'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cdp.errors import InputError

COSINE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "clip_sample": False,
}
"""The schedule our checkpoints are trained with (Nichol and Dhariwal 2021); trailing spacing starts
at pure noise (Lin 2023)."""


def alpha_bars(config: Mapping[str, Any]) -> np.ndarray:
    """Cumulative alpha-bar, (T,) float64 in (0, 1). Raises InputError for no schedule of ours."""
    total = int(config.get("num_train_timesteps", 1000))
    kind = config.get("beta_schedule", "linear")
    start, end = float(config.get("beta_start", 1e-4)), float(config.get("beta_end", 0.02))
    if config.get("trained_betas") is not None:
        betas = np.asarray(config["trained_betas"], np.float64)
    elif kind == "linear":
        betas = np.linspace(start, end, total)
    elif kind == "scaled_linear":
        betas = np.linspace(math.sqrt(start), math.sqrt(end), total) ** 2
    elif kind == "squaredcos_cap_v2":
        level = np.cos((np.arange(total + 1) / total + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = np.minimum(1 - level[1:] / level[:-1], 0.999)
    else:
        raise InputError(
            f"noise schedule {kind!r} is unknown: use linear, scaled_linear or squaredcos_cap_v2"
        )
    return np.cumprod(1 - betas)


def timesteps(config: Mapping[str, Any], steps: int) -> np.ndarray:
    """The timesteps a solver visits, noisiest first (table 2 of Lin et al. 2023)."""
    total = int(config.get("num_train_timesteps", 1000))
    if not 1 <= steps <= total:
        raise InputError(
            f"steps must be 1 to {total}, the training timesteps of this model (given: {steps})"
        )
    spacing = config.get("timestep_spacing", "leading")
    if spacing == "trailing":
        return np.round(np.arange(total, 0, -total / steps)).astype(np.int64)[:steps] - 1
    if spacing == "leading":
        return (np.arange(steps) * (total // steps))[::-1].astype(np.int64) + int(
            config.get("steps_offset", 0)
        )
    return np.linspace(0, total - 1, steps).round()[::-1].astype(np.int64)
