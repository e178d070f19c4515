"""A file that follows a recipe of CONTRIBUTING.md, and the command line of a program that
has it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cdp.paths import ROOT


def load(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, source: str) -> None:
    """Write the module and import it here."""
    (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.import_module(name)


def command(folder: Path, name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """``python -m cdp`` of a process that has the module."""
    return subprocess.run(
        [sys.executable, "-c", f"import {name}; from cdp.cli.main import main; main()", *args],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
