"""The page "Your data" driven without a browser, over real sets and real run folders: import, look,
plan, progress, use, broken links."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cdp import paths
from cdp.config.knobs import Frozen
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.sets import list_sets, open_set, save_set
from cdp.errors import InputError
from cdp.tasks.pretrain.shared import require_ready
from cdp.work.journal import Journal
from tests.ui.pages import control, opened, ran, texts
from tests.ui.train_runs import write_folder

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture
def shapes() -> None:
    """Three classes in colour, with test images."""
    rng = np.random.default_rng(0)
    for name, count in (("shapes", 180), ("shapes-test", 30)):
        image = rng.integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)
        save_set(
            name,
            image,
            np.arange(count) % 3,
            {"class_names": ["circle", "square", "cross"], "source": "x", "kind": "imported"},
        )


def page(**params: str) -> AppTest:
    return opened("data", **params)


def ticks(app: AppTest) -> dict[str, bool]:
    return {
        box.label.split(" (")[0]: box.value
        for box in app.checkbox
        if not box.disabled and box.label != "Renumber labels"
    }


def run_of(kind: str, name: str, config: Frozen, *, state: str, done: int, count: int) -> Path:
    folder, now = f"20260101-000000-{name}", time.time()
    more: dict[str, Any] = {"name": name, "created": now, "started": 1.0, "ended": 11.0}
    return write_folder(folder, kind, config, state=state, done=done, count=count, **more)


def encoder_of(dataset: str, name: str) -> None:
    folder = paths.encoders_dir() / dataset / name
    folder.mkdir(parents=True)
    card = {
        "dataset": dataset,
        "kind": "standard",
        "accuracy": {"clean": {"value": 0.875, "n": 30}},
    }
    (folder / "card.json").write_text(json.dumps(card))


def model_of(dataset: str, name: str) -> None:
    folder = paths.models_dir() / name
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(
        json.dumps(
            {"dataset": dataset, "classes": 3, "class_names": ["a", "b", "c"], "shape": [3, 12, 12]}
        )
    )


def test_at_first_only_the_first_step_is_open() -> None:
    app = page()
    assert [heading.value for heading in app.subheader] == ["1. Data set"]
    assert "2. Look: opens once a data set is chosen" in texts(app)
    assert not [button for button in app.button if button.key == "data_start"]


def test_a_path_is_imported_under_its_name_and_the_next_steps_open(tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 256, (90, 12, 12, 3), dtype=np.uint8)
    np.savez(tmp_path / "spots.npz", image=image, label=np.arange(90) % 2)
    app = page()
    for box in app.text_input:
        values = {"Path": str(tmp_path / "spots.npz"), "Class names": "few, many"}
        box.set_value(
            next(
                (value for start, value in values.items() if box.label.split(" (")[0] == start), ""
            )
        )
    control(app, "Import").click()
    app.run()
    assert not app.exception
    assert app.query_params["dataset"] in ("spots", ["spots"])
    assert open_set("spots").class_names == ("few", "many")
    assert "Imported 90 training images as spots" in texts(app)
    assert "There are no test images" in texts(app)
    held_out = ran(control(app, "Hold out 20 % as test images").click())
    assert held_out.query_params["dataset"] in ("spots-held-out", ["spots-held-out"])
    assert "spots-held-out has 72 images and 18 to test on" in texts(held_out)
    assert "There are no test images" not in texts(held_out)
    app = page(dataset="spots")
    assert "fewer than 50 images of few (45), many (45)" in texts(app).lower().replace("\\", "")
    assert [heading.value for heading in app.subheader][:3] == [
        "1. Data set",
        "2. Look",
        "3. Models",
    ]


def test_labels_with_gaps_are_renumbered_once_that_is_ticked(tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 256, (90, 12, 12), dtype=np.uint8)
    np.savez(tmp_path / "spots.npz", image, np.arange(90) % 3 + 1)
    app = page()
    for tick in (False, True):
        control(app, "Path").set_value(str(tmp_path / "spots.npz"))
        box = next(box for box in app.checkbox if box.label == "Renumber labels")
        box.set_value(tick)
        control(app, "Import").click()
        app.run()
        assert not app.exception
        assert ("set renumber" in "".join(str(error.value) for error in app.error)) != tick
        assert [entry.name for entry in list_sets()] == ["spots"] * tick
    assert open_set("spots").class_names == ("1", "2", "3")
    assert "Labels were renumbered" in texts(app)


@pytest.mark.parametrize("content", [None, b"not a zip", b"PK\x03\x04" + b"\0" * 50])
def test_a_file_that_cannot_be_imported_is_told_in_one_sentence_and_leaves_nothing(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "bad.npz"
    if content is not None:
        path.write_bytes(content)
    app = page()
    control(app, "Path").set_value(str(path))
    control(app, "Import").click()
    app.run()
    assert not app.exception
    assert "Not imported" in app.error[0].value
    assert list_sets() == []


def test_what_is_missing_is_ticked_and_its_cost_told(shapes: None) -> None:
    app = page(dataset="shapes")
    assert ticks(app) == {
        "Judge": True,
        "Robust encoder": True,
        "Standard encoder": True,
        "Noise-aware encoder": False,
        "Diffusion model": True,
    }
    assert "4 trainings, " in texts(app)
    assert "no conventional budget" in texts(app)
    assert not app.button(key="data_start").disabled
    for box in app.checkbox:
        box.uncheck()
    app.run()
    assert app.button(key="data_start").disabled
    assert "Tick what to train" in texts(app)


def test_what_is_not_ticked_stays_so_after_a_start(
    shapes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def at_once(task: object, config: object, name: str) -> None:
        started.append(name)
        encoder_of("shapes", name)

    monkeypatch.setattr("cdp.ui.data.form.launch", at_once)
    app = page(dataset="shapes")
    for box in app.checkbox:
        if box.label.split(" (")[0] in ("Robust encoder", "Standard encoder", "Diffusion model"):
            box.uncheck()
    app.run()
    assert "1 training, " in texts(app)
    ran(app.button(key="data_start").click())
    assert started == ["judge"] and not any(ticks(app).values())
    assert app.button(key="data_start").disabled and "Tick what to train" in texts(app)


def test_the_size_changes_the_plan_and_keeps_the_answers_about_the_data(shapes: None) -> None:
    app = page(dataset="shapes")
    control(app, "Attack budget").set_value(0.05)
    app.run()
    control(app, "Size").set_value("full")
    app.run()
    assert not app.exception
    assert control(app, "Attack budget").value == 0.05
    assert control(app, "Steps").value == 4000


def test_what_stands_in_the_way_is_overruled_by_the_setting_that_the_command_line_has() -> None:
    save_set(
        "odd",
        np.zeros((90, 9, 9, 1), np.uint8),
        np.arange(90) % 3,
        {"kind": "imported", "source": "x"},
    )
    app = page(dataset="odd")
    assert app.button(key="data_start").disabled and "need even sides" in texts(app)
    control(app, "Train anyway").set_value(True)
    app.run()
    assert not app.exception
    assert not app.button(key="data_start").disabled
    with pytest.raises(InputError, match="set anyway"):
        require_ready(EncoderConfig(dataset="odd"))
    assert any(
        "need even sides" in told
        for told in require_ready(EncoderConfig(dataset="odd", anyway=True))
    )


def test_widths_that_are_no_numbers_are_refused_in_words(shapes: None) -> None:
    app = page(dataset="shapes")
    control(app, "Widths").set_value("32, wide")
    app.run()
    assert "is not whole numbers with commas between them, so 32,64,128 stays" in texts(app)
    assert not app.button(key="data_start").disabled


def test_what_is_here_is_not_trained_twice_and_leads_to_the_other_pages(shapes: None) -> None:
    encoder_of("shapes", "judge")
    model_of("shapes", "shapes")
    app = page(dataset="shapes")
    assert ticks(app) == {
        "Robust encoder": True,
        "Standard encoder": True,
        "Noise-aware encoder": False,
        "Diffusion model": False,
    }
    assert "87.5 %" in texts(app)
    assert "5. Use them" in [heading.value for heading in app.subheader]
    assert "generated unguided only" in texts(app)


def test_trainings_are_shown_with_their_samples_and_can_be_resumed_or_removed(shapes: None) -> None:
    config = PretrainConfig(dataset="shapes", name="shapes", steps=100)
    folder = run_of("pretrain", "shapes", config, state="stopped", done=40, count=100)
    journal = Journal(folder / "metrics.jsonl")
    for step in (10, 20, 30, 40):
        journal.append(step, {"loss": 1 / step})
    journal.close()
    np.savez(
        folder / "sheet.npz",
        image=np.zeros((9, 12, 12, 3), np.uint8),
        label=np.arange(9) % 3,
        step=np.int64(40),
    )
    run_of(
        "pretrain-encoder",
        "judge",
        EncoderConfig(dataset="shapes", name="judge"),
        state="failed",
        done=1,
        count=10,
    )
    run_of(
        "pretrain",
        "other",
        PretrainConfig(dataset="fashion-mnist", name="other"),
        state="stopped",
        done=1,
        count=2,
    )
    app = page(dataset="shapes")
    assert "failed · 1 of 10 steps" in texts(app) and "stopped · 40 of 100 steps" in texts(app)
    assert "Samples of shapes at step 40" in texts(app)
    assert "20-step DDIM samples of the averaged weights" in texts(app)
    assert {"Judge", "Diffusion model"}.isdisjoint(ticks(app))
    assert not [button for button in app.button if "other" in (button.key or "")]
    app.button(key="remove-20260101-000000-shapes").click()
    app.run()
    assert not app.exception
    assert not folder.exists()
    assert ticks(app)["Diffusion model"]


def test_a_set_that_is_broken_says_so(shapes: None) -> None:
    (paths.sets_dir() / "shapes" / "label.npy").write_bytes(b"broken")
    assert "shapes cannot be used" in texts(page(dataset="shapes"))


@pytest.mark.parametrize("name", ["../../../etc/passwd", "x" * 3000, "shapes-test"])
def test_an_address_of_no_data_set_says_so_and_the_page_stands(name: str, shapes: None) -> None:
    app = page(dataset=name)
    assert len(app.warning) == 1
    assert len(app.warning[0].value) < 300
    assert "1. Data set" in [heading.value for heading in app.subheader]


def test_another_data_set_can_be_chosen_where_a_link_named_one() -> None:
    for name in ("first", "second"):
        image = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
        save_set(name, image, np.arange(60) % 3, {"class_names": ["a", "b", "c"]})
    app = ran(control(page(dataset="first"), "Data set").set_value("second"))
    assert app.query_params["dataset"] in ("second", ["second"])
