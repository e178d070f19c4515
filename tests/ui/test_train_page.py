"""The form of the Train page driven without a browser: settings, links, and what is launched.

Runs are launched for real; the device slot is held by the test, so that they wait for their turn
and train nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

from cdp.config.generate import GenerateConfig, flatten
from cdp.config.train import automatic_name
from cdp.files.reading import read_json
from cdp.work.records import CONFIG, list_runs
from cdp.work.slots import core_count
from tests.ui.pages import address, control, ran, texts
from tests.ui.train_app import launched, page, save
from tests.ui.train_runs import QUICK, train_run

pytestmark = pytest.mark.usefixtures("world")


def test_without_runs_the_page_says_what_to_do_and_starts_with_the_quick_look() -> None:
    app = page()
    assert "No training run yet" in texts(app)
    assert "Press Train" in texts(app)
    assert control(app, "Preset").value == "quick"
    assert not app.button(key="train_start").disabled
    assert address(app) == {}


def test_what_the_form_shows_is_what_is_launched_and_the_run_is_watched() -> None:
    app = page(dataset="fashion-mnist")
    ran(control(app, "Epochs").set_value("3"))
    ran(control(app, "Attack budget").set_value("0.05"))
    ran(control(app, "Network").select("preact-resnet-18"))
    ran(control(app, "Seed").set_value(7))
    (run,) = launched(app)
    assert run.kind == "train"
    assert run.config == QUICK.model_copy(
        update={
            "steps": None,
            "epochs": 3,
            "epsilon": 0.05,
            "architecture": "preact-resnet-18",
            "seed": 7,
        }
    )
    assert run.name == automatic_name(run.config)
    ran(app)
    assert next(box for box in app.checkbox if run.name in box.label.replace("\\", "")).value
    assert f"stop-{run.id}" in {button.key for button in app.button}
    assert "waiting for its turn" in texts(app)


def test_several_seeds_are_as_many_runs_under_one_name_each() -> None:
    app = page()
    ran(control(app, "Seeds at once").set_value(3))
    ran(control(app, "Name").set_value("night"))
    assert app.button(key="train_start").label == "Train 3 runs"
    runs = launched(app)
    assert [(run.name, run.config.seed) for run in runs] == [
        ("night-s0", 0),
        ("night-s1", 1),
        ("night-s2", 2),
    ]
    shares = [(read_json(run.folder / CONFIG) or {}).get("share") for run in runs]
    assert shares == [None if core_count() == 1 else {"slots": core_count(), "threads": 1}] * 3
    ran(app)
    assert sum(box.value for box in app.checkbox) == 3


def test_one_run_and_seeds_where_the_user_gave_slots_take_all_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = page()
    (run,) = launched(app)
    assert "share" not in (read_json(run.folder / CONFIG) or {})
    monkeypatch.setenv("CDP_SLOTS", "1")
    ran(control(app, "Seeds at once").set_value(2))
    for run in launched(app):
        assert "share" not in (read_json(run.folder / CONFIG) or {})


def test_the_same_settings_again_get_a_name_of_their_own() -> None:
    app = page()
    assert len(launched(app)) == 1
    ran(app)
    assert "has these very settings" not in texts(app)  # its own row tells
    assert sorted(run.name for run in launched(app)) == [
        automatic_name(QUICK),
        f"{automatic_name(QUICK)}-2",
    ]


def test_a_preset_sets_everything_it_decides_in_one_change_and_leaves_the_seed() -> None:
    app = page(seed="5")
    ran(control(app, "Preset").select("paper"))
    assert control(app, "Epochs").value == "400"
    assert control(app, "Seed").value == 5
    assert "published recipe" in texts(app)
    assert address(app) == {"preset": "paper", "seed": "5"}
    ran(control(app, "Epochs").set_value("10"))
    assert control(app, "Preset").value == "custom"
    assert "Changed from Paper: epochs 10 (400)" in texts(app)


def test_steps_and_epochs_stand_beside_each_other_and_one_takes_the_place_of_the_other() -> None:
    app = page()
    assert (control(app, "Steps").value, control(app, "Epochs").value) == ("500", "")
    assert control(app, "Epochs").proto.placeholder == "33.3"
    assert "500 steps, 33.3 epochs of 15 steps, 64,000 images seen" in texts(app)
    ran(control(app, "Epochs").set_value("3"))
    assert (control(app, "Steps").value, control(app, "Epochs").value) == ("", "3")
    assert control(app, "Steps").proto.placeholder == "45"
    assert address(app) == {"epochs": "3"}
    ran(control(app, "Steps").set_value("100"))
    assert (control(app, "Steps").value, control(app, "Epochs").value) == ("100", "")
    # Emptied, the one that is set comes back.
    ran(control(app, "Steps").set_value(""))
    assert control(app, "Steps").value == "100"
    assert address(app) == {"steps": "100"}


def test_arms_with_and_without_images_in_addition_are_launched_with_the_same_steps() -> None:
    save("few", 64)
    for chosen in ((), ("few",), ("real:64",)):
        app = page()
        for name in chosen:
            ran(control(app, "Synthetic sets").select(name))
        launched(app)
    runs = [run.config for run in list_runs()]
    assert sorted(config.synthetic for config in runs) == [(), ("few",), ("real:64",)]
    assert {config.steps for config in runs} == {500}
    assert all(config.epochs is None for config in runs)


def test_an_emptied_number_is_the_automatic_one_and_says_which() -> None:
    app = page(real="100", epsilon="0.2")
    assert (control(app, "Real images").value, control(app, "Attack budget").value) == (
        "100",
        "0.2",
    )
    ran(control(app, "Real images").set_value(""))
    ran(control(app, "Attack budget").set_value(""))
    assert control(app, "Attack budget").proto.placeholder == "0.1 (conventional)"
    assert control(app, "Real images").proto.placeholder == "all"
    assert address(app) == {"real": ""}
    (run,) = launched(page(**address(app)))
    assert (run.config.real, run.config.epsilon) == (None, None)
    assert run.name == automatic_name(run.config)


def test_text_that_is_no_number_stands_with_a_word_and_changes_nothing() -> None:
    app = page(epsilon="0.2")
    ran(control(app, "Attack budget").set_value("8/255 or so"))
    assert "not a number above 0 to 100, so 0.2 stays" in texts(app)
    assert address(app) == {"epsilon": "0.2"}
    ran(control(app, "Attack budget").set_value("8/255"))
    assert float(address(app)["epsilon"]) == 8 / 255


def test_a_fraction_is_asked_for_only_with_synthetic_sets_and_only_sets_that_fit_are_offered() -> (
    None
):
    save("fits")
    save("larger", side_px=32)
    app = page()
    assert [box.label for box in app.slider if "fraction" in box.label] == []
    assert control(app, "Synthetic sets").options == [
        "fits (40)",
        "40 more real images: the ceiling",
    ]
    ran(control(app, "Synthetic sets").select("fits"))
    ran(control(app, "Synthetic fraction").set_value(0.5))
    assert f"{QUICK.batch // 2} of {QUICK.batch} images in every batch" in texts(app)
    (run,) = launched(app)
    assert (run.config.synthetic, run.config.fraction) == (("fits",), 0.5)


def test_settings_of_a_finished_run_are_said_to_give_the_same_numbers() -> None:
    train_run("one", config=QUICK, state="stopped")
    assert "has these very settings" not in texts(page())
    train_run("two", config=QUICK, state="finished")
    assert "has these very settings: another run gives the same" in texts(page())


def test_a_small_set_is_warned_of_with_a_button_that_makes_a_larger_one_like_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []
    monkeypatch.setattr("cdp.ui.kit.generating.launch", lambda *args: made.append(args))
    save("few", 64, config=flatten(GenerateConfig(seed=7)), kind="generated")
    app = page(synthetic="few", preset="standard")
    assert "64 synthetic images is seen about 19,688 times" in texts(app)
    assert control(app, "Images to make").value == 12_600
    ran(control(app, "Make them in the background").click())
    ((task, config, _),) = made
    assert (task.name, config.count, config.seed) == ("generate", 12_600, 7)
    save("imported", 64)
    app = page(synthetic="imported", preset="standard")
    assert "is seen about" in texts(app)
    with pytest.raises(IndexError):
        control(app, "Images to make")


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"real": "0"}, "nothing to train on"),
        ({"seeds": "3", "seed": str(2**31 - 2)}, "Seed"),
        ({"dataset": "nowhere"}, "unknown"),
        ({"dataset": "cifar10"}, "not on this machine"),
    ],
)
def test_settings_that_cannot_run_say_why_and_the_button_waits(
    params: dict[str, str], word: str
) -> None:
    app = page(**params)
    assert app.button(key="train_start").disabled
    assert [str(error.value) for error in app.error if word in str(error.value).replace("\\", "")]


def test_a_choice_known_to_fail_is_warned_of_at_once_and_refuses_nothing() -> None:
    app = page(epsilon="0.3", warm_up="0")
    assert [warning for warning in app.warning if "stay at chance" in str(warning.value)]
    assert not app.button(key="train_start").disabled


def test_a_name_that_cannot_be_one_is_said_before_anything_starts() -> None:
    app = page(name="../../etc")
    assert app.button(key="train_start").disabled
    assert "Not ready" in texts(app)


@pytest.mark.parametrize("params", [{"synthetic": "../../etc/passwd"}, {"runs": "../../.."}])
def test_a_link_to_what_is_not_here_says_so_and_the_page_stands(params: dict[str, str]) -> None:
    app = page(**params)
    assert len(app.warning) == 1 and len(str(app.warning[0].value)) < 400
    assert not app.button(key="train_start").disabled
