"""The Experiment page driven without a browser: its three questions, what a link and a YAML do, and
what an experiment shows."""

from __future__ import annotations

import base64
import io
import json
import os
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from cdp import paths
from cdp.config.experiment import ExperimentConfig
from cdp.config.fields import config_of
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.train import TrainConfig
from cdp.data.presets import own_presets
from cdp.data.sets import SetWriter
from cdp.errors import InputError
from cdp.experiments.files import experiment_of, yaml_of
from cdp.experiments.plan import cells
from cdp.experiments.results import result_of
from cdp.ui.experiment import doors
from cdp.ui.experiment.take import SHEET, first_images, sheet_of
from cdp.ui.kit.words import split_verdict
from cdp.values.experiment import CellState
from cdp.work import launch
from cdp.work.records import get_run, list_runs
from cdp.work.registry import TASKS
from tests.ui.experiment_runs import experiment_run, measured_grid, trained
from tests.ui.pages import address, control, opened, ran, served, texts

SMALL = "{name: tiny, real: 300, seeds: [0], arms: {real only: {}, b: {more_real: 5}}}"


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch)


def page(**params: str) -> AppTest:
    return opened("experiment", **params)


def on_form(app: AppTest) -> ExperimentConfig:
    """What Start would take."""
    return experiment_of(app.text_area[0].value, "the page")


@pytest.mark.parametrize(
    ("door", "arms", "more"),
    [
        ("Is my setting worth it?", ["real only", "unguided", "guided", "more real"], set()),
        ("Which strength and temperature?", ["real only", "unguided"], {"grid"}),
        ("Find the best", ["real only", "unguided"], {"search"}),
    ],
)
def test_a_question_is_an_experiment_of_its_arms(
    door: str, arms: list[str], more: set[str]
) -> None:
    app = page()
    named = {title: name for name, (title, _) in doors.DOORS.items()}
    ran(app.radio[0].set_value(named[door]))
    config = on_form(app)
    assert [name for name, _ in config.all_arms()][: len(arms)] == arms
    assert {name for name in ("grid", "search") if getattr(config, name)} == more
    assert (config.real, config.seeds, doors.count_of(config)) == (1000, (0, 1, 2), 500)
    assert config.control_name == "unguided"
    assert "yaml" not in address(app)
    # What was changed goes along to another question, and into its link.
    ran(control(app, "Real images").set_value(700))
    other = next(name for name in doors.DOORS if name != named[door])
    ran(app.radio[0].set_value(other))
    assert on_form(page(**address(app))).real == on_form(app).real == 700
    ran(app.radio[0].set_value(named[door]))
    assert "points can be seen" in texts(app) and "as measured on other machines" in texts(app)


def test_what_is_set_on_the_form_is_what_is_started_and_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[ExperimentConfig] = []
    monkeypatch.setattr("cdp.ui.experiment.form.begin", lambda config: begun.append(config) or "x")
    app = page(door="grid")
    ran(control(app, "Strength").set_value("0.1, 0.3"))
    ran(control(app, "Synthetic images").set_value(40))
    ran(control(app, "Seeds").set_value(2))
    ran(control(app, "Test images").set_value(50))
    ran(control(app, "Name").set_value("my first try"))
    assert control(app, "Name").value == "my-first-try"
    assert "yaml" in address(app)
    again = page(**address(app))
    assert on_form(again) == on_form(app)
    ran(control(again, "Start the experiment").click())
    (config,) = begun
    assert config.grid["generate.strength"] == [0.1, 0.3] and config.seeds == (0, 1)
    assert (doors.count_of(config), config.evaluate["count"]) == (40, 50)
    assert config.name == "my-first-try"
    ran(control(app, "Strength").set_value("0.1, much"))
    assert "'much' is no number" in texts(app)


def test_a_yaml_that_is_none_is_a_sentence_and_starts_nothing() -> None:
    app = page()
    ran(app.text_area[0].set_value("arms: {a: {generate: {strenght: 1}}}"))
    assert "generate.strenght is not a setting" in texts(app)
    assert control(app, "Start the experiment").disabled
    ran(app.text_area[0].set_value(SMALL))
    assert on_form(app).real == 300 and not control(app, "Start the experiment").disabled
    assert "5 more of them" in texts(app)
    for link in ("abc", "name: {", "A" * 10_000):
        assert "The first question is shown" in texts(page(yaml=link))
    assert on_form(page(yaml=SMALL)).name == "tiny"


def test_a_link_brings_any_experiment_back_and_a_bomb_is_refused() -> None:
    config = experiment_of(SMALL, "here")
    assert doors.unpacked(doors.packed(config)) == config
    bomb = base64.urlsafe_b64encode(zlib.compress(b"a" * 10**7)).decode().rstrip("=")
    with pytest.raises(InputError, match="damaged or too large"):
        doors.unpacked(bomb[: doors.LONGEST_LINK])


def test_the_settings_of_generate_are_the_guided_arm_and_only_that() -> None:
    settings = flatten(GenerateConfig()) | {
        "strength": 0.3,
        "loss": "fisher",
        "steps": 7,
        "seed": 9,
    }
    config = doors.begun(doors.WORTH, unflatten(settings))
    made = {cell.arm: cell.generate for cell in cells(config, seeds=[1])}
    guided, unguided = made["guided"], made["unguided"]
    assert guided is not None and unguided is not None
    assert (guided.guidance.loss, guided.guidance.strength) == ("fisher", 0.3)
    assert unguided.guidance.loss == "none"
    assert guided.sampler.steps == unguided.sampler.steps == 7 and guided.seed == 1
    assert made["real only"] is None is made["more real"]


def test_trainings_of_compare_are_arms_that_differ_as_they_do() -> None:
    base = {"real": 300, "steps": 40, "epsilon": 0.1, "method": "trades"}
    trained = {
        "mixed": base | {"synthetic": ["a"], "beta": 3.0},
        "more": base | {"synthetic": ["real:9"]},
    }
    config = doors.of_trainings(trained)
    assert config is not None and config.control_name == "mixed"
    for cell in cells(config, seeds=[5]):
        asked = config_of(TrainConfig, trained[cell.arm])
        wanted = asked.model_copy(update={"seed": 5, "subset_seed": 5})
        assert cell.training(cell.saved) == wanted
    for unlike in ({"real": 200}, {"steps": 50}, {"synthetic": ["a", "b"]}, {"beta": "x"}):
        assert doors.of_trainings(trained | {"c": base | unlike}) is None


def test_a_finished_experiment_shows_verdict_matrix_and_charts() -> None:
    run = trained()
    app = page(experiment=run.id)
    shown = texts(app)
    assert "plain and guided cannot be told apart." in shown or "guided is better" in shown
    assert shown.count("gallery?set=set-guided") == 2
    assert "train?run=guided-s1" in shown and "evaluate?report=e-plain-s0" in shown
    rows = app.dataframe[0].value
    assert list(rows["arm"]) == ["plain", "guided"]
    assert rows["robust [%]"][1] > rows["robust [%]"][0]
    assert "Two more seeds" in {button.label for button in app.button}
    assert "Use these settings" in {button.label for button in app.button}
    ran(control(app, "Use these settings").click())
    assert "experiment" not in address(app) and on_form(app).control == "plain"
    assert "There is no experiment" in texts(page(experiment="gone"))


def test_what_a_cell_is_doing_and_why_one_failed_is_said() -> None:
    failed = CellState("guided", 1, "failed", error="the <disk> is full")
    run = trained(state="failed", open_cell=failed)
    said = "guided stands 5.0 points above plain, one of 2 seeds"
    status = run.folder / "status.json"
    status.write_text(
        json.dumps(json.loads(status.read_text()) | {"notice": f"{said}: too early."})
    )
    shown = texts(page(experiment=run.id))
    assert shown.count(said) == 1 and "1 paired seed." in shown
    assert "failed" in shown and "the &lt;disk&gt; is full" in shown
    assert "Resume" in {button.label for button in page(experiment=run.id).button}


def test_of_a_grid_there_is_a_sheet_and_the_best_becomes_a_preset() -> None:
    run = measured_grid()
    app = page(experiment=run.id)
    shown = texts(app)
    # In the rows of images and over the two settings, but not in the matrix, of its first seed.
    first = shown.count("gallery?set=strength-0.2-temperature-0.1-s0")
    assert first == 1 + shown.count("gallery?set=strength-0.2-temperature-0.1-s1") + 1
    assert "What strength does" in shown and "temperature \\ strength".replace("\\", "") in shown
    ran(control(app, "Keep strength").set_value("mine"))
    ran(control(app, "Keep as preset").click())
    ((name, preset),) = own_presets().items()
    assert (name, preset.flat["strength"]) == ("mine", 0.2)
    assert run.id in preset.source and "seed" not in preset.flat and "count" not in preset.flat
    ran(control(app, "Keep as preset").click())
    assert "there already" in texts(app)
    generate = opened("generate")
    assert "Keep" not in texts(generate)
    ran(control(generate, "Preset").select("mine"))
    assert "Kept from experiment night" in texts(generate)


def test_the_sheet_of_images_carries_the_experiment() -> None:
    run = measured_grid()
    assert isinstance(run.config, ExperimentConfig)
    images = first_images(result_of(run.config, run.folder, run.name))
    assert len(images) == 5
    with Image.open(io.BytesIO(sheet_of(images, yaml_of(run.config)))) as sheet:
        assert experiment_of(sheet.info[SHEET], "the sheet") == run.config
        assert sheet.width > 8 * 28


def test_while_it_runs_images_appear_as_they_are_made_and_more_may_be_asked() -> None:
    config = experiment_of(
        "{name: night, seeds: [0, 1], arms: {a: {generate: {count: 20}}, real only: {}}}", "here"
    )
    made = launch.create(TASKS["generate"], GenerateConfig(), "night-a")
    image = np.full((20, 28, 28, 1), 7, np.uint8)
    with SetWriter(paths.sets_dir() / "night-a", 20, (28, 28, 1), {}) as writer:
        cells = [CellState("a", 0, "generate", run=made)]
        run = experiment_run(config, cells, state="running", updated=time.time())
        assert first_images(result_of(config, run.folder, run.name)) == {}
        writer.write(slice(0, 5), image[:5], np.zeros(5, np.int64))
        images = first_images(result_of(config, run.folder, run.name))
        assert images["a"].shape == (5, 28, 28, 1) and (images["a"] == 7).all()
        app = page(experiment=run.id)
        assert "Further arms appear here" in texts(app) or "The same noise" in texts(app)
        os.utime(run.folder / "config.json", (1e9, 1e9))
        for _ in range(2):  # a double click
            ran(control(app, "Two more seeds").click())
    now = get_run(run.id).config
    assert isinstance(now, ExperimentConfig) and now.seeds == (0, 1, 2, 3)
    assert {button.label for button in app.button} >= {"Stop", "Stronger attack"}


@pytest.mark.parametrize(
    ("verdict", "head"),
    [
        (
            "a and b cannot be told apart: difference +0.3 points, 2 seeds.",
            "a and b cannot be told apart.",
        ),
        ("b is better by 1.2 points, 95 % interval 0.3 to 2.1; so.", "b is better by 1.2 points."),
    ],
)
def test_the_headline_is_what_is_said_and_the_rest_what_it_rests_on(
    verdict: str, head: str
) -> None:
    first, rest = split_verdict(verdict)
    assert first == head and rest[0].isupper() | rest[0].isdigit()


def test_the_list_of_experiments_leads_to_each() -> None:
    run = measured_grid()
    app = page()
    assert "night" in texts(app) and not list_runs()[0].error
    ran(control(app, "Show").click())
    assert address(app) == {"experiment": run.id}


def test_an_example_is_shown_where_nothing_is_yet_and_offers_no_change(
    cdp_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained()
    monkeypatch.setenv("CDP_EXAMPLE", str(cdp_home))
    monkeypatch.setenv("CDP_HOME", str(tmp_path / "empty"))
    app = page()
    assert "Example, read only" in texts(app)
    app = page(experiment=run.id)
    assert "An example, read only." in texts(app)
    assert not {b.label for b in app.button} & {
        "Two more seeds",
        "Remove",
        "Stop",
        "Stronger attack",
    }
    addresses = [one.proto.query_string for one in app.get("page_link")]
    assert any("plain-s0" in one and "guided-s1" in one for one in addresses)
    compared = opened("compare")
    assert "Compare the trainings of the example study" in [
        one.proto.label for one in compared.get("page_link")
    ]


def test_the_sheet_of_images_opens_large() -> None:
    app = page(experiment=measured_grid().id)
    before = texts(app).count("first images of")
    ran(control(app, "Open large").click())
    assert texts(app).count("first images of") > before
