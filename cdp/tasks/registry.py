"""Every task by its name. What a task needs is imported when it runs: pages and the command line
read this registry before anything heavy is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.config.generate import GenerateConfig
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.models.encoders import encoder_folder
from cdp.models.pipelines import model_folder
from cdp.work.task import Task, lazy


def task_of(name: str) -> Task[Any, Any]:
    """The task of that name. Raises InputError that lists them."""
    if name not in TASKS:
        raise InputError(f"kind {name[:40]!r} is unknown: choose one of {', '.join(TASKS)}")
    return TASKS[name]


def _entries(*roots: Path) -> set[str]:
    return {entry.name for root in roots if root.is_dir() for entry in root.iterdir()}


TASKS: dict[str, Task[Any, Any]] = {
    task.name: task
    for task in (
        Task(
            "generate",
            "Generation",
            GenerateConfig,
            lazy("cdp.tasks.generate:generate"),
            check=lazy("cdp.tasks.sources:require_generation"),
            makes="a set",
            place=lambda name, config: paths.sets_dir() / name,
            taken=lambda: _entries(paths.sets_dir()),
            discard=lazy("cdp.tasks.generate:discard"),
        ),
        Task(
            "train",
            "Robust training",
            TrainConfig,
            lazy("cdp.tasks.train:train_run"),
            check=lazy("cdp.tasks.train_data:prepare"),
        ),
        Task(
            "evaluate",
            "Evaluation",
            EvaluateConfig,
            lazy("cdp.tasks.evaluate:evaluate"),
            check=lazy("cdp.tasks.evaluate_data:require_ready"),
        ),
        Task(
            "pretrain",
            "Diffusion model",
            PretrainConfig,
            lazy("cdp.tasks.pretrain.run:pretrain_model"),
            check=lazy("cdp.tasks.pretrain.data:require_ready"),
            makes="a model",
            place=lambda name, config: model_folder(config),
            taken=lambda: _entries(paths.ASSETS / "models", paths.models_dir()),
            named=True,
            discard=lazy("cdp.tasks.pretrain.run:discard"),
        ),
        Task(
            "pretrain-encoder",
            "Encoder",
            EncoderConfig,
            lazy("cdp.tasks.pretrain.run:pretrain_encoder"),
            check=lazy("cdp.tasks.pretrain.data:require_ready"),
            makes="an encoder",
            place=lambda name, config: encoder_folder(config),
            taken=lambda: _entries(
                *paths.encoders_dir().glob("*"), *(paths.ASSETS / "encoders").glob("*")
            ),
            named=True,
            discard=lazy("cdp.tasks.pretrain.run:discard"),
        ),
    )
}
