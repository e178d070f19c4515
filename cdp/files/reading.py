"""Reading what is stored, as what a stranger may have written: regular files of a sane size, and
JSON that every reader can go on with. A file gives what it holds, or a sentence that says why not
and what to do."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from cdp.errors import InputError, MissingError

MAX_RECORD = 16 << 20
"""Bytes of a record; the largest that is written, of an evaluation, stays far below."""
_LONGEST_NUMBER = 30
"""Digits: a seed or a time in nanoseconds has 20."""
_DEEPEST = 64
"""How deep lists and objects lie in one another."""


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a regular file of at most ``most`` bytes. Raises FileNotFoundError where there
    is none, ValueError or another OSError where it cannot be had."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise ValueError(f"it is over {_size(most)}, too large for what it is")
        return file.read(most)


def open_regular(path: Path) -> BinaryIO:
    """A file to read bytes from. Raises OSError, and ValueError where it is no regular one: a pipe
    would wait for whoever writes to it, and a device never ends."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is not a regular file")
    return os.fdopen(descriptor, "rb")


def read_tail(path: Path, size: int) -> tuple[bytes, bool]:
    """The last ``size`` bytes of a file, and whether they are all of it. Raises as ``read_bytes``
    does."""
    with open_regular(path) as file:
        start = max(0, os.fstat(file.fileno()).st_size - size)
        file.seek(start)
        return file.read(size), start == 0


def read_file(path: Path, most: int, *, missing: str, remedy: str) -> bytes:
    """The same in a sentence. missing, remedy: what to do where there is none, and where it cannot
    be read. Raises MissingError or InputError."""
    try:
        return read_bytes(path, most)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingError(f"{path} does not exist: {missing}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({reason_of(error)}): {remedy}") from error


def parse_json(content: bytes | str) -> Any:
    """A JSON document. Raises ValueError for what JSON does not have (NaN, infinities, text that is
    no Unicode) and for what is too long or too deep to go on with."""
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if text.count("[") + text.count("{") > _DEEPEST and _depth(value) > _DEEPEST:
        raise ValueError("it is nested too deep")
    return value


def parse_object(content: bytes | str) -> dict[str, Any]:
    """The same where it has to be an object."""
    value = parse_json(content)
    if not isinstance(value, dict):
        raise ValueError(f"it holds a {type(value).__name__} where a JSON object belongs")
    return value


def read_object(path: Path, *, missing: str, remedy: str, most: int = MAX_RECORD) -> dict[str, Any]:
    """The JSON object in a file. Raises MissingError where there is no file, InputError that names
    it where there is no such object in it."""
    content = read_file(path, most, missing=missing, remedy=remedy)
    try:
        return parse_object(content)
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({reason_of(error)}): {remedy}") from error


def read_json(path: Path) -> dict[str, Any] | None:
    """The same for whoever goes on without it: None where there is no file, or none that can be
    used."""
    try:
        return parse_object(read_bytes(path, MAX_RECORD))
    except (OSError, ValueError):
        return None


def is_folder(path: Path) -> bool:
    """Whether there is a folder; nor is there one under a name that none can have."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def reason_of(error: Exception) -> str:
    """Why a file could not be read, short enough for a sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:120]


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text[:_LONGEST_NUMBER])


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text):,} digits is too long")
    return int(text)


def _depth(value: Any) -> int:
    """How deep lists and objects lie in one another, up to one more than what is taken."""
    depth, level = 0, [value]
    while level and depth <= _DEEPEST:
        parts = [part for part in level if isinstance(part, dict | list)]
        level = [x for part in parts for x in (part.values() if isinstance(part, dict) else part)]
        depth += bool(parts)
    return depth


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count:,} bytes"
