"""The run table as columns of cells: a line a run or a line a group, with the run ids of each line.
Computes nothing heavy."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from cdp.config.titles import TITLES
from cdp.results.rows import Row
from cdp.results.table import NOTHING, Column, column_named, group_rows
from cdp.ui.compare.state import SEEDS, STAR, Compared, group_key, offered_columns
from cdp.values.evaluation import without_width
from cdp.values.naming import common_name
from cdp.values.text import span_text

STARRED, UNSTARRED = "★", "☆"
STAR_HEAD = "★"
GROUP, RUNS_HEAD, SEEDS_HEAD = "Group", "Runs", "Seeds"
EVALUATED, VALIDATION, SPREAD, LABEL, STEPS, NEWEST = (
    "Robust, evaluated [%]",
    "Robust, validation [%]",
    "SD over runs [points]",
    "Evaluated by",
    "Optimiser steps",
    "Newest",
)
SEVERAL = "several ways, so no mean"


@dataclass(frozen=True)
class Lines:
    """ids: of the runs of each line; cells: by the head of a column, a value a line."""

    ids: tuple[tuple[str, ...], ...]
    cells: Mapping[str, Sequence[Any]]

    def marked(self, chosen: Sequence[str]) -> list[int]:
        """The lines all of whose runs are chosen."""
        there = set(chosen)
        return [number for number, ids in enumerate(self.ids) if there.issuperset(ids)]


def lines_of(rows: Sequence[Row], held: Compared) -> Lines:
    """The table of these rows, in their order."""
    return _groups(rows, held.by) if held.by else _runs(rows, held.columns)


def _runs(rows: Sequence[Row], names: Sequence[str]) -> Lines:
    titles = offered_columns()
    cells: dict[str, list[Any]] = {
        STAR_HEAD: [STARRED if row.labels.star else UNSTARRED for row in rows]
    }
    for name in names:
        column = column_named(name)
        cells[titles[name]] = [_cell(column, row) for row in rows]
    return Lines(tuple((row.id,) for row in rows), cells)


def _cell(column: Column, row: Row) -> Any:
    value = column.value(row)
    if value is None:
        return None
    if column.holds == "time":
        return datetime.datetime.fromtimestamp(value).replace(microsecond=0) if value else None
    if column.holds in ("tags", "texts"):
        return list(value)
    return TITLES.get(value, value) if isinstance(value, str) else value


def _groups(rows: Sequence[Row], by: str) -> Lines:
    parts = group_rows(rows, group_key(by))
    heads = (GROUP, RUNS_HEAD, SEEDS_HEAD, EVALUATED, SPREAD, LABEL, VALIDATION, STEPS, NEWEST)
    cells: dict[str, list[Any]] = {head: [] for head in heads}
    for key, part in parts.items():
        for head, value in zip(heads, _group_cells(key, part, by), strict=True):
            cells[head].append(value)
    return Lines(tuple(tuple(row.id for row in part) for part in parts.values()), cells)


def _group_cells(key: str, part: Sequence[Row], by: str) -> tuple[Any, ...]:
    """A mean is given of numbers that were measured in one way only: the same attack, threat, data
    set and images."""
    ways = {
        (without_width(row.evaluated.label), row.evaluated.config.part_seed, _threat(row))
        for row in part
        if row.evaluated
    }
    evaluated = (
        [100 * row.evaluated.robust for row in part if row.evaluated] if len(ways) == 1 else []
    )
    checked = [row for row in part if row.reached.best_robust is not None]
    alike = (
        len(
            {
                (
                    row.reached.n,
                    row.resolved.get("held_out"),
                    row.resolved.get("validation_steps"),
                    _threat(row),
                )
                for row in checked
            }
        )
        == 1
    )
    validation = (
        [100 * row.reached.best_robust for row in checked if row.reached.best_robust is not None]
        if alike
        else []
    )
    of = evaluated or ([] if ways else validation)
    label = (
        SEVERAL
        if len(ways) > 1
        else f"{next(iter(ways))[0]}, {len(evaluated)} of {len(part)} runs"
        if ways
        else None
    )
    if not ways and checked and not alike:
        label = SEVERAL
    steps = [row.reached.steps for row in part if row.reached.steps is not None]
    newest = max(row.created for row in part)
    return (
        common_name([row.name for row in part]) if by == SEEDS else _named(key, by),
        len(part),
        len({row.seed for row in part}),
        fmean(evaluated) if evaluated else None,
        stdev(of) if len(of) > 1 else None,
        label,
        fmean(validation) if validation else None,
        span_text(steps) if steps else None,
        datetime.datetime.fromtimestamp(newest).replace(microsecond=0) if newest else None,
    )


def _threat(row: Row) -> tuple[Any, ...]:
    """What a run was trained and measured against: data set, norm and budget."""
    return tuple(row.resolved.get(name) for name in ("dataset", "norm", "epsilon"))


def _named(key: str, by: str) -> str:
    return f"no {by}" if key == NOTHING else TITLES.get(key, key)


def heads_of(names: Sequence[str]) -> dict[str, Column]:
    """The columns of a table of runs by their heads."""
    titles = offered_columns()
    return {titles[name]: column_named(name) for name in names if name != STAR}
