"""The runs as the page sees them: what the filter and the order leave."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cdp.errors import InputError
from cdp.results.rows import Row
from cdp.results.table import matching, sort_rows
from cdp.ui.compare.state import MOST_COMPARED, Compared


def shown_rows(rows: Sequence[Row], held: Compared) -> tuple[list[Row], str]:
    """The rows that pass the filter, in the chosen order; and what is wrong with the filter, ""
    where nothing is. A filter that cannot be read leaves the table as the last good one did."""
    wrong = ""
    try:
        found = matching(rows, held.query)
        held.good = held.query
    except InputError as error:
        wrong = str(error)
        found = matching(rows, held.good)
    return sort_rows(found, held.sorted_by, held.descending), wrong


def compared_ids(rows: Sequence[Row], chosen: Sequence[str], *, groups: bool) -> list[str]:
    """The ids to compare, gone ones too: those chosen, with ``groups`` each followed by its other
    seeds that are not archived. All of them; the page compares the first ``MOST_COMPARED``."""
    by_id = {row.id: row for row in rows}
    seeds: dict[str, list[str]] = {}
    if groups:
        for row in sorted(
            rows, key=lambda row: (row.seed if row.seed is not None else -1, row.created)
        ):
            if not row.labels.archived:
                seeds.setdefault(row.group, []).append(row.id)
    found: dict[str, None] = {}
    for one in chosen:
        found.setdefault(one)
        if one in by_id:
            found |= dict.fromkeys(seeds.get(by_id[one].group, ()))
    return list(found)


def few(ids: Sequence[str], here: Collection[str]) -> tuple[list[str], int]:
    """As many ids as are compared at a time, and how many of the others are here."""
    return list(ids[:MOST_COMPARED]), sum(one in here for one in ids[MOST_COMPARED:])
