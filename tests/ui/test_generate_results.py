"""The sentences of a generation never claim what the interval does not; what is taken away carries
the settings that would make exactly these images again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.presets import preset
from cdp.data.npz import npz_bytes, read_npz
from cdp.figures.generation import report_rows
from cdp.ui.generate.detail import judge_says
from cdp.ui.generate.live import status_line
from cdp.ui.generate.results import arm_of
from cdp.ui.kit.sheet import settings_from_png, sheet_png
from cdp.work.live import Job
from tests.ui.worlds import result_of


def test_the_judges_view_of_an_image_names_both_arms_and_keeps_silent_without_a_judge() -> None:
    names, both = ("shirt", "shoe"), result_of(GenerateConfig())
    assert judge_says(both, 1, names).endswith(
        "guided shoe (98 % confident), unguided shirt (61 % confident)."
    )
    assert "guided class 2 (98 %" in judge_says(both, 2, names)
    assert judge_says(result_of(preset("unguided")), 0, names).endswith(
        "sees: shirt (98 % confident)."
    )
    assert judge_says(replace(both, guided_view=None, unguided_view=None), 0, names) == ""
    assert judge_says(both, 10**6, names) == ""


def test_the_csv_has_every_number_of_the_sentences() -> None:
    rows = report_rows(result_of(GenerateConfig()))
    assert list(rows[0]) == ["arm", "measure", "value", "low", "high", "n", "level"]
    assert len(rows) == 3 * 2


def test_each_arm_is_saved_with_the_settings_that_make_it() -> None:
    config = GenerateConfig(count=12, seed=4)
    # A job that was stopped has the settings of the images it finished.
    job, result = Job(unflatten({"count": 500}, config), compare=True), result_of(config)
    own, image = arm_of(job, result, guided=True)
    assert own == config and len(image) == 12 and (image == 200).all()
    own, image = arm_of(job, result, guided=False)
    assert own == unflatten({"loss": "none", "strength": 0.0}, config) and (image == 100).all()
    assert settings_from_png(sheet_png(image, flatten(own))) == flatten(own)


def test_a_downloaded_npz_holds_the_images_and_labels(tmp_path: Path) -> None:
    result, path = result_of(GenerateConfig(count=12)), tmp_path / "set.npz"
    path.write_bytes(npz_bytes(result.guided, result.label))
    image, label = read_npz(path)
    np.testing.assert_array_equal(image, result.guided)
    np.testing.assert_array_equal(label, result.label)


def test_a_waiting_job_says_what_it_waits_for() -> None:
    """The worker is loading models, busy with another tab's job, or has others in line before this
    one."""

    def waiting(position: int) -> Job:
        return type("Waiting", (Job,), {"position": position})(GenerateConfig(), compare=True)

    assert status_line(waiting(1), warming=True) == "Loading the models"
    assert status_line(waiting(1), warming=False) == "Next in the queue"
    assert status_line(waiting(3), warming=True) == "In the queue, 2 before it"
