"""A leaderboard of one's own: evaluated trainings by data set and budget, seeds of the same settings
as one line, beside what RobustBench published where it has the data set and budget. Only numbers of
the same attack can be ranked against each other, so every line says how it was measured, and the
stronger attack stands first."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from cdp import paths
from cdp.config.choices import suite_rank
from cdp.config.titles import TITLES
from cdp.config.train import set_title
from cdp.data.catalog import CATALOG
from cdp.results.rows import Row
from cdp.statistics.shares import share_interval
from cdp.statistics.significance import mean_interval
from cdp.values.naming import common_name
from cdp.values.text import threat_text
from cdp.values.types import Interval

PUBLISHED = "robustbench.json"
ESTIMATE, CITABLE, SUBSET = "estimate", "AutoAttack", "AutoAttack, part of the test set"
ROBUSTBENCH = "published by RobustBench"


@dataclass(frozen=True)
class Entry:
    """One line of a board. runs: ids of the trainings, seeds of the same settings, () of a
    published one; robust: mean over seeds with a 95 % interval over them, of one training with that
    over its images, of a published one without; clean: mean share; n: test images, of the smallest
    evaluation, 0 where not said; suite: name of the attack suite; measured: how, in a few words;
    data: what it was trained on; link: of the publication."""

    name: str
    runs: tuple[str, ...]
    robust: Interval
    clean: float | None
    n: int
    suite: str
    measured: str
    architecture: str
    data: str
    link: str = ""


@dataclass(frozen=True)
class Board:
    """All of one data set and budget, best first within the same attack. epsilon: in image units of
    [0,1]."""

    dataset: str
    norm: str
    epsilon: float
    entries: tuple[Entry, ...]

    @property
    def title(self) -> str:
        known = CATALOG.get(self.dataset)
        name = known.title if known else Path(self.dataset).name
        return f"{name}, {threat_text(self.norm, self.epsilon)}"


def boards(rows: Iterable[Row]) -> list[Board]:
    """Of all trainings that were evaluated at the budget they were trained for, the board with most
    of them first; published lines join a board that has at least one."""
    together: dict[tuple[str, str, float], dict[tuple[str, str], list[Row]]] = {}
    for row in rows:
        epsilon = row.resolved.get("epsilon")
        if row.evaluated is None or not isinstance(epsilon, int | float):
            continue
        board = together.setdefault(_place(row, float(epsilon)), {})
        board.setdefault((row.group, row.evaluated.suite), []).append(row)
    made = [
        Board(*place, tuple(sorted(map(_entry, groups.values()), key=_order)))
        for place, groups in together.items()
    ]
    return sorted((_with_published(board) for board in made), key=lambda board: -_own(board))


def _place(row: Row, epsilon: float) -> tuple[str, str, float]:
    return str(row.settings.get("dataset")), str(row.settings.get("norm")), round(epsilon, 6)


def _own(board: Board) -> int:
    return sum(bool(entry.runs) for entry in board.entries)


def _order(entry: Entry) -> tuple[int, float]:
    return -suite_rank(entry.suite), -entry.robust.value


def _entry(rows: Sequence[Row]) -> Entry:
    """Seeds of the same settings, evaluated by the same suite; of a seed that was trained twice the
    newer run, as the same numbers again are no further seed."""
    rows = list({row.seed: row for row in sorted(rows, key=lambda row: row.created)}.values())
    results = [row.evaluated for row in rows if row.evaluated is not None]
    first, shares = rows[0], [result.robust for result in results]
    n = min(result.n for result in results)
    interval = mean_interval(shares) if len(shares) > 1 else share_interval(shares[0], n, n)
    clean = [result.clean for result in results if result.clean is not None]
    return Entry(
        common_name([row.name for row in rows]) if len(rows) > 1 else first.name,
        tuple(row.id for row in rows),
        interval,
        sum(clean) / len(clean) if clean else None,
        n,
        results[0].suite,
        _measured(results[0].suite, results[0].label, whole=results[0].config.images is None),
        TITLES.get(
            str(first.settings.get("architecture")), str(first.settings.get("architecture"))
        ),
        _data(first),
    )


def _measured(suite: str, label: str, *, whole: bool) -> str:
    if suite != "autoattack":
        return f"{ESTIMATE}: {label.partition(',')[0]}"
    return CITABLE if whole else SUBSET


def _data(row: Row) -> str:
    real, sets = row.settings.get("real"), row.settings.get("synthetic") or ()
    words = "all real images" if real is None else f"{real:,} real"
    if row.synthetic_images:
        return f"{words}, {row.synthetic_images:,} synthetic"
    return ", ".join([words, *map(set_title, sets)])


def _with_published(board: Board) -> Board:
    more = [entry for place, entry in published() if _same(board, place)]
    entries = sorted([*board.entries, *more], key=_order)
    return replace(board, entries=tuple(entries))


def _same(board: Board, place: tuple[str, str, float]) -> bool:
    dataset, norm, epsilon = place
    return (board.dataset, board.norm) == (dataset, norm) and math.isclose(
        board.epsilon, epsilon, rel_tol=1e-3
    )


def published() -> Iterator[tuple[tuple[str, str, float], Entry]]:
    """(data set, norm, budget) and line of what is published there, measured with AutoAttack on the
    whole test set. Source: ``assets/robustbench.json``."""
    lines = json.loads((paths.ASSETS / PUBLISHED).read_text(encoding="utf-8"))
    for line in lines["entries"]:
        robust = line["robust"] / 100
        yield (
            (line["dataset"], line["norm"], float(Fraction(line["epsilon"]))),
            Entry(
                line["name"],
                (),
                Interval(robust, -math.inf, math.inf, 0, note=ROBUSTBENCH),
                line["clean"] / 100,
                0,
                "autoattack",
                ROBUSTBENCH,
                line["architecture"],
                line["data"],
                line["link"],
            ),
        )


def board_json(board: Board) -> dict[str, object]:
    """One board as JSON-ready values: shares in 0..1."""
    return {
        "dataset": board.dataset,
        "norm": board.norm,
        "epsilon": board.epsilon,
        "entries": [
            {
                "name": entry.name,
                "runs": list(entry.runs),
                "seeds": len(entry.runs),
                "robust": entry.robust.value,
                "robust_bounds": list(entry.robust.bounds)
                if entry.robust.wide and entry.runs
                else None,
                "clean": entry.clean,
                "n": entry.n or None,
                "attack": entry.suite,
                "measured": entry.measured,
                "architecture": entry.architecture,
                "data": entry.data,
                "link": entry.link or None,
            }
            for entry in board.entries
        ],
    }
