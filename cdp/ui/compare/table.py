"""The run table: a line a run or a line a group, a star a click away, and the choice of runs."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import streamlit as st

from cdp.config.titles import TITLES
from cdp.results.labels import change_labels
from cdp.results.rows import Row, run_rows
from cdp.results.signs import run_signs
from cdp.results.table import NOTHING, Column, column_named, group_rows
from cdp.ui.compare.controls import chooser, controls
from cdp.ui.compare.state import (
    SEEDS,
    STAR,
    ComparisonPage,
    group_key,
    offered_columns,
    shown_rows,
    write_url,
)
from cdp.ui.kit.markup import GLYPHS
from cdp.ui.kit.runlist import act, said
from cdp.ui.kit.words import plain
from cdp.values.evaluation import without_width
from cdp.values.naming import common_name
from cdp.values.text import counted, span_text

STARRED, UNSTARRED = "★", "☆"
STAR_HEAD, MARK_HEAD = "★", "Mark"
GROUP, NEWEST = "Group", "Newest"
EVALUATED, VALIDATION = "Robust, evaluated [%]", "Robust, validation [%]"
SPREAD = "SD over runs [points]"
SEVERAL = "several ways, so no mean"


@dataclass(frozen=True)
class Lines:
    """ids: of the runs of each line; cells: by the head of a column, a value a line; colors: of its
    mark, () where lines have none."""

    ids: tuple[tuple[str, ...], ...]
    cells: Mapping[str, Sequence[Any]]
    colors: tuple[str, ...] = ()

    def marked(self, chosen: Sequence[str]) -> list[int]:
        """The lines all of whose runs are chosen."""
        there = set(chosen)
        return [number for number, ids in enumerate(self.ids) if there.issuperset(ids)]


def lines_of(rows: Sequence[Row], state: ComparisonPage) -> Lines:
    """The table of these rows, in their order."""
    return _groups(rows, state.by) if state.by else _runs(rows, state.columns)


def _runs(rows: Sequence[Row], names: Sequence[str]) -> Lines:
    """A column that says nothing of any run is left out."""
    signs = run_signs(rows)
    cells: dict[str, list[Any]] = {
        STAR_HEAD: [STARRED if row.labels.star else UNSTARRED for row in rows],
        MARK_HEAD: [GLYPHS[signs[row.id].symbol] for row in rows],
    }
    for head, column in heads_of(names).items():
        values = [_cell(column, row) for row in rows]
        if any(value not in (None, "", []) for value in values):
            cells[head] = values
    return Lines(
        tuple((row.id,) for row in rows), cells, tuple(signs[row.id].color for row in rows)
    )


def _cell(column: Column, row: Row) -> Any:
    value = column.value(row)
    if value is None:
        return None
    if column.holds == "time":
        return _moment(value)
    if column.holds in ("tags", "texts"):
        return list(value)
    return TITLES.get(value, value) if isinstance(value, str) else value


def _groups(rows: Sequence[Row], by: str) -> Lines:
    parts = group_rows(rows, group_key(by))
    if not parts:
        return Lines((), {})
    lines = [_group(key, part, by) for key, part in parts.items()]
    ids = tuple(tuple(row.id for row in part) for part in parts.values())
    cells: dict[str, list[Any]] = {head: [line[head] for line in lines] for head in lines[0]}
    if by != SEEDS:
        return Lines(ids, cells)
    signs = list(map(run_signs(rows).__getitem__, (of[0] for of in ids)))
    marks = {MARK_HEAD: [GLYPHS[sign.symbol] for sign in signs]}
    return Lines(ids, marks | cells, tuple(sign.color for sign in signs))


def _group(key: str, part: Sequence[Row], by: str) -> dict[str, Any]:
    """A line. A mean is given only of numbers that were measured in one way: the same attack,
    threat, data set and images."""

    def validated_by(row: Row) -> tuple[Any, ...]:
        return row.reached.n, *map(row.resolved.get, ("held_out", "validation_steps")), _threat(row)

    tested = [(row, row.evaluated) for row in part if row.evaluated]
    checked = [row for row in part if row.reached.best_robust is not None]
    ways = {(without_width(e.label), e.config.part_seed, _threat(row)) for row, e in tested}
    checks = set(map(validated_by, checked))
    evaluated = [100 * e.robust for _, e in tested] if len(ways) == 1 else []
    robust = [100 * (row.reached.best_robust or 0.0) for row in checked] if len(checks) == 1 else []
    of = evaluated or ([] if ways else robust)
    label = None
    if len(ways) > 1 or (not ways and len(checks) > 1):
        label = SEVERAL
    elif ways:
        label = f"{next(iter(ways))[0]}, {len(evaluated)} of {len(part)} runs"
    steps = [row.reached.steps for row in part if row.reached.steps is not None]
    return {
        GROUP: common_name([row.name for row in part]) if by == SEEDS else _named(key, by),
        "Runs": len(part),
        "Seeds": len({row.seed for row in part}),
        EVALUATED: fmean(evaluated) if evaluated else None,
        SPREAD: stdev(of) if len(of) > 1 else None,
        "Evaluated by": label,
        VALIDATION: fmean(robust) if robust else None,
        "Optimiser steps": span_text(steps) if steps else None,
        NEWEST: _moment(max(row.created for row in part)),
    }


def _moment(time: float) -> datetime.datetime | None:
    return datetime.datetime.fromtimestamp(time).replace(microsecond=0) if time else None


def _threat(row: Row) -> tuple[Any, ...]:
    """What a run was trained and measured against: data set, norm and budget."""
    return tuple(row.resolved.get(name) for name in ("dataset", "norm", "epsilon"))


def _named(key: str, by: str) -> str:
    return f"no {by}" if key == NOTHING else TITLES.get(key, key)


def heads_of(names: Sequence[str]) -> dict[str, Column]:
    """The columns of a table of runs by their heads."""
    titles = offered_columns()
    return {titles[name]: column_named(name) for name in names if name != STAR}


POLL_SECONDS = 5.0
MINUTES = "YYYY-MM-DD HH:mm"
_FORMATS = {"percent": "%.1f", "seconds": "%.0f"}
_STAR = "compare_star"


def run_table(state: ComparisonPage, rows: Sequence[Row]) -> None:
    """The table and what acts on its choice. By itself a filter redraws this part alone; another
    choice draws the whole page anew."""
    moving = _moving(rows)
    drawn = (state.chosen, state.groups, moving)
    st.fragment(_draw, run_every=POLL_SECONDS if moving else None)(state, drawn)


def _moving(rows: Sequence[Row]) -> bool:
    return any(row.state in ("queued", "running", "stopping") for row in rows)


def _draw(state: ComparisonPage, drawn: tuple[tuple[str, ...], bool, bool]) -> None:
    rows = run_rows()
    if (state.chosen, state.groups, _moving(rows)) != drawn:
        st.rerun()
    listed, wrong = shown_rows(rows, state)
    visible = {row.id for row in listed}
    controls(state, wrong, sum(row.labels.archived and row.id not in visible for row in rows))
    table = lines_of(listed, state)
    if listed:
        _grid(state, table)
    else:
        st.info("No run passes this filter.")
    _count(rows, listed, table, state)
    said()
    chooser(state, rows, listed)
    if not state.whole:
        write_url(state)


def _grid(state: ComparisonPage, table: Lines) -> None:
    # A selection is of places, so another order is another table.
    order = hashlib.blake2b(repr(table.ids).encode(), digest_size=8).hexdigest()
    key = f"compare_table_{order}"
    marked = table.marked(state.chosen)
    if key in st.session_state and _rows(st.session_state[key]) != marked:
        st.session_state[key] = {"selection": {"rows": marked}}

    def picked() -> None:
        state.pick(table.ids, marked, _rows(st.session_state[key]))

    st.dataframe(
        _in_color(table),
        key=key,
        hide_index=True,
        on_select=picked,
        selection_mode="multi-row",
        column_config=_config(state, table),
        placeholder="",
        selection_default={"selection": {"rows": marked}} if key not in st.session_state else None,
        alt="Groups of runs" if state.by else "Runs",
    )


def _in_color(table: Lines) -> Any:
    """The cells; marks in their colours."""
    if not table.colors:
        return table.cells
    import pandas as pd

    colors = [f"color: {color}" for color in table.colors]
    return pd.DataFrame(table.cells).style.apply(lambda marks: colors, subset=[MARK_HEAD])


def _rows(state: Mapping[str, Any]) -> list[int]:
    """The marked lines, in order."""
    return sorted(state["selection"].get("rows", ()))


def _config(state: ComparisonPage, table: Lines) -> dict[str, Any]:
    config = st.column_config
    mark = {MARK_HEAD: config.TextColumn("", width=36, help="As in the charts.")}
    if state.by:
        digits = {head: config.NumberColumn(format="%.1f") for head in (EVALUATED, VALIDATION)}
        about = (
            "Standard deviation of the runs' robust accuracies, evaluated ones if there are any."
        )
        return (
            mark
            | digits
            | {
                GROUP: config.TextColumn(width="medium"),
                NEWEST: config.DatetimeColumn(format=MINUTES),
                SPREAD: config.NumberColumn(format="%.2f", help=about),
            }
        )
    star = config.ButtonColumn(
        STAR_HEAD,
        width=42,
        type="tertiary",
        on_click=_star,
        args=(table,),
        key=_STAR,
        help="Adds a star or takes it away.",
    )
    columns = heads_of(state.columns).items()
    return {STAR_HEAD: star} | mark | {head: _column(column) for head, column in columns}


_HELP = {
    "steps": "Optimiser steps: what makes two runs comparable; epochs do not.",
    "images_seen": "Real and synthetic images together, each as often as it came.",
    "robust": "Best validation, under the quick attack of training: a little above what holds.",
    "clean": "Of the best validation, on the same images.",
    "evaluated_robust": "Of the strongest evaluation on test images; see 'Evaluated by'.",
    "evaluated_label": "How evaluated accuracies are to be called.",
}


def _column(column: Column) -> Any:
    config = st.column_config
    about = _HELP.get(column.name) or (f"Unit: {column.unit}." if column.unit else None)
    if column.holds in _FORMATS:
        return config.NumberColumn(format=_FORMATS[column.holds], help=about)
    if column.holds == "number":
        budget = "%.5g" if column.unit.startswith("of ") else None
        return config.NumberColumn(format=budget, help=about)
    if column.holds == "time":
        return config.DatetimeColumn(format=MINUTES)
    if column.holds in ("tags", "texts"):
        return config.ListColumn(help=about)
    if column.holds == "flag":
        return config.CheckboxColumn(help=about)
    return config.TextColumn(width=260 if column.name == "evaluated_label" else None, help=about)


def _star(table: Lines) -> None:
    """One click on a star."""
    place = st.session_state[_STAR].row
    if 0 <= place < len(table.ids):
        on = table.cells[STAR_HEAD][place] == STARRED
        act(lambda: change_labels(table.ids[place][0], star=not on))


def _count(rows: Sequence[Row], listed: Sequence[Row], table: Lines, state: ComparisonPage) -> None:
    some = f"{len(listed):,} of " * (len(listed) < len(rows))
    parts = [some + counted(len(rows), "run")]
    if state.by:
        parts.append(f"{len(table.ids):,} groups")
    broken = [row for row in listed if row.error and not row.settings]
    if broken:
        parts.append(f"{len(broken)} cannot be read ({broken[0].error})")
    st.caption(plain(" · ".join(parts)))
