"""Trainings in two groups of seeds with their evaluations, and the hands and eyes that tests of the
Compare page have."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from cdp import paths
from cdp.ui.kit.words import split_verdict
from tests.evaluations import report, write_evaluation
from tests.ui.curve_runs import write_run
from tests.ui.pages import opened

ARMS = {"plain": (0.58, 0.82), "guided": (0.63, 0.81)}
"""Robust and clean accuracy of each group."""
IDS = tuple(f"{arm}-s{seed}" for arm in ARMS for seed in range(2))


def training(run_id: str, *, name: str = "", created: float = 1e9, **settings: Any) -> None:
    """A finished training of 12 epochs. name: as its id where not given."""
    settings = {"real": 2000, "architecture": "small-cnn"} | settings
    folder = write_run(run_id, epochs=12, total=12, **settings)
    record = json.loads((folder / "config.json").read_text())
    record |= {"name": name or run_id, "created": created}
    (folder / "config.json").write_text(json.dumps(record))


def two_groups(*, evaluated: bool = True, n: int = 400) -> None:
    """Two seeds of each arm; the second group differs in beta, and is more robust."""
    for number, (arm, (robust, clean)) in enumerate(ARMS.items()):
        for seed in range(2):
            run_id = f"{arm}-s{seed}"
            training(run_id, seed=seed, beta=6.0 + number, created=1e9 + 10 * number + seed)
            if evaluated:
                # Another spread in each, as no two seeds ever differ by the same.
                found = report(
                    n,
                    robust=robust + (5 + 7 * number) / 1000 * seed,
                    clean=clean + 0.005 * seed,
                    seed=seed,
                    run=run_id,
                    name=run_id,
                )
                write_evaluation(f"e-{run_id}", found, created=2e9 + seed)


def page(**params: str) -> AppTest:
    return opened("compare", **params)


def table(app: AppTest) -> Any:
    """The run table, as pandas has it."""
    return app.dataframe[0].value


def says(text: str, verdict: str) -> bool:
    """Whether a page says a verdict, and what it rests on."""
    return all(part in text for part in split_verdict(verdict))


def names(app: AppTest) -> list[str]:
    return list(table(app)["Name"])


def labels(run_id: str) -> dict[str, Any]:
    """What a person has said of a run."""
    found: dict[str, Any] = json.loads((paths.runs_dir() / run_id / "labels.json").read_text())
    return found
