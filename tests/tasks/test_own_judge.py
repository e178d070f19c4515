"""The judge of a data set that grows while the app runs, and whose held-out images lack a class."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from cdp import paths
from cdp.data.sets import save_set
from cdp.tasks.judge import baseline, verdict
from tests.tasks.small_world import JUDGE, real


def test_a_judge_may_come_later_and_a_class_may_lack_images(cdp_home: Path) -> None:
    image, label, names = real("train")
    held, held_label, _ = real("test")
    some = held_label[:200] != 0
    for name, rows in (
        ("growing", (image[:300], label[:300])),
        ("growing-test", (held[:200][some], held_label[:200][some])),
    ):
        save_set(name, *rows, {"class_names": names, "source": "test"})
    assert baseline("growing") is None
    shutil.copytree(JUDGE, paths.encoders_dir() / "growing" / "judge")
    assert baseline("growing") is not None
    everything = verdict("growing", label[300:400], np.asarray(image[300:400]), None).guided
    assert everything.agreement is not None
    assert everything.nearest is None
    rest = label[300:400] != 0
    assert (
        verdict(
            "growing", label[300:400][rest], np.asarray(image[300:400])[rest], None
        ).guided.nearest
        is not None
    )
