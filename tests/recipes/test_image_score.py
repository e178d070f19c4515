"""The recipe of a score of an image: one entry, and the function that it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cdp.data.sets import open_set, save_set
from cdp.tasks.scoring import SCORES, score_set
from tests.recipes.program import command, load

SOURCE = """
from cdp.tasks.scoring import SCORES, Score


def brightness(seen):
    return seen.image.mean(axis=(1, 2, 3)) / 255


SCORES["brightness"] = Score(
    "Brightness", "", "Mean of the pixels, 0 to 1.", brightness, labels=False, criterion=True
)
"""


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    before = dict(SCORES)
    load(monkeypatch, tmp_path, "image_score_added", SOURCE)
    image = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
    save_set("noise", image, np.arange(40) % 2, {"class_names": ["a", "b"]})
    yield tmp_path
    SCORES.clear()
    SCORES.update(before)


def test_it_scores_images_and_is_kept(added: Path) -> None:
    image = open_set("noise").image
    first = score_set("noise", "brightness", "pixels", "").values["brightness"]
    np.testing.assert_allclose(first, image.mean(axis=(1, 2, 3)) / 255)
    # What is kept is not computed again.
    SCORES["brightness"] = replace(SCORES["brightness"], of=lambda seen: 1 / 0)
    again = score_set("noise", "brightness", "pixels", "").values["brightness"]
    assert np.array_equal(first, again)


def test_it_is_offered_on_the_page_and_selects_from_the_command_line(added: Path) -> None:
    from cdp.ui.explore.keep import criteria

    assert "brightness" in criteria()
    asked = ("select", "noise", "--encoder", "pixels", "--out", "bright", "--keep", "10")
    done = command(added, "image_score_added", *asked, "--by", "brightness", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "bright"
    kept = open_set("bright").image.mean(axis=(1, 2, 3))
    assert len(kept) == 10 and kept.mean() > open_set("noise").image.mean() + 1
    refused = command(added, "image_score_added", *asked, "--by", "beauty")
    assert refused.returncode == 2 and "choose one of separability" in refused.stderr
    assert "brightness" in refused.stderr
