"""What takes how much disk under CDP_HOME, and whether that is more than it should."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cdp import paths
from cdp.errors import InputError
from cdp.files import cache
from cdp.values.text import bytes_text

NEARLY = 0.9
LARGEST = 8
_UNITS = {"": 1e9, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_REMEDY = "python -m cdp clean says what can go, python -m cdp doctor what takes the room"


@dataclass(frozen=True)
class Item:
    """Something under CDP_HOME. name: its path there; size: bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Usage:
    """kinds: what lies directly in CDP_HOME; largest: what lies in those (a set, a run, a model); both
    the largest first. quota: bytes, None where none is set."""

    size: int
    kinds: tuple[Item, ...]
    largest: tuple[Item, ...]
    quota: int | None

    @property
    def problem(self) -> str:
        """That the quota is exceeded, or nearly so, with the remedy; "" where it is not."""
        if self.quota is None or self.size < NEARLY * self.quota:
            return ""
        over = "more than" if self.size > self.quota else "nearly all of"
        return (
            f"CDP_HOME takes {bytes_text(self.size)}, {over} the {bytes_text(self.quota)} of"
            f" {paths.QUOTA}: {_REMEDY}"
        )


def measure() -> Usage:
    """Look at every file. Raises InputError where CDP_QUOTA is no size."""
    quota, home = quota_bytes(), paths.home()
    kinds, items = [], []
    for kind in _children(home):
        inside = [Item(str(path.relative_to(home)), _size(path)) for path in _children(kind)]
        kinds.append(Item(kind.name, sum(item.size for item in inside) if inside else _size(kind)))
        items += inside
    return Usage(sum(kind.size for kind in kinds), _sorted(kinds), _sorted(items)[:LARGEST], quota)


def quota_bytes() -> int | None:
    """None where no quota is set. Raises InputError where CDP_QUOTA is no size."""
    text = os.environ.get(paths.QUOTA, "").strip()
    if not text:
        return None
    parts = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*([KMGT]B|)", text.upper())
    if parts is None:
        raise InputError(
            f'{paths.QUOTA} is {text[:40]!r}, which is no size: give one such as "20 GB"'
        )
    return int(float(parts[1]) * _UNITS[parts[2]])


def _children(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(folder.iterdir())
    return []


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):  # gone meanwhile
        return cache.size_of(path)
    return 0


def _sorted(items: list[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: (-item.size, item.name)))
