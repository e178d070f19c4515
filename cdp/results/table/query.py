"""The filter of the run table. Terms stand side by side and all must hold; none needs an order:

night trades              words anywhere in name, state, tags, note, method, network, data, sets,
seed method:trades tag:night   a text that has this in it (with = is just this), a tag that is this;
any column or setting is:starred                also archived, evaluated, tagged, noted, and the
states: is:finished
robust>50 steps>=3000     numbers: > < >= <= = !=; accuracies in per cent; 8/255, 1,000, 70% and,
for times, 2h or 30min are read created>=2026-11-01       days, months or minutes
-seed=3 not:tag:old       all but those
real:all tag:none         what was left empty or is not there
"tag: x" tag:"two words"  quotes keep words together, and what is in them alone is searched for as
it is

Archived runs are left out unless the filter says is:archived, or archived:any.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, get_args

from cdp.errors import InputError
from cdp.results.table.columns import Column, column_named, nearest
from cdp.results.table.rows import Row
from cdp.values.text import time_text
from cdp.work.records import State

Condition = Callable[[Row], bool]

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
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_YES_NO = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}
_MISSING = ("none", "all", "auto", "automatic")
"""What a setting that was left empty may be called."""
_IS: dict[str, Condition] = {
    "starred": lambda row: row.labels.star,
    "archived": lambda row: row.labels.archived,
    "evaluated": lambda row: row.evaluated is not None,
    "tagged": lambda row: bool(row.labels.tags),
    "noted": lambda row: bool(row.labels.note),
}


def matching(rows: Sequence[Row], text: str) -> list[Row]:
    """The rows for which all terms of ``text`` hold, in their order. Raises InputError that names
    the term that cannot be read."""
    holds = condition(text)
    return [row for row in rows if holds(row)]


def condition(text: str) -> Condition:
    """Whether a row passes the filter. Raises InputError as ``matching``."""
    if len(text) > LONGEST:
        raise InputError(f"filter: {len(text):,} characters are too many: use at most {LONGEST:,}")
    terms, asked = [], False
    for found in _TERM.finditer(text):
        if found["value"] or found["compared"] or found["named"]:
            terms.append(_term(found))
            asked = asked or _asks_for_archived(found)
    if not asked:
        terms.append(lambda row: not row.labels.archived)
    return lambda row: all(term(row) for term in terms)


def _asks_for_archived(found: re.Match[str]) -> bool:
    key, value = found["compared"] or found["named"] or "", found["value"].strip('"')
    return key.lower() == "archived" or (key.lower(), value.lower()) == ("is", "archived")


def _term(found: re.Match[str]) -> Condition:
    """One term, negated where it is. A word in quotes that were not closed counts without them."""
    key, value = found["compared"] or found["named"], found["value"].strip('"')
    term = found[0].strip()
    if key is None:
        holds = _has(value.lower())
    elif not value:
        raise InputError(
            f"filter: {term[:60]!r} has no value: write one behind it, or quotes around it to"
            " search for the words"
        )
    else:
        holds = _compared(key, found["sign"] or ":", value, term)
    negated = (
        found["no"].count("-") + found["no"].count("not:") + (found["sign"] == "!=")
    ) % 2 == 1
    return (lambda row: not holds(row)) if negated else holds


def _has(word: str) -> Condition:
    return lambda row: word in row.words


def _compared(key: str, sign: str, value: str, term: str) -> Condition:
    if key.lower() == "is":
        return _is(value.lower(), term)
    try:
        column = column_named(key)
    except InputError as error:
        raise InputError(f"filter: {term[:60]!r}: {error}") from error
    if column.name == "archived" and value.lower() == "any":
        return lambda row: True
    if sign in ("==", "!="):
        sign = "="
    if column.holds in ("number", "percent", "seconds"):
        return _numbers(column, sign, value.lower(), term)
    if column.holds == "time":
        return _times(column, sign, value, term)
    if sign not in (":", "="):
        raise InputError(
            f"filter: {term[:60]!r}: {column.name} holds no numbers to compare: write"
            f" {column.name}:VALUE"
        )
    return (
        _flags(column, value.lower(), term)
        if column.holds == "flag"
        else _texts(column, sign, value.lower())
    )


def _is(value: str, term: str) -> Condition:
    if value in get_args(State):
        return lambda row: row.state == value
    if value not in _IS:
        raise InputError(
            f"filter: {term[:60]!r}: no run is {value[:40]!r}:"
            f" {nearest(value, [*_IS, *get_args(State)])}"
        )
    return _IS[value]


def _texts(column: Column, sign: str, value: str) -> Condition:
    read = column.value

    def holds(row: Row) -> bool:
        found = read(row)
        texts = [one.lower() for one in (found if isinstance(found, tuple) else (found or "",))]
        if value in _MISSING and not any(texts):
            return True
        return (
            value in texts
            if sign == "=" or column.holds == "tags"
            else any(value in one for one in texts)
        )

    return holds


def _flags(column: Column, value: str, term: str) -> Condition:
    if value not in _YES_NO:
        raise InputError(
            f"filter: {term[:60]!r}: {column.name} is yes or no: write {column.name}:yes"
        )
    wanted, read = _YES_NO[value], column.value
    return lambda row: read(row) is wanted


def _times(column: Column, sign: str, value: str, term: str) -> Condition:
    """Compared as far as the value goes: a day is equal to all its minutes."""
    if not _TIME.fullmatch(value):
        raise InputError(
            f"filter: {term[:60]!r}: {value[:40]!r} is no time: write a day such as 2026-11-24"
        )
    wanted, read = value.replace("T", " "), column.value
    compare = _SIGNS.get(sign, operator.eq)
    return lambda row: compare(time_text(read(row))[: len(wanted)], wanted)


def _numbers(column: Column, sign: str, value: str, term: str) -> Condition:
    read = column.value
    if value in _MISSING and sign in (":", "="):
        return lambda row: read(row) is None
    wanted, step = _number(column, value, term)
    if sign in _SIGNS:
        compare = _SIGNS[sign]
        return lambda row: (found := read(row)) is not None and compare(found, wanted)
    # Accuracies are read rounded, so they are equal to what rounds to them.
    near = step / 2 if column.holds == "percent" else 0.0
    return lambda row: (
        (found := read(row)) is not None and math.isclose(found, wanted, rel_tol=1e-6, abs_tol=near)
    )


def _number(column: Column, value: str, term: str) -> tuple[float, float]:
    """A number in the column's unit, and what its last digit counts. Raises InputError for what is
    none."""
    found = _NUMBER.fullmatch(value)
    try:
        digits, over, unit = found.groups() if found else ("", None, "")
        number = float(digits.replace(",", "")) / float(over or 1)
        if unit and column.holds == "seconds":
            number *= _SECONDS[unit]
        elif unit == "%" and column.holds == "number":
            number /= 100
        elif unit and not (unit == "%" and column.holds == "percent"):
            raise KeyError(unit)
    except (ValueError, KeyError, ZeroDivisionError) as error:
        example = (
            "2h"
            if column.holds == "seconds"
            else "50"
            if column.holds == "percent"
            else "0.1 or 8/255"
        )
        raise InputError(
            f"filter: {term[:60]!r}: {value[:40]!r} is no number for {column.name}: write one such"
            f" as {example}"
        ) from error
    return number, 10.0 ** -len(digits.partition(".")[2])
