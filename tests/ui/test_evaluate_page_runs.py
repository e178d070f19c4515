"""The list of evaluations, driven without a browser: states, what is certain so far, stopping, and
what cannot be read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.values.evaluation import OUTCOMES, REPORT, outcomes_bytes
from cdp.work.records import list_runs
from tests.evaluations import report, write_evaluation
from tests.ui.compare_runs import training
from tests.ui.evaluate_app import ROBUST, has, knob, page, quick, trained
from tests.ui.pages import address, ran, texts

pytestmark = pytest.mark.usefixtures("world")

PROGRESS = {
    "done": 2350,
    "count": 5000,
    "seconds": 40.0,
    "seconds_left": 131.0,
    "rate": 20.0,
    "resumed_from": 0,
    "unit": "images",
}


def journal(folder: Path, points: Sequence[Mapping[str, float]]) -> None:
    lines = (
        json.dumps({"step": k + 1, "time": 1.0, "values": {"n": 1000.0} | dict(values)}) + "\n"
        for k, values in enumerate(points)
    )
    (folder / "metrics.jsonl").write_text("".join(lines))


def running(run_id: str, points: Sequence[Mapping[str, float]], **more: Any) -> Path:
    """An evaluation that this very process seems to work on."""
    me = psutil.Process(os.getpid())
    folder = write_evaluation(
        run_id,
        None,
        state="running",
        process={"pid": me.pid, "began": me.create_time()},
        progress=PROGRESS,
        created=5e9,
        **({"config": EvaluateConfig(model=ROBUST)} | more),
    )
    journal(folder, points)
    return folder


def over(folder: Path) -> None:
    """So that the world can be closed."""
    status = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps(status | {"state": "failed"}))


def test_a_running_evaluation_says_its_stage_its_time_and_a_bound_that_falls() -> None:
    points = [
        {"stage": 0, "robust": 0.83},
        {"stage": 0, "robust": 0.78},
        {"stage": 1, "robust": 0.702},
        {"stage": 1, "robust": 0.651},
    ]
    folder = running("now", points, notice="APGD-T: 702 of 1,000 images are standing")
    app = page()
    told = texts(app)
    assert "2,350 of 5,000 images · 2 min 11 s left" in told
    assert "APGD-T: 702 of 1,000 images are standing · at most 65.1 % so far" in told
    assert [
        word for word in ("Without attack", "After 1 attack", "During APGD-T") if word not in told
    ] == []
    assert [figure for figure in ("83.0 %", "70.2 %", "65.1 %") if figure not in told] == []
    assert "78.0 %" not in told
    journal(folder, [*points, {"stage": 2, "robust": 0.6}])
    ran(app)
    assert "at most 60.0 % so far" in texts(app)
    over(folder)


def test_two_sets_of_weights_have_a_bound_each() -> None:
    folder = running(
        "now",
        [{"stage": 4, "robust": 0.58, "weights": 0}, {"stage": 0, "robust": 0.8, "weights": 1}],
    )
    told = texts(page())
    assert "best at most 58.0 %, last at most 80.0 %" in told
    assert "Best weights, after 4 attacks" in told and "Last weights, without attack" in told
    over(folder)


def test_a_journal_of_other_points_is_left_alone() -> None:
    folder = running(
        "now", [{"loss": 1.0}, {"stage": 0, "robust": 7.0}, {"stage": 0, "robust": 0.5, "n": 0}]
    )
    assert "so far" not in texts(page())
    over(folder)


def test_finished_ones_say_what_came_out_and_how_it_is_called() -> None:
    write_evaluation(
        "one",
        report(
            1000, clean=0.851, robust=0.603, label="AutoAttack (standard), n = 1,000, +/- 3 points"
        ),
        created=1.0,
    )
    write_evaluation("two", quick(), created=2.0)
    told = texts(page())
    assert "60.3 % (57.2 to 63.3) withstand, 85.1 % clean" in told
    assert "AutoAttack (standard), n = 1,000, +/- 3 points" in told
    assert "PGD-10, n = 400, +/- 5 points: a quick estimate" in told


def test_another_report_is_shown_by_its_button_and_told_by_the_address() -> None:
    write_evaluation("one", report(robust=0.4), created=1.0)
    write_evaluation("two", report(robust=0.6), created=2.0)
    app = page()
    assert [button.key for button in app.button if str(button.key).startswith("show-")] == [
        "show-one"
    ]
    ran(app.button(key="show-one").click())
    assert address(app)["report"] == "one"
    assert [button.key for button in app.button if str(button.key).startswith("show-")] == [
        "show-two"
    ]


@pytest.mark.parametrize(
    ("state", "told", "words"),
    [
        ("failed", {"error": "the disk is full: free some space"}, "The disk is full"),
        ("running", {}, "The process is gone"),
        ("stopped", {}, "Resume continues from the last finished batch"),
    ],
)
def test_one_that_did_not_finish_says_why_and_can_be_gone_on_with_or_removed(
    state: str, told: dict[str, str], words: str
) -> None:
    config = EvaluateConfig(model=ROBUST, attack="pgd", seed=7)
    write_evaluation(
        "one", None, state=state, config=config, process={"pid": 2**22 - 3, "began": 1.0}, **told
    )
    app = page()
    assert words in texts(app)
    assert "resume-one" in {button.key for button in app.button}
    ran(app.button(key="use-one").click())
    assert (knob(app, "attack").value, knob(app, "seed").value) == ("pgd", 7)
    ran(app.button(key="remove-one").click())
    assert list_runs() == []
    assert (paths.home() / "trash" / "run-one" / "config.json").is_file()
    assert "was moved to" in texts(app) and "No evaluation yet" in texts(app)


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b'{"label": 3}', b"\xff\xfe", None])
def test_a_damaged_report_is_an_error_with_a_remedy_and_the_rest_goes_on(
    content: bytes | None,
) -> None:
    folder = write_evaluation("bad", report(), created=2.0)
    write_evaluation("good", report(robust=0.4), created=1.0)
    (folder / REPORT).write_bytes(content) if content is not None else (folder / REPORT).unlink()
    app = page()
    (error,) = app.error
    assert "report.json" in str(error.value) and "evaluate again" in str(error.value)
    assert not app.button(key="evaluate_start").disabled
    ran(app.button(key="show-good").click())
    assert not app.error and "40.0 %" in texts(app)


@pytest.mark.parametrize("content", [b"PK", None, outcomes_bytes(report(30)[1])])
def test_outcomes_that_are_damaged_or_of_another_report_cost_the_file_by_image_and_nothing_else(
    content: bytes | None,
) -> None:
    folder = write_evaluation("one", report())
    (
        (folder / OUTCOMES).write_bytes(content)
        if content is not None
        else (folder / OUTCOMES).unlink()
    )
    app = page()
    assert "No CSV by image" in texts(app)
    assert "60.0 %" in texts(app)
    assert "CSV by image" not in {button.proto.label for button in app.get("download_button")}


def test_damaged_runs_are_listed_and_the_page_stands() -> None:
    folder = write_evaluation("one", report())
    (folder / "config.json").write_text(
        '{"kind": "evaluate", "name": "x", "config": {"count": "many"}}'
    )
    (folder / "status.json").write_text(
        '{"state": "finished", "result": {"robust_accuracy": "high", "n": [], "label": 5}}'
    )
    app = page()
    assert "settings cannot be read" in texts(app)
    assert not app.button(key="evaluate_start").disabled


def test_the_report_of_a_training_that_was_removed_still_shows() -> None:
    trained("one")
    write_evaluation("e", report(run="one"))
    app = page(report="e")
    assert "See the training" in {link.proto.label for link in app.get("page_link")}
    (paths.runs_dir() / "one").rename(paths.runs_dir().parent / "gone")
    ran(app)
    assert "The training was removed" in texts(app)
    assert "60.0 %" in texts(app)
    assert "See the training" not in {link.proto.label for link in app.get("page_link")}


def test_many_are_filtered_and_paged() -> None:
    for k in range(15):
        write_evaluation(
            f"e{k:02}", quick() if k % 2 else report(), name=f"night-{k}", created=float(k)
        )
    app = page()
    rows = [str(e.proto.body) for e in app.get("html") if "night-" in str(e.proto.body)]
    assert len(rows) == 6 + 1  # the heading of the one shown
    ran(
        next(box for box in app.text_input if box.label == "Filter evaluations").set_value(
            "quick night-1"
        )
    )
    assert all(
        "quick estimate" in str(e.proto.body)
        for e in app.get("html")
        if 'class="cdp-row"' in str(e.proto.body)
    )
    ran(
        next(box for box in app.text_input if box.label == "Filter evaluations").set_value(
            "no such evaluation"
        )
    )
    assert "No match" in texts(app)
    assert has(app, "model")


def test_a_long_list_folds_the_seeds_of_a_model_and_says_what_they_reach_together() -> None:
    for arm, beta in (("a", 6.0), ("b", 12.0), ("c", 24.0), ("d", 3.0)):
        for seed in range(2):
            training(f"{arm}-s{seed}", seed=seed, beta=beta)
            found = report(
                400, robust=0.6 + 0.01 * seed, run=f"{arm}-s{seed}", name=f"{arm}-s{seed}"
            )
            write_evaluation(f"e-{arm}-s{seed}", found, created=1.0 + seed)
    write_evaluation("gone", report(400, robust=0.5, run="removed"), created=9.0)
    app = page()
    folds = [fold.label.replace("\\", "") for fold in app.expander if "seeds" in fold.label]
    assert [label.partition(" · ")[2] for label in folds] == [
        "2 seeds · 60.5 % (54.1 to 66.9) withstand"
    ] * 4
    assert "50.0 % (45.1 to 54.9) withstand" in texts(app)
