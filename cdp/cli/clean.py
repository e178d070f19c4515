"""clean: say what takes room and can go, and delete it where that is asked for."""

from __future__ import annotations

from typing import Annotated

import typer

from cdp.cli.output import AsJson, print_json


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("clean")(clean)


NOTES = {
    "cache": "is computed again where it is needed",
    "trash": "deleted sets and runs, which then cannot come back",
    "checkpoints": "of finished trainings, which need none",
}


def clean(
    cache: Annotated[
        bool, typer.Option("--cache", help="Results that can be computed again.")
    ] = False,
    trash: Annotated[bool, typer.Option("--trash", help="Deleted sets and runs.")] = False,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Checkpoints of finished trainings.")
    ] = False,
    older_than: Annotated[
        str,
        typer.Option(
            metavar="AGE", help="Only what was not used for so long: 12h, 30d, 2w; days without."
        ),
    ] = "0d",
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete it. Without, nothing is deleted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say how much room cache, trash and old checkpoints take, and free it with --yes.

    All three where none is chosen. Sets, results and runs that are not over are never touched.
    """
    from cdp.values.text import bytes_text, counted
    from cdp.work.clean import removable, remove, seconds_of

    chosen = {"cache": cache, "trash": trash, "checkpoints": checkpoints}
    wanted = [part for part, given in chosen.items() if given] or list(chosen)
    parts = removable(wanted, older_than=seconds_of(older_than))
    sizes = {part: sum(entry.size for entry in entries) for part, entries in parts.items()}
    freed = sum(remove(entries) for entries in parts.values()) if yes else 0
    if as_json:
        found = {part: {"entries": len(parts[part]), "bytes": size} for part, size in sizes.items()}
        print_json({"parts": found, "bytes": sum(sizes.values()), "deleted": yes, "freed": freed})
        return
    for part, entries in parts.items():
        amount = f"{counted(len(entries), 'entry', 'entries')}, {bytes_text(sizes[part])}"
        print(f"{part}: {amount} ({NOTES[part]})")
    if yes:
        print(f"Freed {bytes_text(freed)}.")
    else:
        total = bytes_text(sum(sizes.values()))
        print(f"This would free {total}. Nothing was deleted: add --yes to delete it.")
