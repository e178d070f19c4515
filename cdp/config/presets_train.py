"""Named settings of robust training with their source. Each is a mapping over the defaults of
TrainConfig."""

from __future__ import annotations

from typing import Any

from cdp.config.knobs import parse
from cdp.config.presets import Preset
from cdp.config.train import TrainConfig
from cdp.errors import MissingError

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
        {
            "architecture": "wrn-28-10-swish",
            "epochs": 400,
            "batch": 1024,
            "learning_rate": 0.4,
            "momentum_cycle": True,
            "weight_decay": 5e-4,
            "warm_up": 0.0,
            "beta": 6.0,
            "fraction": 0.7,
            "ema_decay": 0.995,
            "ema_warm_up": 0.025,
            "attack_steps": 10,
            "attack_start": "noise",
            "overfitting": "notice",
        },
    ),
}


def preset_settings(name: str) -> dict[str, Any]:
    """What a preset sets, over the defaults. Raises MissingError that lists the names."""
    if name not in TRAIN_PRESETS:
        raise MissingError(f"preset {name!r} is unknown: choose one of {', '.join(TRAIN_PRESETS)}")
    return TRAIN_PRESETS[name].flat


def train_preset(name: str) -> TrainConfig:
    """The config of a preset. Raises MissingError that lists the names."""
    return parse(TrainConfig, preset_settings(name))
