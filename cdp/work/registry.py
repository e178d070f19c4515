"""Every task by its name. An entry names its code as text, so that pages and the command line read
this before anything heavy is loaded, and run folders are read without knowing the code."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.config.experiment import ExperimentConfig
from cdp.config.explore import ExploreConfig
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.knobs import Frozen, parse
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.config.questions import (
    CloseupQuestion,
    FlagsQuestion,
    LabelQuestion,
    LabQuestion,
    MeasureQuestion,
    Nothing,
    PlaceQuestion,
    PointsQuestion,
    PreviewQuestion,
    ScoreQuestion,
)
from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.models.encoders import encoder_folder
from cdp.models.pipelines import model_folder
from cdp.work.task import Task, fields, fields_and_report, lazy


def _entries(*roots: Path) -> set[str]:
    return {entry.name for root in roots if root.is_dir() for entry in root.iterdir()}


def _helper(name: str, title: str, config: type[Frozen], **more: Any) -> Task[Any, Any]:
    return Task(name, title, config, where="helper", **more)


_NOW: dict[str, Any] = {"urgent": True, "lane": "now"}
"""Of what somebody waits for who has just clicked."""
_MODEL: dict[str, Any] = {
    "check": lazy("cdp.tasks.pretrain.shared:require_ready"),
    "discard": lazy("cdp.tasks.pretrain.run:discard"),
    "named": True,
}
"""Of what trains a network that gets the run's name."""

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
            "experiment",
            "Experiment",
            ExperimentConfig,
            lazy("cdp.experiments.coordinate:experiment"),
            check=lazy("cdp.experiments.plan:require_ready"),
            named=True,
            slot=False,
        ),
        Task(
            "pretrain",
            "Diffusion model",
            PretrainConfig,
            lazy("cdp.tasks.pretrain.run:pretrain_model"),
            makes="a model",
            place=lambda name, config: model_folder(config),
            taken=lambda: _entries(paths.ASSETS / "models", paths.models_dir()),
            **_MODEL,
        ),
        Task(
            "pretrain-encoder",
            "Encoder",
            EncoderConfig,
            lazy("cdp.tasks.pretrain.run:pretrain_encoder"),
            makes="an encoder",
            place=lambda name, config: encoder_folder(config),
            taken=lambda: _entries(
                *paths.encoders_dir().glob("*"), *(paths.ASSETS / "encoders").glob("*")
            ),
            **_MODEL,
        ),
        Task("live", "Live generation", GenerateConfig, lazy("cdp.tasks.live:live"), where="live"),
        _helper(
            "ready", "Loading", Nothing, run=fields("cdp.tasks.loaded:get_ready"), lasting=True
        ),
        _helper(
            "ready_now",
            "Loading",
            Nothing,
            run=fields("cdp.tasks.loaded:get_ready"),
            lane="now",
            lasting=True,
        ),
        _helper(
            "warm",
            "Preparing UMAP",
            Nothing,
            run=fields("cdp.embedding.projection:warm"),
            lane="maps",
            lasting=True,
        ),
        _helper("embed", "PCA", ExploreConfig, cached=lazy("cdp.tasks.atlas:map_of")),
        _helper("umap", "UMAP", ExploreConfig, cached=lazy("cdp.tasks.atlas:map_of"), lane="maps"),
        _helper(
            "quality",
            "Checking the map",
            ExploreConfig,
            cached=lazy("cdp.tasks.atlas:quality_of"),
            lane="maps",
        ),
        _helper("scores", "Scores of each image", ExploreConfig, run=lazy("cdp.tasks.atlas:score")),
        _helper(
            "measure",
            "Measuring",
            MeasureQuestion,
            cached=fields("cdp.tasks.measuring:measured_of"),
        ),
        _helper(
            "closeup",
            "Looking closer",
            CloseupQuestion,
            run=fields("cdp.tasks.atlas:closeup"),
            **_NOW,
            encode=lambda closeup: closeup.to_json(),
        ),
        _helper(
            "score_set",
            "Scoring the images",
            ScoreQuestion,
            run=fields("cdp.tasks.scoring:score_set"),
        ),
        _helper(
            "flags",
            "Looking for copies",
            FlagsQuestion,
            run=fields("cdp.tasks.scoring:flagged_in"),
            encode=lambda flags: flags,
        ),
        _helper(
            "preview_figures",
            "Measuring the kept part, a random one and the whole",
            PreviewQuestion,
            run=fields_and_report("cdp.tasks.selecting:preview_figures"),
            encode=lambda figures: figures.to_json(),
        ),
        _helper(
            "pseudo_label",
            "Labelling",
            LabelQuestion,
            run=fields_and_report("cdp.tasks.pseudo_labels:pseudo_label"),
            lasting=True,
            encode=lambda samples: {"name": samples.name, "count": len(samples)},
        ),
        _helper(
            "estimate",
            "Measuring a training step",
            TrainConfig,
            run=lambda config, session: lazy("cdp.tasks.estimate:estimate")(config),
            **_NOW,
            encode=asdict,
        ),
        _helper("lab", "Attacking", LabQuestion, cached=fields("cdp.tasks.lab:answer_of"), **_NOW),
        _helper(
            "theory_points",
            "Training classifiers",
            PointsQuestion,
            cached=fields("cdp.tasks.theory:points_of"),
        ),
        _helper(
            "theory_place", "Measuring", PlaceQuestion, cached=fields("cdp.tasks.theory:place_of")
        ),
    )
}


def run_task(kind: str) -> Task[Any, Any]:
    """The background task of that name. Raises InputError that lists those that there are."""
    task = TASKS.get(kind)
    if task is None or task.where != "background":
        names = [name for name, task in TASKS.items() if task.where == "background"]
        raise InputError(f"kind {kind[:40]!r} is unknown: choose one of {', '.join(names)}")
    return task


def read_config(kind: str, data: dict[str, Any]) -> Frozen:
    """Settings of a run of this kind from JSON, those of earlier versions in today's terms. Raises
    InputError."""
    model = run_task(kind).config
    config: Frozen = unflatten(data) if model is GenerateConfig else parse(model, data)
    return config


def write_config(config: Frozen) -> dict[str, Any]:
    """The same, JSON-ready."""
    if isinstance(config, GenerateConfig):
        return flatten(config)
    return config.model_dump(mode="json")
