"""The Explore page driven without a browser, over real sets and the real helper process: empty, a
map, numbers, a part, and broken links."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cdp.data.sets import list_sets, open_set, save_set
from tests.ui.pages import control, drawn_until, opened, ran, texts


@pytest.fixture
def sets(server: None) -> None:
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


def explored(sets: str, view: str = "Map", *words: str) -> AppTest:
    """A view of these sets in pixels, once it says all this."""
    return drawn_until(
        opened("explore", sets=sets, encoder="pixels", method="pca", view=view), *words
    )


def kept(sets: str = "tight") -> AppTest:
    return explored(sets, "Keep a part", "nearest to the threshold")


def test_without_sets_the_page_says_what_to_do(server: None) -> None:
    app = opened("explore")
    assert "Nothing shown yet" in texts(app) and "generate some first" in texts(app)
    assert app.button(key="explore_show").label == "Show"


def test_a_map_is_drawn_and_says_how_far_it_can_be_trusted(sets: None) -> None:
    app = explored("spread,tight", "Map", "trustworthiness", "all 120 images of spread", "lasso")
    # Filters leave the images of one class, and those are what is offered for keeping.
    ran(control(app, "Classes").select(1))
    assert "80 of 240 points are left" in texts(app) and "80 selected" in texts(app)
    ran(control(app, "Colour by").set_value("Set"))
    again = {name: app.query_params[name] for name in ("sets", "encoder", "method")}
    classes = app.query_params["classes"]
    assert app.query_params["colour"] in ("Set", ["Set"])
    again |= {"classes": classes if isinstance(classes, str) else classes[0], "colour": "Set"}
    app = drawn_until(
        opened("explore", **{k: v if isinstance(v, str) else v[0] for k, v in again.items()}),
        "80 of 240 points are left",
    )
    assert control(app, "Colour by").value == "Set"


def test_numbers_tell_the_sets_apart_in_a_sentence(sets: None) -> None:
    app = explored("spread,tight", "Numbers", "How far apart are the classes?", "further apart")
    assert "names no data set" in texts(app)  # why fidelity is not there
    assert not explored("spread,tight", "Class pairs", "10 nearest neighbours").error


def test_a_part_is_saved_under_the_name_typed_the_moment_before_the_click(sets: None) -> None:
    app = kept()
    control(app, "Name of the new set").set_value("best")
    ran(app.button(key="keep_save").click())
    assert "Saved 60 images as best" in texts(app)
    card = open_set("best").card
    assert (card["parent"]["name"], card["selection"]["by"]) == ("tight", "separability")
    # Another number at the same moment is another choice, which nobody has looked at.
    control(app, "Images to keep").set_value(30)
    ran(app.button(key="keep_save").click())
    assert "the number of images changed as you clicked" in texts(app)
    # A name that is taken is refused.
    control(app, "Name of the new set").set_value("spread")
    ran(app.button(key="keep_save").click())
    assert "already exists" in texts(app)
    assert sorted(entry.name for entry in list_sets()) == ["best", "spread", "tight"]


def test_dropping_duplicates_alone_keeps_all_the_others(sets: None) -> None:
    tight = open_set("tight")
    twice = np.concatenate([np.asarray(tight.image), np.asarray(tight.image[:7])])
    save_set("twice", twice, np.concatenate([tight.label, tight.label[:7]]), dict(tight.card))
    app = kept("twice")
    control(app, "Images to keep").set_value(127)
    ran(control(app, "Drop duplicates").set_value(True))
    drawn_until(app, "7 duplicates dropped first")
    ran(app.button(key="keep_save").click())
    assert "Saved 120 images" in texts(app)


def test_real_splits_alone_have_no_part_to_keep(server: None) -> None:
    app = opened("explore", sets="fashion-mnist:test", view="Keep a part")
    assert "Real splits are kept whole" in texts(app)
