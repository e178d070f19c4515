"""The helper process of ``cdp.work.helper``: ``python -m cdp.tasks.helper``."""

import sys

from cdp.files.private import make_private
from cdp.work.helper import serve
from cdp.work.registry import TASKS

if __name__ == "__main__":
    make_private()
    sys.exit(serve(TASKS))
