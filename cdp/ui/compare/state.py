"""What the Compare page shows: filter, order, columns and groups of the table, and the chosen runs.
Kept for the session, told by the address; the columns also by a small file of the workspace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdp import paths
from cdp.config.fields import quoted
from cdp.errors import CdpError, InputError
from cdp.files.atomic import write_json
from cdp.files.reading import read_json
from cdp.results.rows import Row
from cdp.results.table import LONGEST, SEED_GROUP, columns, matching, sort_rows
from cdp.ui.kit.address import Address, Param, linked, member, read_extras, switch, write_extras
from cdp.ui.train.look import CURVE_PARAMS, CurveLook

PLAIN_SORT = "-created"
"""A minus before the column is from the highest down."""
SEEDS = "seeds"
"""In ``by``: runs that differ in their seed only."""
GROUPED = (
    *(SEEDS, "tags", "method", "architecture", "dataset", "synthetic", "synthetic_images"),
    *("state", "seed", "epsilon", "real"),
)
"""What the table can be grouped by."""
MOST_COMPARED = 20
MOST_TOLD = 100
"""Ids in an address; more chosen runs stay with the session."""
MOST_COLUMNS = 40
"""A file or link with more is not one of ours."""
_KEY, COLUMNS = "compare_state", "columns"


def _column(text: str) -> str:
    if text.removeprefix("-") not in (STAR, *offered_columns()):
        raise ValueError("a column")
    return text


def _ids(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in text.split(",") if part))[:MOST_TOLD]


PARAMS = (
    Param("q", "", lambda text: text[:LONGEST], attribute="query"),
    Param("sort", PLAIN_SORT, _column, instead="the newest come first"),
    Param("by", "", lambda text: member(text, ("", *GROUPED)), instead="runs are not grouped"),
    Param("runs", (), _ids, lambda ids: ",".join(ids[:MOST_TOLD]), "chosen"),
    switch("groups", "seeds are joined"),
)
"""Query parameters of the page but for the columns; those of the curves are ``CURVE_PARAMS``."""
STAR = "star"
"""The column that has a place of its own at the left of every table."""
_FIRST = ("name", "state", "problem", "evaluated_robust", "evaluated_label", "robust", "clean")


@dataclass
class ComparisonPage(CurveLook):
    """query: as typed; good: the last one that could be read; sort: a column, with a minus from the
    highest down; by: of ``GROUPED``, "" for a line a run; chosen: ids in the order of choosing,
    also of runs that the filter hides or that are gone; groups: whether seeds are joined and a
    chosen run brings its own.

    drawn: whether curves are on the page; whole: whether the whole page is being drawn; turn: counts
    changes by others than a hand; picks: choices made outside the list of chosen runs.
    """

    columns: tuple[str, ...] = ()
    query: str = ""
    good: str = ""
    sort: str = PLAIN_SORT
    by: str = ""
    chosen: tuple[str, ...] = ()
    groups: bool = True
    drawn: bool = False
    whole: bool = False
    notes: list[str] = field(default_factory=list)
    turn: int = 0
    picks: int = 0
    address: Address = field(default_factory=Address)

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    @property
    def sorted_by(self) -> str:
        return self.sort.removeprefix("-")

    def put(self, name: str, value: Any) -> None:
        """One control moved."""
        setattr(self, name, value)
        self.notes = []

    def turn_over(self, descending: bool) -> None:
        """The other order of the same column."""
        self.put("sort", f"{'-' * descending}{self.sorted_by}")

    def choose(self, ids: Iterable[str]) -> None:
        """Have exactly these chosen."""
        self.put("chosen", tuple(dict.fromkeys(ids)))

    def pick(
        self, lines: Sequence[Sequence[str]], before: Iterable[int], now: Iterable[int]
    ) -> None:
        """What a hand did in the table: ``lines`` are the run ids of each of its lines, of which
        these were marked and are."""
        old, new = set(before), set(now)
        gone = {item for line in old - new for item in lines[line]}
        added = [item for line in sorted(new - old) for item in lines[line]]
        if old != new:  # the table also reports marks that it was given
            self.choose([*(item for item in self.chosen if item not in gone), *added])
            self.picks += 1

    def clear(self) -> None:
        """Choose none."""
        self.choose(())
        self.picks += 1


def plain_columns() -> tuple[str, ...]:
    """What a table has where nobody chose: what runs are compared by comes first."""
    visible = [column.name for column in columns() if column.default and column.name != STAR]
    return tuple(sorted(visible, key=[*_FIRST, *visible].index))


def offered_columns() -> dict[str, str]:
    """Titles of the columns that can be shown, by name."""
    return {
        column.name: column.title + (f" [{column.unit}]" if column.unit in ("%", "s") else "")
        for column in columns()
        if column.name != STAR
    }


def group_key(by: str) -> str:
    """``by`` as ``cdp.results.table.group_rows`` calls it."""
    return SEED_GROUP if by == SEEDS else by


def kept_file() -> Path:
    """Where they are kept."""
    return paths.home() / "compare.json"


def read_columns(known: Collection[str], plain: Sequence[str]) -> tuple[str, ...]:
    """The kept columns that are known; ``plain`` where none is kept or the file is damaged."""
    names = (read_json(kept_file()) or {}).get("columns")
    some = dict.fromkeys(map(str, names[:MOST_COLUMNS])) if isinstance(names, list) else {}
    return tuple(name for name in some if name in known) or tuple(plain)


def keep_columns(names: Sequence[str]) -> None:
    """Keep these. Raises CdpError: the table can be read without."""
    try:
        kept_file().parent.mkdir(parents=True, exist_ok=True)
        write_json(kept_file(), {"columns": list(names)})
    except OSError as error:
        raise CdpError(
            f"{kept_file()} cannot be written ({error.strerror}), so these columns last for this"
            " session only: make it writable"
        ) from error


def compared() -> ComparisonPage:
    """This session's state; where the address changed under the page, what it says."""
    return linked(_KEY, from_params, lambda before, now: now.carry_curves(before))[0]


def from_params(params: Mapping[str, str]) -> ComparisonPage:
    """What an address tells, with one sentence for each thing in it that cannot be used."""
    texts, known = dict(params), offered_columns()
    asked = list(dict.fromkeys(texts.pop(COLUMNS, "").split(",")))[:MOST_COLUMNS]
    state = ComparisonPage(columns=read_columns(known, plain_columns()))
    values, notes = read_extras((*PARAMS, *CURVE_PARAMS), texts)
    for name, value in values.items():
        setattr(state, name, value)
    if asked != [""]:
        state.columns = tuple(name for name in asked if name in known) or state.columns
        wrong = [quoted(name) for name in asked if name not in known]
        if wrong:
            named = f"{', '.join(wrong[:3])}{' and others' if len(wrong) > 3 else ''}"
            notes.append(f"columns: {named} left out: no such column.")
    unknown = [f"{quoted(name)} is not a setting, so it was left out." for name in texts]
    state.notes = [*notes, *unknown[:5]]
    return state


def to_params(state: ComparisonPage) -> dict[str, str]:
    """What ``from_params`` reads of the table and the choice: all that differs from the page as it
    first is."""
    columns = {} if state.columns == plain_columns() else {COLUMNS: ",".join(state.columns)}
    return write_extras(PARAMS, state) | columns


def write_url(state: ComparisonPage) -> None:
    """Bring the address in line with the page, and with the curves where some are drawn."""
    state.address.write(to_params(state) | write_extras(CURVE_PARAMS, state))


def shown_rows(rows: Sequence[Row], state: ComparisonPage) -> tuple[list[Row], str]:
    """The rows that pass the filter, in the chosen order; and what is wrong with the filter, ""
    where nothing is. A filter that cannot be read leaves the table as the last good one did."""
    wrong = ""
    try:
        result = matching(rows, state.query)
        state.good = state.query
    except InputError as error:
        wrong = str(error)
        result = matching(rows, state.good)
    return sort_rows(result, state.sorted_by, state.descending), wrong


def compared_ids(rows: Sequence[Row], chosen: Sequence[str], *, groups: bool) -> list[str]:
    """The ids to compare, gone ones too: those chosen, with ``groups`` each followed by its other
    seeds that are not archived. All of them; the page compares the first ``MOST_COMPARED``."""
    by_id = {row.id: row for row in rows}
    seeds: dict[str, list[str]] = {}
    if groups:
        for row in sorted(
            rows, key=lambda row: (-1 if row.seed is None else row.seed, row.created)
        ):
            if not row.labels.archived:
                seeds.setdefault(row.group, []).append(row.id)
    result: dict[str, None] = {}
    for item in chosen:
        others = seeds.get(by_id[item].group, ()) if item in by_id else ()
        result |= dict.fromkeys([item, *others])
    return list(result)


def few(ids: Sequence[str], here: Collection[str]) -> tuple[list[str], int]:
    """As many ids as are compared at a time, and how many of the others are here."""
    return list(ids[:MOST_COMPARED]), sum(item in here for item in ids[MOST_COMPARED:])
