"""All figures of a set of 10,000 images on the Explore page: the first time, and once they are
known. Each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measuring import spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.data.registry import load_split
from cdp.data.sets import save_set
from cdp.errors import CdpError
from cdp.paths import ROOT
from cdp.tasks.sources import balanced_rows

NAME, TITLE = "explore_numbers", "All figures of a set"
COUNT = 10_000
DATASET = "fashion-mnist"


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Seconds of ``python -m cdp measure`` with an empty cache and with a full one; settings.

    The set is made of real training images, so that the line needs no model; its figures cost the
    same as those of samples.
    """
    count = 300 if options.quick else COUNT
    cold: list[float] = []
    known: list[float] = []
    for _ in range(1 if options.quick else 3):
        with tempfile.TemporaryDirectory() as folder:
            _make_set(Path(folder), count)
            cold.append(_seconds(Path(folder), count))
            known.append(_seconds(Path(folder), count))
    figures = [
        Figure.of_spread(
            f"every figure of {count:,} images, the first time",
            spread(cold),
            "s",
            target=Target("<=", 10.0),
        ),
        Figure.of_spread(
            f"every figure of {count:,} images, known", spread(known), "s", target=Target("<=", 3.0)
        ),
    ]
    return figures, {"images": count, "rows": count, "encoder": "judge", "real images": count}


def _make_set(home: Path, count: int) -> None:
    """A set under another CDP_HOME, where the real images are unpacked already."""
    before = os.environ.get("CDP_HOME")
    os.environ["CDP_HOME"] = str(home)
    try:
        real, _ = load_split(DATASET, "train"), load_split(DATASET, "test")
        rows = balanced_rows(np.asarray(real.label), count)
        save_set(
            "timed",
            real.image[rows],
            np.asarray(real.label[rows]),
            {"dataset": DATASET, "class_names": list(real.info.classes)},
        )
    finally:
        if before is None:
            del os.environ["CDP_HOME"]
        else:
            os.environ["CDP_HOME"] = before


def _seconds(home: Path, count: int) -> float:
    """Wall seconds of the command, start of Python included."""
    command = [sys.executable, "-m", "cdp", "measure", "timed", "--rows", str(count), "--json"]
    began = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"CDP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CdpError(f"the child process failed: {done.stderr.strip()[-400:]}")
    return time.perf_counter() - began
