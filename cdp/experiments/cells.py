"""The states of an experiment's cells on disk, in its run's folder: which set, training and
evaluation each came to, and the numbers of those.

Arms are chosen by the robust and clean accuracy of the training's own validation images: test
images report, they do not choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cdp.config.experiment import SAMPLES_ONLY
from cdp.errors import InputError, MissingError
from cdp.files.atomic import write_json
from cdp.files.reading import read_json, read_object
from cdp.results.reached import reached_of
from cdp.values.experiment import CellState
from cdp.work.records import get_run

CELLS = "cells.json"
Key = tuple[str, int]
"""Arm and seed."""
States = dict[Key, CellState]
_STATES = TypeAdapter(tuple[CellState, ...])


def read_cells(folder: Path) -> dict[Key, CellState]:
    """What is known of each cell; {} before the first. Raises InputError where the file is
    damaged."""
    path, remedy = folder / CELLS, "delete it and resume the experiment, which finds what is done"
    try:
        stored = read_object(path, missing="", remedy=remedy)
        states = _STATES.validate_python(stored.get("cells"))
    except MissingError:
        return {}
    except ValidationError as error:
        raise InputError(f"{path} is damaged: {remedy}") from error
    return {(state.arm, state.seed): state for state in states}


def write_cells(folder: Path, states: Iterable[CellState], more: Mapping[str, Any]) -> None:
    """Keep them. more: what else has to survive a stop."""
    write_json(folder / CELLS, {"cells": [asdict(state) for state in states], **more})


def read_more(folder: Path) -> dict[str, Any]:
    """What was kept beside them."""
    stored = read_json(folder / CELLS) or {}
    return {name: value for name, value in stored.items() if name != "cells"}


def selection_value(state: CellState, objective: str) -> float | None:
    """None where it is not known. Shares in 0..1; separation, Frechet distance and the
    nearest-image ratio as they are."""
    if objective in SAMPLES_ONLY:
        return state.measured.get(objective)
    return _validated(state.train, objective) if state.train else None


@lru_cache(maxsize=10_000)
def _of_finished(run_id: str, objective: str, ended: float) -> float | None:
    reached = reached_of(get_run(run_id))
    return reached.best_robust if objective == "robust" else reached.best_clean


def _validated(run_id: str, objective: str) -> float | None:
    try:
        run = get_run(run_id)
    except MissingError:
        return None
    return _of_finished(run_id, objective, run.ended or 0.0) if run.over else None


def reported_value(state: CellState, objective: str) -> float | None:
    """The number that is reported: of the evaluation where there is one, else as chosen by."""
    if objective in SAMPLES_ONLY or not state.evaluate:
        return selection_value(state, objective)
    try:
        value = (get_run(state.evaluate).result or {}).get(f"{objective}_accuracy")
    except MissingError:
        return None
    return float(value) if isinstance(value, int | float) else None
