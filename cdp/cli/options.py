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
from cdp.files.settings import read_mapping

_MISSING = "give a config file, or --preset with a name"
_REMEDY = "give a config exported from the Train page"
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
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
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
    told = option(field.option_help, show_default=False, metavar=metavar)
    keyword, annotation = inspect.Parameter.KEYWORD_ONLY, Annotated[kind | None, told]
    return inspect.Parameter(field.name, keyword, default=None, annotation=annotation)


def read_config(path: Path, model: type[Frozen]) -> dict[str, Any]:
    """The settings in a YAML or JSON file of a stranger, as the pages export them: read as data
    only, of sane size, checked.

    Raises MissingError where there is no file, InputError naming file, field and remedy for
    anything else.
    """
    known = fields_of(model)
    settings = {}
    for name, value in read_mapping(path, missing=_MISSING, remedy=_REMEDY).items():
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
