"""What a person waits for between pages: the first page of a fresh server, painted in a browser,
beside that of a Streamlit script of one heading; and the server's part of 20 page changes in a row,
each page's first visit among them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.browsing import browsing
from benchmarks.measuring import spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.errors import CdpError
from cdp.paths import ROOT

NAME, TITLE = "page_changes", "Painting the first page, and changing pages"
PAGES = (
    "experiment",
    "generate",
    "gallery",
    "explore",
    "train",
    "evaluate",
    "compare",
    "lab",
    "theory",
    "data",
)
"""Twice each."""
_EMPTY = 'import streamlit as st\nst.title("Nothing else")\n'
_CHANGES = f"""
import json, time
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(ROOT / "app.py")!r}, default_timeout=120).run()
seconds = []
for page in {2 * PAGES!r}:
    began = time.perf_counter()
    app.switch_page(f"pages/{{page}}.py").run()
    seconds.append(time.perf_counter() - began)
    assert not app.exception, page
print(json.dumps(seconds))
"""


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Seconds until Home's heading is seen; of every page change the script's run; settings."""
    rounds = 1 if options.quick else min(options.repeats, 5)
    painted, empty, slowest, usual = [], [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            painted.append(_first_paint(Path(folder), ROOT / "app.py"))
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "empty.py"
            script.write_text(_EMPTY, encoding="utf-8")
            empty.append(_first_paint(Path(folder), script))
        changes = _changes()
        slowest.append(max(changes))
        usual.append(spread(changes).value)
    return [
        Figure.of_spread("home to first paint", spread(painted), "s", Target("<=", 0.8)),
        Figure.of_spread("a script of one heading to first paint", spread(empty), "s"),
        Figure.of_spread(
            "20 page changes, server time of the slowest", spread(slowest), "s", Target("<=", 0.5)
        ),
        Figure.of_spread("20 page changes, server time of the usual one", spread(usual), "s"),
    ], {"pages": list(2 * PAGES)}


def _first_paint(folder: Path, script: Path) -> float:
    """From asking a server that nobody has visited yet to the page's heading."""
    with browsing(folder, script) as (page, server):
        began = time.perf_counter()
        page.goto(server.url, wait_until="commit")
        page.get_by_role("heading", level=1).wait_for()
        return time.perf_counter() - began


def _changes() -> list[float]:
    """In a process of its own, with an empty workspace."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", _CHANGES],
            cwd=ROOT,
            env=os.environ | {"CDP_HOME": home, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise CdpError(f"the child process failed: {done.stderr.strip()[-400:]}")
    return [float(value) for value in json.loads(done.stdout.splitlines()[-1])]
