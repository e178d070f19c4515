"""Which runs a comparison is of: trainings by id, joined into arms where they differ in their seed
only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdp import paths
from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.train import TrainConfig
from cdp.data.sets import trash_dir
from cdp.errors import MissingError
from cdp.values.naming import common_name, told_apart
from cdp.work.records import Run, get_run

_LONGEST_ID = 200


@dataclass(frozen=True)
class Group:
    """Runs that become one arm, no seed twice. settings: JSON-ready, those of all of them, without
    the seed; config: of the first."""

    name: str
    runs: tuple[Run, ...]
    config: TrainConfig
    settings: Mapping[str, Any]


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """Everything but the seed, JSON-ready."""
    return config.model_dump(mode="json", exclude={"seed"})


def settings_key(run: Run) -> str:
    """Equal for runs of the same settings, whatever their seed; the id of a run that is no training
    or cannot be read."""
    return (
        json.dumps(settings_of(run.config), sort_keys=True)
        if isinstance(run.config, TrainConfig)
        else run.id
    )


def groups_of(runs: Sequence[Run]) -> dict[str, str]:
    """For each run id what it shares with the other seeds of the same settings. A seed counts once:
    its second run stands alone."""
    found: dict[str, str] = {}
    taken: set[tuple[str, int]] = set()
    for run in runs:
        found[run.id] = run.id
        if isinstance(run.config, TrainConfig):
            settings = settings_key(run)
            if (settings, run.config.seed) not in taken:
                found[run.id] = settings
                taken.add((settings, run.config.seed))
    return found


def found_runs(ids: Iterable[str]) -> tuple[list[Run], list[str]]:
    """The trainings of these ids, each once and in their order; and what is not among them, one
    sentence each."""
    runs, missing = [], []
    for run_id in dict.fromkeys(ids):
        run = _run(run_id)
        reason = (
            f"Run {run_id[:80]!r} is not here: {_remedy(run_id)}." if run is None else _unfit(run)
        )
        if reason:
            missing.append(reason)
        elif run is not None:
            runs.append(run)
    return runs, missing


def _run(run_id: str) -> Run | None:
    try:
        return get_run(run_id) if len(run_id) <= _LONGEST_ID else None
    except MissingError:
        return None


def _remedy(run_id: str) -> str:
    place = trash_dir() / f"run-{run_id}"
    if run_id and "/" not in run_id and len(run_id) <= _LONGEST_ID and place.is_dir():
        return f"it was deleted; moving {place} to {paths.runs_dir() / run_id} restores it"
    return "it was deleted, or is of another workspace; leave it out of the comparison"


def _unfit(run: Run) -> str:
    """Why a run cannot be compared, "" where it can."""
    name = f"Run {run.name[:80]} ({run.id})"
    if run.config is None:
        return f"{name} is damaged: {run.error}."
    if isinstance(run.config, TrainConfig):
        return ""
    of = run.config.model if isinstance(run.config, EvaluateConfig) else ""
    other = of.removeprefix(RUN) if of.startswith(RUN) else "a training"
    return f"{name} is no training but of kind {run.kind}: compare {other} in its place."


def grouped(runs: Sequence[Run], *, groups: bool) -> tuple[list[Group], list[str]]:
    """The arms in the order of their first run, each with a name of its own, and notes on runs that
    stand alone beside their like.

    groups: False gives every run its own arm.
    """
    of = groups_of(runs) if groups else {run.id: run.id for run in runs}
    parts: dict[str, list[Run]] = {}
    for run in runs:
        parts.setdefault(of[run.id], []).append(run)
    together = [tuple(part) for part in parts.values()]
    names = [
        part[0].name if len(part) == 1 else common_name([run.name for run in part])
        for part in together
    ]
    names = told_apart(names, [part[0].id for part in together])
    found = []
    for name, part in zip(names, together, strict=True):
        config = part[0].config
        if isinstance(config, TrainConfig):
            found.append(Group(name, part, config, settings_of(config)))
    return found, [_alone(run, runs) for run in runs if groups and of[run.id] == run.id]


def _alone(run: Run, runs: Sequence[Run]) -> str:
    """What is said of a second run of the same settings and seed."""
    twin = next(other for other in runs if other.config == run.config)
    seed = run.config.seed if isinstance(run.config, TrainConfig) else ""
    return (
        f"{run.name} ({run.id}) has the settings and the seed {seed} of {twin.name} ({twin.id}), so"
        " it stands as an arm of its own."
    )
