"""The number that a finished cell came to, for choosing between arms. Robust and clean accuracy are
those of the training's own validation images: test images report, they do not choose."""

from __future__ import annotations

from functools import lru_cache

from cdp.config.experiment import SAMPLES_ONLY
from cdp.errors import MissingError
from cdp.results.reached import reached_of
from cdp.values.experiment import CellState
from cdp.work.records import get_run


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
