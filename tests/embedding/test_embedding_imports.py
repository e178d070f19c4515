"""The metrics must stay cheap to import: the UI's report path reaches them."""

from __future__ import annotations

import subprocess
import sys


def test_the_metrics_import_without_torch_scipy_or_scikit_learn() -> None:
    code = (
        "import sys, cdp.embedding.report, cdp.embedding.intervals; print(*{'torch', 'scipy',"
        " 'sklearn'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
