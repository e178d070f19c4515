"""Writing sample sets row by row, in flat memory; a killed writer goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout

from cdp.data import cards, limits
from cdp.data.names import valid_name
from cdp.data.rows import RowFile, checked_labels
from cdp.data.samples import IMAGE, LABEL, SampleSet, open_folder
from cdp.errors import InputError
from cdp.files import atomic

_LOCK, _CONFIG, _PROGRESS = "lock", "config.json", "progress.json"


class SetWriter:
    """A set being written, in a hidden sibling ``.<name>.partial`` of its folder, which no listing
    shows.

    out_folder: where the finished set will be; count, shape_hwc: all its images; config: what makes
    it this set (JSON); labelled: False for images without labels; upgrade: what an older version
    wrote as ``config`` in today's terms.
    Opening it again with the same arguments resumes; ``done_rows`` says where. Raises InputError
    where the name is taken, where a partial set of other settings is there, or where another
    process writes it.
    """

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
            self._refuse_other(upgrade(self._read(path)), config)
        if not (path.exists() and progress.exists()):
            # The first writer was killed before a row was counted: what it left may be half a
            # header.
            for leftover in (IMAGE, LABEL, _PROGRESS):
                (self.partial / leftover).unlink(missing_ok=True)
            atomic.write_json(path, config)
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
        if progress.exists():
            saved = self._read(progress)
            done, top = saved.get("done_rows"), saved.get("top_label")
            if not (isinstance(done, int) and isinstance(top, int) and 0 <= done <= self.shape[0]):
                raise InputError(f"{progress} is broken: delete {self.partial} and start again")
            self._done, self._top_label = done, top

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{path} is not JSON: delete {self.partial} and start again"
            ) from error
        if not isinstance(value, dict):
            raise InputError(f"{path} is not a JSON object: delete {self.partial} and start again")
        return value

    def _refuse_other(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                raise InputError(
                    f"{self.folder} was begun with other settings ({key}: {str(old.get(key))[:60]}"
                    f" there, {str(new.get(key))[:60]} here): use those, choose another name, or"
                    f" delete {self.partial}"
                )

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
        """Add the card and take the final name. Raises InputError where rows are missing or the
        card does not fit."""
        if self._done != self.shape[0]:
            raise InputError(
                f"{self.folder} has {self._done} of {self.shape[0]} rows: write the rest before"
                " finishing"
            )
        full = cards.complete_card(
            card,
            count=self.shape[0],
            shape=self.shape[1:],
            top_label=self._top_label if self.labelled else None,
        )
        atomic.write_json(self.partial / cards.CARD, full)
        # Checked as a reader will see it, before anybody can.
        open_folder(self.partial)
        self._close_files()
        for name in (_PROGRESS, _CONFIG, _LOCK):
            (self.partial / name).unlink()
        atomic.publish(self.partial, self.folder)
        self._lock.release()
        return open_folder(self.folder)

    def close(self) -> None:
        """Let go of the files; what was written stays for the next writer."""
        self._close_files()
        self._lock.release()

    def discard(self) -> None:
        """Give up: delete what was written."""
        self._close_files()
        shutil.rmtree(self.partial, ignore_errors=True)
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
