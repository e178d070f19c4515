"""Pages are painted without what takes seconds to import: networks, projections, statistics."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from cdp import paths
from cdp.data.sets import save_set
from tests.evaluations import write_evaluation
from tests.ui.compare_runs import two_groups
from tests.ui.pages import APP

HEAVY = "{'torch', 'diffusers', 'umap', 'sklearn', 'mlflow'}"
LATER = "{'scipy', 'cdp.figures.frame'}"
"""Of Compare and Evaluate, which have a table or a list to paint first."""
SCRIPT = f"""
import sys
from streamlit.testing.v1 import AppTest

app = AppTest.from_file({APP!r}, default_timeout=60).run()
for page in ("evaluate", "compare", "home", "experiment", "generate", "gallery", "explore", "train", "data"):
    app.switch_page(f"pages/{{page}}.py")
    app.run()
    assert not app.exception, page
    heavy = {HEAVY} | ({LATER} if page in ("evaluate", "compare") else set())
    assert not heavy & set(sys.modules), (page, heavy & set(sys.modules))
"""


def test_no_page_imports_what_takes_seconds_before_it_is_painted() -> None:
    image = np.zeros((8, 28, 28, 1), np.uint8)
    save_set("made", image, np.arange(8) % 2, {"class_names": ["a", "b"], "source": "test"})
    two_groups(evaluated=False)
    write_evaluation("e", None, state="failed", error="the disk is full", created=9e9)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(paths.ROOT)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
