"""What the Compare page shows: filter, order, columns and groups of the table, and the chosen runs.
Kept for the session, told by the address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cdp.config.fields import quoted
from cdp.results.table import LONGEST, SEED_GROUP, columns
from cdp.ui.compare.kept import MOST, read_columns
from cdp.ui.kit.address import Address, linked, read_extras, write_extras
from cdp.ui.train.look import CURVE_PARAMS, CurveLook

QUERY, SORT, COLUMNS, BY, RUNS, GROUPS = "q", "sort", "columns", "by", "runs", "groups"
PARAMS = (QUERY, SORT, COLUMNS, BY, RUNS, GROUPS)
"""Query parameters of the page; those of the curves are ``cdp.ui.train.look``'s."""
PLAIN_SORT = "-created"
"""A minus before the column is from the highest down."""
SEEDS = "seeds"
"""In ``by``: runs that differ in their seed only."""
GROUPED = (
    SEEDS,
    "tags",
    "method",
    "architecture",
    "dataset",
    "synthetic",
    "synthetic_images",
    "state",
    "seed",
    "epsilon",
    "real",
)
"""What the table can be grouped by."""
MOST_COMPARED = 20
MOST_TOLD = 100
"""Ids in an address; more chosen runs stay with the session."""
_KEY = "compare_state"
STAR = "star"
"""The column that has a place of its own at the left of every table."""
_FIRST = ("name", "state", "evaluated_robust", "evaluated_label", "robust", "clean")


@dataclass
class Compared(CurveLook):
    """query: as typed; good: the last one that could be read; sort: a column, with a minus from the
    highest down; by: of ``GROUPED``, "" for a line a run; chosen: ids in the order of choosing,
    also of runs that the filter hides or that are gone; groups: whether seeds are joined and a
    chosen run brings its own.

    drawn: whether curves are on the page; whole: whether all of the page is being drawn, not its
    table alone; turn: counts changes by others than a hand; picks: choices made elsewhere than in
    the list of chosen runs.
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

    def order(self, column: str, *, descending: bool) -> None:
        """Sort by a column."""
        self.sort = f"-{column}" if descending else column

    def choose(self, ids: Iterable[str]) -> None:
        """Have exactly these chosen."""
        self.chosen = tuple(dict.fromkeys(ids))
        self.notes = []

    def pick(
        self, lines: Sequence[Sequence[str]], before: Iterable[int], now: Iterable[int]
    ) -> None:
        """What a hand did in the table: ``lines`` are the run ids of each of its lines, of which
        these were marked and are."""
        old, new = set(before), set(now)
        gone = {one for line in old - new for one in lines[line]}
        added = [one for line in sorted(new - old) for one in lines[line]]
        self.choose([*(one for one in self.chosen if one not in gone), *added])
        self.picks += 1

    def clear(self) -> None:
        """Choose none."""
        self.choose(())
        self.picks += 1


def plain_columns() -> tuple[str, ...]:
    """What a table has where nobody chose: what runs are compared by comes first."""
    shown = [column.name for column in columns() if column.shown and column.name != STAR]
    return tuple(
        sorted(shown, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    )


def offered_columns() -> dict[str, str]:
    """Titles of the columns that can be shown, by name."""
    return {
        column.name: (
            f"{column.title} [{column.unit}]" if column.unit in ("%", "s") else column.title
        )
        for column in columns()
        if column.name != STAR
    }


def group_key(by: str) -> str:
    """``by`` as ``cdp.results.table.group_rows`` calls it."""
    return SEED_GROUP if by == SEEDS else by


def compared() -> Compared:
    """This session's state; where the address changed under the page, what it says."""
    return linked(_KEY, from_params, lambda before, now: now.carry_curves(before))[0]


def from_params(params: Mapping[str, str]) -> Compared:
    """What an address tells, with one sentence for each thing in it that cannot be used."""
    known = offered_columns()
    held = Compared(columns=read_columns(known, plain_columns()))
    held.query = params.get(QUERY, "")[:LONGEST]
    held.choose([one for one in params.get(RUNS, "").split(",") if one][:MOST_TOLD])
    notes = []
    sort = params.get(SORT, PLAIN_SORT)
    if sort.removeprefix("-") in (STAR, *known):
        held.sort = sort
    else:
        notes.append(f"sort: {quoted(sort)} is no column, so the newest come first.")
    by = params.get(BY, "")
    if by in ("", *GROUPED):
        held.by = by
    else:
        notes.append(
            f"by: {quoted(by)} is not one of {', '.join(GROUPED)}, so runs are not grouped."
        )
    groups = params.get(GROUPS, "on")
    held.groups = groups != "off"
    if groups not in ("on", "off"):
        notes.append(f"groups: {quoted(groups)} is not on or off, so seeds are joined.")
    if COLUMNS in params:
        asked = list(dict.fromkeys(params[COLUMNS].split(",")))[:MOST]
        held.columns = tuple(name for name in asked if name in known) or held.columns
        wrong = [name for name in asked if name not in known]
        if wrong:
            notes.append(
                "columns:"
                f" {', '.join(map(quoted, wrong[:3]))}{' and others' if len(wrong) > 3 else ''}"
                " left out: no such column."
            )
    rest = {name: text for name, text in params.items() if name not in PARAMS}
    look, wrong = read_extras(CURVE_PARAMS, rest)
    for name, value in look.items():
        setattr(held, name, value)
    unknown = [f"{quoted(name)} is not a setting, so it was left out." for name in rest]
    held.notes = [*notes, *wrong, *unknown[:5]]
    return held


def to_params(held: Compared) -> dict[str, str]:
    """What ``from_params`` reads: all that differs from the page as it first is."""
    params = {QUERY: held.query, SORT: "" if held.sort == PLAIN_SORT else held.sort, BY: held.by}
    params[COLUMNS] = "" if held.columns == plain_columns() else ",".join(held.columns)
    params[RUNS] = ",".join(held.chosen[:MOST_TOLD])
    params[GROUPS] = "" if held.groups else "off"
    return {name: text for name, text in params.items() if text}


def write_url(held: Compared) -> None:
    """Bring the address in line with the page, and with the curves where some are drawn."""
    params = to_params(held)
    held.address.write(params | write_extras(CURVE_PARAMS, held))
