"""What is taken away carries the settings that would make exactly these images again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.data.npz import read_npz
from cdp.ui.generate.results import arm_of, npz_bytes
from cdp.ui.kit.sheet import settings_from_png, sheet_png
from cdp.work.live import Job
from tests.ui.worlds import result_of

CONFIG = GenerateConfig(count=12, seed=4)


def test_the_guided_arm_has_the_settings_of_the_job() -> None:
    config, image = arm_of(Job(CONFIG, compare=True), result_of(CONFIG), guided=True)
    assert config == CONFIG
    assert (image == 200).all()


def test_the_unguided_arm_has_settings_that_make_it_without_a_guide() -> None:
    config, image = arm_of(Job(CONFIG, compare=True), result_of(CONFIG), guided=False)
    assert (config.guidance.loss, config.guidance.strength, config.seed, config.count) == (
        "none",
        0.0,
        4,
        12,
    )
    assert (image == 100).all()


def test_a_stopped_job_has_the_settings_of_the_images_it_finished() -> None:
    asked = unflatten({"count": 500}, CONFIG)
    config, image = arm_of(Job(asked, compare=True), result_of(CONFIG), guided=True)
    assert config == CONFIG
    assert len(image) == config.count


def test_a_downloaded_sheet_gives_its_settings_back() -> None:
    config, image = arm_of(Job(CONFIG, compare=True), result_of(CONFIG), guided=False)
    assert settings_from_png(sheet_png(image, flatten(config))) == flatten(config)


def test_a_downloaded_npz_holds_the_images_and_labels(tmp_path: Path) -> None:
    result = result_of(CONFIG)
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(result.guided, result.label))
    image, label = read_npz(path)
    np.testing.assert_array_equal(image, result.guided)
    np.testing.assert_array_equal(label, result.label)
