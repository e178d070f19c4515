"""The errors a person can act on. Every message is one sentence that names what is wrong, and a
remedy."""

from typing import Any


class CdpError(Exception):
    """Something the user can put right; the message says what is wrong and what to do. Exit
    code 1."""

    exit_code = 1


class InputError(CdpError, ValueError):
    """A file, folder, field or option the user gave cannot be used. Exit code 2."""

    exit_code = 2


class MissingError(InputError):
    """Something named is not there (a data set, a checkpoint, a sample set). Exit code 2."""


class Cancelled(CdpError):
    """The user asked for the work to stop. What was finished is kept."""


class Halted(CdpError):
    """The work ended itself for a reason (divergence, collapse, overfitting). Everything good is
    kept; ``result`` is what it came to."""

    def __init__(self, reason: str, result: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.result: dict[str, Any] = result or {}
