"""label: star, archive, tag and note trainings, as the Compare page does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cdp.cli.output import AsJson, print_json
from cdp.cli.runs import find
from cdp.cli.runtable import labels_text
from cdp.errors import InputError, MissingError

if TYPE_CHECKING:
    from cdp.work.records import Run


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("label")(label)


def label(
    run: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help="Trainings, each by id, by the beginning of its id, or by name."
        ),
    ],
    star: Annotated[
        bool | None, typer.Option("--star/--no-star", help="Mark them, or take the mark away.")
    ] = None,
    archive: Annotated[
        bool | None,
        typer.Option(
            "--archive/--no-archive",
            help="Take them out of the run table, or bring them back. Nothing is deleted.",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            help="A tag to put on, up to 40 characters, at most 20 a run. May come several times."
        ),
    ] = None,
    untag: Annotated[
        list[str] | None, typer.Option(help="A tag to take off. May come several times.")
    ] = None,
    note: Annotated[
        str | None,
        typer.Option(help='What to note, up to 2,000 characters; "" takes the note away.'),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Star, archive, tag or note trainings; without options, show their labels. (Sample sets have
    tags of their own: see tag.)

    What works on a run is not disturbed. The list of runs finds labels again: python -m cdp runs
    --where "is:starred tag:night".
    """
    from cdp.results.labels import change_labels, labels_json

    chosen = list({one.id: one for one in map(_training, run)}.values())
    _require_tags(untag or [], chosen)
    found = [
        (
            one,
            change_labels(
                one.id,
                star=star,
                archived=archive,
                add_tags=tag or (),
                remove_tags=untag or (),
                note=note,
            ),
        )
        for one in chosen
    ]
    if as_json:
        print_json(
            {
                "runs": [
                    {"run": one.id, "name": one.name, "labels": labels_json(labels)}
                    for one, labels in found
                ]
            }
        )
        return
    for one, labels in found:
        print(f"{one.id}: {one.name}: {labels_text(labels_json(labels)) or 'no labels'}")
        if labels.note:
            print(f"note: {labels.note}")


def _training(text: str) -> Run:
    """The training meant. Raises as ``find``, and InputError for a run of another kind."""
    from cdp.work.records import get_run

    try:
        run = get_run(text)
    except MissingError:
        run = find(text)
    if run.kind != "train":
        raise InputError(
            f"run {run.id} is of kind {run.kind}: only trainings have labels; sample sets have tags"
            " (python -m cdp tag)"
        )
    return run


def _require_tags(tags: list[str], runs: list[Run]) -> None:
    """InputError for a tag that none of the runs has: it was meant to be another one."""
    from cdp.results.labels import read_labels

    there = {tag for run in runs for tag in read_labels(run.folder).tags}
    absent = next((tag for tag in tags if tag not in there), None)
    if absent is not None:
        has = f"tags there: {', '.join(sorted(there))}" if there else "they have no tags"
        raise InputError(f"--untag {absent[:60]!a}: none of these runs has that tag; {has}")
