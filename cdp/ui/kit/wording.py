"""How an evaluation is written for a person: shares with their intervals, budgets, settings in
short."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.titles import TITLES
from cdp.values.evaluation import WeightsReport
from cdp.values.text import exact_text

ESTIMATE = "Stronger attacks leave fewer images standing."


def weights_title(weights: WeightsReport) -> str:
    """ "best (epoch 12)"; "these weights" where the model has one set only."""
    if weights.which == "given":
        return "these weights"
    return f"{weights.which} (epoch {weights.epoch})" if weights.epoch else weights.which


def facts(config: Any) -> str:
    """The settings in short: attack, images, budget, weights."""
    if not isinstance(config, EvaluateConfig):
        return "settings cannot be read"
    images = "all images" if config.images is None else f"at most {config.images:,} images"
    norm = "" if config.norm == "trained" else TITLES[config.norm]
    budget = "" if config.epsilon is None else f"budget {exact_text(config.epsilon)}"
    threat = " ".join(part for part in (norm, budget) if part) or "budget as trained"
    which = f"{config.weights} weights" if config.model.startswith(RUN) else ""
    data = PurePath(config.part or config.dataset).name
    return " · ".join(
        part
        for part in (TITLES[config.attack], images, threat, which, data, f"seed {config.seed}")
        if part
    )
