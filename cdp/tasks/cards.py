"""The card of a generated set: everything needed to make it again, and to say where it came
from."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from cdp import __version__
from cdp.config.generate import GenerateConfig, flatten
from cdp.data.registry import dataset_info
from cdp.tasks.loaded import load_engine


def set_card(config: GenerateConfig) -> dict[str, Any]:
    """JSON-ready: config, hashes of model and encoder, class names, device and versions. A model
    without classes makes images without labels, so that there are no class names; classes that a
    guide aimed at stand in the config alone."""
    engine = load_engine(config)
    encoder, classes = engine.encoder, engine.model.denoiser.classes
    names = engine.model.card.get("class_names") or (
        dataset_info(engine.dataset).classes if engine.dataset else map(str, range(classes))
    )
    return {
        "kind": "generated",
        "dataset": engine.dataset or None,
        "class_names": list(names) if classes else [],
        "config": flatten(config) | {"dataset": engine.dataset},
        "model": {"name": config.model, "sha256": engine.model.sha256, "classes": classes},
        "encoder": {"name": encoder.name, "sha256": encoder.sha256} if encoder else None,
        "precision": str(engine.dtype).removeprefix("torch."),
        "device": device_name(engine.device.type),
        "versions": (
            {"cdp": __version__, "python": platform.python_version()}
            | {n: version(n) for n in ("torch", "diffusers", "numpy")}
        ),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def device_name(kind: str) -> str:
    """The device in words."""
    if kind == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return kind
