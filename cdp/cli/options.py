"""Command-line options made from the fields of the configs: name, type, help and range stand there
and nowhere else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from cdp.config.generate import GROUPS, GenerateConfig
from cdp.config.knobs import Frozen
from cdp.errors import InputError

EMPTY = ("", "all", "none", "auto")
"""Words for an optional number that is left empty."""
_BOUNDS = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}


def leaves(model: type[Frozen] = GenerateConfig) -> dict[str, FieldInfo]:
    """Every leaf of a config by its flat name, groups resolved."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        if name in GROUPS:
            found |= GROUPS[name].model_fields
        else:
            found[name] = field
    return found


def with_options(
    model: type[Frozen], skip: frozenset[str] = frozenset()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command that ends in ``**given``: one option for each leaf of ``model``, all unset
    by default."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [
            p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        made = [
            _parameter(name, field) for name, field in leaves(model).items() if name not in skip
        ]
        vars(command)["__signature__"] = signature.replace(parameters=own + made)
        command.__annotations__ = {p.name: p.annotation for p in own + made} | {"return": None}
        return command

    return decorate


def chosen(given: Mapping[str, Any], model: type[Frozen] = GenerateConfig) -> dict[str, Any]:
    """The leaves that were set on the command line. Lists are written with commas: ``1,3,7`` or
    ``0.4,0.8``; names may also repeat the option."""
    fields = leaves(model)
    return {
        name: _value(name, value, fields[name])
        for name, value in given.items()
        if value not in (None, [])
    }


def _value(name: str, value: Any, field: FieldInfo) -> Any:
    if _optional_number(field):
        return _number_or_none(name, str(value), field)
    if get_origin(field.annotation) is not tuple:
        return value
    number = get_args(field.annotation)[0]
    if number is str:
        return [part.strip() for text in value for part in text.split(",") if part.strip()]
    try:
        return [number(part) for part in str(value).split(",") if part.strip()]
    except ValueError as error:
        kind = (
            "whole numbers with commas between them, like 1,3,7"
            if number is int
            else "numbers with commas between them, like 0.4,0.8"
        )
        raise InputError(f"{name}: write {kind} (given: {value!r})") from error


def _optional_number(field: FieldInfo) -> bool:
    return get_origin(field.annotation) in (Union, UnionType) and _plain(field) in (int, float)


def _number_or_none(name: str, text: str, field: FieldInfo) -> float | None:
    """A number, or nothing where a word says so: what the page's empty field means. Raises
    InputError."""
    if text.strip().lower() in EMPTY:
        return None
    number = _plain(field)
    try:
        found: float = number(text)
        return found
    except ValueError as error:
        kind = "a whole number" if number is int else "a number"
        raise InputError(f"{name}: write {kind}, or all for none (given: {text[:40]!r})") from error


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    listed = (
        f"[{_plain(field).__name__}|all]"
        if _optional_number(field)
        else (
            "NAME,..."
            if field.annotation == tuple[str, ...]
            else "N,N,..."
            if get_origin(field.annotation) is tuple
            else None
        )
    )
    option = typer.Option(help=describe(field), show_default=False, metavar=listed)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[_type(field) | None, option],
    )


def _type(field: FieldInfo) -> Any:
    """What typer should read: the field's own plain type; text where a list is written with commas,
    or nothing in words."""
    return str if _optional_number(field) else _plain(field)


def _plain(field: FieldInfo) -> Any:
    """The field's own type without lists and None."""
    annotation = field.annotation
    if annotation == tuple[str, ...]:
        return list[str]
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    if annotation in (int, float, bool, str) or get_origin(annotation) is Literal:
        return annotation
    return str


def describe(field: FieldInfo) -> str:
    """Help of one option: what it does, then range, unit, default and the published value."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    facts = [limits(field), str(extra.get("unit") or ""), _default(field)]
    if extra.get("paper"):
        facts.append(f"paper: {extra['paper']}")
    said = "; ".join(fact for fact in facts if fact)
    return f"{field.description} [{said}]" if said else str(field.description)


def limits(field: FieldInfo) -> str:
    """The range of a number in words, "" for anything else."""
    number = _plain(field)
    if number not in (int, float):
        return ""
    found = {
        name: getattr(bound, name)
        for bound in field.metadata
        for name in _BOUNDS
        if hasattr(bound, name)
    }
    return " ".join(
        text.format(f"{found[name]:,}" if number is int else f"{found[name]:g}")
        for name, text in _BOUNDS.items()
        if name in found
    )


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is None or default in ((), ""):
        return ""
    if isinstance(default, bool):
        return f"default: {'on' if default else 'off'}"
    if isinstance(default, tuple):
        return f"default: {','.join(map(str, default))}"
    return f"default: {default:g}" if isinstance(default, float) else f"default: {default}"
