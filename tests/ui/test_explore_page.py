"""The Explore page driven without a browser, over real sets and the real helper process: empty, a
map, numbers, a part, and broken links."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cdp.data.sets import list_sets, open_set, save_set
from cdp.ui.kit.ask import side
from tests.ui.pages import opened, served, texts

PATIENCE = 120.0


@pytest.fixture(autouse=True)
def world(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that has served a page before, and helper processes of this test's own home."""
    served(monkeypatch)
    side.clear()
    yield
    for kind in ("maps", "looks", "now"):
        side(kind).close()
    side.clear()


@pytest.fixture
def sets(world: None) -> None:
    """Three classes that lie apart in one set and close together in the other."""
    rng = np.random.default_rng(0)
    label = np.arange(120) % 3
    for name, contrast in (("spread", 200), ("tight", 30)):
        image = rng.integers(0, 40, (120, 8, 8, 1))
        for row, value in enumerate(label):
            image[row, 2 * value + 1] += contrast
        save_set(
            name, image.astype(np.uint8), label, {"class_names": ["a", "b", "c"], "source": "test"}
        )


def page(**params: str) -> AppTest:
    return opened("explore", **params)


def until(app: AppTest, there: Callable[[AppTest], bool]) -> AppTest:
    """Draw the page again until something is there: what a browser's polling does."""
    end = time.monotonic() + PATIENCE
    while not there(app):
        assert time.monotonic() < end, texts(app)
        time.sleep(0.3)
        app.run()
        assert not app.exception
    return app


def says(*words: str) -> Callable[[AppTest], bool]:
    return lambda app: all(word in texts(app) for word in words)


def test_without_sets_the_page_says_what_to_do() -> None:
    app = page()
    assert "Nothing shown yet" in texts(app)
    assert "generate some first" in texts(app)
    assert app.button(key="explore_show").label == "Show"


def test_a_map_is_drawn_and_says_how_far_it_can_be_trusted(sets: None) -> None:
    app = until(page(sets="spread,tight", encoder="pixels", method="pca"), says("trustworthiness"))
    assert "all 120 images of spread" in texts(app)
    assert "lasso" in texts(app)
    # Filters leave the images of one class, and those are what is offered for keeping.
    chosen: Any = next(box for box in app.multiselect if box.label == "Classes")
    chosen.select(1)
    app.run()
    assert "80 of 240 points are left" in texts(app)
    assert "80 selected" in texts(app)


def test_numbers_tell_the_sets_apart_in_a_sentence(sets: None) -> None:
    app = until(
        page(sets="spread,tight", encoder="pixels", view="Numbers"),
        says("How far apart are the classes?"),
    )
    assert "further apart" in texts(app)
    assert "names no data set" in texts(app)  # why fidelity is not there
    app = until(
        page(sets="spread,tight", encoder="pixels", view="Class pairs"), says("Of the 10 nearest")
    )
    assert not app.error


def test_a_part_is_kept_under_its_name_with_its_origin(sets: None) -> None:
    app = until(
        page(sets="tight", encoder="pixels", view="Keep a part"), says("nearest to the threshold")
    )
    app.button(key="keep_save").click()
    app.run()
    assert "Saved 60 images as tight-separability-60" in texts(app)
    card = open_set("tight-separability-60").card
    assert card["parent"]["name"] == "tight"
    assert card["selection"]["by"] == "separability"


def test_dropping_duplicates_alone_keeps_all_the_others(sets: None) -> None:
    tight = open_set("tight")
    twice = np.concatenate([np.asarray(tight.image), np.asarray(tight.image[:7])])
    save_set("twice", twice, np.concatenate([tight.label, tight.label[:7]]), dict(tight.card))
    app = until(
        page(sets="twice", encoder="pixels", view="Keep a part"), says("nearest to the threshold")
    )
    next(box for box in app.number_input if box.label == "Images to keep").set_value(127)
    next(box for box in app.toggle if box.label == "Drop duplicates").set_value(True)
    app.run()
    until(app, says("7 duplicates dropped first"))
    app.button(key="keep_save").click()
    app.run()
    assert "Saved 120 images" in texts(app)


def test_a_name_typed_the_moment_before_the_click_is_the_one_that_is_used(sets: None) -> None:
    app = until(
        page(sets="tight", encoder="pixels", view="Keep a part"), says("nearest to the threshold")
    )
    next(box for box in app.text_input if box.label == "Name of the new set").set_value("best")
    app.button(key="keep_save").click()
    app.run()
    assert "Saved 60 images as best" in texts(app)
    next(box for box in app.number_input if box.label == "Images to keep").set_value(30)
    app.button(key="keep_save").click()
    app.run()
    assert "the number of images changed as you clicked" in texts(app)
    assert sorted(entry.name for entry in list_sets()) == ["best", "spread", "tight"]


def test_a_name_that_is_taken_is_refused_and_nothing_changes(sets: None) -> None:
    app = until(
        page(sets="tight", encoder="pixels", view="Keep a part"), says("nearest to the threshold")
    )
    next(box for box in app.text_input if box.label == "Name of the new set").set_value("spread")
    app.run()
    app.button(key="keep_save").click()
    app.run()
    assert "already exists" in texts(app)
    assert sorted(entry.name for entry in list_sets()) == ["spread", "tight"]


def test_real_splits_alone_have_no_part_to_keep() -> None:
    app = page(sets="fashion-mnist:test", view="Keep a part")
    assert "real splits are kept whole" in texts(app)
