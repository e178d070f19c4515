"""The form of the Evaluate page driven without a browser: settings, links, and what is launched.

Runs are launched for real; the device slot is held by the test, so that they wait for their turn
and attack nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdp.config.evaluate import EvaluateConfig
from cdp.work.records import list_runs
from tests.evaluations import report, write_evaluation
from tests.ui.evaluate_app import ROBUST, has, knob, launched, page, trained
from tests.ui.pages import address, control, opened, ran, texts
from tests.ui.train_runs import QUICK, train_run

pytestmark = pytest.mark.usefixtures("world")


def test_without_anything_the_page_says_what_to_do_and_the_shipped_robust_encoder_is_ready() -> (
    None
):
    app = page()
    assert "No evaluation yet" in texts(app) and "No training is here yet" in texts(app)
    assert knob(app, "model").value == ROBUST
    assert not app.button(key="evaluate_start").disabled
    assert "at most 1,000 test images of Fashion-MNIST x 4 attacks" in texts(app)
    assert address(app) == {"model": ROBUST}


def test_what_the_form_shows_is_what_is_launched_and_the_evaluation_is_shown() -> None:
    app = page()
    ran(knob(app, "attack").set_value("quick"))
    assert "an estimate that stronger attacks will lower" in texts(app)
    ran(knob(app, "count").set_value("20"))
    ran(knob(app, "epsilon").set_value("8/255"))
    ran(knob(app, "masking").set_value(False))
    (run,) = launched(app)
    wanted = EvaluateConfig(model=ROBUST, attack="quick", count=20, epsilon=8 / 255, masking=False)
    assert (run.config, run.name) == (wanted, "robust-quick-n20")
    ran(app)
    assert address(app)["report"] == run.id
    assert "waiting for its turn" in texts(app)
    assert "The report appears here" in texts(app)
    assert f"stop-{run.id}" in {button.key for button in app.button}


def test_a_link_restores_every_setting_and_a_training_it_names() -> None:
    trained("one", name="first")
    trained("two", name="second", created=2.0)
    app = page()
    assert knob(app, "model").value == "run:two"
    ran(knob(app, "model").select("run:one"))
    ran(knob(app, "weights").set_value("both"))
    ran(knob(app, "attack").set_value("pgd"))
    ran(knob(app, "restarts").set_value(2))
    ran(knob(app, "unseen").set_value(False))
    ran(knob(app, "count").set_value(""))
    again = page(**address(app))
    shown = [knob(again, name).value for name in ("model", "weights", "restarts", "unseen")]
    assert shown == ["run:one", "both", 2, False]
    assert knob(again, "count").proto.placeholder == "all"
    assert address(again) == address(app)
    assert not again.warning


def test_the_same_settings_again_get_a_name_of_their_own() -> None:
    app = page()
    assert len(launched(app)) == 1
    ran(app)
    assert "has these very settings" not in texts(app)  # its own row tells
    assert sorted(run.name for run in launched(app)) == [
        "robust-autoattack-n1000",
        "robust-autoattack-n1000-2",
    ]


def test_an_empty_budget_is_the_one_trained_for_or_the_conventional_one_and_says_which() -> None:
    trained("one")
    app = page(model="run:one")
    assert knob(app, "epsilon").proto.placeholder == "0.08 (trained)"
    ran(knob(app, "norm").set_value("l2"))
    assert knob(app, "epsilon").proto.placeholder == "1.5 (conventional)"
    assert not app.button(key="evaluate_start").disabled
    app = page(model="run:one", norm="l2", dataset="kmnist")
    assert knob(app, "epsilon").proto.placeholder == "no convention: set one"
    assert app.button(key="evaluate_start").disabled
    assert knob(page(), "model").value == "run:one"
    assert knob(page(model=ROBUST), "epsilon").proto.placeholder == "0.1 (trained)"


def test_settings_are_shown_only_where_they_do_something() -> None:
    trained("one")
    app = page(model=ROBUST)
    assert (
        has(app, "part_seed")
        and not has(app, "steps")
        and not has(app, "weights")
        and not has(app, "architecture")
    )
    assert has(page(attack="pgd"), "steps")
    assert has(page(model="run:one"), "weights")
    assert not has(page(model=ROBUST, curve="false", unseen="false", masking="false"), "side_count")


def test_a_bare_file_can_be_told_its_network_and_another_model_takes_that_back(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"")
    app = page(model=str(file))
    assert app.button(key="evaluate_start").disabled
    ran(app.button(key="evaluate_open_paths").click())
    assert app.button(key="evaluate_start").disabled
    assert any("nothing says what the model was trained on" in one.value for one in app.error), [
        one.value for one in app.error
    ]
    ran(knob(app, "architecture").select("small-cnn"))
    ran(knob(app, "dataset").select("fashion-mnist"))
    assert not app.button(key="evaluate_start").disabled
    ran(knob(app, "model").select(ROBUST))
    assert not app.button(key="evaluate_start").disabled
    assert "architecture" not in address(app)


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("run:gone", "run 'gone' is not here"),
        ("run:../..", "is not here"),
        ("/nowhere/at/all", "is not here"),
        ("~nobody-here/x", "not a usable path"),
        ("a\0b", "is not here"),
        ("run:early", "has no best weights yet"),
        ("x" * 400, "not a usable path"),
    ],
)
def test_a_model_that_is_not_here_says_why_and_the_button_waits(model: str, word: str) -> None:
    train_run("early")
    app = page(model=model)
    assert app.button(key="evaluate_start").disabled
    if any(button.key == "evaluate_open_paths" for button in app.button):
        ran(app.button(key="evaluate_open_paths").click())
        assert app.button(key="evaluate_start").disabled
    assert len(app.error) == 1
    assert word in str(app.error[0].value).replace("\\", "")


def test_what_the_launcher_refuses_is_said_with_the_remedy_and_nothing_is_started() -> None:
    trained("one", card={"classes": 3})
    app = page(model="run:one")
    ran(app.button(key="evaluate_start").click())
    assert [
        error
        for error in app.error
        if "Not started" in str(error.value) and "classes" in str(error.value)
    ]
    assert [run.kind for run in list_runs()] == ["train"]


def test_a_training_leads_here_and_its_newest_report_is_shown() -> None:
    trained("one", name="first")
    write_evaluation("old", report(run="one", name="first"), created=1.0)
    write_evaluation("newer", report(run="one", name="first"), created=2.0)
    write_evaluation("newest", report(name="another"), created=3.0)
    train = opened("train", runs="one")
    links = [link for link in train.get("page_link") if link.proto.label == "Evaluate"]
    assert [link.proto.query_string for link in links] == ["model=run%3Aone"]
    app = page(model="run:one")
    assert address(app)["report"] == "newer"
    assert knob(app, "model").value == "run:one"


def test_several_models_or_all_seeds_of_one_are_evaluated_at_once() -> None:
    shipped = json.loads((Path(ROBUST) / "card.json").read_text())
    card = {"architecture": shipped["architecture"]}
    for seed in range(3):
        config = QUICK.model_copy(update={"seed": seed})
        run = trained(f"seed{seed}", name=f"arm-s{seed}", config=config, card=card)
        weights = run.folder / "best" / "model.safetensors"
        weights.write_bytes((Path(ROBUST) / weights.name).read_bytes())
    trained("other", name="other", config=QUICK.model_copy(update={"beta": 1.0}))
    app = page(model="run:seed0")
    assert app.button(key="evaluate_start").label == "Evaluate"
    ran(control(app, "Add 2 other seeds of it").click())
    assert app.button(key="evaluate_start").label == "Evaluate 3 models"
    assert address(app)["more"] == "run:seed2,run:seed1"
    started = launched(app)
    assert {run.config.model for run in started} == {"run:seed0", "run:seed1", "run:seed2"}
    assert len({run.name for run in started}) == 3
    assert len({str(run.config.model_copy(update={"model": ""})) for run in started}) == 1
