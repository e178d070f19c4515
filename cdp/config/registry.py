"""The settings that run folders store, by the name of the task they belong to."""

from __future__ import annotations

from typing import Any

from cdp.config.evaluate import EvaluateConfig
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.knobs import Frozen, parse
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.config.train import TrainConfig
from cdp.errors import InputError

CONFIGS: dict[str, type[Frozen]] = {
    "generate": GenerateConfig,
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "pretrain": PretrainConfig,
    "pretrain-encoder": EncoderConfig,
}


def require_kind(kind: str) -> str:
    """The kind itself. Raises InputError that lists those that there are."""
    if kind not in CONFIGS:
        raise InputError(f"kind {kind[:40]!r} is unknown: choose one of {', '.join(CONFIGS)}")
    return kind


def read_config(kind: str, data: dict[str, Any]) -> Frozen:
    """Settings of this kind from JSON, those of earlier versions in today's terms. Raises
    InputError."""
    model = CONFIGS[require_kind(kind)]
    return unflatten(data) if model is GenerateConfig else parse(model, data)


def write_config(config: Frozen) -> dict[str, Any]:
    """The same, JSON-ready."""
    if isinstance(config, GenerateConfig):
        return flatten(config)
    return config.model_dump(mode="json")
