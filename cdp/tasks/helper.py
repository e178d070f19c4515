"""The helper process of ``cdp.work.helper``: ``python -m cdp.tasks.helper``."""

import sys

from cdp.tasks.registry import TASKS
from cdp.work.helper import serve

if __name__ == "__main__":
    sys.exit(serve(TASKS))
