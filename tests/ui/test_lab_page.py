"""The Attack lab driven without a browser, over a real small data set and the real helper process:
verdicts, links, what is not here."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from cdp import paths
from cdp.config.lab import rounded
from cdp.data.sets import delete_set
from cdp.tasks.lab_images import save_upload
from cdp.ui.kit.ask import withdraw
from cdp.ui.lab import result
from cdp.values.types import usual_budget
from cdp.work.helper import Errand, Helper
from cdp.work.ticket import Queue, Ticket
from tests.tasks.lab_world import (
    DATASET,
    PLAIN,
    RUN,
    attack_image,
    config,
    make_world,
    smallest_budget,
)
from tests.ui.pages import address, control, drawn_until, opened, ran, texts

USUAL = usual_budget(1)
LARGEST = rounded(3 * rounded(USUAL))
"""Of a data set without a convention, attacked with a model that was trained for no budget."""


@pytest.fixture(autouse=True)
def world(server: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A data set of one's own. The helper process is the real one only where a test says so with
    ``helped``: it takes seconds to start; else one that never answers."""
    st.cache_data.clear()
    if "helped" not in request.fixturenames:
        deaf = [sys.executable, "-c", "import sys; [None for _ in sys.stdin]"]
        monkeypatch.setattr("cdp.ui.kit.ask.Helper", lambda: Helper(deaf))
        monkeypatch.setattr(result, "PATIENCE", 0.0)
    make_world()


@pytest.fixture
def helped() -> None:
    """The real helper process."""


def toys(**params: str) -> AppTest:
    return opened("lab", **{"dataset": DATASET, "model": PLAIN, "row": "1", "steps": "10"} | params)


def compute(**change: Any) -> None:
    """What the helper would have done: the page has no convention for this data set, and takes the
    usual budget."""
    asked = config(**({"epsilon": rounded(USUAL), "largest": LARGEST} | change))
    attack_image(asked)
    smallest_budget(asked)


def budget(app: AppTest) -> Any:
    return app.select_slider[0]


def test_the_first_visit_shows_the_shipped_robust_encoder_beside_the_standard_one(
    helped: None,
) -> None:
    app = opened("lab")
    assert [control(app, label).value for label in ("Data set", "Model", "Beside it")] == [
        "fashion-mnist",
        "robust",
        "standard",
    ]
    assert budget(app).value == 0.1
    drawn_until(app, "Stands.", "Fooled.", "smallest budget found")
    params = [address(app).get(name) for name in ("model", "second", "row")]
    assert params == ["robust", "standard", "4"]
    # A budget at which the robust one falls too; the smallest budget does not depend on it.
    budget(app).set_value(0.3).run()
    drawn_until(app, "Fooled.", without="Stands.")
    assert address(app).get("epsilon") == "0.3"


def test_a_training_comes_first_and_its_budget_is_the_scale_of_a_data_set_without_a_convention() -> (
    None
):
    app = opened("lab", dataset=DATASET)
    assert (control(app, "Model").value, control(app, "Beside it").value) == (f"run:{RUN}", PLAIN)
    assert "trained: night" in control(app, "Model").options
    assert budget(app).value == 0.05 and budget(app).options[-1] == "0.15"


def test_a_click_sets_the_budget_to_the_smallest_that_fools() -> None:
    compute()
    least = smallest_budget(config(largest=LARGEST))
    assert least.epsilon is not None
    compute(epsilon=least.epsilon)
    app = toys()
    assert "smallest budget found" in texts(app) or "none found" in texts(app)
    app.button(key="lab_jump_0").click().run()
    assert float(address(app).get("epsilon") or 0) == least.epsilon == budget(app).value
    assert "Fooled." in texts(app) and "turns grey into" in texts(app)
    assert app.button(key="lab_jump_0").disabled


def test_what_is_not_there_yet_is_waited_for_and_can_be_cancelled() -> None:
    app = toys()
    assert "Fooled." not in texts(app) and "Stands." not in texts(app)
    ran(next(button for button in app.button if button.label == "Cancel").click())
    assert "cancelled" in texts(ran(app)) and control(app, "Try again")


def test_the_buttons_go_round_within_a_class() -> None:
    app = toys(only="2", row="2")
    rows = []
    for name in ("lab_next", "lab_next", "lab_next", "lab_next", "lab_previous", "lab_random"):
        app.button(key=name).click().run()
        rows.append(int(address(app).get("row") or 0))
    assert rows[:5] == [5, 8, 11, 2, 11] and rows[5] % 3 == 2
    control(app, "Only class").set_value(0).run()
    assert control(app, "Row").value == 0


def test_a_targeted_attack_offers_every_class_but_the_images_own() -> None:
    compute(attack="targeted", target=2)
    app = toys(attack="targeted", target="2")
    towards = control(app, "Towards")
    assert towards.options == ["the likeliest other class", "dark", "light"] and towards.value == 2
    assert "its target" in texts(app) or "does not reach light" in texts(app)
    # On an image of that class the aim is left open.
    app.button(key="lab_next").click().run()
    assert control(app, "Towards").value is None and address(app).get("target") is None


def test_another_norm_begins_at_its_own_budget() -> None:
    app = toys(epsilon="0.02")
    ran(control(app, "Norm").set_value("l2"))
    assert address(app).get("epsilon") is None and address(app).get("norm") == "l2"
    assert budget(app).label.startswith("Attack budget (l_2")


def test_an_uploaded_image_comes_back_by_its_link_and_is_missed_when_it_is_gone() -> None:
    key = save_upload(np.full((8, 8, 1), 120, np.uint8))
    compute(image=key)
    app = toys(image=key)
    assert "The true class is unknown" in texts(app) and "Uploaded image" in texts(app)
    assert control(app, "True class").options[0] == "what each model says"
    (paths.cache_dir() / "lab-images" / f"{key}.npy").unlink()
    app = toys(image=key)
    assert "not on this machine any more" in texts(app) and address(app).get("image") is None


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"dataset": "../../etc"}, "dataset"),
        ({"model": "run:../../x"}, "model"),
        ({"second": "<script>"}, "second"),
        ({"row": "99"}, "row"),
        ({"row": "-1"}, "row"),
        ({"epsilon": "nan"}, "epsilon"),
        ({"epsilon": "9"}, "epsilon"),
        ({"norm": "l7"}, "norm"),
        ({"attack": "__class__"}, "attack"),
        ({"target": "77", "attack": "targeted"}, "target"),
        ({"target": "1", "attack": "targeted"}, "own class"),
        ({"label": "5"}, "label"),
        ({"image": "../x"}, "image"),
        ({"image": "0" * 24}, "upload it again"),
        ({"only": "x"}, "only"),
        ({"only": "7"}, "only"),
        ({"steps": "1e9"}, "steps"),
        ({"largest": "5"}, "largest"),
        ({"x" * 300: "y" * 3000}, "not a setting"),
    ],
)
def test_a_broken_link_says_so_in_one_sentence_and_the_page_stands(
    params: dict[str, str], word: str
) -> None:
    app = toys(**params)
    notes = [str(note.value) for note in app.warning]
    assert any(word in note for note in notes), notes
    assert all(len(note) < 600 for note in notes)
    assert budget(app).value is not None and not app.error


def test_a_data_set_without_test_images_says_where_they_go() -> None:
    delete_set(f"{DATASET}-test")
    app = toys()
    assert "no test images" in texts(app) or "is not here" in texts(app)
    assert not app.select_slider or control(app, "Data set").value != DATASET


def test_only_what_waits_or_would_take_long_is_taken_back() -> None:
    def withdrawn(state: Any, *, spent: float = 0.0, expected: float | None = None) -> bool:
        cancelled: list[Ticket] = []
        queue = Queue(cancelled.append)
        errand = Errand("lab", {}, expected=expected, queue=queue)
        if state == "queued":
            queue.put(errand)
        else:
            queue.current = errand
            errand.state, errand.began = state, time.monotonic() - spent
        withdraw(errand)
        return errand.state == "cancelled" or cancelled == [errand]

    assert withdrawn("queued")
    assert not withdrawn("running", spent=0.1, expected=1.0)
    assert withdrawn("running", spent=1.0, expected=60.0)
    assert not withdrawn("running", spent=0.5)
    assert withdrawn("running", spent=19.0)
