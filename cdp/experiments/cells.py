"""The states of an experiment's cells on disk, in its run's folder: which set, training and
evaluation each came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cdp.errors import InputError
from cdp.files.atomic import read_json, write_json
from cdp.values.experiment import CellState

CELLS = "cells.json"
Key = tuple[str, int]
"""Arm and seed."""
_STATES = TypeAdapter(tuple[CellState, ...])


def read_cells(folder: Path) -> dict[Key, CellState]:
    """What is known of each cell; {} before the first. Raises InputError where the file is
    damaged."""
    stored = read_json(folder / CELLS)
    if stored is None:
        return {}
    try:
        states = _STATES.validate_python(stored.get("cells"))
    except ValidationError as error:
        raise InputError(
            f"{folder / CELLS} is damaged: delete it and resume the experiment, which finds again"
            " what is done"
        ) from error
    return {(state.arm, state.seed): state for state in states}


def write_cells(folder: Path, states: Iterable[CellState], more: Mapping[str, Any]) -> None:
    """Keep them. more: what else has to survive a stop."""
    write_json(folder / CELLS, {"cells": [asdict(state) for state in states], **more})


def read_more(folder: Path) -> dict[str, Any]:
    """What was kept beside them."""
    stored = read_json(folder / CELLS) or {}
    return {name: value for name, value in stored.items() if name != "cells"}
