"""Sets without labels on the pages: the gallery says so and lets a classifier label them, and
Generate offers it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cdp.data.sets import open_set, save_set
from cdp.paths import models_dir
from cdp.tasks.live import live
from cdp.tasks.pseudo_labels import labellers, pseudo_labels_of
from cdp.ui.data.sets import choices as data_sets
from cdp.ui.kit.choices import info_of, read_choices
from cdp.work.helper import Errand, answer
from cdp.work.live import Engine
from cdp.work.registry import TASKS
from tests.robust import tiny
from tests.tasks.unconditional_world import (
    DATASET,
    NAMES,
    doubtful,
    make_model,
    make_world,
    seen_by,
)
from tests.ui.pages import control, opened, ran, served, texts
from tests.ui.worlds import engine_of


class AtOnce:
    """The helper process, answering in this one."""

    def __init__(self) -> None:
        self.errands: dict[str, Errand] = {}

    def ask(self, name: str, payload: Mapping[str, Any], *, of: str = "", **_: Any) -> Errand:
        key = f"{name} {payload} {of}"
        if key not in self.errands or self.errands[key].forgotten:
            errand = self.errands[key] = Errand(name, payload)
            reply = answer(TASKS, name, payload)
            (
                errand.end("failed", error=reply["error"])
                if "error" in reply
                else errand.end("done", result=reply["result"])
            )
        return self.errands[key]


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch)
    helper = AtOnce()
    monkeypatch.setattr("cdp.ui.kit.jobs.LANES", ())  # it has no queue for the strip to show
    monkeypatch.setattr("cdp.ui.kit.ask.side", lambda lane: helper)
    make_world()


def labelled(app: AppTest, sure: float | None = None) -> None:
    if sure is not None:
        control(app, "Least confidence").set_value(sure)
    ran(app.button(key="label_images").click())


def labels(app: AppTest) -> list[str]:
    """Names of the controls that choose a class."""
    return [
        item.label for item in (*app.selectbox, *app.expander) if item.label.startswith("Class")
    ]


def test_the_gallery_labels_a_set_without_labels_and_shows_how_far_they_can_be_trusted() -> None:
    save_set("made", tiny.images(60, 3)[0], None, {"dataset": DATASET})
    assert "60 images · no labels" in texts(opened("gallery"))
    app = opened("gallery", set="made")
    assert "**No labels**" in texts(app) and labels(app) == ["Classifier"]
    labelled(app)
    assert app.query_params["set"] == "made-labelled"
    known = pseudo_labels_of(open_set("made-labelled").card)
    assert known is not None
    assert known.encoder.name == "standard", "one that neither guided nor judges comes first"
    assert "60 images · pseudo-labels" in texts(app) and "images kept" in texts(app)
    assert "another network" in texts(app) and "**No labels**" not in texts(app)


def test_where_the_classifier_is_never_sure_the_form_says_so_and_can_be_asked_again() -> None:
    image = doubtful()
    image = image[seen_by("standard", image)[0] < 0.95]
    save_set("made", image, None, {"dataset": DATASET})
    app = opened("gallery", set="made")
    labelled(app, sure=1.0)
    assert "none reaches 1" in texts(app)
    labelled(app, sure=0.0)
    assert len(open_set("made-labelled")) == len(image)


def test_without_a_classifier_of_such_images_the_page_says_what_is_missing() -> None:
    save_set("odd", np.zeros((6, 9, 7, 1), np.uint8), None, {"dataset": DATASET})
    app = opened("gallery", set="odd")
    assert "images of 7 x 9 px" in texts(app) and "pretrain-encoder" in texts(app)


def test_classifiers_that_neither_guided_nor_judge_are_offered_first() -> None:
    image = np.zeros((6, 28, 28, 1), np.uint8)
    clothes = save_set("clothes", image, None, {"dataset": "fashion-mnist"})
    names = [entry.name for entry in labellers(clothes)]
    assert names[0] == "standard" and names[-1] == "judge"
    assert set(names[1:-1]) == {"robust", "noise-aware"}
    for loss, order in (("info_nce", ["judge", "standard"]), ("none", ["standard", "judge"])):
        card = {"dataset": DATASET, "config": {"loss": loss, "encoder": "standard"}}
        new = save_set(loss, tiny.images(6)[0], None, card)
        assert [entry.name for entry in labellers(new)] == order


def test_two_sets_are_shown_beside_each_other_where_one_has_no_labels() -> None:
    image, label = tiny.images(30, 3)
    save_set("made", image, None, {})
    save_set("known", image, label, {"class_names": NAMES})
    app = opened("gallery", **{"set": "made", "with": "known"})
    assert "as made has no labels" in texts(app) and not labels(app)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Engine]]:
    """The real sampler under the Generate page, with a model without classes."""
    made = engine_of(live)
    for module in ("page", "live"):
        monkeypatch.setattr(f"cdp.ui.generate.{module}.engine", lambda: made)
    yield lambda: made
    made.close(5)


def test_generate_offers_labels_for_the_images_of_a_model_without_classes(
    engine: Callable[[], Engine],
) -> None:
    make_model(models_dir() / "plain")  # as diffusers leaves it, without a card of ours
    app = opened(
        "generate",
        model="plain",
        dataset=DATASET,
        encoder="standard",
        loss="info_nce",
        count="24",
        batch="24",
        steps="2",
        precision="fp32",
    )
    ran(app.button(key="generate").click())
    job = app.session_state["live_job"]
    assert job.wait(60) and job.state == "done", job.error
    ran(app)
    assert job.result.label is None and "this model knows no classes" in texts(app).lower()
    assert "Class separation" not in texts(app) and "Agreement" not in texts(app)
    app.text_input(key=f"name_{job.id}_Guided").set_value("plain")
    ran(app.button(key="save_set").click())
    assert open_set("plain").label is None
    labelled(app, sure=0.0)
    assert "plain-labelled has labels" in texts(app)
    assert open_set("plain-labelled").class_names == tuple(NAMES)


def test_other_pages_say_which_sets_have_no_labels_and_lead_to_where_they_get_some() -> None:
    image, label = tiny.images(30, 3)
    save_set("made", image, None, {"dataset": DATASET})
    card = {"dataset": DATASET, "class_names": NAMES, "kind": "generated", "config": {}}
    save_set("known", image, label, card)
    for page, params in (
        ("train", {"dataset": DATASET, "synthetic": "made,known"}),
        ("explore", {"sets": "made,known", "encoder": "pixels"}),
    ):
        app = opened(page, **params)
        assert "made has no labels" in texts(app)
        assert any("gallery" in link.proto.page for link in app.get("page_link"))
    choices = read_choices()
    info = info_of(DATASET, choices)
    assert choices.fitting(DATASET, info) == ("known",) and choices.unlabelled(info) == ("made",)
    own = [(entry.name, entry.origin) for entry in data_sets() if entry.origin != "built in"]
    assert own[-1] == ("made", "no labels") and ("known", "generated") in own
