"""The Explore page's settings: from a link and back, what a link gets wrong, and what the map says
of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.config.explore import ExploreConfig
from cdp.data.catalog import CATALOG
from cdp.data.fitting import Labelling
from cdp.embedding.projection import poor, trust_sentence
from cdp.models.encoders import Listed
from cdp.ui.explore.form import FORM, Explored, settle
from cdp.ui.kit.choices import Choices, SavedSet
from cdp.ui.kit.settings import from_link
from cdp.values.types import MapQuality

FASHION = CATALOG["fashion-mnist"]
CHOICES = Choices(
    builtin={"fashion-mnist": FASHION},
    sets={
        name: SavedSet(count, Labelling(name, FASHION.classes, FASHION.shape), dataset)
        for name, count, dataset in (
            ("guided", 100, "fashion-mnist"),
            ("plain", 100, "fashion-mnist"),
            ("other", 7, ""),
        )
    },
    encoders={"fashion-mnist": (Listed("robust", Path(), {}), Listed("judge", Path(), {}))},
)


def linked(**params: str) -> Explored:
    held = from_link(FORM, params)
    settle(held, CHOICES)
    return held


def test_a_link_s_settings_are_taken_over() -> None:
    held = linked(sets="guided,fashion-mnist:test", method="pca", points="800", view="Numbers")
    held.show()
    assert not held.notes
    assert held.view == "Numbers"
    assert held.drawn == ExploreConfig(
        sets=("guided", "fashion-mnist:test"), method="pca", points=800
    )


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"sets": "gone"}, "gone"),
        ({"sets": "../../etc"}, "../../etc"),
        ({"encoder": "nobody"}, "nobody"),
        ({"method": "tsne"}, "tsne"),
        ({"points": "1e9"}, "points"),
        ({"points": "nan"}, "points"),
        ({"dims": "4"}, "dims"),
        ({"view": "Elsewhere"}, "Elsewhere"),
        ({"unheard": "1"}, "unheard"),
        ({"min_dist": "-1"}, "min_dist"),
        ({"seed": "x" * 500}, "seed"),
    ],
)
def test_what_a_link_gets_wrong_costs_that_setting_only_and_is_said(
    params: dict[str, str], word: str
) -> None:
    held = linked(**params | {"neighbors": "30"})
    assert len(held.notes) == 1
    assert word in held.notes[0]
    assert len(held.notes[0]) < 250
    config = held.config()
    assert config.neighbors == 30
    assert config.sets == CHOICES.first_explored or params.get("sets") is None


def test_five_sets_are_refused_with_a_word_and_doubles_count_once() -> None:
    held = linked(sets="guided,plain,other,fashion-mnist:test,fashion-mnist:train")
    assert "one to four" in held.notes[0]
    assert held.config().sets == CHOICES.first_explored
    assert linked(sets="guided,guided").config().sets == ("guided",)


def test_the_start_is_the_newest_sets_beside_real_images() -> None:
    assert CHOICES.first_explored == ("guided", "plain", "fashion-mnist:test")
    assert Choices(builtin={"mnist": FASHION}).first_explored == ("mnist:test",)


SAME, ALIKE = "draws the same layout", "a similar layout, not the same:"


@pytest.mark.parametrize(
    ("trust", "disparity", "warned", "words"),
    [
        (0.97, 0.01, False, ["those of the feature space", SAME, "10 % of", "0.970", "n = 1,000"]),
        (0.97, 0.0101, False, [ALIKE, "10 % of the map's radius"]),
        (0.97, 0.1, False, [ALIKE, "32 % of the map's radius"]),
        (0.97, 0.3, False, ["another layout", "mean nothing", "55 % of the map's radius"]),
        (0.90, 0.05, False, ["roughly right"]),
        (0.70, 0.05, True, ["Do not read"]),
        (0.97, 0.60, True, ["another layout", "mean nothing"]),
        (0.97, None, False, ["are those"]),
    ],
)
def test_the_strip_says_in_words_whether_the_map_can_be_trusted(
    trust: float, disparity: float | None, warned: bool, words: list[str]
) -> None:
    quality = MapQuality(trust, disparity, 1000, 15)
    text = trust_sentence("pca" if disparity is None else "umap", quality)
    assert poor(quality) is warned
    assert all(word in text for word in words)
    assert ("the same layout" in text) == (disparity is not None and disparity <= 0.01)
