"""The columns of the run table: every setting of a training, what it has reached, its labels; and
rows sorted and grouped by them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.results.table.rows import Row
from cdp.values.text import time_text

Holds = Literal["text", "texts", "tags", "flag", "number", "percent", "seconds", "time"]
SEED_GROUP = "seed group"
NOTHING = "none"
"""How a missing value is called where it has to be a word."""


@dataclass(frozen=True)
class Column:
    """One column. name: in filters and links; title, unit: for its head; shown: by default.

    value: of a row in ``unit``, None where it is missing: a number, a text, True or False, a tuple
    of texts, or for "time" unix seconds.
    """

    name: str
    title: str
    unit: str
    holds: Holds
    value: Callable[[Row], Any]
    shown: bool = False

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
    found = _COLUMNS.get(plain) or _COLUMNS.get(_ALIASES.get(plain, ""))
    if found is None:
        raise InputError(
            f"column {name[:60]!r} is unknown: {nearest(plain, [*_COLUMNS, *_ALIASES])}"
        )
    return found


def nearest(word: str, known: Iterable[str]) -> str:
    """What somebody may have meant who wrote ``word``, as a remedy."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(word.lower(), names, n=3, cutoff=0.5)
    return (
        f"did you mean {' or '.join(close)}?"
        if close
        else f"choose one of {', '.join(names[:12])}, or a setting of a training"
    )


def sort_rows(rows: Sequence[Row], column: str, descending: bool = False) -> list[Row]:
    """Rows by one column, missing values last either way; equal ones keep their order. Raises
    InputError for an unknown column."""
    by = column_named(column)
    valued = [(_key(by.value(row)), row) for row in rows]
    there = [pair for pair in valued if pair[0] is not None]
    there.sort(key=lambda pair: pair[0], reverse=descending)
    return [row for _, row in there] + [row for key, row in valued if key is None]


def group_rows(rows: Sequence[Row], by: str) -> dict[str, list[Row]]:
    """Rows by ``Row.group`` (by: "seed group"), or by the values of a column as text; groups in the
    order of their first row.

    A row with several tags is in the group of each; one without a value is under "none". Raises
    InputError for an unknown column.
    """
    column = None if by.strip().lower() in (SEED_GROUP, "group") else column_named(by)
    found: dict[str, list[Row]] = {}
    for row in rows:
        if column is None:
            keys = [row.group]
        elif column.holds == "tags":
            keys = list(column.value(row)) or [NOTHING]
        else:
            keys = [value_text(column, row)]
        for key in keys:
            found.setdefault(key, []).append(row)
    return found


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


def _key(value: Any) -> Any:
    """What is compared in place of a value; None where it is missing."""
    if isinstance(value, tuple):
        return tuple(one.lower() for one in value) or None
    return (value.lower() or None) if isinstance(value, str) else value


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _of_evaluation(name: str) -> Callable[[Row], Any]:
    return lambda row: getattr(row.evaluated, name) if row.evaluated else None


def _knob(name: str) -> Column:
    field = TrainConfig.model_fields[name]
    extra = field.json_schema_extra
    told = extra if isinstance(extra, dict) else {}
    shown, several = (
        name in ("method", "architecture", "seed"),
        get_origin(field.annotation) is tuple,
    )
    read = _several(name) if several else _single(name)
    return Column(
        name,
        str(told.get("label", name)),
        str(told.get("unit", "")),
        _holds(field.annotation),
        read,
        shown,
    )


def _single(name: str) -> Callable[[Row], Any]:
    return lambda row: row.resolved.get(name)


def _several(name: str) -> Callable[[Row], Any]:
    return lambda row: tuple(row.resolved.get(name, ()))


def _holds(annotation: Any) -> Holds:
    if annotation is bool:
        return "flag"
    if get_origin(annotation) is tuple:
        return "texts"
    return "number" if {int, float} & {annotation, *get_args(annotation)} else "text"


_COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("star", "Star", "", "flag", lambda row: row.labels.star, shown=True),
        Column("name", "Name", "", "text", lambda row: row.name, shown=True),
        Column("state", "State", "", "text", lambda row: row.state, shown=True),
        Column("tags", "Tags", "", "tags", lambda row: row.labels.tags, shown=True),
        Column("note", "Note", "", "text", lambda row: row.labels.note),
        Column("created", "Created", "", "time", lambda row: row.created, shown=True),
        Column("duration", "Training time", "s", "seconds", lambda row: row.seconds),
        Column("epoch", "Epoch", "", "number", lambda row: row.epoch, shown=True),
        Column(
            "clean",
            "Clean, validation",
            "%",
            "percent",
            lambda row: _percent(row.best_clean),
            shown=True,
        ),
        Column(
            "robust",
            "Robust, validation",
            "%",
            "percent",
            lambda row: _percent(row.best_robust),
            shown=True,
        ),
        Column("best_epoch", "Best epoch", "", "number", lambda row: row.best_epoch or None),
        Column(
            "last_robust", "Robust, last epoch", "%", "percent", lambda row: _percent(row.robust)
        ),
        Column("n", "Validation images", "images", "number", lambda row: row.n or None),
        Column(
            "evaluated_robust",
            "Robust, evaluated",
            "%",
            "percent",
            lambda row: _percent(row.evaluated.robust) if row.evaluated else None,
            shown=True,
        ),
        Column(
            "evaluated_clean",
            "Clean, evaluated",
            "%",
            "percent",
            lambda row: _percent(row.evaluated.clean) if row.evaluated else None,
        ),
        Column("evaluated_label", "Evaluated by", "", "text", _of_evaluation("label"), shown=True),
        Column(
            "synthetic_images",
            "Synthetic images",
            "images",
            "number",
            lambda row: row.synthetic_images,
            shown=True,
        ),
        # In place of the setting, which runs whose length was set in epochs leave empty.
        Column("steps", "Steps", "steps", "number", lambda row: row.steps, shown=True),
        Column("images_seen", "Images seen", "images", "number", lambda row: row.images_seen),
        *(_knob(name) for name in TrainConfig.model_fields if name != "steps"),
        Column("archived", "Archived", "", "flag", lambda row: row.labels.archived),
        Column("group", "Seed group", "", "text", lambda row: row.group),
        Column("id", "Run", "", "text", lambda row: row.id),
    )
}

_SHORT = {
    "tag": "tags",
    "starred": "star",
    "sets": "synthetic",
    "arch": "architecture",
    "lr": "learning_rate",
    "data": "dataset",
    "evaluated": "evaluated_robust",
    "label": "evaluated_label",
    "run": "id",
    "started": "created",
    "steps_taken": "steps",
}
_ALIASES = {
    column.title.lower().replace(" ", "_"): column.name for column in _COLUMNS.values()
} | _SHORT
