"""The process of one background run: ``python -m cdp.tasks.worker [--threads N] [--slots N]
RUN_FOLDER``."""

import argparse
import logging
import os
import sys
from pathlib import Path

from cdp.files.private import make_private
from cdp.work.registry import TASKS
from cdp.work.slots import LIBRARIES, threads_of_a_slot
from cdp.work.worker import main

if __name__ == "__main__":
    make_private()
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=0, help="of each computing library")
    parser.add_argument("--slots", type=int, default=0, help="runs that may work at a time")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.slots:
        os.environ["CDP_SLOTS"] = str(given.slots)
    if threads := given.threads or threads_of_a_slot():  # before torch is loaded
        os.environ |= dict.fromkeys(LIBRARIES, str(threads))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    sys.exit(main(given.folder.resolve(), TASKS))
