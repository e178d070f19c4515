"""An entry added to a registry of ``cdp.config.choices`` before anything has read it, which is what
a line in that file does: in a process of its own, with the code behind it in a module from
outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cdp.paths import ROOT


def run_with(entry: str, module: str, script: str, folder: Path) -> str:
    """What ``script`` prints. entry: a statement that adds to a registry; module: the code of
    ``addition``, which the entry names."""
    (folder / "addition.py").write_text(module, encoding="utf-8")
    path = os.pathsep.join((str(folder), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", f"from cdp.config.choices import *\n{entry}\n{script}"],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert not done.returncode, done.stderr[-3000:]
    return done.stdout
