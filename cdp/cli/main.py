"""The root of the command line, and how every failure of it ends: exit codes 0 done, 2 bad input, 1
failure, 130 Ctrl-C."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Annotated, NoReturn

import typer

from cdp import __version__, paths
from cdp.cli import (
    compare,
    evaluate,
    experiment,
    making,
    project,
    runs,
    sets,
    store,
    system,
    theory,
)
from cdp.cli.options import option
from cdp.cli.output import INTERRUPTED, say, visible_streams
from cdp.config.presets import PRESETS, TRAIN_PRESETS
from cdp.errors import Cancelled, CdpError
from cdp.work.queue import ensure_dispatcher
from cdp.work.registry import TASKS

app = typer.Typer(
    name="cdp",
    help=(
        "Contrastive-DP Studio without a browser: generate guided sample sets, train diffusion"
        " models and robust classifiers, move data in and out."
    ),
    epilog=(
        "Add --debug anywhere for the traceback of an error. Files live under CDP_HOME (default:"
        " workspace/ beside the app)."
    ),
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, option("Print the version.", "--version", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Options that come before a command."""


_COMMANDS: tuple[Callable[..., None], ...] = (
    *(
        system.doctor,
        sets.download,
        sets.import_,
        sets.hold_out,
        sets.export,
        sets.sets,
        making.generate,
    ),
    *(sets.measure, project.project, sets.select, sets.pseudo_label, sets.tag),
    *(making.pretrain, making.pretrain_encoder, making.train, evaluate.evaluate),
    *(compare.compare, compare.leaderboard, runs.runs, runs.show, runs.stop, runs.resume),
    *(runs.forward, runs.logs, runs.label),
    *(theory.theory, system.clean, store.backup, store.restore),
)
COMMANDS = {command.__name__.strip("_").replace("_", "-"): command for command in _COMMANDS}
"""In the order of the help. A background task that is not among them gets the command that its
settings make."""
BELOW = {"generate": making.sources(PRESETS), "train": making.sources(TRAIN_PRESETS)}
"""What stands below the help of a command."""


def register(app: typer.Typer) -> None:
    """Add every command."""
    more = {
        name: making.command_of(task)
        for name, task in TASKS.items()
        if task.where == "background" and name not in (*COMMANDS, experiment.NAME)
    }
    for name, command in {**COMMANDS, **more}.items():
        app.command(name, epilog=BELOW.get(name))(command)
    app.add_typer(experiment.app, name=experiment.NAME)


register(app)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and end the process with its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    args = [word for word in given if word != "--debug"]
    debug = len(args) < len(given)
    visible_streams()
    # Not Python's own, whose colours (from 3.13 on) would be written out.
    sys.excepthook = traceback.print_exception if debug else _report
    try:
        if not {"doctor", "--help", "--version"} & set(args):
            paths.require_home()
            ensure_dispatcher()
        typer.main.get_command(app).main(args=args)
    except CdpError as error:
        if debug:
            traceback.print_exc()
        _tell(error)
        sys.exit(INTERRUPTED if isinstance(error, Cancelled) else error.exit_code)
    sys.exit(0)


def _report(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """What is said of a failure that nobody foresaw; Python then ends with exit code 1."""
    _tell(error)
    say("--debug shows the traceback")


def _tell(error: BaseException) -> None:
    from cdp.work.failures import sentence

    say(sentence(error) if isinstance(error, Cancelled) else f"error: {sentence(error)}")
