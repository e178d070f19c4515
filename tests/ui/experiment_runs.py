"""Experiments on disk, written by hand: their run folder with the states of their cells."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import psutil

from cdp import paths
from cdp.config.experiment import ExperimentConfig
from cdp.config.generate import GenerateConfig, flatten
from cdp.config.knobs import parse
from cdp.data.sets import save_set
from cdp.experiments.cells import write_cells
from cdp.values.experiment import CellState
from cdp.work.records import Run, get_run
from tests.ui.compare_runs import two_groups

SHORT = {"name": "night", "real": 300, "seeds": [0, 1], "generate": {"count": 8, "steps": 5}}
GRID = {"generate.strength": [0.1, 0.2], "generate.temperature": [0.05, 0.1]}


def experiment_run(
    config: ExperimentConfig,
    cells: Iterable[CellState],
    *,
    run_id: str = "20261130-070000-aaaaaa",
    state: str = "finished",
    **status: Any,
) -> Run:
    """The folder of an experiment whose cells stand so."""
    folder = paths.runs_dir() / run_id
    folder.mkdir(parents=True)
    record = {"kind": "experiment", "name": config.name, "created": 1e9}
    record["config"] = config.model_dump(mode="json")
    (folder / "config.json").write_text(json.dumps(record))
    (folder / "status.json").write_text(json.dumps({"state": state, "started": 1e9} | status))
    if state == "running":
        process = {"pid": os.getpid(), "began": psutil.Process().create_time()}
        (folder / "process.json").write_text(json.dumps(process))
    write_cells(folder, cells, {})
    return get_run(run_id)


def measured_grid() -> Run:
    """A finished grid over strength and temperature, of samples only: agreement rises with
    strength. Every arm has a set."""
    config = parse(ExperimentConfig, SHORT | {"grid": GRID, "stage": "samples"})
    cells = []
    for arm, _ in config.all_arms():
        strength = 0.2 if "0.2" in arm else 0.1 if "0.1," in arm else 0.0
        for seed in config.seeds:
            name = f"{arm.replace(' ', '-').replace(',', '')}-s{seed}"
            made_set(name, {"loss": "supcon" if strength else "none", "strength": strength})
            figures = {"agreement": 0.8 + strength / 2 + 0.003 * seed, "coverage": 0.5}
            cells.append(CellState(arm, seed, "done", set=name, measured=figures))
    return experiment_run(config, cells)


def made_set(name: str, settings: Mapping[str, Any]) -> None:
    card = flatten(GenerateConfig()) | {"count": 8} | dict(settings)
    image = np.full((8, 28, 28, 1), 90, np.uint8)
    names = [f"class {k}" for k in range(8)]
    origin = {"class_names": names, "source": "test", "dataset": "fashion-mnist", "config": card}
    save_set(name, image, np.arange(8), origin)


def trained(*, state: str = "finished", open_cell: CellState | None = None) -> Run:
    """Two arms over two seeds, trained and evaluated; ``open_cell`` stands in for its own."""
    two_groups()
    arms = {"plain": {"generate": {"preset": "unguided"}}, "guided": {"generate": {}}}
    config = parse(ExperimentConfig, SHORT | {"arms": arms, "control": "plain"})
    states = {
        (arm, seed): CellState(
            arm, seed, "done", set=f"set-{arm}", train=f"{arm}-s{seed}", evaluate=f"e-{arm}-s{seed}"
        )
        for arm in arms
        for seed in (0, 1)
    }
    if open_cell is not None:
        states[open_cell.arm, open_cell.seed] = open_cell
    return experiment_run(config, states.values(), state=state)
