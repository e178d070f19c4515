"""Named settings with their source. Each is a flat mapping over the defaults of GenerateConfig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdp.config.generate import GenerateConfig, unflatten
from cdp.errors import MissingError


@dataclass(frozen=True)
class Preset:
    """A starting point: what it changes, and where its values come from."""

    title: str
    source: str
    flat: dict[str, Any]


_PAPER = {
    "loss": "hard_negative",
    "temperature": 10.0,
    "tau_plus": 0.1,
    "beta": 1.0,
    "positives": "previous",
    "negatives": "batch",
    "encoder": "standard",
    "head": True,
    "strength_mode": "raw",
    "factor": "one",
    "point": "x_t",
    "noise_limit": 0.0,
    "schedule": "constant",
    "precision": "fp32",
}
_PAPER_DIGITS = _PAPER | {
    "window_start": 0.15,
    "window_stop": 0.05,
    "batch": 128,
    "solver": "ddpm",
    "steps": 250,
    "clip_sample": "on",
}
_DIGITS_SAID = (
    "class-conditional, 250 ancestral DDPM steps of 1000 with the estimate clamped to [-1, 1],"
    " hard-negative loss with tau 10 through an online head, gradient at x_t for 50 < t < 150 from"
    " the first step inside, batch 128"
)

PRESETS: dict[str, Preset] = {
    "default": Preset(
        "Default",
        "Ours, not the paper's: class-aware guidance of the denoised estimate through a robust"
        " encoder, limited at high noise.",
        {},
    ),
    "paper-cifar10": Preset(
        "Paper: CIFAR-10",
        "The authors' published code for CIFAR-10: hard-negative loss with tau 10 through an online"
        " head 640-128-128, raw lambda 1e5 on the mean over both views, gradient at x_t, t >= 400"
        " of 1000 from the second step on, batch 512, DDIM eta 0. Unconditional there and with any"
        " unconditional model; one that knows classes is told them here. Their encoder was a"
        " WRN-28-10; here it is the standard one of the data set, whose features the head takes."
        " How many of the 1000 steps were taken is not stated: 20 here.",
        _PAPER
        | {
            "raw_lambda": 1e5,
            "head_hidden": 128,
            "head_out": 128,
            "window_start": 1.0,
            "window_stop": 0.4,
            "batch": 512,
            "solver": "ddim",
            "eta": 0.0,
            "clip_sample": "off",
        },
    ),
    "paper-mnist": Preset(
        "Paper: MNIST",
        f"The authors' published code for MNIST: {_DIGITS_SAID}, head 100-64-64, raw lambda 1e5 on"
        " the mean over both views. Their encoder was a small network of 100 features; here it is"
        " the standard one of the data set, whose features the head takes.",
        _PAPER_DIGITS | {"raw_lambda": 1e5, "head_hidden": 64, "head_out": 64},
    ),
    "paper-gtsrb": Preset(
        "Paper: traffic signs",
        f"The authors' published code for traffic signs: {_DIGITS_SAID}, raw lambda 5e3 on the mean"
        " over both views. Their encoder was a WRN-28-10 with the head 640-128-128 of CIFAR-10;"
        " here it is the standard one of the data set, whose features the head takes.",
        _PAPER_DIGITS | {"raw_lambda": 5e3, "head_hidden": 128, "head_out": 128},
    ),
    "unguided": Preset(
        "Unguided",
        "The diffusion model as it is: the control arm.",
        {"loss": "none", "strength": 0.0},
    ),
}


def preset(name: str) -> GenerateConfig:
    """The config of a preset. Raises MissingError that lists the names."""
    if name not in PRESETS:
        raise MissingError(f"preset {name!r} is unknown: choose one of {', '.join(PRESETS)}")
    return unflatten(PRESETS[name].flat)
