"""A figure that is made while another thread loads pandas for the first time, as another tab may."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys, threading, time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas.core":
            half.set()
            time.sleep(0.5)

half = threading.Event()
sys.meta_path.insert(0, Slow())
threading.Thread(target=__import__, args=("pandas",)).start()
assert half.wait(20)

from cdp.figures.frame import panel

panel("finding", "note", panel_px=100, left_px=10, key="k").update_layout(shapes=[{"x0": 0}])
"""


def test_a_figure_can_be_made_while_pandas_is_half_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]
