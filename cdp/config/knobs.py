"""What every config is made of: frozen models whose settings carry what a form and a command line
need to show them."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cdp.errors import InputError
from cdp.values.text import number_text


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
        raise InputError(_sentence(model, data, error.errors(include_url=False))) from error


def _sentence(model: type[Frozen], data: Any, errors: Sequence[Any]) -> str:
    """What is wrong first, where, and what to write. Of a value of several kinds, such as a number
    or a word, that is none of them there is an error for each."""
    place = _place(data, errors[0])
    if errors[0]["type"] == "missing":  # a name that is misspelt is missing, and another too many
        near = [each for each in errors if each["type"] == "extra_forbidden"]
        first = next((each for each in near if _place(data, each)[:-1] == place[:-1]), errors[0])
    else:
        first = errors[0]
    kind, place = first["type"], _place(data, first)
    name = ".".join(text if text.isprintable() else repr(text) for text in map(str, place))[:200]
    if kind == "extra_forbidden":
        missing = [str(each["loc"][-1]) for each in errors if each["type"] == "missing"]
        known = [*missing, *model.model_fields] if len(place) == 1 else missing
        near = get_close_matches(str(place[-1]), known, 1)
        meant = f"did you mean {near[0]}?" if near else "take it out"
        return f"{name} is not a setting here: {meant}"
    if kind == "missing":
        return f"{name} is missing: write it"
    same = [each for each in errors if _place(data, each) == place]
    telling = [each for each in same if not each["type"].endswith(("_type", "_parsing"))][:1]
    value = first["input"]
    given = "" if isinstance(value, dict | Frozen | None) else f" (given: {str(value)[:80]!r})"
    if kind == "value_error":
        said = str(first["msg"]).removeprefix("Value error, ")
        begins = said.split(maxsplit=1)[0].strip(":").partition(".")[0]
        where = "" if not name and begins in model.model_fields else f"{name or 'settings'}: "
        return f"{where}{said}{given}"
    wanted = list(dict.fromkeys(_wanted(each) for each in telling or same))
    if "a number" in wanted:
        wanted = [each for each in wanted if each != "a whole number"]
    said = f"{name or 'settings'}: must be {' or '.join(wanted)}"
    return f"{said}, but nothing stands there" if value is None else f"{said}{given}"


def _place(data: Any, error: Mapping[str, Any]) -> tuple[Any, ...]:
    """Of an error in ``data``, without what pydantic names in between: members of unions, keys."""
    *above, last = error["loc"] or (None,)
    path: list[Any] = []
    for part in above:
        if (isinstance(data, Mapping) and part in data) or (
            isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)
        ):
            data = data[part]
            path.append(part)
    inside = isinstance(data, Mapping) and last in data
    inside |= isinstance(data, list | tuple) and isinstance(last, int)
    if inside or error["type"] in ("missing", "extra_forbidden"):
        path.append(last)
    return tuple(path)


_KINDS: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list, such as [a, b]",
    "tuple": "a list, such as [a, b]",
    "dict": "settings with their names, such as {name: value}",
    "mapping": "settings with their names, such as {name: value}",
    "model": "settings with their names, such as {name: value}",
}
_LIMITS: Mapping[str, str] = {
    "greater_than": "above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "below {lt}",
    "less_than_equal": "{le} or less",
    "finite_number": "a finite number",
    "too_short": "{min_length} entries or more",
    "too_long": "{max_length} entries or fewer",
    "string_too_short": "{min_length} letters or more",
    "string_too_long": "{max_length} letters or fewer",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
}


def _wanted(error: Mapping[str, Any]) -> str:
    """What a value has to be, by the kind of error that pydantic found."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return f"one of {context['expected'].replace(' or ', ', ').replace(chr(39), '')}"
    if context.get("min_length") == 1:
        return "a name" if kind == "string_too_short" else "one entry or more"
    if kind in _LIMITS:
        ends = {name: number_text(v) for name, v in context.items() if isinstance(v, int | float)}
        return _LIMITS[kind].format(**ends)
    plain = kind == "string_type" and isinstance(error["input"], int | float)
    by_kind = _KINDS.get(kind.partition("_")[0], error["msg"].removeprefix("Input should be "))
    return by_kind + ", in quotes" * plain
