"""What unfinished work leaves behind to go on from: what it was begun with, and its states. Every
file is written beside and renamed, so a kill leaves the one before."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cdp.errors import InputError
from cdp.files import npy
from cdp.files.atomic import atomic_file, remove_folder, require_same, sweep, write_json
from cdp.models.checkpoints import require_json, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
MAX_STATE = 4 << 30


class Checkpoint:
    """The folder of one piece of work. begun: whether an earlier start left something."""

    def __init__(
        self,
        folder: Path,
        begun_with: Mapping[str, Any],
        *,
        what: str,
        remedy: str,
        record: str = "config.json",
        upgrade: Callable[[dict[str, Any]], dict[str, Any]] = dict,
        keep: int = 1,
    ) -> None:
        """Begin, or take up what was begun with the same. begun_with: settings, data and weights,
        any JSON object. what, remedy: the work in words, and what to do where it was begun with
        something else, which is an InputError. upgrade: what an older version recorded, in today's
        terms; keep: how many states."""
        self.folder, self._keep = folder, keep
        path, now = folder / record, json.loads(json.dumps(begun_with))
        self.begun = path.exists()
        if self.begun:
            require_same(upgrade(require_json(path)), now, what=what, remedy=remedy)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(path, now)
        sweep(folder)

    def states(self) -> list[Path]:
        """Newest first."""
        return sorted(self.folder.glob("state*.safetensors"), reverse=True)

    def save(self, state: Mapping[str, Tensor]) -> None:
        """Keep a state, which holds its ``step``. Raises OSError where it cannot be written, with
        those before intact."""
        number = f"-{int(state['step']):09d}" if self._keep > 1 else ""
        write_tensors(self.folder / f"state{number}.safetensors", dict(state))
        for old in self.states()[self._keep :]:
            old.unlink(missing_ok=True)

    def restore(self, load: Callable[[dict[str, Tensor]], T]) -> T | None:
        """What ``load`` makes of the newest state that it can read; None where there is none. A
        damaged one is removed where there may be one before it, else it is an InputError."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        for path in self.states():
            try:
                return load(load_file(path))
            except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
                if self._keep == 1:
                    reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
                    raise InputError(
                        f"{path} is not a checkpoint of this training ({reason}): delete"
                        f" {self.folder} to begin again"
                    ) from error
                path.unlink(missing_ok=True)
        return None

    def arrays(self, name: str) -> dict[str, np.ndarray] | None:
        """What was saved under this name; None where nothing sound was."""
        try:
            return npy.read_arrays(self.folder / f"{name}.npz", MAX_STATE)
        except (OSError, InputError):
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
            return require_json(self.folder / f"{name}.json")["part"]
        except (InputError, KeyError):
            return None

    def save_part(self, name: str, value: Any) -> None:
        """Raises OSError where it cannot be written."""
        write_json(self.folder / f"{name}.json", {"part": value})

    def remove(self) -> None:
        """The result is in place: nothing has to go on."""
        remove_folder(self.folder)
