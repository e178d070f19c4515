"""One batch of a set at a time, all of it a function of the config and the batch number alone."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from cdp import __version__
from cdp.config.generate import GenerateConfig, Sampler, flatten
from cdp.data.registry import dataset_info
from cdp.data.rows import Chunk
from cdp.diffusion.sampling import Autoguidance, Trajectory, image_seeds, sample_pair
from cdp.guidance.guide import build_guide
from cdp.tasks.loaded import Loaded, load_engine, to_uint8
from cdp.values.types import Guide, Step


def labels_of(config: GenerateConfig, rows: range, loaded: Loaded) -> np.ndarray | None:
    """The class each image was told to show, (b,) int64; None for a model without classes."""
    return wanted_classes(config, rows, loaded) if loaded.model.denoiser.classes else None


def wanted_classes(config: GenerateConfig, rows: range, loaded: Loaded) -> np.ndarray | None:
    """The class that each image is steered to, (b,) int64: the chosen classes, else all of the
    model's, take turns over the set; None where nobody chose any.

    With a model without classes these are only what a guide aims at, which is no label.
    """
    classes = config.classes or tuple(range(loaded.model.denoiser.classes))
    return np.asarray(classes, np.int64)[np.asarray(rows) % len(classes)] if classes else None


def batch_rows(config: GenerateConfig, index: int) -> range:
    """The rows of one batch of the set."""
    return range(index * config.batch, min(config.count, (index + 1) * config.batch))


def batch_count(config: GenerateConfig) -> int:
    """How many batches the set has."""
    return -(-config.count // config.batch)


def _trajectory(config: GenerateConfig, index: int) -> Trajectory:
    """One batch, still noise."""
    loaded, rows, sampler = load_engine(config), batch_rows(config, index), config.sampler
    if sampler.compile and 0 < len(rows) < min(config.count, config.batch):
        # A last batch of another size would be compiled for, which takes longer than to sample it.
        plain = sampler.model_copy(update={"compile": False})
        loaded = load_engine(config.model_copy(update={"sampler": plain}))
    wanted = wanted_classes(config, rows, loaded)
    names = ("solver", "steps", "eta", "cfg_scale", "clip_sample")
    return Trajectory(
        loaded.model.denoiser,
        loaded.model.scheduler_config,
        labels=None if wanted is None else torch.from_numpy(wanted),
        seeds=image_seeds(config.seed, rows),
        guide=guide_for(config, loaded, index),
        autoguidance=autoguidance_of(sampler, loaded),
        dtype=loaded.dtype,
        **{name: getattr(sampler, name) for name in names},
    )


def autoguidance_of(sampler: Sampler, loaded: Loaded) -> Autoguidance | None:
    """What the weak model does; None without one, so that scale 1 is exactly the model as it is."""
    if loaded.weak is None:
        return None
    window = sampler.autoguidance_start, sampler.autoguidance_stop
    return Autoguidance(loaded.weak.denoiser, sampler.autoguidance_scale, *window)


def guide_for(config: GenerateConfig, loaded: Loaded, index: int) -> Guide | None:
    """The guide of one batch: its random choices depend on the seed and the batch number alone."""
    if loaded.encoder is None:
        return None
    seed = int(np.random.SeedSequence([config.seed, index, 1]).generate_state(1, np.uint64)[0] >> 1)
    return build_guide(
        config.guidance,
        loaded.encoder.net,
        bank=loaded.bank,
        gradient=loaded.gradient,
        seed=seed,
        dtype=loaded.dtype,
    )


def sample_batch(config: GenerateConfig, index: int) -> Iterator[Step]:
    """The steps of one batch of the set."""
    return _trajectory(config, index).steps()


def sample_batch_pair(config: GenerateConfig, index: int) -> Iterator[tuple[Step, Step]]:
    """The steps of one batch, guided and unguided from the same noise."""
    return sample_pair(_trajectory(config, index))


def generate_batch(
    config: GenerateConfig, index: int, should_stop: Callable[[], bool] = lambda: False
) -> Chunk | None:
    """Batch ``index`` of the set: images (b,H,W,C) uint8 and labels (b,), None for a model without
    classes; None where it was stopped midway."""
    step: Step | None = None
    for step in sample_batch(config, index):  # noqa: B007 - the last step is the result
        if should_stop():
            return None
    assert step is not None  # a solver has at least one step
    return to_uint8(step.x), labels_of(config, batch_rows(config, index), load_engine(config))


def set_card(config: GenerateConfig) -> dict[str, Any]:
    """JSON-ready: config, hashes of the networks, class names, device and versions. A model
    without classes makes images without labels, and then there are no class names."""
    engine = load_engine(config)
    encoder, classes = engine.encoder, engine.model.denoiser.classes
    weak = (
        {"name": config.sampler.weak_model, "sha256": engine.weak.sha256} if engine.weak else None
    )
    names = engine.model.card.get("class_names") or (
        dataset_info(engine.dataset).classes if engine.dataset else map(str, range(classes))
    )
    return {
        "kind": "generated",
        "dataset": engine.dataset or None,
        "class_names": list(names) if classes else [],
        "config": flatten(config) | {"dataset": engine.dataset},
        "model": {"name": config.model, "sha256": engine.model.sha256, "classes": classes},
        "weak_model": weak,
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
