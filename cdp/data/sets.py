"""The store of sample sets under CDP_HOME/sets: open, list, save, delete, and write row by row in
flat memory; a killed writer goes on where it stopped. Partial sets are hidden folders, never
listed."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout

from cdp import paths
from cdp.data import limits, samples
from cdp.data.limits import valid_name
from cdp.data.rows import Chunk, RowFile, checked_labels, write_arrays
from cdp.data.samples import IMAGE, LABEL, SampleSet, open_folder, read_described
from cdp.errors import InputError, MissingError
from cdp.files import atomic
from cdp.files.reading import is_folder, read_json, read_object
from cdp.values.text import visible

_LOCK, _CONFIG, _PROGRESS = "lock", "config.json", "progress.json"


class SetWriter:
    """A set being written, in a hidden sibling ``.<name>.partial`` of its folder. config: what
    makes it this set (JSON); upgrade: what an older version wrote as ``config`` in today's terms.
    Opening it again with the same arguments resumes at ``done_rows``. Raises InputError where the
    name is taken, a partial set of other settings is there, or another process writes it."""

    def __init__(
        self,
        out_folder: Path | str,
        count: int,
        shape_hwc: tuple[int, int, int],
        config: dict[str, Any],
        *,
        labelled: bool = True,
        upgrade: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    ) -> None:
        self.folder = Path(out_folder).expanduser().resolve()
        name = valid_name(self.folder.name)
        self.shape, self.labelled = (count, *shape_hwc), labelled
        limits.check_image_header(self.shape, np.dtype(np.uint8), f"set {name}")
        atomic.refuse_existing(self.folder)
        self.partial = self.folder.with_name(f".{name}.partial")
        size = int(np.prod(self.shape, dtype=np.int64)) + 8 * count
        atomic.require_space(self.partial, size if not self.partial.exists() else 0)
        self.partial.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.partial / _LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                f"{self.folder} is being written by another process: wait for it or choose another"
                " name"
            ) from error
        try:
            atomic.refuse_existing(self.folder)  # its writer may have finished meanwhile
            self._begin_or_resume({"count": count, "shape": list(shape_hwc)} | config, upgrade)
        except BaseException:
            self._lock.release()
            raise

    def _begin_or_resume(
        self, config: dict[str, Any], upgrade: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        config = json.loads(json.dumps(config, allow_nan=False))
        path = self.partial / _CONFIG
        progress = self.partial / _PROGRESS
        if path.exists():
            atomic.require_same(
                upgrade(self._read(path)),
                config,
                what=str(self.folder),
                remedy=f"use the same, choose another name, or delete {self.partial}",
            )
        complete = self._was_complete()
        arrays = (IMAGE, LABEL) if self.labelled else (IMAGE,)
        begun = path.exists() and all((self.partial / name).exists() for name in arrays)
        if not (begun and (progress.exists() or complete)):
            # The first writer was killed before a row was counted: what it left may be half a
            # header.
            for leftover in (_PROGRESS, samples.CARD, IMAGE, LABEL):
                (self.partial / leftover).unlink(missing_ok=True)
            atomic.write_json(path, config)
            complete = False
        self._image = RowFile(self.partial / IMAGE, self.shape, np.dtype(np.uint8))
        if self.labelled:
            self._label: RowFile | None = RowFile(
                self.partial / LABEL, self.shape[:1], np.dtype(np.int64)
            )
        else:
            # A writer of an older version may have begun this set, and gave every image of a model
            # without classes label 0.
            (self.partial / LABEL).unlink(missing_ok=True)
            self._label = None
        self._done, self._top_label = 0, 0
        if complete:
            label = np.load(self.partial / LABEL, mmap_mode="r") if self.labelled else np.zeros(1)
            self._done, self._top_label = self.shape[0], int(label.max())
        elif progress.exists():
            saved = self._read(progress)
            done, top = saved.get("done_rows"), saved.get("top_label")
            if not (isinstance(done, int) and isinstance(top, int) and 0 <= done <= self.shape[0]):
                raise InputError(f"{progress} is broken: delete {self.partial} and start again")
            self._done, self._top_label = done, top

    def _was_complete(self) -> bool:
        """Whether an earlier version was killed between taking its notes away and the last name: a
        card is written once all rows are on disk."""
        if (self.partial / _PROGRESS).exists():
            return False
        try:
            return len(open_folder(self.partial)) == self.shape[0]
        except InputError:
            return False

    def _read(self, path: Path) -> dict[str, Any]:
        again = f"delete {self.partial} and start again"
        return read_object(path, missing=again, remedy=again)

    @property
    def done_rows(self) -> int:
        """Rows 0..done_rows-1 are on disk; the next ``write`` starts here."""
        return self._done

    def write(self, rows: slice, images: np.ndarray, labels: np.ndarray | None) -> None:
        """The next rows: images (n,H,W,C) uint8, labels (n,) integers from 0, None where the set
        has none. On disk, and counted, when this returns."""
        start, stop, _ = rows.indices(self.shape[0])
        if start != self._done or stop <= start:
            raise InputError(
                f"rows {start}..{stop} do not follow the {self._done} done: write the set in order"
            )
        wanted = (stop - start, *self.shape[1:])
        if images.shape != wanted or images.dtype != np.uint8:
            raise InputError(
                f"images are {images.dtype} of shape {images.shape} where uint8 of {wanted} is"
                " needed: convert them"
            )
        checked = checked_labels(
            labels, stop - start, f"set {self.folder.name}", labelled=self.labelled
        )
        self._image.write(start, images)
        top = self._top_label
        if self._label is not None and checked is not None:
            self._label.write(start, checked)
            self._label.sync()
            top = max(top, int(checked.max()))
        # Progress is marked only after the rows are on disk, so that a power cut never leaves a
        # counted hole.
        self._image.sync()
        atomic.write_json(self.partial / _PROGRESS, {"done_rows": stop, "top_label": top})
        self._done, self._top_label = stop, top

    def finish(self, card: dict[str, Any]) -> SampleSet:
        """Add the card and take the final name. Raises InputError where rows are missing."""
        if self._done != self.shape[0]:
            raise InputError(
                f"{self.folder} has {self._done} of {self.shape[0]} rows: write the rest before"
                " finishing"
            )
        full = samples.complete_card(
            card,
            count=self.shape[0],
            shape=self.shape[1:],
            top_label=self._top_label if self.labelled else None,
        )
        atomic.write_json(self.partial / samples.CARD, full)
        # Checked as a reader will see it, before anybody can.
        open_folder(self.partial)
        self._close_files()
        # The notes go with it and only then away: a kill before the new name must find them.
        atomic.publish(self.partial, self.folder)
        for note in notes_in(self.folder):
            note.unlink(missing_ok=True)
        self._lock.release()
        return open_folder(self.folder)

    def close(self) -> None:
        """Let go of the files; what was written stays for the next writer."""
        self._close_files()
        self._lock.release()

    def discard(self) -> None:
        """Give up: delete what was written."""
        self._close_files()
        atomic.remove_folder(self.partial)
        self._lock.release()

    def _close_files(self) -> None:
        self._image.close()
        if self._label is not None:
            self._label.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Settings that were refused have begun nothing: other ones, as the refusal asks for, may
        # take the name.
        if kind is not None and issubclass(kind, InputError) and not self._done:
            self.discard()
        else:
            self.close()


def notes_in(folder: Path) -> list[Path]:
    """What a writer that was killed after the last step of all left in its finished set."""
    return [folder / name for name in (_PROGRESS, _CONFIG, _LOCK) if (folder / name).exists()]


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


def _example() -> Path:
    return paths.example_dir() / "sets"


def list_sets(*, shipped: bool = False) -> list[SetEntry]:
    """All finished sets, newest first; reads cards only. A broken set is listed with its error.
    shipped: those of the example study in their place."""
    try:
        folders = [
            Path(entry.path)
            for entry in os.scandir(_example() if shipped else paths.sets_dir())
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
    name = visible(folder.name)
    if name != folder.name:
        why = f"the name of {folder.parent / name} has characters that are not seen: rename it"
        return SetEntry(name, folder, None, why)
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
    plain = bool(name) and os.sep not in name and not name.startswith(".")
    return plain and is_folder(paths.sets_dir() / name)


def set_folder(name_or_path: str | Path) -> Path | None:
    """The folder of a set by name, also of the example study, or by path; None where there is no
    such set."""
    given = str(name_or_path)
    if is_saved(given):
        return paths.sets_dir() / given
    try:
        example = _example() / given
        if example.parent == _example() and (example / samples.CARD).exists():
            return example
        folder = Path(given).expanduser()
        there = folder.is_dir() and (folder / samples.CARD).exists()
        return folder.resolve() if there else None
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, or nobody's home
        return None


def open_set(name_or_path: str | Path) -> SampleSet:
    """A set by name, also of the example study, or by path. Raises MissingError that lists the
    names."""
    given = str(name_or_path)
    if (folder := set_folder(given)) is not None:
        return open_folder(folder)
    names = [entry.name for entry in list_sets()]
    raise MissingError(
        f"sample set {given[:200]!r} is unknown: choose one of {', '.join(names[:20])}"
        if names
        else f"sample set {given[:200]!r} is unknown and none is saved yet: generate or import one"
    )


def begun_images(name: str, count: int) -> np.ndarray | None:
    """The first images of a set that is being written, up to ``count``, (n, H, W, C) uint8; None
    while none is on disk, and where there is no such set."""
    partial = paths.sets_dir() / f".{name}.partial"
    try:
        done = (read_json(partial / _PROGRESS) or {}).get("done_rows")
        image = np.load(partial / IMAGE, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None  # not begun, or just finished
    if type(done) is not int or done <= 0 or image.ndim != 4 or image.dtype != np.uint8:
        return None
    return np.array(image[: min(count, done)])


def delete_set(name: str) -> Path:
    """Move a set of the store to the trash and return where it lies now."""
    folder = paths.sets_dir() / valid_name(name)
    if not folder.is_dir():
        raise MissingError(f"sample set {name!r} is unknown: nothing was deleted")
    trash_dir().mkdir(parents=True, exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    target = trash_dir() / f"{name}-{stamp}"
    atomic.move_folder(folder, target)
    return target


def save_set(
    name: str, image: np.ndarray, label: np.ndarray | None, card: dict[str, Any]
) -> SampleSet:
    """Save arrays as a set of the store. label: (N,) integers from 0, None without labels."""
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
    where it raises. shape: (N,H,W,C) of all images."""
    folder = paths.sets_dir() / valid_name(name)
    limits.check_image_header(shape, np.dtype(dtype or np.uint8), f"set {name}")
    atomic.require_space(folder.parent, int(np.prod(shape, dtype=np.int64)))
    with atomic.new_folder(folder) as new:
        top = write_arrays(new, shape, chunks, f"set {name}", labelled=labelled)
        atomic.write_json(
            new / samples.CARD,
            samples.complete_card(card, count=shape[0], shape=shape[1:], top_label=top),
        )
        samples.read_card(new)
    return open_folder(folder)
