"""compare: trainings side by side, seeds joined into arms, with tests and verdicts; as text, JSON
and files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cdp.cli.options import AsJson, argument, option
from cdp.cli.output import aligned, answer, maker_of, say, write_report
from cdp.cli.runs import only
from cdp.errors import InputError
from cdp.values.comparison import Arm, Comparison, Difference
from cdp.values.evaluation import without_width
from cdp.values.text import share_text, share_with_bounds, span_text

if TYPE_CHECKING:
    from cdp.results.leaderboard import Board
    from cdp.work.records import Run

HEAD = ("ARM", "SEEDS", "STEPS", "CLEAN", "ROBUST", "MEASURED BY")


def compare(
    runs: Annotated[
        list[str] | None,
        argument(
            "RUN|GROUP...",
            "Trainings by id, by name or by the beginning of an id; or what the"
            " names of several seeds share, for all of them.",
        ),
    ] = None,
    where: Annotated[
        str | None,
        option(
            "Also all trainings that match a filter of runs --where, such as"
            ' "night method:trades -tag:old".'
        ),
    ] = None,
    each: Annotated[
        bool, option("Every run is an arm of its own, in place of a mean over seeds.", "--each")
    ] = False,
    report: Annotated[
        list[Path] | None,
        option("Also write FILE.html or FILE.csv, in place of one that is there. May be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare trainings: clean and robust accuracy with intervals, what they differ in, and whether
    one is better.

    Runs that differ in their seed only are one arm. What is missing is named on stderr, and the
    rest is compared.
    """
    from cdp.results.compare import compare as compared
    from cdp.results.compare import comparison_json

    makers = [(path, maker_of(path, _makers(), "report")) for path in report or []]
    comparison = compared(
        list(dict.fromkeys([*resolved(runs or []), *_found(where)])), groups=not each
    )
    for sentence in comparison.missing:
        say(f"warning: {sentence}")
    if sum(len(arm.seeds) for arm in comparison.arms) < 2:
        raise InputError(
            "fewer than two runs are left to compare: name at least two trainings, or a group of"
            " seeds"
        )
    for path, make in makers:
        write_report(path, make(comparison), "report")
    answer(comparison_text(comparison), comparison_json(comparison), as_json=as_json)


def leaderboard(as_json: AsJson = False) -> None:
    """The best evaluated trainings by data set and budget, beside what RobustBench published for
    the same.

    Seeds of the same settings are one line. The strongest attack stands first, as numbers of
    different attacks cannot be ranked.
    """
    from cdp.results.leaderboard import board_json, boards
    from cdp.results.rows import run_rows

    every = boards(run_rows())
    text = "\n\n".join(map(_board_text, every)) or (
        "No training is evaluated yet: python -m cdp evaluate RUN"
    )
    answer(text, {"boards": [board_json(board) for board in every]}, as_json=as_json)


def _board_text(board: Board) -> str:
    lines = [("NAME", "SEEDS", "ROBUST", "CLEAN", "MEASURED BY", "TRAINED ON")]
    for entry in board.entries:
        robust = share_with_bounds(entry.robust) if entry.runs else share_text(entry.robust.value)
        clean = "" if entry.clean is None else share_text(entry.clean)
        seeds = str(len(entry.runs) or "")
        lines.append((entry.name, seeds, robust, clean, entry.measured, entry.data))
    return f"{board.title}\n{aligned(lines)}"


def resolved(words: Sequence[str]) -> list[str]:
    """Run ids, each once. A word is, in this order: an id, the name of one training, the name of a
    group, the beginning of one id. One that is none of them stays as it is, so that the comparison
    names it as missing. Raises InputError where it is several."""
    from cdp.work.records import list_runs

    everything = list_runs()[::-1]
    groups = _groups([run for run in everything if run.kind == "train"])
    return list(
        dict.fromkeys(run_id for word in words for run_id in _meant(word, everything, groups))
    )


def _found(where: str | None) -> list[str]:
    """Ids of the trainings that a filter finds, the oldest first. Raises InputError where it cannot
    be read."""
    from cdp.results.rows import run_rows
    from cdp.results.table import matching

    return [] if where is None else [row.id for row in reversed(matching(run_rows(), where))]


def _groups(trainings: Sequence[Run]) -> dict[str, list[str]]:
    """Ids by what the names of several seeds of the same settings share: of all of them, as an arm
    is called, and of those that are alike but for their seed, so that a run that was repeated under
    another name takes nothing away."""
    from cdp.results.measured import groups_of
    from cdp.results.rows import group_of
    from cdp.values.naming import common_name

    alike = {run.id: f"{group_of(run)} {common_name([run.name])}" for run in trainings}
    groups: dict[str, list[str]] = {}
    for of in (groups_of(trainings), alike):
        parts: dict[str, list[Run]] = {}
        for run in trainings:
            parts.setdefault(of[run.id], []).append(run)
        for part in parts.values():
            if len(part) > 1:
                name = common_name([run.name for run in part])
                groups.setdefault(name, []).extend(run.id for run in part)
    return {name: list(dict.fromkeys(ids)) for name, ids in groups.items()}


def _meant(word: str, everything: Sequence[Run], groups: dict[str, list[str]]) -> list[str]:
    if any(run.id == word for run in everything):
        return [word]
    trainings = [run for run in everything if run.kind == "train"]
    named = [run for run in trainings if run.name == word]
    if len(named) != 1 and word in groups:
        return groups[word]
    begun = [run for run in trainings if word and run.id.startswith(word)]
    others = [run for run in everything if word and (run.name == word or run.id.startswith(word))]
    run = only(word, named, begun, others)
    return [run.id if run else word]


def _title(comparison: Comparison) -> str:
    names = [arm.name for arm in comparison.arms]
    return " and ".join(names) if len(names) < 3 else f"Comparison of {len(names)} arms"


def _makers() -> dict[str, Callable[[Comparison], str]]:
    """What makes the content of a report, by the ending of its name."""
    from cdp.reports.comparison import comparison_html
    from cdp.reports.exports import comparison_csv

    return {".html": lambda arms: comparison_html(arms, title=_title(arms)), ".csv": comparison_csv}


def comparison_text(comparison: Comparison) -> str:
    """All of it, one sentence a line."""
    parts = [
        aligned([HEAD, *(_row(arm) for arm in comparison.arms)]),
        "95 % intervals: t over seeds, or Wilson of the images where an arm has one seed.",
        *(f"{name}: {' | '.join(values)}" for name, values in comparison.differs.items()),
        *(_difference(entry) for entry in comparison.differences),
        *(entry.sentence for entry in comparison.equal),
        *(f"note: {note}" for note in comparison.notes),
    ]
    return "\n".join(parts)


def _row(arm: Arm) -> tuple[str, ...]:
    # The width in a label is one run's; the mean of several has its own beside it.
    labels = {seed.label for seed in arm.seeds if seed.label}
    called = set(map(without_width, labels)) if len(arm.seeds) > 1 else labels
    seeds = [str(seed.seed) for seed in arm.seeds if seed.robust is not None]
    steps = [entry.steps for entry in arm.compute if entry is not None]
    taken = span_text(steps) if steps else "-"
    return (
        arm.name,
        ",".join(seeds) or "-",
        taken,
        "-" if arm.clean is None else share_with_bounds(arm.clean),
        "-" if arm.robust is None else share_with_bounds(arm.robust),
        "; ".join(sorted(called)) or "not measured yet",
    )


def _difference(entry: Difference) -> str:
    p = "" if entry.adjusted is None or entry.withheld else f", p = {entry.adjusted:.2g}"
    return f"{entry.metric}, {entry.first} to {entry.second}: {entry.verdict}" + (
        f" [{entry.method}{p}]" if entry.method else ""
    )
