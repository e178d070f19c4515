"""How a task tells those who wait for it where it stands."""

from collections.abc import Callable

Report = Callable[[float, str], None]
"""Called with the share that is done, in [0, 1], and what comes next."""


def ignore(share: float, words: str) -> None:
    """Nobody waits."""
