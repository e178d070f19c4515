"""The store of sample sets under CDP_HOME/sets: open, list, save, delete. Partial sets are hidden
folders, never listed."""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdp import paths
from cdp.data import cards, limits
from cdp.data.names import valid_name
from cdp.data.rows import Chunk, write_arrays
from cdp.data.samples import IMAGE, LABEL, SampleSet, open_folder, read_described
from cdp.data.writer import SetWriter
from cdp.errors import InputError, MissingError
from cdp.files import atomic

__all__ = [
    "SampleSet",
    "SetEntry",
    "SetWriter",
    "delete_set",
    "list_sets",
    "open_set",
    "save_set",
    "stream_set",
    "valid_name",
]


@dataclass(frozen=True)
class SetEntry:
    """One line of the list. card: None where the set is broken, and then ``error`` says why and
    what to do; its class_names are empty where the images have no labels."""

    name: str
    folder: Path
    card: dict[str, Any] | None
    error: str = ""


def trash_dir() -> Path:
    """Where deleted sets go, so that a slip of the hand can be undone."""
    return paths.home() / "trash"


def list_sets() -> list[SetEntry]:
    """All finished sets, newest first; reads cards only. A broken set is listed with its error."""
    try:
        folders = [
            Path(entry.path)
            for entry in os.scandir(paths.sets_dir())
            if entry.is_dir() and not entry.name.startswith(".")
        ]
    except FileNotFoundError:
        return []
    return sorted(
        (_entry(folder) for folder in folders),
        key=lambda e: ((e.card or {}).get("created", ""), e.name),
        reverse=True,
    )


def _entry(folder: Path) -> SetEntry:
    try:
        card = read_described(folder)
        for name in (IMAGE, *([LABEL] if card["class_names"] else [])):
            if not (folder / name).is_file():
                raise MissingError(
                    f"{folder / name} is missing: restore it from a backup or delete the set"
                )
        return SetEntry(folder.name, folder, card)
    except InputError as error:
        return SetEntry(folder.name, folder, None, str(error))


def is_saved(name: str) -> bool:
    """Whether the store has a finished set of this name, sound or not."""
    return (
        os.sep not in name
        and not name.startswith(".")
        and bool(name)
        and (paths.sets_dir() / name).is_dir()
    )


def open_set(name_or_path: str | Path) -> SampleSet:
    """A set by its name in the store, or by the path of its folder. Raises MissingError that lists
    the names."""
    given = str(name_or_path)
    if is_saved(given):
        return open_folder(paths.sets_dir() / given)
    folder = Path(given).expanduser()
    if folder.is_dir() and (folder / cards.CARD).exists():
        return open_folder(folder.resolve())
    names = [entry.name for entry in list_sets()]
    raise MissingError(
        f"sample set {given[:200]!r} is unknown: choose one of {', '.join(names[:20])}"
        if names
        else f"sample set {given[:200]!r} is unknown and none is saved yet: generate or import one"
    )


def delete_set(name: str) -> Path:
    """Move a set of the store to the trash and return where it lies now."""
    folder = paths.sets_dir() / valid_name(name)
    if not folder.is_dir():
        raise MissingError(f"sample set {name!r} is unknown: nothing was deleted")
    trash_dir().mkdir(parents=True, exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    target = trash_dir() / f"{name}-{stamp}"
    # shutil.move, as the store may be a link to another disk.
    shutil.move(folder, target)
    return target


def save_set(
    name: str, image: np.ndarray, label: np.ndarray | None, card: dict[str, Any]
) -> SampleSet:
    """Save arrays as a set of the store. image: (N,H,W,C) uint8; label: (N,) integers from 0, None
    for images without labels; card: any JSON object."""
    return stream_set(
        name, image.shape, iter([(image, label)]), card, image.dtype, labelled=label is not None
    )


def stream_set(
    name: str,
    shape: tuple[int, ...],
    chunks: Iterable[Chunk],
    card: dict[str, Any],
    dtype: np.dtype | None = None,
    *,
    labelled: bool = True,
) -> SampleSet:
    """Save a set of the store from an iterator of (images, labels), in flat memory; nothing is left
    where it raises.

    shape: (N,H,W,C) of all images; dtype: of the images, uint8 where not given; labelled: False
    where the labels of all chunks are None.
    """
    folder = paths.sets_dir() / valid_name(name)
    limits.check_image_header(shape, np.dtype(dtype or np.uint8), f"set {name}")
    atomic.require_space(folder.parent, int(np.prod(shape, dtype=np.int64)))
    with atomic.new_folder(folder) as new:
        top = write_arrays(new, shape, chunks, f"set {name}", labelled=labelled)
        atomic.write_json(
            new / cards.CARD,
            cards.complete_card(card, count=shape[0], shape=shape[1:], top_label=top),
        )
        cards.read_card(new)
    return open_folder(folder)
