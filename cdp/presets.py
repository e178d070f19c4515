"""Named settings with their source. Each is a flat mapping over the defaults of GenerateConfig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdp.config import GenerateConfig, unflatten
from cdp.errors import MissingError


@dataclass(frozen=True)
class Preset:
    """A starting point: what it changes, and where its values come from."""

    title: str
    source: str
    flat: dict[str, Any]


_PAPER = {
    "encoder": "standard", "strength_mode": "raw", "factor": "one", "point": "x_t", "noise_limit": 0.0, "positives": "previous", "schedule": "constant",
}  # fmt: skip

PRESETS: dict[str, Preset] = {
    "default": Preset(
        "Default",
        "Ours, not the paper's: class-aware guidance of the denoised estimate through a robust encoder, limited at high noise.",
        {},
    ),
    "paper-cifar10": Preset(
        "Paper: CIFAR-10",
        "The authors' published code for CIFAR-10: hard-negative loss, tau 10, raw lambda 1e5, gradient at x_t, t >= 400 of 1000, batch 512, DDIM eta 0. "
        "Their encoder was a WRN-28-10; here it is the standard one of the data set.",
        _PAPER | {"loss": "hard_negative", "temperature": 10.0, "raw_lambda": 1e5, "window_start": 1.0, "window_stop": 0.4, "batch": 512},
    ),
    "paper-mnist": Preset(
        "Paper: MNIST / traffic signs",
        "The authors' published code for MNIST and traffic signs: 250 steps, guidance for 50 < t < 150, batch 128, online head. "
        "Loss and lambda as for CIFAR-10; on a schedule of another length the window keeps its fraction of T.",
        _PAPER
        | {
            "loss": "hard_negative", "temperature": 10.0, "raw_lambda": 1e5, "window_start": 0.6, "window_stop": 0.2, "batch": 128,
            "steps": 250, "head": True,
        },
    ),
    "unguided": Preset("Unguided", "The diffusion model as it is: the control arm.", {"loss": "none", "strength": 0.0}),
}  # fmt: skip


def preset(name: str) -> GenerateConfig:
    """The config of a preset. Raises MissingError that lists the names."""
    if name not in PRESETS:
        raise MissingError(f"preset {name!r} is unknown: choose one of {', '.join(PRESETS)}")
    return unflatten(PRESETS[name].flat)
