"""backup and restore: all of CDP_HOME as one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cdp.cli.options import AsJson, argument, option
from cdp.cli.output import ProgressLine, answer, interruptible
from cdp.errors import Cancelled
from cdp.values.text import bytes_text, counted

if TYPE_CHECKING:
    from cdp.work.backup import Backup
    from cdp.work.session import Progress, Session


def backup(
    file: Annotated[Path, argument("FILE", "The archive to write, which ends in .zip.")],
    cache: Annotated[
        bool,
        option("Also what can be computed again, and generations nobody saved.", "--cache"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Save all of CDP_HOME but the cache into one file.

    Runs may be at work: they are saved as of their last checkpoint.
    """
    from cdp.work.backup import back_up

    with _watched("nothing was saved") as session:
        saved = back_up(file, session, cache=cache)
    text = [f"{file}: {_size(saved)} of {saved.home}"]
    text += [f"  as of its last checkpoint: {run}" for run in saved.at_work]
    text += [f"  left out: {name}" for name in saved.left_out]
    answer("\n".join(text), {"path": str(file), **_value(saved)}, as_json=as_json)


def restore(
    file: Annotated[Path, argument("FILE", "An archive that the command backup wrote.")],
    as_json: AsJson = False,
) -> None:
    """Unpack a backup as CDP_HOME, which must be empty or not there: nothing is overwritten."""
    from cdp import paths
    from cdp.work.backup import restore as unpack

    with _watched("nothing was restored") as session:
        saved = unpack(file, session)
    text = [f"{paths.home()}: {_size(saved)} of {saved.created}"]
    text += [
        f"  goes on with python -m cdp resume, from its last checkpoint: {run}"
        for run in saved.at_work
    ]
    answer("\n".join(text), {"path": str(paths.home()), **_value(saved)}, as_json=as_json)


def _size(saved: Backup) -> str:
    return f"{counted(saved.files, 'file')}, {bytes_text(saved.size)}"


def _value(saved: Backup) -> dict[str, Any]:
    value = asdict(saved)
    return value | {name: list(value[name]) for name in ("at_work", "left_out")}


@contextmanager
def _watched(otherwise: str) -> Iterator[Session]:
    """Progress on stderr, and Ctrl-C between two pieces of a file. otherwise: what a stop came to."""
    from cdp.work.session import Session

    with interruptible() as should_stop, ProgressLine("MB") as line:
        try:
            yield Session(on_progress=_shown(line), should_stop=should_stop)
        except Cancelled as error:
            raise Cancelled(f"stopped: {otherwise}") from error


def _shown(line: ProgressLine) -> Callable[[Progress], None]:
    return lambda now: line.show(now.done, now.count, now.seconds_left)
