"""What every config is made of: frozen models whose settings carry what a form and a command line
need to show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cdp.errors import InputError


def knob(
    default: Any,
    label: str,
    *,
    unit: str = "",
    paper: str = "",
    advanced: bool = False,
    titles: Mapping[str, str] | None = None,
    empty: str = "automatic",
    **limits: Any,
) -> Any:
    """A setting: a pydantic field that carries what a form needs to draw it. Its help is the
    docstring below it. paper: the published value; advanced: it goes under the fold; titles: of its
    values, where ``cdp.config.titles`` has others; empty: what None stands for, in a word."""
    extra: dict[str, Any] = {"label": label, "unit": unit, "paper": paper, "advanced": advanced}
    extra |= {"titles": dict(titles or {}), "empty": empty}
    return Field(default, json_schema_extra=extra, **limits)


class Frozen(BaseModel):
    """Immutable, refuses unknown keys, NaN and infinities."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


T = TypeVar("T", bound=Frozen)


def parse(model: type[T], data: Any) -> T:
    """Validate; the first thing wrong becomes one InputError sentence that names the field."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        whole = isinstance(first["input"], dict | Frozen)
        given = "" if whole else f" (given: {str(first['input'])[:80]!r})"
        raise InputError(f"{where}: {first['msg'].removeprefix('Value error, ')}{given}") from error
