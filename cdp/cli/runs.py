"""Background runs of every kind: list, show, stop, resume, logs, labels."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.options import AsJson, argument, option
from cdp.cli.output import ProgressLine, aligned, answer, print_json, say
from cdp.errors import Cancelled, CdpError, InputError, MissingError
from cdp.values.text import at_step, done_text, duration, share_text

if TYPE_CHECKING:
    from cdp.config.knobs import Frozen
    from cdp.work.records import Run

POLL_SECONDS = 0.3
FOLLOW_BYTES = 1 << 16
JUDGED_BY = 200
"""Newest runs that tell how fast the machine is."""
SHORT_SECONDS = 15.0
"""Of the slowest that is expected, with the start of a process; what takes less needs no warning."""
HEAD = ("RUN", "KIND", "NAME", "STATE", "PROGRESS", "CLEAN", "ROBUST", "LABELS")

Which = Annotated[str, argument("RUN", "A run by id, by the beginning of its id, or by name.")]
Wait = Annotated[
    bool, option("Stay until the run is over. Ctrl-C ends the waiting; the run goes on.", "--wait")
]


def runs(
    kind: Annotated[
        str | None,
        option("Only this kind: train, evaluate, generate, pretrain or pretrain-encoder."),
    ] = None,
    where: Annotated[
        str | None,
        option(
            'Only trainings that match, such as "night method:trades robust>50'
            ' -tag:old": words, COLUMN:VALUE of any setting, comparisons'
            " (accuracies in per cent), is:starred, is:archived, is:evaluated; -"
            " negates. Archived ones are listed only with is:archived or"
            " archived:any."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List background runs, newest first, without archived trainings."""
    from cdp.work.registry import run_task

    if kind is not None:
        run_task(kind)
    if where is not None and kind not in (None, "train"):
        raise InputError(
            f"--where is about trainings, --kind asks for {kind}: leave one of them out"
        )
    listed = _listed(kind, where)
    if as_json:
        print_json({"runs": [_record(run) for run in listed]})
    elif listed:
        lines = [_line(run) for run in listed]
        problems = [line["problem"] for line in lines]
        rows = [HEAD, *map(_cells, lines)]
        if any(problems):  # the column is there only where somebody has to know
            rows = [(*row, p) for row, p in zip(rows, ("PROBLEM", *problems), strict=True)]
        print(aligned(rows))
    else:
        print(
            "no training matches"
            if where
            else "no runs yet: start one with python -m cdp train --preset quick"
        )


def _listed(kind: str | None, where: str | None) -> list[Run]:
    from cdp.results.labels import read_labels
    from cdp.results.rows import run_rows
    from cdp.results.table import matching
    from cdp.work.records import get_run, list_runs

    if where is None:
        listed = [run for run in list_runs() if kind in (None, run.kind)]
        return [
            run for run in listed if run.kind != "train" or not read_labels(run.folder).archived
        ]
    target = []
    for row in matching(run_rows(), where):
        with contextlib.suppress(MissingError):  # deleted since the rows were read
            target.append(get_run(row.id))
    return target


def show(run: Which, as_json: AsJson = False) -> None:
    """Tell where a run stands and what it has reached."""
    from cdp.work.launch import waits_for

    target = find(run)
    waits = {"waits_for": waits_for(target.id)} if target.state == "queued" else {}
    record = _record(target) | waits
    answer(_facts(record), record, as_json=as_json)


def _line(run: Run) -> dict[str, Any]:
    """What the table shows of a run. Of a training without reading its whole journal, as there may
    be thousands."""
    from cdp.results.labels import labels_json, read_labels
    from cdp.results.reached import reached_of

    labels = read_labels(run.folder)
    problem = run.problem or (run.error if run.config is None else "") or labels.problem
    if run.kind != "train":
        return {"problem": problem or ""} | _record(run)
    reached = reached_of(run)
    known: dict[str, Any] = {"run": run.id, "kind": run.kind, "name": run.name, "state": run.state}
    known |= {"progress": asdict(run.progress) if run.progress else None}
    best = {"clean_accuracy": reached.best_clean, "robust_accuracy": reached.best_robust}
    known |= {"problem": problem or reached.problem}
    return known | {"best": best, "labels": labels_json(labels)}


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

    target = find(run)
    launch.stop(target.id)
    while not get_run(target.id).over:
        time.sleep(POLL_SECONDS)
    _say_state(target.id, as_json=as_json)


def forward(run: Which, as_json: AsJson = False) -> None:
    """Have a run that waits start before all others that wait."""
    from cdp.work import launch

    target = find(run)
    launch.bring_forward(target.id)
    _say_state(target.id, as_json=as_json)


def resume(run: Which, wait: Wait = False, as_json: AsJson = False) -> None:
    """Let a run that failed, was stopped or was interrupted go on where it was left."""
    from cdp.work import launch

    target = find(run)
    launch.resume(target.id)
    if wait:
        conclude(target.id, as_json=as_json)
    else:
        _say_state(target.id, as_json=as_json)


def logs(
    run: Which,
    follow: Annotated[
        bool, option("Go on with what the run prints until it is over.", "--follow", "-f")
    ] = False,
    lines: Annotated[
        int, option("How many of the last lines to begin with.", min=0, max=100_000)
    ] = 40,
) -> None:
    """Print the last lines of a run's log."""
    from cdp.files.reading import open_regular, reason_of
    from cdp.work.launchers import LOG
    from cdp.work.logs import earlier
    from cdp.work.records import get_run

    target = find(run)
    path = target.folder / LOG
    try:
        log, before = open_regular(path), earlier(target.folder)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({reason_of(error)}): make it a readable file"
        ) from error
    with log:
        text = before + log.read()
        last = text.splitlines(keepends=True)[-lines:] if lines else []
        typer.echo(b"".join(last).decode("utf-8", "replace"), nl=False)
        while follow:
            # Asked first: what a run writes before its end is then still read.
            over = get_run(target.id).over
            if os.fstat(log.fileno()).st_size < log.tell():  # it has begun anew
                log.seek(0)
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
    named = [run for run in everything if run.name == text]
    begun = [run for run in everything if text and run.id.startswith(text)]
    run = only(text, [run for run in everything if run.id == text], named, begun)
    if run is None:
        raise MissingError(f"run {text[:80]!r} is unknown: python -m cdp runs lists them")
    return run


def only(text: str, *ways: list[Run]) -> Run | None:
    """The run of the first way to understand ``text`` that gives one, None where none does. Raises
    InputError where it gives several."""
    for matches in ways:
        if len(matches) > 1:
            ids = ", ".join(run.id for run in matches[:4])
            raise InputError(f"{text[:80]!r} is {len(matches)} runs ({ids}): give the whole id")
        if matches:
            return matches[0]
    return None


def conclude(run_id: str, *, as_json: bool) -> None:
    """Wait for the end of a run, with its progress on stderr, and print its final record.

    Raises CdpError where it did not finish, after the record was printed.
    """
    run = waited(run_id, "steps")
    record = _record(run)
    answer(_facts(record), record, as_json=as_json)
    require_finished(run)


def say_cost(kind: str, config: Frozen) -> None:
    """What a run that was just launched takes here, as the pages say it before the click; nothing
    where that is a few seconds."""
    from cdp.results.cost import Pace
    from cdp.work.records import read_run, run_folders

    newest = sorted(run_folders(), key=lambda folder: folder.name, reverse=True)[:JUDGED_BY]
    cost = Pace([read_run(folder) for folder in newest]).cost(kind, config)
    if cost.seconds[1] > SHORT_SECONDS:
        say(f"note: takes {cost.text}")


def require_finished(run: Run) -> None:
    """Raises CdpError where it did not."""
    if run.state != "finished":
        why = f" ({run.error})" if run.error else ""
        raise CdpError(f"run {run.id} is {run.state}{why}: python -m cdp logs {run.id} tells more")


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
            if run.state == "running" and (now := run.progress):
                line.show(now.done, now.count, now.seconds_left, f", {run.notice or run.name}")
            time.sleep(POLL_SECONDS)
    return run


def _say_state(run_id: str, *, as_json: bool) -> None:
    from cdp.work.records import get_run

    target = _record(get_run(run_id))
    answer(f"{run_id}: {target['state']}", target, as_json=as_json)


def _facts(record: Mapping[str, Any]) -> str:
    """What is known of one run, a fact a line."""
    from cdp.results.reached import whole

    lines = [f"{record['run']}: {record['name']} ({record['kind']}), {record['state']}"]
    if record.get("waits_for"):
        lines.append(f"waits for: {record['waits_for']}")
    if record["progress"]:
        lines.append(f"progress: {_progress(record)}")
    lines += [
        f"{word}: {_accuracies(record[word], record)}"
        for word in ("best", "last")
        if isinstance(record.get(word), Mapping)
    ]
    steps, images = (whole(record.get(name)) for name in ("steps", "images_seen"))
    if steps and images:
        lines.append(f"trained: {steps:,} steps, {images:,} images seen")
    if record["kind"] == "evaluate" and record.get("label"):
        lines.append(
            f"robust: {_share(record.get('robust_accuracy'))}, clean"
            f" {_share(record.get('clean_accuracy'))} ({record['label']})"
        )
    lines += [
        f"{word}: {record[word]}" for word in ("notice", "error", "problem") if record.get(word)
    ]
    if record["started"] and record["ended"]:
        lines.append(
            f"took: {duration(record['ended'] - record['started'])} since it was last started"
        )
    labels = record.get("labels") or {}
    if labels_text(labels):
        lines.append(f"labels: {labels_text(labels)}")
    lines += [f"{word}: {labels[word]}" for word in ("note", "problem") if labels.get(word)]
    return "\n".join([*lines, f"folder: {record['folder']}"])


def labels_text(labels: Mapping[str, Any]) -> str:
    """Star, archive and tags as words; empty where there are none. labels: JSON-ready."""
    flags = [
        word for word, name in (("starred", "star"), ("archived", "archived")) if labels.get(name)
    ]
    return ", ".join([*flags, *labels.get("tags", ())])


def _cells(record: Mapping[str, Any]) -> tuple[str, ...]:
    best = record.get("best") if record["kind"] != "evaluate" else record
    best = best if isinstance(best, Mapping) else {}  # of an experiment it is an arm's name
    accuracies = (_share(best.get(f"{metric}_accuracy")) for metric in ("clean", "robust"))
    plain = (record[name] for name in ("run", "kind", "name", "state"))
    return *plain, _progress(record), *accuracies, labels_text(record.get("labels") or {})


def _progress(record: Mapping[str, Any]) -> str:
    progress = record["progress"]
    return done_text(progress["done"], progress["count"], progress["unit"]) if progress else ""


def _share(value: Any) -> str:
    """A share as a file has it; empty where it is none."""
    from cdp.results.reached import share

    known = share(value)
    return "" if known is None else share_text(known)


def _accuracies(epoch: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Accuracies of an epoch with what they were measured on."""
    from cdp.results.reached import whole

    n = whole(record.get("n")) or whole(record["metrics"].get("n"))
    clean, robust = (_share(epoch.get(f"{metric}_accuracy")) for metric in ("clean", "robust"))
    figures = f"clean {clean}, robust {robust}"
    if not n:
        return figures
    at = at_step(whole(epoch.get("step")), whole(epoch.get("epoch")))
    remark = f"; {epoch['remark']}" if epoch.get("remark") else ""
    return f"{at}, {figures} ({n:,} validation images, PGD: a quick estimate{remark})"


def label(
    run: Annotated[
        list[str],
        argument("RUN...", "Trainings, each by id, by the beginning of its id, or by name."),
    ],
    star: Annotated[
        bool | None, option("Mark them, or take the mark away.", "--star/--no-star")
    ] = None,
    archive: Annotated[
        bool | None,
        option(
            "Take them out of the run table, or bring them back. Nothing is deleted.",
            "--archive/--no-archive",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        option("A tag to put on, up to 40 characters, at most 20 a run. May come several times."),
    ] = None,
    untag: Annotated[list[str] | None, option("A tag to take off. May come several times.")] = None,
    note: Annotated[
        str | None, option('What to note, up to 2,000 characters; "" takes the note away.')
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Star, archive, tag or note trainings; without options, show their labels. (Sample sets have
    tags of their own: see tag.)

    What works on a run is not disturbed. The list of runs finds labels again: python -m cdp runs
    --where "is:starred tag:night".
    """
    from cdp.results.labels import change_labels, labels_json

    chosen = list({target.id: target for target in map(_training, run)}.values())
    _require_tags(untag or [], chosen)
    change: dict[str, Any] = {
        "star": star,
        "archived": archive,
        "add_tags": tag or (),
        "remove_tags": untag or (),
        "note": note,
    }
    changed = [(target, change_labels(target.id, **change)) for target in chosen]
    rows = [
        {"run": target.id, "name": target.name, "labels": labels_json(labels)}
        for target, labels in changed
    ]
    lines = [
        f"{target.id}: {target.name}: {labels_text(labels_json(labels)) or 'no labels'}"
        + (f"\nnote: {labels.note}" if labels.note else "")
        for target, labels in changed
    ]
    answer("\n".join(lines), {"runs": rows}, as_json=as_json)


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
