"""Names of sample sets: what a person may type, and what can never leave the store's folder."""

from __future__ import annotations

import re

from cdp.errors import InputError

MAX_LENGTH = 100
# The first character keeps hidden folders (partial sets) and "..", and options of commands, out of
# reach.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)
# Windows opens a device under these names, whatever the folder.
_DEVICES = frozenset(
    [
        "con",
        "prn",
        "aux",
        "nul",
        *(f"com{i}" for i in range(1, 10)),
        *(f"lpt{i}" for i in range(1, 10)),
    ]
)


def valid_name(name: str) -> str:
    """The name itself where it is one folder name of letters, digits, dot, underscore and hyphen;
    else InputError."""
    shown = repr(name[:60])
    if len(name) > MAX_LENGTH:
        raise InputError(
            f"name {shown} is {len(name)} characters long: choose one of 1 to {MAX_LENGTH}"
        )
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise InputError(
            f"name {shown} cannot be a folder: use letters, digits, '.', '_' and '-', starting with"
            " a letter, digit or '_'"
        )
    if name.split(".")[0].lower() in _DEVICES:
        raise InputError(f"name {shown} is a device on some systems: choose another name")
    return name


def name_like(text: str) -> str:
    """A name made of any text, such as a file's: what cannot stand in one becomes a hyphen. Empty
    where nothing is left."""
    return (
        "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in text)
        .strip("-._")[:MAX_LENGTH]
        .rstrip("-._")
    )
