"""Where a training keeps its checkpoint until it is done: a hidden folder beside the result, one
state file at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cdp.config.knobs import Frozen
from cdp.errors import InputError
from cdp.models.checkpoints import read_json, training_folder, write_json, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, STATE = "config.json", "state.safetensors"


class Workplace:
    """The hidden folder of one training. Every file in it is replaced atomically, so a kill leaves
    the last checkpoint."""

    def __init__(self, target: Path, config: Frozen) -> None:
        """Start, or take up what the same config began.

        target: the folder of the result. Raises InputError where that is done already, or was begun
        with other settings.
        """
        self.folder = training_folder(target)
        settings = config.model_dump(mode="json")
        if (self.folder / CONFIG).exists():
            begun = read_json(self.folder / CONFIG)
            # What an earlier version did not know had its default; and whether a concern was
            # overruled changes no number.
            settings, begun = (
                {name: value for name, value in one.items() if name != "anyway"}
                for one in (settings, begun)
            )
            changed = sorted(
                name
                for name in settings.keys() | begun.keys()
                if settings.get(name) != begun.get(name)
            )
            if changed:
                raise InputError(
                    f"{changed[0]}: the unfinished training of {target.name!r} has"
                    f" {begun.get(changed[0])!r}, not {settings.get(changed[0])!r}: choose another"
                    f" name, or delete {self.folder} to begin again"
                )
        elif target.exists():
            raise InputError(
                f"name: {target.name!r} exists already: choose another name, or delete {target}"
            )
        else:
            write_json(self.folder / CONFIG, settings)

    def save(self, state: dict[str, Tensor]) -> None:
        """Replace the checkpoint."""
        write_tensors(self.folder / STATE, state)

    def restore(self, take: Callable[[dict[str, Tensor]], None]) -> None:
        """Hand the checkpoint to ``take`` where there is one. Raises InputError where it is
        damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.folder / STATE
        if not path.exists():
            return
        try:
            take(load_file(path))
        except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
            raise InputError(
                f"{path} is not a checkpoint of this training ({reason}): delete {self.folder} to"
                " begin again"
            ) from error

    def remove(self) -> None:
        """The result is in place: the checkpoint has served."""
        shutil.rmtree(self.folder)
