"""The pointer on the training curves carries a cross-hair in every panel, however many runs are
drawn."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.figures.curve_data import RunCurves
from cdp.figures.curves import Look, training_curves


@pytest.mark.parametrize("count", [1, 20])
def test_every_panel_has_lines_through_the_pointer_along_and_across(count: int) -> None:
    e = np.arange(1.0, 11)
    columns = {
        "epoch": e,
        "robust_accuracy": e / 100,
        "clean_accuracy": e / 50,
        "n": 0 * e + 100,
        "loss": 1 / e,
        "learning_rate": 1 / e,
    }
    layout = training_curves(
        [RunCurves(f"r{k}", f"r{k}", f"r{k}", columns) for k in range(count)], Look()
    ).figure["layout"]
    axes = [value for name, value in layout.items() if name.startswith(("xaxis", "yaxis"))]
    assert len(axes) == 8
    assert all(axis["showspikes"] and axis["spikemode"] == "across" for axis in axes)
    assert {value["spikesnap"] for name, value in layout.items() if name.startswith("xaxis")} == {
        "hovered data"
    }
