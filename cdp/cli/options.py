"""Command-line options made from the settings of the configs: name, type, help and range stand
there and nowhere else. And the same settings from a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from cdp.config.fields import EMPTY, Field, config_of, fields_of, split
from cdp.config.knobs import Frozen
from cdp.errors import InputError

MAX_BYTES = 1 << 20
_TYPES: Mapping[str, Any] = {"flag": bool, "integer": int, "number": float, "names": list[str]}
"""What typer reads by kind; text for all others."""
Config = TypeVar("Config", bound=Frozen)


def option(help: str, *names: str, **more: Any) -> Any:
    """An option of a command."""
    return typer.Option(*names, help=help, **more)


def argument(metavar: str, help: str) -> Any:
    """A word of a command that is no option."""
    return typer.Argument(metavar=metavar, help=help)


AsJson = Annotated[bool, option("Print one JSON line instead of text.", "--json")]
AsJsonAtEnd = Annotated[bool, option("Print one JSON line at the end.", "--json")]
SavedSet = Annotated[str, argument("SET", "A saved set, by name or by path to its folder.")]
Sets = Annotated[
    list[str],
    argument("SET...", "Saved sets by name or path, or real splits such as fashion-mnist:test."),
]


def with_options(
    model: type[Frozen], skip: frozenset[str] = frozenset()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command that ends in ``**given``: one option for each setting of ``model``, all
    unset by default."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [
            p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        added = [_parameter(field) for name, field in fields_of(model).items() if name not in skip]
        vars(command)["__signature__"] = signature.replace(parameters=own + added)
        command.__annotations__ = {p.name: p.annotation for p in own + added} | {"return": None}
        return command

    return decorate


def chosen(given: Mapping[str, Any], model: type[Frozen]) -> dict[str, Any]:
    """The settings that were given on the command line. Lists are written with commas: ``1,3,7`` or
    ``0.4,0.8``; names may also repeat the option. Raises InputError."""
    known = fields_of(model)
    return {
        name: _value(known[name], value) for name, value in given.items() if value not in (None, [])
    }


def config_given(
    model: type[Config], given: Mapping[str, Any], start: Mapping[str, Any] | None = None
) -> Config:
    """The config of the options that were given, over the settings of ``start``. Raises
    InputError."""
    return config_of(model, {**(start or {}), **chosen(given, model)})


def _value(field: Field, value: Any) -> Any:
    if not isinstance(value, str | list) or field.kind in ("text", "choice"):
        return value  # typer has read it
    text = ",".join(value) if isinstance(value, list) else value
    try:
        return field.read(text)
    except ValueError as error:
        example = {"integers": ", like 1,3,7", "numbers": ", like 0.4,0.8"}.get(field.kind, "")
        nothing = ", or all for none" * field.optional
        expected = field.expected.removesuffix(" or empty")
        raise InputError(
            f"{field.name}: write {expected}{example}{nothing} (given: {text[:40]!r})"
        ) from error


def _parameter(field: Field) -> inspect.Parameter:
    kind = _TYPES.get(field.kind, str)
    if field.kind == "choice":
        kind = Literal[field.choices]
    metavar = {"names": "NAME,...", "integers": "N,N,...", "numbers": "N,N,..."}.get(field.kind)
    if field.optional and field.kind in ("integer", "number"):
        kind, metavar = str, f"[{'int' if field.kind == 'integer' else 'float'}|{EMPTY[1]}]"
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            kind | None, option(field.option_help, show_default=False, metavar=metavar)
        ],
    )


def read_config(path: Path, model: type[Frozen]) -> dict[str, Any]:
    """The settings in a YAML or JSON file of a stranger, as the pages export them: read as data
    only, of sane size, checked.

    Raises MissingError where there is no file, InputError naming file, field and remedy for
    anything else.
    """
    known = fields_of(model)
    settings = {}
    for name, value in _mapping(path).items():
        field = known.get(name)
        if isinstance(value, bool) and field is not None and field.kind != "flag":
            raise InputError(
                f"{path}: {name}: {str(value).lower()} is an answer to yes or no, which this"
                " setting is not: write its value"
            )
        names = isinstance(value, str) and field is not None and field.kind == "names"
        settings[name] = split(value) if names else value
    try:
        config_of(model, settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return settings


def _mapping(path: Path) -> dict[str, Any]:
    import yaml

    from cdp.files.atomic import read_small_text

    remedy = "give a config exported from the Train page"
    missing = "give a config file, or --preset with a name"
    text = read_small_text(path, MAX_BYTES, "settings", missing=missing, remedy=remedy)
    try:
        settings = _read_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{path} is not YAML ({reason}): {remedy}") from error
    if not isinstance(settings, dict) or not all(isinstance(key, str) for key in settings):
        raise InputError(
            f"{path} holds no mapping of settings: write one 'name: value' a line, as the Train"
            " page exports it"
        )
    return settings


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
            mapping = super().construct_mapping(node, deep=deep)
            if len(mapping) < len(node.value):
                names = [str(key.value) for key, _ in node.value]
                twice = next((name for name in names if names.count(name) > 1), "a setting")
                raise yaml.YAMLError(f"{twice} is set twice: set it once")
            return mapping

    loader = Plain(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
