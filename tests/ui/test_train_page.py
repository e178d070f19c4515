"""The Train page driven without a browser: the form and its config, launching, watching, stopping, and what survives a reload.

Runs are launched for real; the device slot is held by the test, so that they wait for their turn and train nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from cdp import paths
from cdp.config_train import automatic_name
from cdp.data.sets import save_set
from cdp.runs.launch import stop
from cdp.runs.records import Run, list_runs
from cdp.ui.side import side
from tests.ui.train_runs import QUICK, save_examples, train_run

APP = str(paths.ROOT / "app.py")
PATIENCE = 60.0


@pytest.fixture(autouse=True)
def world(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that has served a page before, helper processes of this test's own home, and a device that is taken."""
    monkeypatch.setattr("streamlit.testing.v1.app_test.PagesManager", type("Served", (PagesManager,), {}))
    monkeypatch.setattr(PagesManager, "uses_pages_directory", False)
    side.clear()
    (paths.runs_dir() / ".slots").mkdir(parents=True)
    with FileLock(paths.runs_dir() / ".slots" / "0.lock"):
        yield
        for run in list_runs():
            stop(run.id)
        until(lambda: all(run.over for run in list_runs()))
    for kind in ("maps", "looks"):
        side(kind).close()
    side.clear()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def page(**params: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    app.switch_page("pages/train.py")
    for name, value in params.items():
        app.query_params[name] = value
    return ran(app)


def ran(node: Any) -> AppTest:
    """Draw the page anew, after what was done to a control of it."""
    app: AppTest = node.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.success, app.warning, app.error, app.subheader, app.get("html"))
    return "\n".join(str(e.value if hasattr(e, "value") else e.proto.body) for kind in kinds for e in kind)


def control(app: AppTest, label: str) -> Any:
    """A control of the form by the beginning of its label."""
    boxes = (*app.number_input, *app.selectbox, *app.multiselect, *app.slider, *app.text_input, *app.toggle, *app.get("button_group"))
    return next(box for box in boxes if box.label.startswith(label))


def address(app: AppTest) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


def launched(app: AppTest) -> list[Run]:
    """The runs that a click on the one button starts, oldest first."""
    ran(app.button(key="train_start").click())
    return sorted(list_runs(), key=lambda run: run.created)


def save(name: str, count: int = 40, side_px: int = 28) -> None:
    image = np.random.default_rng(0).integers(0, 256, (count, side_px, side_px, 1), dtype=np.uint8)
    names = [f"c{k}" for k in range(10)]
    save_set(name, image, np.arange(count) % 10, {"class_names": names, "source": "test", "dataset": "fashion-mnist", "config": {"x": 1}})


def test_without_runs_the_page_says_what_to_do_and_starts_with_the_quick_look() -> None:
    app = page()
    assert "No training run yet" in texts(app)
    assert "Press Train" in texts(app)
    assert control(app, "Preset").value == "quick"
    assert not app.button(key="train_start").disabled
    assert address(app) == {}


def test_what_the_form_shows_is_what_is_launched_and_the_run_is_watched() -> None:
    app = page(dataset="fashion-mnist")
    ran(control(app, "Epochs").set_value(3))
    ran(control(app, "Attack budget").set_value("0.05"))
    ran(control(app, "Network").select("preact-resnet-18"))
    ran(control(app, "Seed").set_value(7))
    (run,) = launched(app)
    assert run.kind == "train"
    assert run.config == QUICK.model_copy(update={"epochs": 3, "epsilon": 0.05, "architecture": "preact-resnet-18", "seed": 7})
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
    assert [(run.name, run.config.seed) for run in runs] == [("night-s0", 0), ("night-s1", 1), ("night-s2", 2)]
    ran(app)
    assert sum(box.value for box in app.checkbox) == 3


def test_the_same_settings_again_get_a_name_of_their_own_and_it_is_said_that_they_were_run() -> None:
    app = page()
    assert len(launched(app)) == 1
    ran(app)
    assert "has these very settings" in texts(app).replace("\\", "")
    assert sorted(run.name for run in launched(app)) == [automatic_name(QUICK), f"{automatic_name(QUICK)}-2"]


def test_a_preset_sets_everything_it_decides_in_one_change_and_leaves_the_seed() -> None:
    app = page(seed="5")
    ran(control(app, "Preset").select("paper"))
    assert control(app, "Epochs").value == 400
    assert control(app, "Seed").value == 5
    assert "published recipe" in texts(app)
    assert address(app) == {"preset": "paper", "seed": "5"}
    ran(control(app, "Epochs").set_value(10))
    assert control(app, "Preset").value == "custom"
    assert "Changed from Paper: epochs 10 (400)" in texts(app).replace("\\", "")


def test_an_emptied_number_is_the_automatic_one_and_says_which() -> None:
    app = page(real="100", epsilon="0.2")
    assert (control(app, "Real images").value, control(app, "Attack budget").value) == ("100", "0.2")
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


def test_a_fraction_is_asked_for_only_with_synthetic_sets_and_only_sets_that_fit_are_offered() -> None:
    save("fits")
    save("larger", side_px=32)
    app = page()
    assert [box.label for box in app.slider if "fraction" in box.label] == []
    assert control(app, "Synthetic sets").options == ["fits (40)"]
    ran(control(app, "Synthetic sets").select("fits"))
    ran(control(app, "Synthetic fraction").set_value(0.5))
    assert f"{QUICK.batch // 2} of {QUICK.batch} images in every batch" in texts(app)
    (run,) = launched(app)
    assert (run.config.synthetic, run.config.fraction) == (("fits",), 0.5)


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"real": "0"}, "nothing to train on"), ({"seeds": "3", "seed": str(2**31 - 2)}, "seed"), ({"dataset": "/nowhere/x.npz"}, "unknown"),
        ({"dataset": "cifar10"}, "not on this machine"), ({"norm": "l2"}, "has no conventional l2 budget: set epsilon"),
    ],
)  # fmt: skip
def test_settings_that_cannot_run_say_why_and_the_button_waits(params: dict[str, str], word: str) -> None:
    app = page(**params)
    assert app.button(key="train_start").disabled
    assert [str(error.value) for error in app.error if word in str(error.value).replace("\\", "")]


@pytest.mark.parametrize("name", ["../../etc", "a b", ".hidden", "con"])
def test_a_name_that_cannot_be_one_is_said_before_anything_starts(name: str) -> None:
    app = page(name=name)
    assert app.button(key="train_start").disabled
    assert [error for error in app.error if "Not ready" in str(error.value) and "name" in str(error.value)]


@pytest.mark.parametrize(
    "params",
    [
        {"epochs": "-5"}, {"method": "<script>"}, {"synthetic": "../../etc/passwd"}, {"runs": "../../.."}, {"preset": "__class__"}, {"seeds": "99"},
        {"x" * 300: "y" * 3000}, {"axis": "nowhere"},
    ],
)  # fmt: skip
def test_a_broken_link_says_so_and_the_page_stands(params: dict[str, str]) -> None:
    app = page(**params)
    assert len(app.warning) == 1
    assert len(str(app.warning[0].value)) < 400
    assert not app.button(key="train_start").disabled


def test_a_reload_and_a_second_tab_restore_the_form_and_what_is_watched() -> None:
    train_run("one", name="first", epochs=4)
    train_run("two", name="second", epochs=4, created=2.0)
    app = page()
    assert [box.value for box in app.checkbox] == [True, False]
    ran(next(box for box in app.checkbox if "first" in box.label).check())
    ran(control(app, "Beta").set_value(3.5))
    again = page(**address(app))
    assert control(again, "Beta").value == 3.5
    assert [box.value for box in again.checkbox] == [True, True]


def test_a_finished_run_shows_its_figures_examples_and_settings_and_puts_them_on_the_form() -> None:
    run = train_run("one", name="first", config=QUICK.model_copy(update={"epochs": 9, "method": "mart"}), epochs=9)
    save_examples(run.folder)
    app = page(runs="one")
    assert "56.0 %" in texts(app) and "n = 500 validation images" in texts(app)
    assert "the attack turns 1 of 2 images" in texts(app)
    app.session_state["train_settings_one"] = True
    ran(app)
    ran(app.button(key="use-one").click())
    assert (control(app, "Epochs").value, control(app, "Preset").value) == (9, "custom")
    assert address(app) == {"epochs": "9", "method": "mart", "runs": "one"}


@pytest.mark.parametrize(
    ("state", "told", "words"),
    [
        ("failed", {"error": "the disk is full: free some space"}, "The disk is full"), ("interrupted", {}, "Its process is gone"),
        ("stopped", {"error": "robust accuracy fell: train shorter", "notice": "Robust overfitting since epoch 9"}, "Robust overfitting since epoch 9."),
    ],
)  # fmt: skip
def test_a_run_that_did_not_finish_says_why_and_can_be_gone_on_with_or_removed(state: str, told: dict[str, str], words: str) -> None:
    written = "running" if state == "interrupted" else state
    run = train_run("one", state=written, epochs=2, process={"pid": 2**22 - 3, "began": 1.0}, **told)
    assert run.state == state
    app = page()
    assert words in texts(app).replace("\\", "")
    # What stopped for a reason of its own would stop again.
    assert ("resume-one" in {button.key for button in app.button}) is (state != "stopped")
    ran(app.button(key="remove-one").click())
    assert list_runs() == []
    assert (paths.home() / "trash" / "run-one" / "metrics.jsonl").is_file()
    assert "was moved to" in texts(app)


def test_runs_that_were_watched_as_they_moved_stay_on_the_curves_when_they_are_over() -> None:
    app = page()
    ran(control(app, "Seeds at once").set_value(2))
    runs = launched(app)
    second = page()
    for run in runs:
        stop(run.id)
    until(lambda: all(run.over for run in list_runs()))
    for tab in (app, second):
        ran(tab)
        assert [box.value for box in tab.checkbox] == [True, True]
        assert address(tab)["runs"] == ",".join(run.id for run in runs)


def test_a_run_that_waits_can_be_stopped_and_resumed() -> None:
    app = page()
    (run,) = launched(app)
    ran(app)
    ran(app.button(key=f"stop-{run.id}").click())
    until(lambda: list_runs()[0].state == "stopped")
    ran(app)
    ran(app.button(key=f"resume-{run.id}").click())
    assert list_runs()[0].state == "queued"


def test_many_runs_are_filtered_and_paged() -> None:
    for k in range(20):
        train_run(
            f"r{k:02}",
            name=f"run-{k}",
            config=QUICK.model_copy(update={"seed": k}),
            state="failed" if k % 2 else "finished",
            created=float(k),
        )
    app = page(runs="r00")
    assert len(app.checkbox) == 8
    ran(control(app, "Filter").set_value("failed seed 1"))
    assert all("failed" in str(e.proto.body) for e in app.get("html") if "seed" in str(e.proto.body))
    ran(control(app, "Filter").set_value("no such run"))
    assert "No run matches" in texts(app)


def test_damaged_runs_are_listed_and_the_page_stands() -> None:
    run = train_run("one", epochs=2)
    (run.folder / "config.json").write_text('{"kind": "train", "name": "x", "config": {"epochs": "many"}}')
    (run.folder / "metrics.jsonl").write_text('{"step": 1\nnonsense\n')
    (run.folder / "examples.npz").write_bytes(b"PK")
    app = page(runs="one")
    assert "cannot be used" in texts(app).replace("\\", "")


def test_drawing_the_page_imports_neither_torch_nor_mlflow() -> None:
    train_run("one", epochs=4)
    script = (
        "import sys\nfrom streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({APP!r}, default_timeout=60).run()\n"
        "app.switch_page('pages/train.py')\napp.run()\nassert not app.exception\n"
        "from cdp.ui.side import side\nside('looks').close()\n"
        "assert not {'torch', 'mlflow', 'diffusers', 'umap', 'sklearn', 'scipy'} & set(sys.modules), 'imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(paths.ROOT)})
    assert done.returncode == 0, done.stderr[-2000:]
