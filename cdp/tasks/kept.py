"""Results under CDP_HOME/cache by the content they follow from: what is damaged is computed again,
what cannot be kept is not missed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from cdp import paths
from cdp.errors import CdpError
from cdp.files import atomic


def digest(*parts: object) -> str:
    """A name for these parts in this order: arrays by their bytes and shape, anything else by its
    text."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype} {part.shape} ".encode())
            found.update(np.ascontiguousarray(part).data)
        else:
            text = str(part).encode("utf-8", "surrogateescape")
            found.update(f"{len(text)} ".encode() + text)
    return found.hexdigest()[:24]


def load_array(kind: str, key: str) -> np.ndarray | None:
    """What was kept under this key, None where nothing sound was."""
    try:
        return np.asarray(np.load(_folder(kind) / f"{key}.npy", allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None


def save_array(kind: str, key: str, value: np.ndarray) -> None:
    """Keep an array. A home that cannot be written only costs the time again."""
    try:
        _folder(kind).mkdir(parents=True, exist_ok=True)
        with atomic.atomic_file(_folder(kind) / f"{key}.npy") as file:
            np.save(file, value, allow_pickle=False)
    except (OSError, CdpError):
        pass


def load_json(kind: str, key: str) -> dict[str, Any] | None:
    """What was kept under this key, None where nothing sound was."""
    try:
        found = json.loads((_folder(kind) / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def save_json(kind: str, key: str, value: dict[str, Any]) -> None:
    """Keep a JSON object without NaN and infinities; one that has them is not kept, nor is any
    where home cannot be written."""
    try:
        _folder(kind).mkdir(parents=True, exist_ok=True)
        atomic.write_json(_folder(kind) / f"{key}.json", value)
    except (OSError, ValueError):
        pass


def _folder(kind: str) -> Path:
    return paths.cache_dir() / kind
