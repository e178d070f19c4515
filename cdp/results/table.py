"""The run table: its columns (every setting of a training, what it has reached, its labels), rows
sorted and grouped by them, and filtered. Terms of a filter stand side by side and all must hold;
none needs an order:

night trades              words anywhere in name, state, tags, note, method, network, data, sets,
                          seed
method:trades tag:night   a text that has this in it (with = is just this), a tag that is this; any
                          column or setting
is:starred                also archived, evaluated, tagged, noted, and the states: is:finished
robust>50 steps>=3000     numbers: > < >= <= = !=; accuracies in per cent; 8/255, 1,000, 70% and,
                          for times, 2h or 30min are read
created>=2026-11-01       days, months or minutes
-seed=3 not:tag:old       all but those
real:all tag:none         what was left empty or is not there
"tag: x" tag:"two words"  quotes keep words together, and what is in them alone is searched for as
                          it is

Archived runs are left out unless the filter says is:archived, or archived:any.
"""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Literal, get_args, get_origin

from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.results.rows import Row
from cdp.values.text import time_text
from cdp.work.records import State

Holds = Literal["text", "texts", "tags", "flag", "number", "percent", "seconds", "time"]
Condition = Callable[[Row], bool]

SEED_GROUP = "seed group"
NOTHING = "none"
"""How a missing value is called where it has to be a word."""
LONGEST = 2000
"""Characters of a filter."""
_TERM = re.compile(
    r"""(?P<no>(?:-|not:)*)
        (?:(?P<compared>[A-Za-z][\w.-]*)\s*(?P<sign>>=|<=|!=|==|[=<>])\s* | (?P<named>[A-Za-z][\w.-]*):)?
        (?P<value>"[^"]*"|\S*)""",
    re.VERBOSE,
)
_NUMBER = re.compile(
    r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:e[+-]?\d{1,3})?)(?:/(\d+(?:\.\d+)?))?(%|[a-z]*)",
    re.IGNORECASE,
)
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d([ T]\d\d(:\d\d)?)?)?)?")
_SECONDS = {"": 1, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {">": operator.gt, "<": operator.lt}
_SIGNS |= {">=": operator.ge, "<=": operator.le}
_YES_NO = dict.fromkeys(("yes", "true", "on", "1"), True)
_YES_NO |= dict.fromkeys(("no", "false", "off", "0"), False)
_MISSING = ("none", "all", "auto", "automatic")
"""What a setting that was left empty may be called."""
_IS: dict[str, Condition] = {
    "starred": lambda row: row.labels.star,
    "archived": lambda row: row.labels.archived,
    "evaluated": lambda row: row.evaluated is not None,
    "tagged": lambda row: bool(row.labels.tags),
    "noted": lambda row: bool(row.labels.note),
}


@dataclass(frozen=True)
class Column:
    """One column. name: in filters and links; title, unit: for its head; default: whether it is
    there before anybody chose. value: of a row in ``unit``, None where it is missing: a number, a
    text, True or False, a tuple of texts, or for "time" unix seconds."""

    name: str
    title: str
    unit: str
    holds: Holds
    value: Callable[[Row], Any]
    default: bool = False

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers for people to compare."""
        return self.holds in ("number", "percent", "seconds")


def columns() -> tuple[Column, ...]:
    """All of them, in the order of the table."""
    return tuple(_COLUMNS.values())


def column_named(name: str) -> Column:
    """The column of that name, title or short form. Raises InputError that names those that come
    nearest."""
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    column = _COLUMNS.get(plain) or _COLUMNS.get(_ALIASES.get(plain, ""))
    if column is None:
        raise InputError(
            f"column {name[:60]!r} is unknown: {nearest(plain, [*_COLUMNS, *_ALIASES])}"
        )
    return column


def nearest(word: str, known: Iterable[str]) -> str:
    """What somebody may have meant who wrote ``word``, as a remedy."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(word.lower(), names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"choose one of {', '.join(names[:12])}, or a setting of a training"


def sort_rows(rows: Sequence[Row], column: str, descending: bool = False) -> list[Row]:
    """Rows by one column, missing values last either way; equal ones keep their order. Raises
    InputError for an unknown column."""
    value = column_named(column).value
    keys = [(_sort_key(value(row)), row) for row in rows]
    known = [pair for pair in keys if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return [row for _, row in known] + [row for key, row in keys if key is None]


def group_rows(rows: Sequence[Row], by: str) -> dict[str, list[Row]]:
    """Rows by ``Row.group`` (by: "seed group"), or by the values of a column as text; groups in the
    order of their first row. A row with several tags is in the group of each; one without a value
    is under "none". Raises InputError for an unknown column."""
    column = None if by.strip().lower() in (SEED_GROUP, "group") else column_named(by)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if column is None:
            keys = [row.group]
        elif column.holds == "tags":
            keys = list(column.value(row)) or [NOTHING]
        else:
            keys = [value_text(column, row)]
        for key in keys:
            groups.setdefault(key, []).append(row)
    return groups


def value_text(column: Column, row: Row) -> str:
    """The value of a row as a word, without its unit; "none" where it is missing."""
    value = column.value(row)
    if value is None or value in ("", ()):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.holds == "time":
        return time_text(value)
    if isinstance(value, float):
        return f"{value:.1f}" if column.holds == "percent" else f"{value:.6g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def matching(rows: Sequence[Row], text: str) -> list[Row]:
    """The rows for which all terms of ``text`` hold, in their order. Raises InputError that names
    the term that cannot be read."""
    if len(text) > LONGEST:
        raise InputError(f"filter: {len(text):,} characters are too many: use at most {LONGEST:,}")
    terms, archived = [], False
    for match in _TERM.finditer(text):
        key, value = (match["compared"] or match["named"] or "").lower(), match["value"].strip('"')
        if key or match["value"]:
            terms.append(_term(match, key, value))
            archived |= key == "archived" or (key, value.lower()) == ("is", "archived")
    if not archived:
        terms.append(lambda row: not row.labels.archived)
    return [row for row in rows if all(term(row) for term in terms)]


def _term(match: re.Match[str], key: str, value: str) -> Condition:
    """One term, negated where it is. A word in quotes that were not closed counts without them."""
    sign = match["sign"] or ":"
    try:
        holds = _compared(key, "=" if sign in ("==", "!=") else sign, value)
    except InputError as error:
        raise InputError(f"filter: {match[0].strip()[:60]!r}{error}") from error
    negations = match["no"].count("-") + match["no"].count("not:") + (sign == "!=")
    return (lambda row: not holds(row)) if negations % 2 else holds


def _compared(key: str, sign: str, value: str) -> Condition:
    """Raises InputError with what comes behind the term."""
    word = value.lower()
    if not key:
        return lambda row: word in row.words
    if not value:
        raise InputError(
            " has no value: write one behind it, or quotes around it to search for the words"
        )
    if key == "is":
        return _is(word)
    try:
        column = column_named(key)
    except InputError as error:
        raise InputError(f": {error}") from error
    if (column.name, word) == ("archived", "any"):
        return lambda row: True
    if column.numeric:
        return _numbers(column, sign, word)
    if column.holds == "time":
        return _times(column, sign, value)
    if sign not in (":", "="):
        raise InputError(f": {column.name} holds no numbers to compare: write {column.name}:VALUE")
    return _flags(column, word) if column.holds == "flag" else _texts(column, sign, word)


def _is(word: str) -> Condition:
    if word in get_args(State):
        return lambda row: row.state == word
    if word not in _IS:
        choices = nearest(word, [*_IS, *get_args(State)])
        raise InputError(f": no run is {word[:40]!r}: {choices}")
    return _IS[word]


def _texts(column: Column, sign: str, word: str) -> Condition:
    whole = sign == "=" or column.holds == "tags"

    def holds(row: Row) -> bool:
        value = column.value(row)
        texts = [text.lower() for text in (value if isinstance(value, tuple) else (value or "",))]
        if word in _MISSING and not any(texts):
            return True
        return word in texts if whole else any(word in text for text in texts)

    return holds


def _flags(column: Column, word: str) -> Condition:
    if word not in _YES_NO:
        raise InputError(f": {column.name} is yes or no: write {column.name}:yes")
    return lambda row: column.value(row) is _YES_NO[word]


def _times(column: Column, sign: str, value: str) -> Condition:
    """Compared as far as the value goes: a day is equal to all its minutes."""
    if not _TIME.fullmatch(value):
        raise InputError(f": {value[:40]!r} is no time: write a day such as 2026-11-24")
    wanted, compare = value.replace("T", " "), _SIGNS.get(sign, operator.eq)
    return lambda row: compare(time_text(column.value(row))[: len(wanted)], wanted)


def _numbers(column: Column, sign: str, word: str) -> Condition:
    if word in _MISSING and sign in (":", "="):
        return lambda row: column.value(row) is None
    wanted, step = _number(column, word)
    # Accuracies are read rounded, so they are equal to what rounds to them.
    near = step / 2 if column.holds == "percent" else 0.0
    equal = partial(math.isclose, rel_tol=1e-6, abs_tol=near)
    compare, read = _SIGNS.get(sign, equal), column.value
    return lambda row: (value := read(row)) is not None and compare(value, wanted)


def _number(column: Column, word: str) -> tuple[float, float]:
    """A number in the column's unit, and what its last digit counts. Raises InputError for what is
    none."""
    match = _NUMBER.fullmatch(word)
    units = _SECONDS if column.holds == "seconds" else {"": 1, "%": 1}
    try:
        digits, over, unit = match.groups() if match else ("", None, "")
        number = float(digits.replace(",", "")) / float(over or 1) * units[unit]
    except (ValueError, KeyError, ZeroDivisionError) as error:
        example = {"seconds": "2h", "percent": "50"}.get(column.holds, "0.1 or 8/255")
        raise InputError(
            f": {word[:40]!r} is no number for {column.name}: write one such as {example}"
        ) from error
    number /= 100 if unit == "%" and column.holds == "number" else 1
    return number, 10.0 ** -len(digits.partition(".")[2])


def _sort_key(value: Any) -> Any:
    """What is compared in place of a value; None where it is missing."""
    if isinstance(value, tuple):
        return tuple(text.lower() for text in value) or None
    return (value.lower() or None) if isinstance(value, str) else value


def _percent(name: str, *, evaluated: bool = False) -> Callable[[Row], float | None]:
    """Reads an accuracy of a row in per cent."""

    def read(row: Row) -> float | None:
        share = getattr(row.evaluated if evaluated else row.reached, name, None)
        return None if share is None else 100 * share

    return read


def _setting(name: str) -> Column:
    """The column of a setting of a training."""
    field = TrainConfig.model_fields[name]
    known = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    title, unit = str(known.get("label", name)), str(known.get("unit", ""))
    several = get_origin(field.annotation) is tuple
    default = name in ("method", "architecture", "seed")

    def read(row: Row) -> Any:
        return tuple(row.resolved.get(name, ())) if several else row.resolved.get(name)

    return Column(name, title, unit, _holds(field.annotation), read, default)


def _holds(annotation: Any) -> Holds:
    if annotation is bool:
        return "flag"
    if get_origin(annotation) is tuple:
        return "texts"
    return "number" if {int, float} & {annotation, *get_args(annotation)} else "text"


def _columns() -> Iterable[Column]:
    """Every column; True at the end: there by default."""
    yield Column("star", "Star", "", "flag", attrgetter("labels.star"), True)
    yield Column("name", "Name", "", "text", attrgetter("name"), True)
    yield Column("state", "State", "", "text", attrgetter("state"), True)
    # Left out of a table where no run has any.
    wrong = (lambda row: row.error or row.labels.problem or None), True
    yield Column("problem", "Problem", "", "text", *wrong)
    yield Column("tags", "Tags", "", "tags", attrgetter("labels.tags"), True)
    yield Column("note", "Note", "", "text", attrgetter("labels.note"))
    yield Column("created", "Created", "", "time", attrgetter("created"), True)
    yield Column("duration", "Training time", "s", "seconds", attrgetter("reached.seconds"))
    yield Column("epoch", "Epoch", "", "number", attrgetter("reached.epoch"), True)
    yield Column("clean", "Clean, validation", "%", "percent", _percent("best_clean"), True)
    yield Column("robust", "Robust, validation", "%", "percent", _percent("best_robust"), True)
    yield Column(
        "best_epoch", "Best epoch", "", "number", lambda row: row.reached.best_epoch or None
    )
    yield Column("last_robust", "Robust, last epoch", "%", "percent", _percent("robust"))
    yield Column("n", "Validation images", "images", "number", lambda row: row.reached.n or None)
    robust, clean = (_percent(name, evaluated=True) for name in ("robust", "clean"))
    yield Column("evaluated_robust", "Robust, evaluated", "%", "percent", robust, True)
    yield Column("evaluated_clean", "Clean, evaluated", "%", "percent", clean)
    label, images = (lambda row: row.evaluated and row.evaluated.label), "synthetic_images"
    yield Column("evaluated_label", "Evaluated by", "", "text", label, True)
    yield Column(images, "Synthetic images", "images", "number", attrgetter(images), True)
    # In place of the setting, which runs whose length was set in epochs leave empty.
    yield Column("steps", "Steps", "steps", "number", attrgetter("reached.steps"), True)
    seen = attrgetter("reached.images_seen")
    yield Column("images_seen", "Images seen", "images", "number", seen)
    yield from (_setting(name) for name in TrainConfig.model_fields if name != "steps")
    yield Column("archived", "Archived", "", "flag", attrgetter("labels.archived"))
    yield Column("group", "Seed group", "", "text", attrgetter("group"))
    yield Column("id", "Run", "", "text", attrgetter("id"))


_COLUMNS = {column.name: column for column in _columns()}
_SHORT = {"tag": "tags", "starred": "star", "sets": "synthetic", "arch": "architecture"}
_SHORT |= {"lr": "learning_rate", "data": "dataset", "evaluated": "evaluated_robust"}
_SHORT |= {"label": "evaluated_label", "run": "id", "started": "created", "steps_taken": "steps"}
_TITLES = {column.title.lower().replace(" ", "_"): column.name for column in _COLUMNS.values()}
_ALIASES = _TITLES | _SHORT
