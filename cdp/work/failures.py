"""What a failure is called in front of a person: one sentence and a remedy; the traceback goes to
the log."""

from __future__ import annotations

import errno

from cdp import paths
from cdp.errors import CdpError

_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_IN_THE_WAY = (*_CLOSED, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOENT)


def sentence(error: BaseException) -> str:
    """One sentence for whatever stopped a job or a run."""
    if isinstance(error, CdpError):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full{_at(error)}: free some space, then start again; what was finished is"
            " kept"
        )
    if isinstance(error, OSError) and (problem := paths.home_problem()):
        return problem
    if isinstance(error, OSError) and error.errno in _IN_THE_WAY:
        return (
            f"{(error.strerror or 'permission denied').lower()}{_at(error)}: make it readable and"
            " writable, or set CDP_HOME to another folder"
        )
    first = next(iter(str(error).strip().splitlines()), "")[:200]
    if isinstance(error, MemoryError) or "out of memory" in first.lower():
        return (
            "there is not enough memory for this batch: lower batch, and close what else uses the"
            " device"
        )
    return (
        f"it stopped on an unexpected {type(error).__name__} ({first}): look at the log, and try"
        " again with other settings"
    )


def _at(error: OSError) -> str:
    return f" at {error.filename}" if error.filename else ""
