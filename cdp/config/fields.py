"""What a config says of each of its settings, read once: forms, links, command lines and config
files are made from this and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from annotated_types import Gt, Lt, MaxLen, MinLen
from pydantic import ConfigDict, TypeAdapter
from pydantic.fields import FieldInfo

from cdp.config.knobs import Frozen, helps, parse
from cdp.config.titles import TITLES
from cdp.values.text import exact_text, number_text

Kind = Literal["choice", "flag", "integer", "number", "text", "integers", "numbers", "names"]
EMPTY = ("", "all", "none", "auto")
"""Words for an optional value that is left empty."""
_KINDS: Mapping[Any, Kind] = {
    bool: "flag",
    int: "integer",
    float: "number",
    str: "text",
    tuple[str, ...]: "names",
    tuple[int, ...]: "integers",
    tuple[float, float]: "numbers",
}

C = TypeVar("C", bound=Frozen)


@dataclass(frozen=True)
class Field:
    """One setting. group: the part of a config it lies in, "" for the config itself; low, high:
    inclusive unless open, None where there is no limit; choices: () unless kind is "choice".
    titles: of its values, where they are not the usual ones; optional: it may be left empty (None),
    which ``empty`` says in a word; least, most: how many values a list takes; type: with its
    limits; opens: names what is opened, such as a data set or a model, by a text of any form."""

    name: str
    kind: Kind
    default: Any
    label: str
    unit: str
    help: str
    paper: str
    advanced: bool
    group: str
    low: float | None
    high: float | None
    low_open: bool
    high_open: bool
    choices: tuple[Any, ...]
    titles: Mapping[str, str]
    optional: bool
    empty: str
    least: int
    most: int | None
    type: Any
    opens: bool = False

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Reads and checks a value. Lax: it turns the strings of a link into numbers and flags."""
        return TypeAdapter(self.type, config=ConfigDict(allow_inf_nan=False))

    @property
    def flag(self) -> str:
        """Its option on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def listed(self) -> bool:
        """Whether it takes several values, written with commas between them."""
        return self.kind in ("names", "integers", "numbers")

    @property
    def heading(self) -> str:
        """Label and unit, for above a control."""
        unit_said = not self.unit or self.unit.lower() in self.label.lower()
        return self.label if unit_said else f"{self.label} ({self.unit})"

    @property
    def range(self) -> str:
        """The values it takes, in words."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        if self.low is not None and self.high is not None:
            return (
                f"{'above ' if self.low_open else ''}{number_text(self.low)} to"
                f" {'below ' if self.high_open else ''}{number_text(self.high)}"
            )
        words = {
            "flag": "true or false",
            "integers": "class numbers" if self.name == "classes" else "whole numbers",
            "numbers": "numbers",
            "names": _some_names(self.least, self.most),
        }
        return words.get(self.kind, "a name") + (" with commas between them" * self.listed)

    @property
    def expected(self) -> str:
        """What a person should have written, after "is not"."""
        if self.low is None or self.choices:
            return self.range
        kind = "a whole number" if self.kind == "integer" else "a number"
        between = self.range if self.low_open else f"from {self.range}"
        return f"{kind} {between}{' or empty' if self.optional else ''}"

    @property
    def tooltip(self) -> str:
        """Help, range, default and the published value, for beside a control."""
        parts = [self.help]
        if self.low is not None and self.high is not None:
            default = "" if self.default is None else f"; default {number_text(self.default)}"
            parts.append(f"Range {self.range}{default}.")
        if self.paper:
            parts.append(f"In the paper: {self.paper}.")
        return "\n\n".join(parts)

    @property
    def limits(self) -> str:
        """The range of a number as the command line's help has it: "from 0 below 1"; "" for
        others."""
        if self.kind not in ("integer", "number") or self.low is None or self.high is None:
            return ""
        low, high = (
            f"{int(end):,}" if self.kind == "integer" else f"{end:g}"
            for end in (self.low, self.high)
        )
        return (
            f"{'above' if self.low_open else 'from'} {low} {'below' if self.high_open else 'to'}"
            f" {high}"
        )

    @property
    def option_help(self) -> str:
        """Help of the option: what it does, then range, unit, default and the published value."""
        paper = f"paper: {self.paper}" if self.paper else ""
        facts = [fact for fact in (self.limits, self.unit, self._default, paper) if fact]
        return f"{self.help} [{'; '.join(facts)}]" if facts else self.help

    @property
    def _default(self) -> str:
        if self.default is None or self.default in ((), ""):
            return ""
        if isinstance(self.default, bool):
            return f"default: {'on' if self.default else 'off'}"
        number = isinstance(self.default, float)
        return f"default: {f'{self.default:g}' if number else written(self.default)}"

    def read(self, text: str) -> Any:
        """The value that is written in ``text``, of a link or an option. Raises ValueError where it
        is none that the setting takes."""
        if self.optional and text.strip().lower() in EMPTY:
            return None
        if self.choices:
            text = next((choice for choice in self.choices if str(choice) == text), text)
        return self.adapter.validate_python(split(text) if self.listed else text)

    def title(self, value: object) -> str:
        """A value as a person reads it."""
        if value is None:
            return self.empty
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, int):
            return number_text(value)
        if isinstance(value, float):
            return exact_text(value)
        if isinstance(value, list | tuple):
            return ", ".join(self.title(item) for item in value) or "none"
        return self.titles.get(str(value), TITLES.get(str(value), str(value)))


@cache
def fields_of(model: type[Frozen]) -> Mapping[str, Field]:
    """Every setting of a config by name, those of its groups among them."""
    fields: dict[str, Field] = {}
    said = helps(model)
    for name, info in model.model_fields.items():
        group = group_of(info)
        if group is None:
            fields[name] = _field(name, info, "", help=said.get(name, ""))
        else:
            below = helps(group)
            fields |= {
                key: _field(key, part, name, help=below.get(key, ""))
                for key, part in group.model_fields.items()
            }
    return fields


def group_of(info: FieldInfo) -> type[Frozen] | None:
    """The config that a part of another one is; None for a single setting."""
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Frozen) else None


def flat_of(config: Frozen) -> dict[str, Any]:
    """Every setting by name, JSON-ready; the inverse of ``config_of``."""
    data = config.model_dump(mode="json")
    return {
        name: data[field.group][name] if field.group else data[name]
        for name, field in fields_of(type(config)).items()
    }


def config_of(model: type[C], flat: Mapping[str, Any]) -> C:
    """A config from its settings by name; those left out have their defaults. Raises InputError
    naming the setting, its value and its range."""
    known = fields_of(model)
    data: dict[str, Any] = {field.group: {} for field in known.values() if field.group}
    for name, value in flat.items():
        group = known[name].group if name in known else ""
        (data[group] if group else data)[name] = value
    return parse(model, data)


def read_values(
    texts: Mapping[str, str], known: Mapping[str, Field], plain: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Values of the texts that are settings, and one sentence for each that is none or has no such
    value. plain: what is used in its place, by name."""
    flat: dict[str, Any] = {}
    notes: list[str] = []
    for name, text in texts.items():
        if name not in known:
            notes.append(
                f"{quoted(name)} is not a setting, so it was left out{_nearest(name, known)}."
            )
            continue
        field = known[name]
        try:
            flat[name] = field.read(text)
        except ValueError:
            nothing = (
                "(empty)" if field.optional else "(none)" if field.kind == "names" else "(all)"
            )
            used = f"{written(plain[name]) or nothing} is used"
            notes.append(f"{name}: {quoted(text)} is not {field.expected}, so {used}.")
    return flat, notes


def written(value: Any) -> str:
    """A value as links and command lines spell it; what is left empty is empty."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def options(
    model: type[Frozen], flat: Mapping[str, Any], plain: Mapping[str, Any], skip: Iterable[str] = ()
) -> list[str]:
    """The command line's options for every setting that differs from ``plain``."""
    words: list[str] = []
    for name, field in fields_of(model).items():
        value = flat[name]
        if name in skip or value == plain[name]:
            continue
        if field.kind == "flag":
            words.append(field.flag if value else field.flag.replace("--", "--no-", 1))
        else:
            words += [field.flag, written(value)]
    return words


def split(text: str) -> list[str]:
    """Values with commas between them."""
    return [part.strip() for part in text.split(",") if part.strip()]


def quoted(text: str) -> str:
    """Text of a stranger in a sentence, cut short."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _field(name: str, info: FieldInfo, group: str, *, help: str) -> Field:
    extra = info.json_schema_extra
    assert isinstance(extra, dict)  # cdp.config.knobs.knob always sets it
    plain, optional = _without_none(info.annotation)
    choices = get_args(plain) if get_origin(plain) is Literal else ()
    marks = info.metadata
    limited: Any = Annotated[(info.annotation, *marks)] if marks else info.annotation
    said: dict[str, Any] = dict(extra)  # label, unit, paper, advanced, titles, empty
    said |= {"name": name, "group": group, "default": info.default, "help": help}
    return Field(
        kind="choice" if choices else _KINDS.get(plain, "text"),
        low=_mark(marks, "ge", "gt"),
        high=_mark(marks, "le", "lt"),
        low_open=any(isinstance(mark, Gt) for mark in marks),
        high_open=any(isinstance(mark, Lt) for mark in marks),
        choices=choices,
        optional=optional,
        least=next((mark.min_length for mark in marks if isinstance(mark, MinLen)), 0),
        most=next((mark.max_length for mark in marks if isinstance(mark, MaxLen)), None),
        type=limited,
        opens=plain in (str, tuple[str, ...]) and not any(getattr(m, "pattern", 0) for m in marks),
        **said,
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """``int | None`` -> (int, True); anything else as it is."""
    parts = get_args(annotation) if get_origin(annotation) is UnionType else ()
    if NoneType not in parts:
        return annotation, False
    return next(part for part in parts if part is not NoneType), True


def _mark(marks: Iterable[object], *names: str) -> float | None:
    values = [getattr(mark, name) for mark in marks for name in names if hasattr(mark, name)]
    return float(values[0]) if values else None


def _some_names(least: int, most: int | None) -> str:
    few = ("no", "one", "two", "three", "four", "five", "six")
    low, high = (few[n] if n is not None and n < len(few) else str(n) for n in (least, most))
    if most is None:
        return f"{low} or more names" if least else "names"
    return f"{f'{low} to' if least else 'at most'} {high} names"


def _nearest(name: str, known: Iterable[str]) -> str:
    match = get_close_matches(name, list(known), n=1)
    return f"; did you mean {match[0]}" if match else ""
