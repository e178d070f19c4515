"""What a finished training writes on its card. Figures of quality are added by the script that
measures them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cdp import __version__
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.values.types import DatasetInfo, Split

CURVE_POINTS = 200


def model_card(
    config: PretrainConfig,
    split: Split,
    *,
    parameters: int,
    steps: int,
    losses: Sequence[float],
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The card of a diffusion model. steps: taken so far (config.steps where finished); before:
    card of the model it started from."""
    info = split.info
    history = (
        {
            "before": {
                key: before[key] for key in ("training", "loss_curve", "before") if key in before
            }
        }
        if before
        else {}
    )
    settings = config.model_dump(
        mode="json", exclude={"name", "dataset", "steps", "save_every", "patch", "anyway"}
    )
    return (
        _common("diffusion", info)
        | {
            "patch": config.patch,
            "parameters": parameters,
            "training": (
                settings
                | {
                    "images": len(split),
                    "steps": steps,
                    "steps_planned": config.steps,
                    "images_seen": steps * config.batch,
                }
            ),
            "loss_curve": curve(losses),
            "quality": {},
        }
        | history
    )


def encoder_card(
    config: EncoderConfig,
    split: Split,
    *,
    epsilon: float | None,
    held_out: int,
    history: Sequence[float],
    measured: Mapping[str, Any],
) -> dict[str, Any]:
    """The card of an encoder. history: held-out score of every epoch; measured: accuracies with
    what they were measured on."""
    settings = config.model_dump(
        mode="json",
        exclude={"name", "dataset", "kind", "widths", "blocks", "epsilon", "held_out", "anyway"},
    )
    attack = {"epsilon": epsilon} if config.kind == "robust" else {}
    if config.kind != "robust":
        settings.pop("attack_steps")
    return _common("encoder", split.info) | {
        "kind": config.kind,
        "training": (
            settings
            | attack
            | {
                "images": len(split) - held_out,
                "held_out": held_out,
                "held_out_score": [round(s, 4) for s in history],
            }
        ),
        "accuracy": dict(measured),
    }


def curve(losses: Sequence[float]) -> list[list[float]]:
    """At most CURVE_POINTS pairs of step and mean loss over the steps since the pair before."""
    if not len(losses):
        return []
    ends = np.unique(
        np.linspace(0, len(losses), min(CURVE_POINTS, len(losses)) + 1).round().astype(int)
    )
    sums = np.concatenate([[0.0], np.cumsum(losses, dtype=np.float64)])
    means = np.diff(sums[ends]) / np.diff(ends)
    return [[int(end), round(float(mean), 6)] for end, mean in zip(ends[1:], means, strict=True)]


def _common(what: str, info: DatasetInfo) -> dict[str, Any]:
    return {
        "format": 1,
        "what": what,
        "dataset": info.name,
        "dataset_title": info.title,
        "shape": list(info.shape),
        "classes": len(info.classes),
        "class_names": list(info.classes),
        "licence": f"weights: Apache-2.0; training data: {info.licence}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "code_version": __version__,
    }
