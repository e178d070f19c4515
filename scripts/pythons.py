"""Run the quick tests under every supported Python that can be had, each in an environment of its own
made from the locks: ``make test-pythons``. Says which were left out, and why."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from cdp.paths import ROOT
from scripts.lock import CPU_INDEX, LOCKS, UV, tool

PYTHONS = ("3.11", "3.12", "3.13")
QUICK = (
    *("data", "diffusion", "files", "figures", "guidance", "models", "reports", "results"),
    *("robust", "statistics", "theory", "values", "recipes"),
    *("test_config.py", "test_config_train.py", "test_fields.py", "test_home.py"),
    *("test_house_imports.py", "work/test_queue.py", "work/test_runs.py"),
)
"""Tests that take minutes together and touch every library."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
}


def main() -> int:
    """0 where all that could be had pass, and one could."""
    said: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        uv = tool(Path(name) / "uv", UV, "uv")
        for python in PYTHONS:
            said[python] = _tried(uv, Path(name) / python, python)
    for python, words in said.items():
        print(f"Python {python}: {words}")
    outcomes = [words for words in said.values() if not words.startswith("left out")]
    return 0 if outcomes and set(outcomes) == {"passed"} else 1


def _tried(uv: Path, folder: Path, python: str) -> str:
    known = sorted((Path.home() / ".pyenv" / "versions").glob(f"{python}.*/bin/python"))
    which = str(known[-1]) if known else python
    made = subprocess.run(
        [str(uv), "venv", "--quiet", "--python", which, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        return f"left out: {' '.join(made.stderr.split())[:160]}"
    install = [str(uv), "pip", "install", "--quiet", "--no-deps", "--python", str(folder)]
    locks = ["runtime", "dev"]
    if version("torch").endswith("+cpu"):
        index = ["--index-url", CPU_INDEX, "-r", str(LOCKS / "cpu.txt")]
        if subprocess.run([*install, *index], check=False).returncode:
            return f"left out: {CPU_INDEX} cannot be reached"
    else:
        locks.append("cuda")
    given = [word for lock in locks for word in ("-r", str(LOCKS / f"{lock}.txt"))]
    if subprocess.run([*install, "--require-hashes", *given], check=False).returncode:
        return "the packages cannot be installed"
    tests = [str(ROOT / "tests" / place) for place in QUICK]
    pytest = [str(folder / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*pytest, *tests], env=os.environ | ENVIRONMENT, cwd=ROOT, check=False)
    return "failed" if done.returncode else "passed"


if __name__ == "__main__":
    sys.exit(main())
