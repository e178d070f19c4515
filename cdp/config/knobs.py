"""What every config is made of: frozen models whose settings carry what a form and a command line
need to show them."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
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

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def helps(model: type[Frozen]) -> dict[str, str]:
    """The docstring below each setting of a config, on one line, by name.

    Read when a form or a command asks. pydantic would, too (``use_attribute_docstrings``), but for
    every class when it is imported: half of what importing all configs takes.
    """
    bases = [base for base in reversed(model.__mro__) if issubclass(base, Frozen)]
    return {
        name: text
        for base in bases
        for name, text in _docstrings(base.__module__).get(base.__name__, {}).items()
    }


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """Of every class of a module, what stands below its settings, by name."""
    return {
        kind.name: {
            ast.unparse(field.target): " ".join(below.value.value.split())
            for field, below in pairwise(kind.body)
            if isinstance(field, ast.AnnAssign)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        }
        for kind in ast.parse(inspect.getsource(sys.modules[module])).body
        if isinstance(kind, ast.ClassDef)
    }


T = TypeVar("T", bound=Frozen)


def parse(model: type[T], data: Any) -> T:
    """Validate; the first thing wrong becomes one InputError sentence that names the field."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        if first["type"] == "extra_forbidden":
            near = get_close_matches(str(first["loc"][-1]), model.model_fields, 1)
            meant = f"did you mean {near[0]}?" if near else "take it out"
            raise InputError(f"{where} is not a setting here: {meant}") from error
        whole = isinstance(first["input"], dict | Frozen)
        given = "" if whole else f" (given: {str(first['input'])[:80]!r})"
        raise InputError(f"{where}: {first['msg'].removeprefix('Value error, ')}{given}") from error
