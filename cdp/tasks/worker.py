"""The process of one background run: ``python -m cdp.tasks.worker RUN_FOLDER``."""

import logging
import sys
from pathlib import Path

from cdp.work.registry import TASKS
from cdp.work.worker import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    sys.exit(main(Path(sys.argv[1]).resolve(), TASKS))
