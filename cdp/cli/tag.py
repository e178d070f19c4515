"""tag: put tags on a saved set, take them off, or read them."""

from __future__ import annotations

from typing import Annotated

import typer

from cdp.cli.output import AsJson, print_json


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("tag")(tag)


def tag(
    name: Annotated[
        str, typer.Argument(metavar="SET", help="A saved set, by name or by path to its folder.")
    ],
    tags: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TAG...", help="Up to 40 characters each; none only shows those there."
        ),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take these tags off instead of putting them on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put tags on a saved set (at most 20), or take them off with --remove. Nothing else of the set
    changes."""
    from cdp.data.sets import open_set
    from cdp.errors import InputError
    from cdp.tasks.subsets import set_tags, tags_of

    found = open_set(name)
    now, given = tags_of(found.card), tags or []
    if remove:
        absent = [one for one in given if one not in now]
        if absent or not given:
            raise InputError(
                f"{found.name} has no tag {str(absent[0])[:60]!a}: {_told(now)}"
                if absent
                else "name the tags to remove"
            )
        wanted = [one for one in now if one not in given]
    else:
        wanted = [*now, *given]
    if given:
        found = set_tags(name, wanted)
        now = tags_of(found.card)
    if as_json:
        print_json({"name": found.name, "tags": now})
    else:
        print(f"{found.name}: {_told(now)}")


def _told(tags: list[str]) -> str:
    return ", ".join(tags) if tags else "no tags"
