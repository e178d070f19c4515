"""A config from a YAML or JSON file of a stranger: read as data only, of sane size, without YAML's
aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml

from cdp.config.knobs import Frozen, parse
from cdp.data.samples import read_small_text
from cdp.errors import InputError

MAX_BYTES = 1 << 20

Config = TypeVar("Config", bound=Frozen)


class _Plain(yaml.SafeLoader):
    """Refuses aliases, a few lines of which can stand for gigabytes, and a setting that is there
    twice."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed: write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=deep)
        if len(found) < len(node.value):
            names = [str(key.value) for key, _ in node.value]
            twice = next((name for name in names if names.count(name) > 1), "a setting")
            raise yaml.YAMLError(f"{twice} is set twice: set it once")
        return found


def read_config(path: Path, model: type[Config]) -> dict[str, Any]:
    """The settings in the file, as the Train page exports them: a mapping of ``model``'s fields,
    checked.

    Raises MissingError where there is no file, InputError naming file, field and remedy for
    anything else.
    """
    settings = {
        name: _as_option(model, name, value, path) for name, value in _mapping(path).items()
    }
    try:
        parse(model, settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return settings


def _as_option(model: type[Frozen], name: str, value: Any, path: Path) -> Any:
    """A value as the option of that name takes it: ``synthetic: a, b`` is a list as well, and yes
    or true is no number."""
    kind = model.model_fields[name].annotation if name in model.model_fields else None
    if isinstance(value, str) and get_origin(kind) is tuple:
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, bool) and kind is not None and bool not in (kind, *get_args(kind)):
        raise InputError(
            f"{path}: {name}: {str(value).lower()} is an answer to yes or no, which this setting is"
            " not: write its value"
        )
    return value


def _mapping(path: Path) -> dict[str, Any]:
    remedy = "give a config exported from the Train page"
    text = read_small_text(
        path,
        MAX_BYTES,
        "settings",
        missing="give a config file, or --preset with a name",
        remedy=remedy,
    )
    try:
        settings = _parsed(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{path} is not YAML ({reason}): {remedy}") from error
    if not isinstance(settings, dict) or not all(isinstance(key, str) for key in settings):
        raise InputError(
            f"{path} holds no mapping of settings: write one 'name: value' a line, as the Train"
            " page exports it"
        )
    return settings


def _parsed(text: str) -> Any:
    loader = _Plain(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
