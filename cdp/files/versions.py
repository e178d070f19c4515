"""What is stored says in which format it is written. A version of the app reads its own format and
all before it; what has none is from before there were any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdp.errors import InputError


class NewerError(InputError):
    """A newer version of the app wrote it: it is sound, and this version cannot read it."""


def require_known(path: Path, version: Any, newest: int) -> None:
    """Raises NewerError where a file is of a later format than ``newest``. version: as it says; a
    value that is no number is the reader's to refuse."""
    if type(version) is int and version > newest:
        raise NewerError(
            f"{path} is of format {version}, which a newer version of the app wrote (this one reads"
            f" up to {newest}): update the app"
        )
