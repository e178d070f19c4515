"""A config from a YAML or JSON file of a stranger: read as data only, of sane size, without YAML's aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml

from cdp.errors import InputError, MissingError
from cdp.knobs import Frozen, parse

MAX_BYTES = 1 << 20

Config = TypeVar("Config", bound=Frozen)


class _Plain(yaml.SafeLoader):
    """Refuses aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed: write the value out")
        return super().compose_node(parent, index)


def read_config(path: Path, model: type[Config]) -> dict[str, Any]:
    """The settings in the file, as the Train page exports them: a mapping of ``model``'s fields, checked.

    Raises MissingError where there is no file, InputError naming file, field and remedy for anything else.
    """
    settings = _mapping(path)
    try:
        parse(model, settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return settings


def _mapping(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is over {MAX_BYTES >> 20} MiB, too large for settings: give a config exported from the Train page")
        text = path.read_text(encoding="utf-8") if path.is_file() else None
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist: give a config file, or --preset with a name") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({str(error)[:120]}): give a YAML or JSON file") from error
    if text is None:
        raise InputError(f"{path} is not a regular file: give a YAML or JSON file")
    try:
        settings = yaml.load(text, _Plain)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{path} is not YAML ({reason}): give a config exported from the Train page") from error
    if not isinstance(settings, dict) or not all(isinstance(key, str) for key in settings):
        raise InputError(f"{path} holds no mapping of settings: write one 'name: value' a line, as the Train page exports it")
    return settings
