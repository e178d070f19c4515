"""The root of the command line, and how every failure of it ends: exit codes 0 done, 2 bad input, 1
failure, 130 Ctrl-C."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated, NoReturn

import typer

from cdp import __version__, paths
from cdp.cli import (
    clean,
    compare,
    datacommands,
    doctor,
    evaluate,
    generate,
    label,
    measure,
    pretrain,
    project,
    pseudo_label,
    runs,
    select,
    tag,
    theory,
    train,
)
from cdp.cli.interrupt import INTERRUPTED
from cdp.cli.output import say
from cdp.errors import Cancelled, CdpError

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
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version."),
    ] = False,
) -> None:
    """Options that come before a command."""


doctor.register(app)
datacommands.register(app)
generate.register(app)
measure.register(app)
project.register(app)
select.register(app)
pseudo_label.register(app)
tag.register(app)
pretrain.register(app)
train.register(app)
evaluate.register(app)
compare.register(app)
runs.register(app)
label.register(app)
theory.register(app)
clean.register(app)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and end the process with its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    args = [word for word in given if word != "--debug"]
    debug = len(args) < len(given)
    if not debug:
        sys.excepthook = _report
    try:
        if not {"doctor", "--help", "--version"} & set(args):
            paths.require_home()
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
