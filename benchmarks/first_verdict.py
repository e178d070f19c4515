"""From nothing to a verdict: the Experiment page's first question with its quick settings, on a
workspace of its own, started by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.experiments.files import yaml_of
from cdp.paths import ROOT
from cdp.ui.experiment.doors import WORTH, begun
from cdp.values.types import Interval

NAME, TITLE = "first_verdict", "From nothing to a verdict"
NOTES = (
    "The first question of the Experiment page as it stands there: real images alone, with unguided and"
    " guided ones, and with as many more real ones; three paired seeds, training and PGD on test"
    " images. How many processes serve best is measured within that time."
)


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Minutes from the command to its last line, and what that says; settings."""
    experiment = begun(WORTH)
    if options.quick:
        experiment = experiment.model_copy(
            update={"seeds": (0,), "generate": {"count": 20, "steps": 2}, "real": 100}
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "verdict.yaml"
        file.write_text(yaml_of(experiment.model_copy(update={"name": "verdict"})))
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "cdp", "experiment", "run", str(file), "--json"],
            cwd=ROOT,
            env=os.environ | {"CDP_HOME": str(Path(folder) / "home")},
            stdout=subprocess.PIPE,
            check=True,
        )
        minutes = (time.perf_counter() - began) / 60
    line = json.loads(done.stdout.splitlines()[-1])
    settings = {"experiment": experiment.model_dump(mode="json"), "verdict": line["verdict"]}
    target = None if options.quick else Target("<=", 10)
    figures = [Figure("minutes to the verdict", minutes, unit="min", target=target)]
    for arm in line["arms"]:
        robust = Interval(**{"n": 0, "level": 0.95} | arm["robust"])
        figures.append(Figure.of_interval(f"robust accuracy, {arm['name']}", robust, "%"))
    return figures, settings
