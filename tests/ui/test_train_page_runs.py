"""The runs on the Train page, driven without a browser: watching, stopping, and what survives a
reload.

Runs are launched for real; the device slot is held by the test, so that they wait for their turn
and train nothing.
"""

from __future__ import annotations

import pytest

from cdp import paths
from cdp.work.launch import stop
from cdp.work.records import list_runs
from tests.ui.pages import address, control, ran, texts, until
from tests.ui.train_app import launched, page
from tests.ui.train_runs import QUICK, save_examples, train_run

pytestmark = pytest.mark.usefixtures("world")


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
    run = train_run(
        "one",
        name="first",
        config=QUICK.model_copy(update={"steps": None, "epochs": 9, "method": "mart"}),
        epochs=9,
    )
    save_examples(run.folder)
    app = page(runs="one")
    assert "56.0 %" in texts(app) and "500 validation images" in texts(app)
    assert "the attack turns 1 of 2 images" in texts(app)
    app.session_state["train_settings_one"] = True
    ran(app)
    ran(app.button(key="use-one").click())
    assert (control(app, "Epochs").value, control(app, "Preset").value) == ("9", "custom")
    assert address(app) == {"epochs": "9", "method": "mart", "runs": "one"}


@pytest.mark.parametrize(
    ("state", "told", "words"),
    [
        ("failed", {"error": "the disk is full: free some space"}, "The disk is full"),
        ("interrupted", {}, "The process is gone"),
        (
            "stopped",
            {
                "error": "robust accuracy fell: train shorter",
                "notice": "Robust overfitting since epoch 9",
            },
            "Robust overfitting since epoch 9.",
        ),
    ],
)
def test_a_run_that_did_not_finish_says_why_and_can_be_gone_on_with_or_removed(
    state: str, told: dict[str, str], words: str
) -> None:
    written = "running" if state == "interrupted" else state
    run = train_run(
        "one", state=written, epochs=2, process={"pid": 2**22 - 3, "began": 1.0}, **told
    )
    assert run.state == state
    app = page()
    assert words in texts(app)
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
    # The ten that are finished are seeds of one setting, in one row.
    groups = [box for box in app.checkbox if box.label.startswith("Watch all seeds of")]
    assert [box.label for box in groups] == ["Watch all seeds of run"]
    assert len(app.checkbox) == 8 + 10
    ran(groups[0].check())
    assert set(str(app.query_params["runs"]).strip("[]'").split(",")) >= {"r00", "r02", "r18"}
    ran(control(app, "Filter").set_value("failed seed 1"))
    assert all(
        "failed" in str(e.proto.body) for e in app.get("html") if "seed" in str(e.proto.body)
    )
    ran(control(app, "Filter").set_value("no such run"))
    assert "No match" in texts(app)


def test_damaged_runs_are_listed_and_the_page_stands() -> None:
    run = train_run("one", epochs=2)
    (run.folder / "config.json").write_text(
        '{"kind": "train", "name": "x", "config": {"epochs": "many"}}'
    )
    (run.folder / "metrics.jsonl").write_text('{"step": 1\nnonsense\n')
    (run.folder / "examples.npz").write_bytes(b"PK")
    app = page(runs="one")
    assert "cannot be used" in texts(app)


def test_a_list_says_what_differs_and_can_be_sorted() -> None:
    for k, beta in enumerate((1.0, 6.0, 3.0, 12.0, 2.0)):
        config = QUICK.model_copy(update={"beta": beta})
        train_run(f"r{k}", name=f"run-{beta:g}", config=config, created=float(k))
    app = page(runs="r0")
    said = texts(app)
    assert all(f"beta {beta} · seed 0" in said for beta in (1, 6, 3, 12, 2))
    assert said.index("run-2") < said.index("run-12")  # newest first
    ran(app.selectbox(key="train_order").set_value("Name"))
    said = texts(app)
    assert said.index("run-12") < said.index("run-2") < said.index("run-3")
