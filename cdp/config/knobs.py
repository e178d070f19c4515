"""What every config is made of: frozen models whose fields carry what a form and a command line
need to draw them.

Field metadata (``json_schema_extra``): ``label`` and ``unit`` for the form, ``paper`` for the
published value with its source, ``advanced`` for the fold.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cdp.errors import InputError


def knob(
    default: Any,
    label: str,
    help: str,
    *,
    unit: str = "",
    paper: str = "",
    advanced: bool = False,
    **limits: Any,
) -> Any:
    """A pydantic field that carries what a form needs to draw it."""
    extra: dict[str, Any] = {"label": label, "unit": unit, "paper": paper, "advanced": advanced}
    return Field(default, description=help, json_schema_extra=extra, **limits)


class Frozen(BaseModel):
    """Immutable, refuses unknown keys, NaN and infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


T = TypeVar("T", bound=Frozen)


def parse(model: type[T], data: Any) -> T:
    """Validate; the first thing wrong becomes one InputError sentence that names the field."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        given = (
            ""
            if isinstance(first["input"], dict | Frozen)
            else f" (given: {str(first['input'])[:80]!r})"
        )
        raise InputError(f"{where}: {first['msg'].removeprefix('Value error, ')}{given}") from error
