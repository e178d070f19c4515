"""Command-line options made from the settings of the configs: name, type, help and range stand
there and nowhere else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import typer

from cdp.config.fields import EMPTY, Field, fields_of
from cdp.config.knobs import Frozen
from cdp.errors import InputError

_TYPES: Mapping[str, Any] = {"flag": bool, "integer": int, "number": float, "names": list[str]}
"""What typer reads by kind; text for all others."""


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
        made = [_parameter(field) for name, field in fields_of(model).items() if name not in skip]
        vars(command)["__signature__"] = signature.replace(parameters=own + made)
        command.__annotations__ = {p.name: p.annotation for p in own + made} | {"return": None}
        return command

    return decorate


def chosen(given: Mapping[str, Any], model: type[Frozen]) -> dict[str, Any]:
    """The settings that were given on the command line. Lists are written with commas: ``1,3,7`` or
    ``0.4,0.8``; names may also repeat the option. Raises InputError."""
    known = fields_of(model)
    return {
        name: _value(known[name], value) for name, value in given.items() if value not in (None, [])
    }


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
    option = typer.Option(help=field.option_help, show_default=False, metavar=metavar)
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )
