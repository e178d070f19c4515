"""The gallery page, empty and filled, driven without a browser."""

from __future__ import annotations

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cdp import paths
from cdp.config.generate import flatten, unflatten
from cdp.data.marks import marks_of, write_marks
from cdp.data.samples import SampleSet
from cdp.data.sets import list_sets, open_set, save_set
from tests.ui.pages import control, opened, ran, texts


def save(name: str, count: int = 20, **settings: object) -> SampleSet:
    image = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    config = flatten(unflatten({"count": count, **settings}))
    return save_set(
        name,
        image,
        np.arange(count) % 4,
        {"source": "test", "config": config, "class_names": ["a", "b", "c", "d"]},
    )


pytestmark = pytest.mark.usefixtures("server")


def gallery(**params: str) -> AppTest:
    return opened("gallery", **params)


def click(app: AppTest, label: str) -> AppTest:
    return ran(next(button for button in app.button if button.label == label).click())


def test_an_empty_gallery_leads_to_generate() -> None:
    app = gallery()
    assert "No sample set is saved yet" in texts(app)
    assert any("generate" in link.proto.page for link in app.get("page_link"))


def test_saved_sets_are_cards_with_their_count_loss_strength_and_seed() -> None:
    save("first", loss="supcon", strength=0.2, seed=7)
    save("second", loss="none")
    app = gallery()
    assert "20 images · SupCon · strength 0.2 · seed 7" in texts(app)
    assert "20 images · unguided · seed 0" in texts(app)


def test_a_broken_set_shows_why_and_the_others_stay_usable() -> None:
    save("good")
    save("bad")
    (paths.sets_dir() / "bad" / "card.json").write_text("{")
    save("short")
    (paths.sets_dir() / "short" / "image.npy").write_bytes(b"\x93NUMPY")
    app = gallery()
    assert len(app.warning) == 2
    assert [b.label for b in app.button].count("Open") == 1
    assert click(app, "Open").query_params["set"] == "good"


def test_open_shows_every_image_and_the_whole_card() -> None:
    save("first", steps=33)
    app = click(gallery(), "Open")
    assert app.query_params["set"] == "first"
    assert "20 images. On an image: K keeps, D drops, U unmarks, Enter enlarges." in texts(app)
    settings = app.dataframe[0].value
    assert settings.set_index("setting").loc["Steps", "value"] == "33"


def test_use_these_settings_links_to_generate_with_seed_and_count_even_where_they_are_usual() -> (
    None
):
    save("first")
    query = gallery(set="first").get("page_link")[0].proto.query_string
    assert "seed=0" in query and "count=20" in query


@pytest.mark.parametrize("name", ["nothing", "../../../etc", "/etc", "a" * 5000, "**x**"])
def test_an_address_that_names_no_saved_set_says_so_and_opens_nothing(name: str) -> None:
    save("first")
    app = gallery(set=name)
    assert [e.value for e in app.error if "There is no saved set named" in e.value]


def test_a_confirmed_delete_moves_the_set_to_the_trash_and_says_where() -> None:
    save("first")
    app = click(gallery(set="first"), "Delete")
    click(app, "Keep it")
    assert [entry.name for entry in list_sets()] == ["first"]
    app = click(click(app, "Delete"), "Move to trash")
    assert list_sets() == []
    assert (next((paths.home() / "trash").iterdir()) / "image.npy").is_file()
    assert "was moved to" in texts(app)


def test_two_sets_stand_side_by_side_with_only_the_settings_that_differ() -> None:
    save("first", strength=0.1)
    save("second", strength=0.3)
    app = gallery(**{"set": "first", "with": "second"})
    rows = app.dataframe[0].value
    assert rows["setting"].tolist() == ["Strength"]
    assert "started from the same noise" in texts(app)


def test_settings_of_another_version_leave_the_images_usable() -> None:
    save("first")
    card = paths.sets_dir() / "first" / "card.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"config": {"from_the_future": 1}}))
    app = gallery(set="first")
    assert "does not know the settings" in texts(app)


def test_an_interrupted_generation_is_listed_with_its_progress_and_can_be_resumed() -> None:
    run = paths.runs_dir() / "20260101-000000-abc"
    run.mkdir(parents=True)
    progress = {"done": 250, "count": 1000, "seconds": 9.0, "seconds_left": 3.0, "rate": 50.0}
    config = {"kind": "generate", "name": "big", "created": 1.0, "config": flatten(unflatten({}))}
    for file, content in {
        "config.json": config,
        "process.json": {"pid": 2**22 - 3, "began": 1.0},
        "status.json": {"state": "running", "progress": progress | {"resumed_from": 0}},
    }.items():
        (run / file).write_text(json.dumps(content))
    app = gallery()
    assert {"Resume", "Remove"} <= {b.label for b in app.button}
    assert "interrupted: its process is gone · 250 of 1,000 images" in texts(app)


def test_a_set_is_filtered_by_class_and_by_mark_and_saved_without_what_is_dropped() -> None:
    samples = save("first")
    write_marks("first", samples.card, {0: "drop", 3: "keep", 7: "drop"})
    app = click(gallery(), "Open")
    assert "20 images · 1 marked keep, 2 drop" in texts(app)
    ran(control(app, "Marks").set_value("drop"))
    assert "2 images of 20" in texts(app)
    ran(control(app, "Marks").set_value("any"))
    ran(control(app, "Classes").set_value([1]))
    assert "5 images of 20" in texts(app)
    click(app, "Save without the 2 dropped")
    assert "Saved 18 images as first-undropped-18" in texts(app)
    whole, part = open_set("first"), open_set("first-undropped-18")
    np.testing.assert_array_equal(part.image, np.delete(whole.image, [0, 7], axis=0))
    click(app, "Remove all marks")
    assert marks_of("first", samples.card) == {}
