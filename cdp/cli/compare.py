"""compare: trainings side by side, seeds joined into arms, with tests and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp.cli.output import AsJson, print_json, say
from cdp.errors import InputError

if TYPE_CHECKING:
    from cdp.values.comparison import Comparison
    from cdp.work.records import Run

Reports = Annotated[
    list[Path] | None,
    typer.Option(
        help="Also write FILE.html or FILE.csv, in place of one that is there. May be repeated."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("compare")(compare)


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|GROUP...",
            help=(
                "Trainings by id, by name or by the beginning of an id; or what the names of"
                " several seeds share, for all of them."
            ),
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help=(
                'Also all trainings that match a filter of runs --where, such as "night'
                ' method:trades -tag:old".'
            )
        ),
    ] = None,
    each: Annotated[
        bool,
        typer.Option(
            "--each", help="Every run is an arm of its own, in place of a mean over seeds."
        ),
    ] = False,
    report: Reports = None,
    as_json: AsJson = False,
) -> None:
    """Compare trainings: clean and robust accuracy with intervals, what they differ in, and whether
    one is better.

    Runs that differ in their seed only are one arm. What is missing is named on stderr, and the
    rest is compared.
    """
    from cdp.cli.compared import told
    from cdp.results.compare import compare as compared
    from cdp.results.compare import comparison_json

    makers = [(path, _maker(path)) for path in report or []]
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
        _write(path, make(comparison))
    if as_json:
        print_json(comparison_json(comparison))
    else:
        print(told(comparison))


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
    from cdp.results.index import run_rows
    from cdp.results.table import matching

    return [] if where is None else [row.id for row in reversed(matching(run_rows(), where))]


def _groups(trainings: Sequence[Run]) -> dict[str, list[str]]:
    """Ids by what the names of several seeds of the same settings share: of all of them, as an arm
    is called, and of those that are alike but for their seed, so that a run that was repeated under
    another name takes nothing away."""
    from cdp.results.measured import groups_of
    from cdp.results.rows import group_of
    from cdp.values.naming import common_name

    arms, alike = (
        groups_of(trainings),
        {run.id: f"{group_of(run)} {common_name([run.name])}" for run in trainings},
    )
    found: dict[str, list[str]] = {}
    for of in (arms, alike):
        parts: dict[str, list[Run]] = {}
        for run in trainings:
            parts.setdefault(of[run.id], []).append(run)
        for part in parts.values():
            if len(part) > 1:
                found.setdefault(common_name([run.name for run in part]), []).extend(
                    run.id for run in part
                )
    return {name: list(dict.fromkeys(ids)) for name, ids in found.items()}


def _meant(word: str, everything: Sequence[Run], groups: dict[str, list[str]]) -> list[str]:
    if any(run.id == word for run in everything):
        return [word]
    trainings = [run for run in everything if run.kind == "train"]
    named = [run for run in trainings if run.name == word]
    if len(named) != 1 and word in groups:
        return groups[word]
    begun = [run for run in trainings if word and run.id.startswith(word)]
    others = [run for run in everything if word and (run.name == word or run.id.startswith(word))]
    for matches in (named, begun, others):
        if len(matches) > 1:
            raise InputError(
                f"{word[:80]!r} is {len(matches)} runs"
                f" ({', '.join(run.id for run in matches[:4])}): give the whole id"
            )
        if matches:
            return [matches[0].id]
    return [word]


def _title(comparison: Comparison) -> str:
    names = [arm.name for arm in comparison.arms]
    return (
        names[0]
        if len(names) == 1
        else f"{names[0]} and {names[1]}"
        if len(names) == 2
        else f"Comparison of {len(names)} arms"
    )


def _maker(path: Path) -> Callable[[Comparison], str]:
    """What makes the content of a report, by the ending of its name. Raises InputError for another
    ending."""
    ending = path.suffix.lower()
    if ending not in (".html", ".csv"):
        raise InputError(
            f"report: {path.name[:80]!r} ends with neither .html nor .csv: name the file by what it"
            " should be"
        )

    def make(comparison: Comparison) -> str:
        from cdp.reports.comparison import comparison_html
        from cdp.reports.exports import comparison_csv

        return (
            comparison_html(comparison, title=_title(comparison), link="")
            if ending == ".html"
            else comparison_csv(comparison)
        )

    return make


def _write(path: Path, content: str) -> None:
    from cdp.files.atomic import atomic_file

    try:
        with atomic_file(path) as file:
            file.write(content.encode())
    except OSError as error:
        raise InputError(
            f"report: {path} cannot be written ({error.strerror}): choose another place"
        ) from error
    say(f"wrote {path}")
