"""runs, show, stop, resume, logs: background runs of every kind from the command line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.output import AsJson, ProgressLine, print_json
from cdp.cli.runtable import table, told
from cdp.errors import Cancelled, CdpError, InputError, MissingError

if TYPE_CHECKING:
    from cdp.runs.records import Run

POLL_SECONDS = 0.3
FOLLOW_BYTES = 1 << 16

Which = Annotated[str, typer.Argument(metavar="RUN", help="A run by id, by the beginning of its id, or by name.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until the run is over. Ctrl-C ends the waiting; the run goes on.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("runs")(runs)
    app.command("show")(show)
    app.command("stop")(stop)
    app.command("resume")(resume)
    app.command("logs")(logs)


def runs(
    kind: Annotated[str | None, typer.Option(help="Only this kind: train, generate, pretrain or pretrain-encoder.")] = None,
    as_json: AsJson = False,
) -> None:
    """List background runs, newest first."""
    from cdp.runs.kinds import KINDS
    from cdp.runs.records import list_runs
    from cdp.runs.summary import record

    if kind is not None and kind not in KINDS:
        raise InputError(f"kind {kind[:40]!r} is unknown: choose one of {', '.join(KINDS)}")
    records = [record(run) for run in list_runs() if kind in (None, run.kind)]
    if as_json:
        print_json({"runs": records})
    else:
        print(table(records) if records else "no runs yet: start one with python -m cdp train --preset quick")


def show(run: Which, as_json: AsJson = False) -> None:
    """Tell where a run stands and what it has reached."""
    from cdp.runs.summary import record

    found = record(find(run))
    if as_json:
        print_json(found)
    else:
        print(told(found))


def stop(run: Which, as_json: AsJson = False) -> None:
    """Ask a run to stop. What it finished is kept, it can be resumed, and within 5 seconds it is over."""
    from cdp.runs import launch
    from cdp.runs.records import get_run

    found = find(run)
    launch.stop(found.id)
    while not get_run(found.id).over:
        time.sleep(POLL_SECONDS)
    _say_state(found.id, as_json=as_json)


def resume(run: Which, wait: Wait = False, as_json: AsJson = False) -> None:
    """Let a run that failed, was stopped or was interrupted go on where it was left."""
    from cdp.runs import launch

    found = find(run)
    launch.resume(found.id)
    if wait:
        conclude(found.id, as_json=as_json)
    else:
        _say_state(found.id, as_json=as_json)


def logs(
    run: Which,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what the run prints until it is over.")] = False,
    lines: Annotated[int, typer.Option(help="How many of the last lines to begin with.", min=0, max=100_000)] = 40,
) -> None:
    """Print the last lines of a run's log."""
    from cdp.runs.records import LOG, get_run

    found = find(run)
    path = found.folder / LOG
    try:
        log = path.open("rb")
    except FileNotFoundError:
        return
    with log:
        text = log.read()
        typer.echo(b"".join(text.splitlines(keepends=True)[-lines:] if lines else []).decode("utf-8", "replace"), nl=False)
        while follow:
            over = get_run(found.id).over  # asked first: what a run writes before its end is then still read
            while piece := log.read(FOLLOW_BYTES):
                typer.echo(piece.decode("utf-8", "replace"), nl=False)
            if over:
                return
            time.sleep(POLL_SECONDS)


def find(text: str) -> Run:
    """The run meant. Raises MissingError where there is none, InputError where there are several."""
    from cdp.runs.records import list_runs

    everything = list_runs()
    for matches in (
        [run for run in everything if run.id == text],
        [run for run in everything if run.name == text],
        [run for run in everything if text and run.id.startswith(text)],
    ):
        if len(matches) > 1:
            raise InputError(f"{text[:80]!r} is {len(matches)} runs ({', '.join(run.id for run in matches[:4])}): give the whole id")
        if matches:
            return matches[0]
    raise MissingError(f"run {text[:80]!r} is unknown: python -m cdp runs lists them")


def conclude(run_id: str, *, as_json: bool) -> None:
    """Wait for the end of a run, with its progress on stderr, and print its final record.

    Raises CdpError where it did not finish, after the record was printed.
    """
    from cdp.runs.records import get_run
    from cdp.runs.summary import record

    try:
        with ProgressLine("steps") as line:
            while not (run := get_run(run_id)).over:
                if run.state == "running" and run.progress:
                    line.show(run.progress.done, run.progress.count, run.progress.seconds_left, f", {run.name}")
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt as stopped:
        raise Cancelled(f"the run goes on: python -m cdp stop {run_id} stops it") from stopped
    final = record(run)
    if as_json:
        print_json(final)
    else:
        print(told(final))
    if run.state != "finished":
        raise CdpError(f"run {run_id} is {run.state}{f' ({run.error})' if run.error else ''}: python -m cdp logs {run_id} tells more")


def _say_state(run_id: str, *, as_json: bool) -> None:
    from cdp.runs.records import get_run
    from cdp.runs.summary import record

    found: dict[str, Any] = record(get_run(run_id))
    if as_json:
        print_json(found)
    else:
        print(f"{run_id}: {found['state']}")
