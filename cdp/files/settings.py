"""YAML and JSON of strangers, read as data only."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from cdp.errors import InputError
from cdp.files.reading import read_file, reason_of

MAX_BYTES = 1 << 20


def read_mapping(path: Path, *, missing: str, remedy: str) -> dict[str, Any]:
    """The settings in a file. missing, remedy: what to do where there is none, and where it is
    another. Raises MissingError or InputError that names the file."""
    content = read_file(path, MAX_BYTES, missing=missing, remedy=remedy)
    try:
        text = content.decode("utf-8")
    except ValueError as error:
        raise InputError(f"{path} is no text ({reason_of(error)}): {remedy}") from error
    return mapping_of(text, str(path), remedy=remedy)


def mapping_of(text: str, where: str, *, remedy: str) -> dict[str, Any]:
    """The settings in a text. where: it comes from, for the InputError that it is none."""
    import yaml

    try:
        settings = _read_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{where} is not YAML ({reason}): {remedy}") from error
    if not isinstance(settings, dict) or not all(isinstance(key, str) for key in settings):
        raise InputError(
            f"{where} holds no mapping of settings: write one 'name: value' a line; {remedy}"
        )
    return settings


_MERGE = "tag:yaml.org,2002:merge"
_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o[0-7_]+|0[0-7_]*|[1-9][0-9_]*)",
    "tag:yaml.org,2002:float": (
        r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+|\.(inf|nan))"
    ),
}
"""What is a number: as YAML 1.1 has it, but for times such as 1:30, which it takes for 90, and with
exponents as JSON writes them, such as 1e-3, which it takes for text."""


def _read_yaml(text: str) -> Any:
    """YAML as data only, without aliases, a few lines of which can stand for gigabytes, and without
    a setting that is there twice."""
    import yaml

    class Plain(yaml.SafeLoader):
        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases (*name) are not allowed: write the value out")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if key.tag == _MERGE:
                    continue
                name = self.construct_object(key, deep=True)
                if isinstance(name, Hashable) and name in seen:
                    line = key.start_mark.line + 1
                    raise yaml.YAMLError(f"line {line}: {name} is set twice: set it once")
                seen.add(name if isinstance(name, Hashable) else None)
            return super().construct_mapping(node, deep=deep)

    Plain.yaml_implicit_resolvers = {
        first: [(tag, known) for tag, known in resolvers if tag not in _NUMBERS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, pattern in _NUMBERS.items():
        Plain.add_implicit_resolver(tag, re.compile(f"^(?:{pattern})$"), list("-+0123456789."))
    loader = Plain(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
