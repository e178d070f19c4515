"""The run table: filter, order, groups, columns, a star a click away, and the choice of runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from cdp.results.index import run_rows
from cdp.results.labels import change_labels
from cdp.results.rows import Row
from cdp.results.table import Column
from cdp.ui.compare import lines as made
from cdp.ui.compare.chooser import chooser
from cdp.ui.compare.controls import controls
from cdp.ui.compare.lines import Lines, heads_of, lines_of
from cdp.ui.compare.state import Compared, write_url
from cdp.ui.compare.store import shown_rows
from cdp.ui.kit.runlist import act, said
from cdp.ui.kit.words import plain

POLL_SECONDS = 5.0
_STAR = "compare_star"


def run_table(held: Compared, rows: Sequence[Row]) -> None:
    """The table and what acts on its choice. By itself a filter redraws this part alone; another
    choice draws the whole page anew."""
    moving = any(row.state in ("queued", "running", "stopping") for row in rows)
    drawn = (held.chosen, held.groups)
    st.fragment(_draw, run_every=POLL_SECONDS if moving else None)(held, drawn, moving)


def _draw(held: Compared, drawn: tuple[tuple[str, ...], bool], moving: bool) -> None:
    if (held.chosen, held.groups) != drawn:
        st.rerun()
    rows = run_rows()
    if any(row.state in ("queued", "running", "stopping") for row in rows) != moving:
        st.rerun()
    found, wrong = shown_rows(rows, held)
    hidden = _archived(rows, found)
    controls(held, wrong, hidden)
    table = lines_of(found, held)
    if found:
        _grid(held, table)
    else:
        st.info("No run passes this filter: change it, or empty it to see all.")
    _count(rows, found, table, held)
    said()
    chooser(held, rows, found)
    if not held.whole:
        write_url(held)


def _archived(rows: Sequence[Row], found: Sequence[Row]) -> int:
    """How many archived runs the filter hides."""
    shown = {row.id for row in found}
    return sum(row.labels.archived and row.id not in shown for row in rows)


def _grid(held: Compared, table: Lines) -> None:
    # A selection is of places, so another order is another table.
    order = hashlib.blake2b(repr(table.ids).encode(), digest_size=8).hexdigest()
    key = f"compare_table_{order}"
    marked = table.marked(held.chosen)
    if key in st.session_state and _rows(st.session_state[key]) != marked:
        st.session_state[key] = {"selection": {"rows": marked}}

    def picked() -> None:
        held.pick(table.ids, marked, _rows(st.session_state[key]))

    st.dataframe(
        table.cells,
        key=key,
        hide_index=True,
        on_select=picked,
        selection_mode="multi-row",
        column_config=_config(held, table),
        placeholder="",
        selection_default={"selection": {"rows": marked}} if key not in st.session_state else None,
        alt="Groups of runs" if held.by else "Runs",
    )


def _rows(state: Mapping[str, Any]) -> list[int]:
    """The marked lines, in order."""
    return sorted(state["selection"].get("rows", ()))


def _config(held: Compared, table: Lines) -> dict[str, Any]:
    config = st.column_config
    if held.by:
        digits = {
            head: config.NumberColumn(format="%.1f") for head in (made.EVALUATED, made.VALIDATION)
        }
        return digits | {
            made.GROUP: config.TextColumn(width="medium"),
            made.NEWEST: config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            made.SPREAD: config.NumberColumn(
                format="%.2f",
                help=(
                    "Standard deviation of the runs' robust accuracies, evaluated ones where there"
                    " are any."
                ),
            ),
        }
    star = config.ButtonColumn(
        made.STAR_HEAD,
        width=42,
        type="tertiary",
        on_click=_star,
        args=(table,),
        key=_STAR,
        help="A click adds a star or takes it away.",
    )
    return {made.STAR_HEAD: star} | {
        head: _column(column) for head, column in heads_of(held.columns).items()
    }


_HELP = {
    "steps": "Optimiser steps done: what makes two runs comparable. Epochs are no common measure.",
    "images_seen": "Real and synthetic images together, each as often as it came.",
    "robust": (
        "Of the best validation, under the quick attack of training, on images held out from"
        " training: an estimate, a little too high."
    ),
    "clean": "Of the best validation, on the same images.",
    "evaluated_robust": (
        "Of the strongest evaluation on test images, as the column 'Evaluated by' calls it."
    ),
    "evaluated_label": "How evaluated accuracies have to be called wherever they stand.",
}


def _column(column: Column) -> Any:
    config, told = (
        st.column_config,
        _HELP.get(column.name) or (f"Unit: {column.unit}." if column.unit else None),
    )
    if column.holds == "percent":
        return config.NumberColumn(format="%.1f", help=told)
    if column.holds == "seconds":
        return config.NumberColumn(format="%.0f", help=told)
    if column.holds == "time":
        return config.DatetimeColumn(format="YYYY-MM-DD HH:mm")
    if column.holds in ("tags", "texts"):
        return config.ListColumn(help=told)
    if column.holds == "flag":
        return config.CheckboxColumn(help=told)
    if column.holds == "number":
        return config.NumberColumn(
            format="%.5g" if column.unit.startswith("of ") else None, help=told
        )
    return config.TextColumn(width=260 if column.name == "evaluated_label" else None, help=told)


def _star(table: Lines) -> None:
    """One click on a star."""
    place = st.session_state[_STAR].row
    if 0 <= place < len(table.ids):
        on = table.cells[made.STAR_HEAD][place] == made.STARRED
        act(lambda: change_labels(table.ids[place][0], star=not on))


def _count(rows: Sequence[Row], found: Sequence[Row], table: Lines, held: Compared) -> None:
    parts = [
        f"{len(found):,} of {len(rows):,} runs" if len(found) < len(rows) else f"{len(rows):,} runs"
    ]
    if held.by:
        parts.append(f"{len(table.ids):,} groups")
    broken = [row for row in found if row.error and not row.settings]
    if broken:
        parts.append(f"{len(broken)} cannot be read ({broken[0].error})")
    st.caption(plain(" · ".join(parts)))
