"""The first page and the Generate page, driven without a browser: empty, running, done, stopped,
failed, and from links that lie."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.data.sets import list_sets, save_set
from cdp.errors import InputError
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.sheet import sheet_png
from cdp.ui.kit.words import plain
from cdp.values.types import Frame, LiveResult
from cdp.work.live import Engine, Job
from tests.ui.pages import APP, address, control, opened, ran, served, texts
from tests.ui.test_form import BAD, params_of
from tests.ui.worlds import CATALOG, engine_of, frame_of, sampler

World = Callable[..., Engine]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Puts a catalogue and an engine under the pages; returns how to replace them."""
    engines: list[Engine] = []
    served(monkeypatch)

    def put(
        live: Callable[..., Iterator[Frame | LiveResult]] = sampler, catalog: Choices = CATALOG
    ) -> Engine:
        engines.append(engine_of(live))
        for module in ("generate.page", "kit.generating", "kit.choices"):
            monkeypatch.setattr(f"cdp.ui.{module}.read_choices", lambda: catalog)
        for module in ("page", "live"):
            monkeypatch.setattr(f"cdp.ui.generate.{module}.engine", lambda: engines[-1])
        # These models are names alone.
        monkeypatch.setattr("cdp.ui.generate.page.dataset_of_generation", lambda config: "")
        monkeypatch.setattr(
            "cdp.tasks.batches.set_card", lambda config: {"source": "", "config": flatten(config)}
        )
        return engines[-1]

    put()
    yield put
    for engine in engines:
        engine.close(5)


def page(**params: str) -> AppTest:
    """The Generate page, opened by a link."""
    return opened("generate", **params)


def generated(app: AppTest) -> Job:
    """Click, and wait until the job is over."""
    ran(app.button(key="generate").click())
    job: Job = app.session_state["live_job"]
    assert job.wait(20)
    ran(app)
    return job


def test_without_a_model_both_pages_say_how_to_get_one(world: World) -> None:
    world(catalog=Choices())
    assert "python -m cdp pretrain" in texts(ran(AppTest.from_file(APP, default_timeout=30)))
    app = page()
    assert "python -m cdp pretrain" in texts(app)
    assert not app.button


def test_an_empty_page_tells_what_a_click_will_bring(world: World) -> None:
    app = page()
    assert "Nothing generated yet" in texts(app)
    assert "Measuring what this costs on this machine" in texts(app)
    assert not app.query_params


@pytest.mark.parametrize(
    ("params", "words", "without"),
    [
        (
            {"count": "32"},
            [
                "32 images in 0.5 s, seed 0",
                "no clear difference</div>",
                "+5.0 points, 95 % interval -1.0 to +10.0",
            ],
            "No verdict",
        ),
        ({"count": "12"}, ["fewer than 10 images a class. Generate 30 images"], "told apart"),
        ({"loss": "none", "strength": "0"}, ["What came out"], "told apart"),
    ],
    ids=["finished", "few", "unguided"],
)
def test_figures_have_intervals_and_claim_no_more_than_those(
    world: World, params: dict[str, str], words: list[str], without: str
) -> None:
    app = page(steps="4", **params)
    job = generated(app)
    assert job.state == "done" and app.select_slider(key=f"step_{job.id}").value == 4
    assert all(word in texts(app) for word in words) and without not in texts(app)


def test_autoguidance_offers_other_models_of_the_same_images(world: World) -> None:
    empty = page()
    assert control(empty, "Weak model").options == ["none"]
    assert "pretrain --dataset fashion-mnist --steps 2000 --name weak" in texts(empty)
    ours = CATALOG.models["fashion-mnist"]
    more = {
        "weak": replace(ours, name="weak"),
        "others": replace(ours, name="others", classes=("a", "b", "c")),
        "larger": replace(ours, name="larger", shape=(1, 16, 16)),
    }
    world(catalog=replace(CATALOG, models={**CATALOG.models, **more}))
    app = page()
    assert control(app, "Weak model").options == ["none", "weak"]
    with pytest.raises(IndexError):
        control(app, "Autoguidance scale")
    ran(control(app, "Weak model").select("weak"))
    ran(control(app, "Autoguidance scale").set_value(1.8))
    assert app.query_params == {"weak_model": "weak", "autoguidance_scale": "1.8"}
    ran(control(app, "Classifier-free scale").set_value(2.0))
    assert "autoguidance takes the place of classifier-free guidance" in texts(app)
    ran(control(app, "Diffusion model").select("plain"))
    assert control(app, "Weak model").value == ""


def test_identical_arms_are_said_to_be_and_have_no_difference(world: World) -> None:
    def same(*args: Any, **more: Any) -> Iterator[Frame | LiveResult]:
        for part in sampler(*args, **more):
            yield replace(part, unguided=part.guided) if isinstance(part, LiveResult) else part

    world(same)
    app = page(count="64", steps="4")
    generated(app)
    assert texts(app).count("identical so far") >= 3, (
        "beside the images, above the figures, and in each of them"
    )
    assert "points" not in texts(app) and "cannot be told apart" not in texts(app)


def test_a_generation_is_saved_under_its_name_and_not_outside_the_store(world: World) -> None:
    app = page(count="12", steps="4", seed="7")
    job = generated(app)
    control(app, "Name of the sample set").set_value("../out")
    ran(app.button(key="save_set").click())
    assert "Not saved: " in texts(app) and list_sets() == []
    control(app, "Name of the sample set").set_value("first")
    ran(app.button(key="save_set").click())
    assert "Saved as first." in texts(app)
    card = list_sets()[0].card
    assert card is not None and card["config"] == flatten(job.config)
    ran(app.button(key="save_set").click())
    assert "Not saved: a set called first is here already." in texts(app)
    ran(app.button(key="save_next").click())
    assert "Saved as first-2." in texts(app)


def test_a_set_that_is_small_for_a_training_is_called_so_with_a_button_that_makes_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    monkeypatch.setattr("cdp.ui.kit.generating.launch", lambda *args: made.append(args))
    app = page(count="12", steps="4", strength="0.35")
    generated(app)
    assert "12,600 images or more (Standard): with these 12" in texts(app)
    assert "as measured" in texts(app)
    control(app, "Images to make").set_value(2000)
    ran(control(app, "Make them in the background").click())
    ((task, config, name),) = made
    assert (task.name, config.count, config.guidance.strength) == ("generate", 2000, 0.35)
    assert f"{name} is being made" in texts(app)


def test_names_tell_the_strength_and_are_unique_by_themselves(world: World) -> None:
    app = page(count="12", steps="4", strength="0.35")
    generated(app)
    ran(app.button(key="save_set").click())
    name = "fashion-mnist-supcon-0.35-12-seed0"
    assert f"Saved as {name}." in texts(app)
    assert f"--out {name}-2" in app.code[0].value
    ran(control(app, "Seed").set_value(1))
    generated(app)
    ran(control(app, "Seed").set_value(0))
    generated(app)
    assert control(app, "Name of the sample set").value == f"{name}-2"


def test_a_generation_outlives_tab_and_server_and_is_no_saved_set(world: World) -> None:
    app = page(count="12", steps="4", seed="7")
    first = generated(app)
    kept = address(app)
    assert kept["job"] == first.id
    ran(control(app, "Seed").set_value(8))
    second = generated(app)
    world()  # another server: nothing is left in memory
    again = page(**kept)
    assert "12 images in 0.5 s, seed 7" in texts(again) and list_sets() == []
    # A tab without that address, as a second one or after the first was closed.
    other = page()
    assert "Nothing generated yet" in texts(other)
    box = control(other, "Generations of the last 7 days")
    assert len(box.options) == 2 and "strength 0.1 · seed 8 · 12 images: " in box.options[0]
    ran(box.select(second.id))
    assert "12 images in 0.5 s, seed 8" in texts(other) and address(other) == {"job": second.id}
    ran(other.button(key="use_job").click())
    assert address(other) == kept | {"job": second.id, "seed": "8"}
    gone = page(job="0123456789ab")
    assert "not here any more" in texts(gone) and address(gone) == {}


def test_a_running_job_shows_its_step_and_cancel_keeps_what_is_done(world: World) -> None:
    gate = threading.Event()

    def slow(config: GenerateConfig, *args: Any, **more: Any) -> Iterator[Frame | LiveResult]:
        yield frame_of(config, 1)
        yield frame_of(config, 2)
        gate.wait(20)
        yield from list(sampler(config, *args, **more))[-1:]

    world(live=slow)
    app = page(count="12", steps="5")
    ran(app.button(key="generate").click())
    job: Job = app.session_state["live_job"]
    while len(job.frames) < 2:
        gate.wait(0.01)
    ran(app)
    assert app.button(key="generate").disabled
    app.button(key="cancel").click()
    app.run()
    gate.set()
    assert job.wait(20)
    ran(app)
    assert job.state == "cancelled"
    assert "Stopped at step 2 of 5: the estimates so far are below." in texts(app)
    assert not app.button(key="generate").disabled


def test_a_failure_is_one_sentence_with_its_remedy(world: World) -> None:
    def broken(*args: Any, **more: Any) -> Iterator[Frame | LiveResult]:
        raise InputError("classes: 9 is not one of 0 to 2: leave it out")
        yield

    world(live=broken)
    app = page()
    generated(app)
    sentence = "This generation failed: classes: 9 is not one of 0 to 2: leave it out."
    assert app.error[0].value == sentence


@pytest.mark.parametrize(("link", "sentence"), list(BAD.values())[::8])
def test_a_link_that_lies_costs_one_sentence_and_the_page_works(
    world: World, link: str, sentence: str
) -> None:
    app = page(**params_of(link))
    notes = [w.value for w in app.warning if plain(sentence) in w.value]
    assert len(notes) == 1
    assert not app.button(key="generate").disabled


def test_a_good_link_sets_the_controls_and_stays_in_the_url(world: World) -> None:
    app = page(strength="0.3", solver="unipc", classes="2,0", window_stop="0.1")
    assert app.select_slider(key="generate_strength").value == 0.3
    assert app.selectbox(key="generate_solver").value == "unipc"
    assert app.slider(key="generate_window").value == (0.1, 0.7)
    assert dict(app.query_params) == {
        "strength": "0.3",
        "solver": "unipc",
        "classes": "2,0",
        "window_stop": "0.1",
    }
    assert not app.warning


def test_moving_a_generate_changes_the_url_and_survives_a_page_switch(world: World) -> None:
    app = page()
    ran(app.select_slider(key="generate_strength").set_value(0.25))
    ran(app.number_input(key="generate_seed").set_value(11))
    assert app.query_params["strength"] == "0.25"
    app.switch_page("pages/home.py")
    ran(app)
    app.query_params.clear()
    app.switch_page("pages/generate.py")
    ran(app)
    assert app.select_slider(key="generate_strength").value == 0.25
    assert app.number_input(key="generate_seed").value == 11
    assert app.query_params["seed"] == "11"


def test_a_preset_sets_all_controls_but_keeps_what_is_generated(world: World) -> None:
    app = page(seed="3", count="20")
    ran(control(app, "Preset").set_value("paper-cifar10"))
    assert control(app, "Loss").value == "hard_negative"
    assert control(app, "Gradient at").value == "x_t"
    assert (control(app, "Seed").value, control(app, "Images").value) == (3, 20)
    said = texts(app)
    assert "does not know the classes" in said
    assert "has never seen noisy images" in said
    ran(control(app, "Steps").set_value(30))
    assert control(app, "Preset").value == "custom"


def test_settings_that_do_not_fit_together_switch_the_button_off_and_say_why(world: World) -> None:
    app = page()
    ran(app.slider(key="generate_window").set_value((0.4, 0.4)))
    assert app.button(key="generate_off").disabled
    assert "must be below window_start" in texts(app)
    ran(app.slider(key="generate_window").set_value((0.2, 0.4)))
    assert not app.button(key="generate").disabled


def test_another_model_brings_its_data_and_an_encoder_that_fits(world: World) -> None:
    app = page(classes="0,1")
    ran(app.selectbox(key="generate_model").set_value("plain"))
    assert dict(app.query_params) == {"model": "plain", "encoder": "standard"}
    assert app.selectbox(key="generate_dataset_1").options[0] == "the model's own (pictures)"
    assert "unconditional" in texts(app)
    assert not app.multiselect


def test_a_link_to_a_model_alone_takes_its_data_set_and_an_encoder_of_it(world: World) -> None:
    app = page(model="plain")
    assert app.selectbox(key="generate_encoder").value == "standard"
    assert app.selectbox(key="generate_dataset").value == ""
    assert not app.warning or all("encoder" not in one.value for one in app.warning)


def test_only_encoders_that_can_guide_are_offered(world: World) -> None:
    assert page().selectbox(key="generate_encoder").options == ["robust", "standard", "noise-aware"]


def test_more_than_a_thousand_images_become_a_background_run_with_what_was_typed_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[Any] = []
    monkeypatch.setattr("cdp.work.launch.launch", lambda *args: launched.append(args))
    assert page(count="1000").button(key="generate").label == "Generate"
    app = page(count="1001")
    assert app.button(key="generate").label == "Start background run"
    control(app, "Seed").set_value(43)
    ran(app.button(key="generate").click())
    ((task, config, name),) = launched
    assert (task.name, config.count, config.seed) == ("generate", 1001, 43)
    assert name == "fashion-mnist-supcon-0.1-1001-seed43"


def dropped(app: AppTest, name: str, content: bytes) -> AppTest:
    """A file dropped on the uploader for sheets."""
    return ran(app.file_uploader[0].set_value((name, content, "image/png")))


def test_a_sheet_dropped_on_the_page_restores_every_setting_once(world: World) -> None:
    saved = unflatten({"seed": 42, "strength": 0.25, "solver": "unipc", "classes": [2, 0]})
    app = dropped(
        page(seed="7", steps="9"),
        "sheet.png",
        sheet_png(np.zeros((4, 8, 8, 1), np.uint8), flatten(saved)),
    )
    assert "Settings restored from sheet.png." in texts(app)
    assert dict(app.query_params) == {
        "seed": "42",
        "strength": "0.25",
        "solver": "unipc",
        "classes": "2,0",
    }
    assert control(app, "Strength").value == 0.25
    ran(control(app, "Seed").set_value(43))
    assert control(app, "Seed").value == 43, (
        "what was restored must not come back over a later change"
    )


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n" + b"cut short"])
def test_a_file_that_is_no_sheet_is_one_sentence_and_changes_nothing(
    world: World, content: bytes
) -> None:
    app = dropped(page(seed="7"), "other.png", content)
    assert len(app.error) == 1
    assert "PNG" in app.error[0].value
    assert dict(app.query_params) == {"seed": "7"}


def test_a_data_set_that_contradicts_the_model_is_refused_at_the_click(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cdp.tasks.sources import dataset_of_generation

    monkeypatch.setattr("cdp.ui.generate.page.dataset_of_generation", dataset_of_generation)
    save_set(
        "letters", np.zeros((4, 28, 28, 1), np.uint8), np.arange(4) % 2, {"class_names": ["a", "b"]}
    )
    app = page(count="4", steps="4")
    app.session_state["generate_settings"].put("dataset", "letters")
    ran(app.button(key="generate").click())
    assert app.session_state["live_job"] is None
    assert "letters does not fit the model fashion-mnist" in texts(app)
