"""Small text files of strangers: looked at before they are read, and refused with the file's name
and a remedy."""

from __future__ import annotations

from pathlib import Path

from cdp.errors import InputError, MissingError


def read_small_text(path: Path, most: int, what: str, *, missing: str, remedy: str) -> str:
    """The UTF-8 text of a regular file of at most ``most`` bytes. what: it should be ("a card");
    missing, remedy: what to do.

    Raises MissingError where there is none, InputError where it is too large, no regular file, or
    no text.
    """
    try:
        if path.stat().st_size > most:
            raise InputError(f"{path} is over {most} bytes, too large for {what}: {remedy}")
        if not path.is_file():
            raise InputError(f"{path} is not a regular file: {remedy}")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist: {missing}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({str(error)[:120]}): {remedy}") from error
