"""Named settings with their source. Each is a flat mapping over the defaults of its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdp.config.fields import config_of
from cdp.config.generate import GenerateConfig
from cdp.config.train import TrainConfig
from cdp.errors import MissingError


@dataclass(frozen=True)
class Preset:
    """A starting point: what it changes, and where its values come from."""

    title: str
    source: str
    flat: dict[str, Any]


_LOSS = {"loss": "hard_negative", "temperature": 10.0, "tau_plus": 0.1, "beta": 1.0}
_PAIRS = {"positives": "previous", "negatives": "batch", "encoder": "standard", "head": True}
_PUSH = {"strength_mode": "raw", "factor": "one", "point": "x_t", "noise_limit": 0.0}
_PAPER: dict[str, Any] = _LOSS | _PAIRS | _PUSH | {"schedule": "constant", "precision": "fp32"}
_WINDOW = {"window_start": 0.15, "window_stop": 0.05, "batch": 128}
_PAPER_DIGITS = _PAPER | _WINDOW | {"solver": "ddpm", "steps": 250, "clip_sample": "on"}
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
        | {"raw_lambda": 1e5, "head_hidden": 128, "head_out": 128}
        | {"window_start": 1.0, "window_stop": 0.4, "batch": 512}
        | {"solver": "ddim", "steps": 20, "eta": 0.0, "clip_sample": "off"},
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


TRAIN_PRESETS: dict[str, Preset] = {
    "quick": Preset(
        "Quick look",
        "Ours: about two minutes on two cores, with synthetic images or without. "
        "Its accuracies rank settings roughly; do not cite them.",
        {"real": 2000, "held_out": 500, "steps": 500, "attack_steps": 5, "validation_steps": 5},
    ),
    "standard": Preset(
        "Standard",
        "Ours: the published losses and schedule on the small network, for results with error bars"
        " on two cores overnight.",
        {},
    ),
    "paper": Preset(
        "Paper",
        "The published recipe as read off the authors' code: TRADES with beta 6, PGD-10 from 0.001"
        " N(0,1), SGD Nesterov, one-cycle to a rate of 0.4 with momentum cycled 0.95 to 0.85,"
        " weight average 0.995 after the first 2.5 %, 70 % synthetic, WRN-28-10-Swish, 400 epochs,"
        " batch 1024. It wants a GPU.",
        {"architecture": "wrn-28-10-swish", "epochs": 400, "batch": 1024}
        | {"learning_rate": 0.4, "momentum_cycle": True, "weight_decay": 5e-4, "warm_up": 0.0}
        | {"beta": 6.0, "fraction": 0.7, "ema_decay": 0.995, "ema_warm_up": 0.025}
        | {"attack_steps": 10, "attack_start": "noise", "overfitting": "notice"},
    ),
}


def named(presets: Mapping[str, Preset], name: str) -> Preset:
    """The preset of that name. Raises MissingError that lists them."""
    if name not in presets:
        raise MissingError(f"preset {name!r} is unknown: choose one of {', '.join(presets)}")
    return presets[name]


def preset(name: str) -> GenerateConfig:
    """The settings of a preset of generation. Raises MissingError that lists them."""
    return config_of(GenerateConfig, named(PRESETS, name).flat)


def train_preset(name: str) -> TrainConfig:
    """The settings of a preset of robust training. Raises MissingError that lists them."""
    return config_of(TrainConfig, named(TRAIN_PRESETS, name).flat)
