"""What an evaluation keeps in its run's folder to go on from: outcomes so far, and each part that
is finished. Every file is written atomically."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cdp.errors import InputError
from cdp.files.atomic import atomic_file, write_json
from cdp.models.checkpoints import read_json

STATE = "state"


class Kept:
    """The state folder of one evaluation. begun: whether an earlier start left something."""

    def __init__(self, folder: Path, started: Mapping[str, Any]) -> None:
        """folder: of the run; started: settings, images and weights, any JSON object. Raises
        InputError where it was started with others."""
        self.folder = folder / STATE
        self.folder.mkdir(parents=True, exist_ok=True)
        record = self.folder / "started.json"
        now = json.loads(json.dumps(started))
        self.begun = record.exists()
        if not self.begun:
            write_json(record, now)
            return
        before = read_json(record)
        changed = sorted(
            name for name in before.keys() | now.keys() if before.get(name) != now.get(name)
        )
        if changed:
            raise InputError(
                f"{changed[0]}: this evaluation was started with"
                f" {str(before.get(changed[0]))[:80]}, not {str(now.get(changed[0]))[:80]}, so it"
                " cannot go on: restore what it was started with, or evaluate anew"
            )

    def arrays(self, name: str) -> dict[str, np.ndarray] | None:
        """What was saved under this name; None where nothing sound was."""
        try:
            with np.load(self.folder / f"{name}.npz", allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None

    def save_arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises OSError where they cannot be written, with those before intact."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        with atomic_file(self.folder / f"{name}.npz") as file:
            file.write(buffer.getvalue())

    def part(self, name: str) -> Any:
        """A finished part, JSON; None where it is not finished or damaged."""
        try:
            return read_json(self.folder / f"{name}.json")["part"]
        except (InputError, KeyError):
            return None

    def save_part(self, name: str, value: Any) -> None:
        """Raises OSError where it cannot be written."""
        write_json(self.folder / f"{name}.json", {"part": value})
