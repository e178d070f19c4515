"""runs, show, stop, resume, logs: background runs of every kind from the command line."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.output import AsJson, ProgressLine, print_json
from cdp.cli.runtable import table, told
from cdp.errors import Cancelled, CdpError, InputError, MissingError

if TYPE_CHECKING:
    from cdp.work.records import Run

POLL_SECONDS = 0.3
FOLLOW_BYTES = 1 << 16

Which = Annotated[
    str, typer.Argument(metavar="RUN", help="A run by id, by the beginning of its id, or by name.")
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait", help="Stay until the run is over. Ctrl-C ends the waiting; the run goes on."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("runs")(runs)
    app.command("show")(show)
    app.command("stop")(stop)
    app.command("resume")(resume)
    app.command("logs")(logs)


def runs(
    kind: Annotated[
        str | None,
        typer.Option(
            help="Only this kind: train, evaluate, generate, pretrain or pretrain-encoder."
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help=(
                'Only trainings that match, such as "night method:trades robust>50 -tag:old":'
                " words, COLUMN:VALUE of any setting, comparisons "
                "(accuracies in per cent), is:starred, is:archived, is:evaluated; - negates."
                " Archived ones are listed only with is:archived or archived:any."
            )
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List background runs, newest first, without archived trainings."""
    from cdp.config.registry import require_kind

    if kind is not None:
        require_kind(kind)
    if where is not None and kind not in (None, "train"):
        raise InputError(
            f"--where is about trainings, --kind asks for {kind}: leave one of them out"
        )
    listed = _listed(kind, where)
    if as_json:
        print_json({"runs": [_record(run) for run in listed]})
    elif listed:
        print(table([_line(run) for run in listed]))
    else:
        print(
            "no training matches"
            if where
            else "no runs yet: start one with python -m cdp train --preset quick"
        )


def _listed(kind: str | None, where: str | None) -> list[Run]:
    from cdp.results.index import run_rows
    from cdp.results.labels import read_labels
    from cdp.results.table import matching
    from cdp.work.records import get_run, list_runs

    if where is None:
        listed = [run for run in list_runs() if kind in (None, run.kind)]
        return [
            run for run in listed if run.kind != "train" or not read_labels(run.folder).archived
        ]
    found = []
    for row in matching(run_rows(), where):
        with contextlib.suppress(MissingError):  # deleted since the rows were read
            found.append(get_run(row.id))
    return found


def show(run: Which, as_json: AsJson = False) -> None:
    """Tell where a run stands and what it has reached."""
    found = _record(find(run))
    if as_json:
        print_json(found)
    else:
        print(told(found))


def _line(run: Run) -> dict[str, Any]:
    """What the table shows of a run. Of a training without reading its whole journal, as there may
    be thousands."""
    from cdp.results.labels import labels_json, read_labels
    from cdp.results.reached import reached_of

    if run.kind != "train":
        return _record(run)
    reached = reached_of(run)
    return {
        "run": run.id,
        "kind": run.kind,
        "name": run.name,
        "state": run.state,
        "progress": asdict(run.progress) if run.progress else None,
        "best": {"clean_accuracy": reached.best_clean, "robust_accuracy": reached.best_robust},
        "labels": labels_json(read_labels(run.folder)),
    }


def _record(run: Run) -> dict[str, Any]:
    """What is known of a run, JSON-ready, with its labels."""
    from cdp.results.labels import labels_json, read_labels
    from cdp.results.reached import record

    return record(run) | {"labels": labels_json(read_labels(run.folder))}


def stop(run: Which, as_json: AsJson = False) -> None:
    """Ask a run to stop. What it finished is kept, it can be resumed, and within 5 seconds it is
    over."""
    from cdp.work import launch
    from cdp.work.records import get_run

    found = find(run)
    launch.stop(found.id)
    while not get_run(found.id).over:
        time.sleep(POLL_SECONDS)
    _say_state(found.id, as_json=as_json)


def resume(run: Which, wait: Wait = False, as_json: AsJson = False) -> None:
    """Let a run that failed, was stopped or was interrupted go on where it was left."""
    from cdp.work import launch

    found = find(run)
    launch.resume(found.id)
    if wait:
        conclude(found.id, as_json=as_json)
    else:
        _say_state(found.id, as_json=as_json)


def logs(
    run: Which,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on with what the run prints until it is over."),
    ] = False,
    lines: Annotated[
        int, typer.Option(help="How many of the last lines to begin with.", min=0, max=100_000)
    ] = 40,
) -> None:
    """Print the last lines of a run's log."""
    from cdp.work.launchers import LOG
    from cdp.work.records import get_run

    found = find(run)
    path = found.folder / LOG
    try:
        log = path.open("rb")
    except FileNotFoundError:
        return
    with log:
        text = log.read()
        typer.echo(
            b"".join(text.splitlines(keepends=True)[-lines:] if lines else []).decode(
                "utf-8", "replace"
            ),
            nl=False,
        )
        while follow:
            over = get_run(
                found.id
            ).over  # asked first: what a run writes before its end is then still read
            while piece := log.read(FOLLOW_BYTES):
                typer.echo(piece.decode("utf-8", "replace"), nl=False)
            if over:
                return
            time.sleep(POLL_SECONDS)


def find(text: str) -> Run:
    """The run meant. Raises MissingError where there is none, InputError where there are
    several."""
    from cdp.work.records import list_runs

    everything = list_runs()
    for matches in (
        [run for run in everything if run.id == text],
        [run for run in everything if run.name == text],
        [run for run in everything if text and run.id.startswith(text)],
    ):
        if len(matches) > 1:
            raise InputError(
                f"{text[:80]!r} is {len(matches)} runs"
                f" ({', '.join(run.id for run in matches[:4])}): give the whole id"
            )
        if matches:
            return matches[0]
    raise MissingError(f"run {text[:80]!r} is unknown: python -m cdp runs lists them")


def conclude(run_id: str, *, as_json: bool) -> None:
    """Wait for the end of a run, with its progress on stderr, and print its final record.

    Raises CdpError where it did not finish, after the record was printed.
    """
    run = waited(run_id, "steps")
    final = _record(run)
    if as_json:
        print_json(final)
    else:
        print(told(final))
    if run.state != "finished":
        raise CdpError(
            f"run {run_id} is {run.state}{f' ({run.error})' if run.error else ''}: python -m cdp"
            f" logs {run_id} tells more"
        )


def waited(run_id: str, unit: str) -> Run:
    """The run once it is over, its progress on stderr meanwhile. Ctrl-C ends the waiting, and says
    how to end the run."""
    try:
        return follow(run_id, unit)
    except KeyboardInterrupt as stopped:
        raise Cancelled(f"the run goes on: python -m cdp stop {run_id} stops it") from stopped


def follow(run_id: str, unit: str, over: threading.Event | None = None) -> Run:
    """The run once it is over, or ``over`` is set; shows its progress in ``unit``."""
    from cdp.work.records import get_run

    with ProgressLine(unit) as line:
        while not (run := get_run(run_id)).over and not (over and over.is_set()):
            if run.state == "running" and run.progress:
                line.show(
                    run.progress.done,
                    run.progress.count,
                    run.progress.seconds_left,
                    f", {run.notice or run.name}",
                )
            time.sleep(POLL_SECONDS)
    return run


def _say_state(run_id: str, *, as_json: bool) -> None:
    from cdp.work.records import get_run

    found = _record(get_run(run_id))
    if as_json:
        print_json(found)
    else:
        print(f"{run_id}: {found['state']}")
