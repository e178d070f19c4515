"""evaluate: robust accuracy of a training, of a folder or file of weights, or of a network of the
user's own code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.evaluated import check_exports, told_report, write_exports
from cdp.cli.options import chosen, with_options
from cdp.cli.output import AsJsonAtEnd, print_json, say
from cdp.config.evaluate import CODE, RUN, EvaluateConfig, automatic_name
from cdp.config.knobs import parse
from cdp.errors import CdpError, InputError
from cdp.models.checkpoints import given_path, written_path

if TYPE_CHECKING:
    from cdp.work.records import Run

_CODE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("evaluate")(evaluate)


@with_options(EvaluateConfig, skip=frozenset({"model"}))
def evaluate(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help=(
                "A training by id or name; or the path of a folder with weights and card, or of a"
                " .safetensors file."
            ),
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help=(
                "In place of RUN, also package.module:function, which returns a torch module that"
                " takes images in [0,1] and gives logits."
            )
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the evaluation; empty makes one of its settings.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Evaluate on all images, whatever --count says.")
    ] = False,
    background: Annotated[
        bool,
        typer.Option(
            "--background", help="Return at once; the evaluation goes on and is listed by runs."
        ),
    ] = False,
    export: Annotated[
        list[Path] | None,
        typer.Option(
            help=(
                "Write the report to FILE.html, FILE.csv, FILE.json or, in RobustBench's shape,"
                " FILE.robustbench.json. May be repeated."
            )
        ),
    ] = None,
    as_json: AsJsonAtEnd = False,
    **given: Any,
) -> None:
    """Measure clean and robust accuracy on test images, with intervals.

    The work is a background run: Ctrl-C ends the waiting, not the work, and a run that was stopped
    or killed goes on with resume. A network of your own code works in this process; the same
    command again goes on where it was.
    """
    from cdp.tasks.registry import TASKS
    from cdp.work.launch import free_name, launch

    if (target is None) == (model is None):
        raise InputError("model: say once what to evaluate, as an argument or with --model")
    check_exports(export or [])
    source, title = _source(target or model or "")
    config = parse(
        EvaluateConfig,
        {"model": source} | chosen(given, EvaluateConfig) | ({"count": None} if everything else {}),
    )
    if source.startswith(CODE):
        if background:
            raise InputError(
                "background: a network of your own code works in this process: leave"
                " --background out"
            )
        from cdp.cli.owncode import evaluate_own

        run_id = evaluate_own(config, name, title)
    else:
        called = name or free_name(TASKS["evaluate"], automatic_name(config, title))
        run_id = launch(TASKS["evaluate"], config, called)
        if background:
            _say_started(run_id, called, as_json=as_json)
            return
    _conclude(run_id, export or [], as_json=as_json)


def _source(text: str) -> tuple[str, str]:
    """What a word on the command line means, as the config spells it, and a name for it."""
    from cdp.cli.runs import find
    from cdp.data.limits import MAX_LENGTH
    from cdp.errors import MissingError

    path = _path(text)
    if _CODE.fullmatch(text) and not text.startswith(RUN) and not path.exists():
        return CODE + text, text.rpartition(":")[2]
    if path.exists():
        stem = (
            path.resolve().name
            if path.name not in ("best", "last")
            else f"{path.resolve().parent.name}-{path.name}"
        )
        return (
            written_path(path.absolute()),
            re.sub(r"[^A-Za-z0-9._-]+", "-", stem.removesuffix(".safetensors")).strip("-.")[
                : MAX_LENGTH - 30
            ]
            or "model",
        )
    try:
        run = find(text.removeprefix(RUN))
    except MissingError as error:
        raise MissingError(
            f"{text[:80]!r} is no run, folder or file of weights, or package.module:function:"
            " python -m cdp runs lists the runs"
        ) from error
    if run.kind != "train":
        raise InputError(f"run {run.id} is a {run.kind} run: give a training")
    return RUN + run.id, run.name


def _path(text: str) -> Path:
    try:
        return given_path(text)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{text[:80]!r} is no usable path: give a run, a folder or file of weights, or"
            " package.module:function"
        ) from error


def _say_started(run_id: str, name: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"run": run_id, "name": name, "state": "queued"})
    else:
        print(f"{run_id}: {name} is queued")
        say(f"see it with: python -m cdp show {run_id}")


def _conclude(run_id: str, exports: list[Path], *, as_json: bool) -> None:
    """Wait for the end, then print the report and write what was asked for."""
    from cdp.cli.runs import waited
    from cdp.results.reached import record
    from cdp.values.evaluation import (
        OUTCOMES,
        REPORT,
        read_outcomes,
        read_report,
        report_json,
    )

    run: Run = waited(run_id, "images")
    if run.state != "finished":
        if as_json:
            print_json(record(run))
        raise CdpError(
            f"run {run_id} is {run.state}{f' ({run.error})' if run.error else ''}: python -m cdp"
            f" logs {run_id} tells more"
        )
    report = read_report(run.folder / REPORT)
    write_exports(report, exports)
    if as_json:
        print_json(
            record(run) | {"report": report_json(report), "outcomes": str(run.folder / OUTCOMES)}
        )
    else:
        print(told_report(report, read_outcomes(run.folder / OUTCOMES)))
        say(f"kept in {run.folder}")
