"""Experiments as YAML: read from a person's file, written for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdp.config.experiment import ExperimentConfig
from cdp.config.knobs import parse
from cdp.errors import InputError
from cdp.files.settings import mapping_of, read_mapping

_REMEDY = "docs/experiments.md has a file to start from"


def read_experiment(path: Path) -> ExperimentConfig:
    """The experiment in a file. Raises MissingError where there is none, InputError that names file,
    field and remedy for anything else."""
    settings = read_mapping(path, missing="give the path of an experiment's file", remedy=_REMEDY)
    return _parsed(settings, str(path))


def experiment_of(text: str, where: str) -> ExperimentConfig:
    """The experiment in a text. where: it comes from, for the InputError."""
    return _parsed(mapping_of(text, where, remedy=_REMEDY), where)


def _parsed(settings: dict[str, Any], where: str) -> ExperimentConfig:
    # In a record of a run what is not asked for stands as nothing beside all other fields.
    empty = "has nothing behind it: write {} for the usual settings, or take it out"
    if settings.get("pretrain", 0) is None and "stage" not in settings:
        raise InputError(f"{where}: pretrain {empty}")
    arms = settings.get("arms")
    for name, arm in arms.items() if isinstance(arms, dict) else ():
        if isinstance(arm, dict) and arm.get("generate", 0) is None and "set" not in arm:
            raise InputError(f"{where}: arms.{name}.generate {empty} for real images alone")
    try:
        return parse(ExperimentConfig, settings)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def yaml_of(config: ExperimentConfig) -> str:
    """The file that gives this experiment, without what is at its default."""
    import yaml

    return yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True)


def plain(config: ExperimentConfig) -> dict[str, Any]:
    """The same JSON-ready; an arm with nothing set is {}."""
    data = config.model_dump(mode="json", exclude_defaults=True)
    for name in ("objective", "seeds"):
        if name in data:
            data[name] = list(data[name])
    return data
