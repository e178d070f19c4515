"""Parts of the pages that need no running app: what painting loads, and what a waiting job says."""

import subprocess
import sys

from cdp import paths
from cdp.config.generate import GenerateConfig
from cdp.ui.generate.live import status_line
from cdp.work.live import Job

APP = str(paths.ROOT / "app.py")


def test_painting_the_pages_loads_none_of_the_heavy_libraries() -> None:
    script = (
        f"import sys; from streamlit.testing.v1 import AppTest; app = AppTest.from_file({APP!r},"
        " default_timeout=60).run(); assert not app.exception;"
        " app.switch_page('pages/generate.py'); app.run(); assert not app.exception; print([m for"
        " m in ('torch', 'diffusers', 'umap', 'sklearn', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=paths.ROOT,
    )
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


def test_a_waiting_job_says_what_it_waits_for() -> None:
    """The worker is loading models, busy with another tab's job, or has others in line before this
    one."""

    def waiting(position: int) -> Job:
        return type("Waiting", (Job,), {"position": position})(GenerateConfig(), compare=True)

    assert status_line(waiting(1), warming=True) == "Loading the models"
    assert status_line(waiting(1), warming=False) == "Next in the queue"
    assert status_line(waiting(3), warming=True) == "In the queue, 2 before it"
