"""What a robust training leaves in its folder: checkpoints, classifiers, examples of the attack."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from cdp.config.knobs import parse
from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.files.atomic import atomic_file
from cdp.models.encoders import card_facts
from cdp.models.state import arithmetic
from cdp.robust.training import RobustTrainer
from cdp.tasks.train_data import TrainingInputs
from cdp.values.types import EpochMetrics
from cdp.work.checkpoint import Checkpoint
from cdp.work.clean import CHECKPOINTS

BEST, LAST, EXAMPLES = "best", "last", "examples.npz"
_WITHOUT_WEIGHT = frozenset({"overfitting"})
"""Settings that change no number, so that a training may go on with another."""


def checkpoint_of(folder: Path, config: TrainConfig, prepared: TrainingInputs) -> Checkpoint:
    """The newest two states of a training. Raises InputError for other settings or data."""
    return Checkpoint(
        folder / CHECKPOINTS,
        started_with(config, prepared),
        what="this run",
        remedy="restore what it was begun with, or start a new run",
        upgrade=_completed,
        keep=2,
    )


def started_with(config: TrainConfig, prepared: TrainingInputs) -> dict[str, Any]:
    """What must be the same for a checkpoint to go on."""
    # Not the hash of a card: tags may be put on a set at any time.
    sets = [
        {name: value for name, value in item.items() if name != "card_sha256"}
        for item in prepared.sets
    ]
    data = {
        "real images": prepared.real,
        "synthetic images": prepared.synthetic,
        "validation images": len(prepared.data.label),
        "budget": prepared.epsilon,
    }
    return config.model_dump(mode="json", exclude=set(_WITHOUT_WEIGHT)) | data | {"sets": sets}


def _completed(record: dict[str, Any]) -> dict[str, Any]:
    """What a training was begun with; settings that are new since are as they were without."""
    settings = {name: value for name, value in record.items() if name in TrainConfig.model_fields}
    try:
        known = parse(TrainConfig, settings | dict.fromkeys(_WITHOUT_WEIGHT, "stop"))
    except InputError:
        return record  # damaged: what differs is named
    return known.model_dump(mode="json", exclude=set(_WITHOUT_WEIGHT)) | record


def classifier_card(
    config: TrainConfig,
    prepared: TrainingInputs,
    metrics: EpochMetrics,
    *,
    run_name: str,
    kept_as: str,
) -> dict[str, Any]:
    """The card of a finished classifier. metrics: of its validation; kept_as: best or last."""
    settings = config.model_dump(mode="json", exclude={"dataset", "synthetic"})
    settings |= {
        "epsilon": prepared.epsilon,
        "attack_steps": config.pgd_steps,
        "step_size": config.pgd_step_size(prepared.epsilon),
    }
    how = {
        "attack": "PGD",
        "steps": config.validation_steps,
        "restarts": 1,
        "norm": config.norm,
        "epsilon": prepared.epsilon,
    }
    on = {"n": metrics.n, "on": "validation images held out from training"}
    return card_facts("classifier", prepared.info) | {
        "kind": "robust",
        "run": run_name,
        "kept_as": kept_as,
        "epoch": metrics.epoch,
        "steps": metrics.step,
        "images_seen": metrics.images,
        "training": (
            settings
            | {
                "images": prepared.real,
                "synthetic_images": 0 if config.further_real else prepared.synthetic,
                "further_real_images": config.further_real,
                "held_out": metrics.n,
                "dataset": config.dataset,
            }
        ),
        "arithmetic": arithmetic(),
        "sets": list(prepared.sets),
        "accuracy": {
            "clean": {"value": metrics.clean_accuracy, **on},
            "pgd": {
                "value": metrics.robust_accuracy,
                **on,
                **how,
                "note": "a quick estimate: stronger attacks find less",
            },
        },
        "metrics": {
            name: value if math.isfinite(value) else None
            for name, value in dataclasses.asdict(metrics).items()
        },
    }


def save_examples(folder: Path, trainer: RobustTrainer) -> None:
    """examples.npz: the validation images that show the attack, as last validated."""
    checked, rows = trainer.checked, trainer.shown
    if checked is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / EXAMPLES) as file:
        np.savez(
            file,
            clean=trainer.data.image[rows],
            adversarial=checked.adversarial.astype(np.float32),
            label=trainer.data.label[rows],
            predicted_clean=checked.predicted_clean[rows],
            predicted=checked.predicted[rows],
            epoch=np.int64(trainer.history[-1].metrics.epoch),
            epsilon=np.float64(trainer.epsilon),
        )
