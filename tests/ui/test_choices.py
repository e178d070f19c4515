"""What can be chosen by name: new sets are seen at once, and each page is offered what it
can use."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cdp.data.sets import delete_set, save_set
from cdp.ui.kit.choices import read_choices


def test_a_set_is_offered_as_soon_as_it_is_saved_and_gone_as_soon_as_it_is_deleted(
    cdp_home: Path,
) -> None:
    image, label = np.zeros((6, 8, 8, 1), np.uint8), np.arange(6) % 2
    assert "made" not in read_choices().sets
    save_set("made", image, label, {"class_names": ["a", "b"], "source": "test"})
    choices = read_choices()
    assert choices.sets["made"].count == 6 and "made" in choices.explorable
    assert choices.imported == ("made",)
    delete_set("made")
    assert "made" not in read_choices().sets


def test_the_shipped_encoders_are_offered_to_each_page_as_it_can_use_them() -> None:
    choices = read_choices()
    assert "judge" not in choices.guides("fashion-mnist")
    assert choices.eyes(["fashion-mnist:test"])[0] == "judge"
    assert next(iter(choices.classifiers("fashion-mnist"))) == "robust"
    assert choices.classifiers("fashion-mnist")["robust"].trained_for == {"linf": 0.1}
    assert next(iter(choices.shipped_and_own())).endswith("robust")
