"""Peak memory of generating a set, for a small and a big one: each in a process of its own, at two
steps an image."""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Spread, spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.config.generate import GenerateConfig, unflatten
from cdp.errors import CdpError
from cdp.paths import ROOT

NAME, TITLE = "memory", "Peak memory of a generated set"
COUNTS = (1_000, 10_000)
ALLOWED = 50.0
"""Megabytes by which ten times the images may move the peak."""


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Peak resident memory by number of images, default preset at two steps; settings."""
    counts = (64, 640) if options.quick else COUNTS
    repeats = 1 if options.quick else 2
    peaks: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(repeats):
        for count in counts:
            peaks[count].append(_in_child(count))
    small, big = (spread(peaks[count]) for count in counts)
    apart = [b - s for b, s in zip(peaks[counts[1]], peaks[counts[0]], strict=True)]
    difference = Spread(max(apart), min(apart), max(apart), len(apart))
    figures = [
        Figure.of_spread(f"{counts[0]:,} images", small, "MB"),
        Figure.of_spread(f"{counts[1]:,} images", big, "MB"),
        Figure.of_spread(
            "difference (the largest)", difference, "MB", target=Target("<=", ALLOWED)
        ),
    ]
    return figures, {"config": _config(counts[1]).model_dump(mode="json")}


def _config(count: int) -> GenerateConfig:
    return unflatten({"count": count, "steps": 2})


def _in_child(count: int) -> float:
    """Megabytes at the peak of a fresh process that generates ``count`` images."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.memory", str(count), str(Path(folder) / "set")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CdpError(f"the child process failed: {done.stderr.strip()[-400:]}")
    return float(done.stdout)


def peak() -> float:
    """Megabytes of resident memory at this process's peak.

    VmHWM, where Linux has it: ru_maxrss of a child also holds what its parent had taken when it was
    started.
    """
    try:
        found = re.search(
            r"^VmHWM:\s+(\d+) kB$",
            Path("/proc/self/status").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    except OSError:
        found = None
    kilobytes = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 1024


def main() -> None:
    """The child: generate, and print the peak."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    from cdp.tasks.generate import generate_set

    generate_set(_config(given.count), given.out)
    print(f"{peak():.1f}")


if __name__ == "__main__":
    main()
