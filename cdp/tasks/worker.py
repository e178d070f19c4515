"""The process of one background run: ``python -m cdp.tasks.worker [--threads N] [--slots N]
RUN_FOLDER``."""

import argparse
import logging
import os
import sys
from pathlib import Path

from cdp.work.registry import TASKS
from cdp.work.worker import main

_LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=0, help="of each computing library")
    parser.add_argument("--slots", type=int, default=0, help="runs that may work at a time")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.threads:  # before torch is loaded
        os.environ |= dict.fromkeys(_LIBRARIES, str(given.threads))
    if given.slots:
        os.environ["CDP_SLOTS"] = str(given.slots)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    sys.exit(main(given.folder.resolve(), TASKS))
