"""The real worker without MLflow, which has tests of its own: ``python untracked_worker.py
RUN_FOLDER``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from cdp.work.registry import TASKS
from cdp.work.worker import main
from tests.work.stub_worker import Untracked

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    sys.exit(main(Path(sys.argv[1]), TASKS, Untracked))
