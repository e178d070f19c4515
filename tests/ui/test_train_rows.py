"""What the list says of a run, read from its files; and who is watched where nobody chose."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from cdp.config.train import TrainConfig
from cdp.figures.palette import GUIDED
from cdp.results.reached import Reached, reached_of
from cdp.ui.kit.runlist import matching, moving, of_kind, share
from cdp.ui.train.runs import RUNS, accuracy_line, epoch_line, facts, row_html, watching
from cdp.work.records import list_runs
from tests.ui.train_runs import SHORT, train_run

pytestmark = pytest.mark.usefixtures("cdp_home")


def alive() -> dict[str, object]:
    me = psutil.Process()
    return {"pid": os.getpid(), "began": me.create_time()}


def test_a_running_run_tells_epoch_time_left_and_both_accuracies() -> None:
    run = train_run("a", state="running", epochs=5, process=alive())
    now = reached_of(run)
    assert epoch_line(run, now) == "running · step 100 of 240, epoch 5 · 1 min 11 s left"
    assert accuracy_line(now) == "robust 56.0 % best (step 60, epoch 3), 46.0 % last"
    assert (now.n, now.clean, share(run)) == (500, 0.7, pytest.approx(5 / 12))


def test_before_the_first_epoch_nothing_is_claimed() -> None:
    run = train_run("a", state="running", process=alive())
    now = reached_of(run)
    assert now == Reached()
    assert epoch_line(run, now) == "running · step 0 of 240 · 1 min 11 s left"
    assert accuracy_line(now) == ""


def test_settings_are_told_in_short() -> None:
    assert facts(SHORT) == "TRADES · Small CNN · fashion-mnist · 2,000 real · seed 0"
    mixed = TrainConfig(
        dataset="/data/mine.npz", synthetic=("a", "b"), fraction=0.25, method="mart", seed=4
    )
    assert facts(mixed) == "MART · Small CNN · mine.npz · all real · 25 % of 2 sets · seed 4"
    ceiling = TrainConfig(real=2000, synthetic=("real:5000",), fraction=0.7)
    assert (
        facts(ceiling)
        == "TRADES · Small CNN · fashion-mnist · 2,000 real · 70 % of 5,000 more real images ·"
        " seed 0"
    )
    assert facts(None) == "settings cannot be read"


def test_names_and_errors_of_strangers_are_text_in_the_list() -> None:
    run = train_run(
        "a",
        name="<img src=x onerror=alert(1)>",
        state="failed",
        error="'\"><script>alert(2)</script>",
        epochs=1,
    )
    text = row_html(run, reached_of(run), GUIDED)
    assert "<img" not in text and "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_bar_tells_its_value_to_a_screen_reader_and_goes_once_all_is_done() -> None:
    stopped = train_run("a", state="stopped", epochs=6)
    assert 'aria-valuenow="50"' in row_html(stopped, reached_of(stopped), GUIDED)
    finished = train_run("b", name="other", epochs=12)
    assert "progressbar" not in row_html(finished, reached_of(finished), GUIDED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "ab"),
        ("FAILED", "b"),
        ("mart", "b"),
        ("seed 7", "a"),
        ("trades fini", "a"),
        ("nothing", ""),
    ],
)
def test_the_filter_looks_at_name_state_method_data_and_seed(text: str, found: str) -> None:
    train_run("a", name="first", config=SHORT.model_copy(update={"seed": 7}), created=2.0)
    train_run(
        "b", name="second", config=SHORT.model_copy(update={"method": "mart"}), state="failed"
    )
    assert "".join(run.id for run in matching(list_runs(), text, RUNS.facts)) == found


def test_where_nobody_chose_the_moving_runs_are_watched_else_the_newest() -> None:
    train_run("old", created=1.0)
    train_run("new", name="two", created=2.0)
    assert watching(None, list_runs()) == ("new",)
    train_run("going", name="three", state="running", process=alive(), created=0.5)
    assert watching(None, list_runs()) == ("going",)
    assert moving(list_runs()) == {"going"}
    assert watching(("new", "gone", "old"), list_runs()) == ("new", "old")
    assert watching((), list_runs()) == ()
    assert watching(None, []) == ()


def test_runs_of_another_kind_are_not_listed(cdp_home: Path) -> None:
    run = train_run("a")
    (run.folder / "config.json").write_text(
        (run.folder / "config.json").read_text().replace('"train"', '"pretrain"', 1)
    )
    assert of_kind(list_runs(), "train") == []
