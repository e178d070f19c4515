"""Arms of trainings with evaluations, written by hand: for tests of comparisons."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cdp import paths
from cdp.values.comparison import Comparison, Difference, Metric
from cdp.work.records import Run
from tests.evaluations import report, write_evaluation
from tests.ui.train_runs import SHORT, train_run

N = 400


def training(
    run_id: str,
    seed: int = 0,
    *,
    name: str = "",
    epochs: int = 3,
    state: str = "finished",
    **settings: Any,
) -> Run:
    """A training whose journal has ``epochs`` points on 500 validation images: 52 %, 54 %, 56 %
    robust, 70 % clean."""
    config = SHORT.model_copy(update={"seed": seed} | settings)
    return train_run(run_id, name=name or run_id, config=config, epochs=epochs, state=state)


def evaluated(
    run_id: str,
    robust: float,
    *,
    clean: float = 0.8,
    seed: int = 0,
    n: int = N,
    tag: str = "",
    created: float = 1e9,
    **change: Any,
) -> Path:
    """A finished evaluation of that training; ``change`` replaces fields of its report."""
    found = report(n, robust=robust, clean=clean, seed=seed, run=run_id, name=run_id, **change)
    return write_evaluation(f"e-{run_id}{tag}", found, created=created)


def arm(
    name: str, robust: Mapping[int, float], *, clean: float = 0.8, **settings: Any
) -> list[str]:
    """One training with one evaluation a seed, called ``name-s0`` and so on; their ids."""
    ids = []
    for seed, value in robust.items():
        ids.append(f"{name}-s{seed}")
        training(ids[-1], seed, **settings)
        evaluated(ids[-1], value, clean=clean, seed=seed)
    return ids


def took(run_id: str, steps: int, images: int) -> None:
    """Have a training's journal say that it took so many optimiser steps, and saw so many
    images."""
    path = paths.runs_dir() / run_id / "metrics.jsonl"
    points = [json.loads(line) for line in path.read_text().splitlines()]
    for number, point in enumerate(points, 1):
        point["values"] |= {
            "step": steps * number // len(points),
            "images": images * number // len(points),
        }
    path.write_text("".join(json.dumps(point) + "\n" for point in points))


def write_card(
    run_id: str,
    folder: Path,
    images: int,
    sets: Sequence[str],
    *,
    created: str = "2026-11-01",
    sha: str = "ab" * 32,
) -> None:
    """The card of a best classifier, as far as it tells of synthetic sets. images: of each set."""
    marks = [
        {"name": name, "images": images, "created": created, "card_sha256": sha} for name in sets
    ]
    (folder / run_id / "best").mkdir(parents=True)
    (folder / run_id / "best" / "card.json").write_text(
        json.dumps({"training": {"synthetic_images": images * len(sets)}, "sets": marks})
    )


def difference(
    found: Comparison, metric: Metric = "robust", first: int = 0, second: int = 1
) -> Difference:
    """That of two arms, by their places."""
    names = found.arms[first].name, found.arms[second].name
    return next(
        one for one in found.differences if (one.metric, one.first, one.second) == (metric, *names)
    )
