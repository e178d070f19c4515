"""The index of the run table: at every moment what the files say, reading only what changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.config.train import TrainConfig
from cdp.results import index as module
from cdp.results.index import Index
from cdp.results.labels import Labels, change_labels
from cdp.results.reached import record
from cdp.results.rows import Row
from cdp.tasks.registry import TASKS
from cdp.work import records
from cdp.work.launch import delete
from cdp.work.records import Run, list_runs
from tests.evaluations import report, write_evaluation
from tests.results.table_changes import DEAD, Changes, final_record
from tests.ui.train_runs import SHORT, train_run


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as one that did not change lately."""
    monkeypatch.setattr(module, "_YOUNG_NS", 0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the runs that an index has read."""
    found: list[str] = []
    real = module.read_run

    def read_run(folder: Path) -> Run:
        found.append(folder.name)
        return real(folder)

    monkeypatch.setattr(module, "read_run", read_run)
    return found


def by_id(rows: list[Row]) -> dict[str, Row]:
    return {row.id: row for row in rows}


def check(rows: list[Row]) -> None:
    """Against what the pages and the command line read of the same runs, and against new indexes,
    with what others kept and without."""
    runs = [run for run in list_runs() if run.kind == "train"]
    assert [row.id for row in rows] == [run.id for run in runs]
    for row, run in zip(rows, runs, strict=True):
        assert (row.name, row.state, row.created, row.started, row.ended, row.error) == (
            run.name,
            run.state,
            run.created,
            run.started,
            run.ended,
            run.error,
        )
        told = record(run)
        best = told["best"] or {}
        assert (row.reached.epoch, row.reached.clean, row.reached.robust) == (
            told["epoch"],
            told["clean_accuracy"],
            told["robust_accuracy"],
        )
        assert (row.reached.best_clean, row.reached.best_robust) == (
            best.get("clean_accuracy"),
            best.get("robust_accuracy"),
        )
    assert rows == Index().rows()
    shutil.rmtree(paths.cache_dir(), ignore_errors=True)
    assert rows == Index().rows()


def test_a_row_says_what_a_training_is_and_has_reached() -> None:
    config = TrainConfig(dataset="cifar10", synthetic=("a", "b"), epochs=12, seed=3)
    folder = train_run("one", config=config, epochs=12, result=final_record(), ended=90.0).folder
    (folder / "best").mkdir()
    (folder / "best" / "card.json").write_text(
        json.dumps({"training": {"synthetic_images": 5000, "epsilon": 0.5}})
    )
    change_labels("one", star=True, add_tags=["night"])
    (row,) = Index().rows()
    assert (row.id, row.name, row.state, row.seed, row.folder, row.created, row.ended) == (
        "one",
        "night",
        "finished",
        3,
        folder,
        1.0,
        90.0,
    )
    assert (
        row.reached.epoch,
        row.reached.clean,
        row.reached.robust,
        row.reached.best_epoch,
        row.reached.best_clean,
        row.reached.best_robust,
    ) == (
        12,
        0.7,
        0.4,
        9,
        0.7,
        0.5,
    )
    assert (row.reached.n, row.reached.seconds, row.synthetic_images, row.evaluated) == (
        500,
        77.5,
        5000,
        None,
    )
    assert row.labels == Labels(star=True, tags=("night",))
    assert row.settings == config.model_dump(mode="json")
    assert row.resolved == row.settings | {"epsilon": 0.1, "attack_steps": 10, "step_size": 0.025}
    assert json.loads(json.dumps(row.settings)) == row.settings


@pytest.mark.parametrize(
    ("config", "images", "budget"),
    [
        (SHORT, 0, 0.1),
        (TrainConfig(dataset="cifar10"), 0, 8 / 255),
        (TrainConfig(dataset="cifar10", epsilon=0.02), 0, 0.02),
        (TrainConfig(dataset="my-own"), 0, None),
        (TrainConfig(synthetic=("made",)), None, 0.1),
    ],
)
def test_without_card_and_record_a_row_says_what_follows_from_the_settings(
    config: TrainConfig, images: int | None, budget: float | None
) -> None:
    train_run("one", config=config, epochs=2)
    (row,) = Index().rows()
    assert (row.synthetic_images, row.resolved["epsilon"]) == (images, budget)


def test_runs_that_differ_in_their_seed_only_share_their_group() -> None:
    for number, change in enumerate(
        ({}, {"seed": 1}, {"seed": 2}, {"beta": 7.0}, {"overfitting": "notice"}, {"seed": 2})
    ):
        train_run(f"run-{number}", config=SHORT.model_copy(update=change))
    rows = by_id(Index().rows())
    groups = [rows[f"run-{number}"].group for number in range(6)]
    assert groups[0] == groups[1] == groups[2] == groups[5]
    assert len({groups[0], groups[3], groups[4]}) == 3


def evaluation(
    number: int,
    *,
    n: int = 400,
    suite: Any = "autoattack",
    state: str = "finished",
    robust: float = 0.5,
    **change: Any,
) -> None:
    config = EvaluateConfig(**{"model": "run:one", "attack": suite} | change)
    found = report(n, robust=robust, suite=suite, label=f"{suite} {number}")
    write_evaluation(f"eval-{number}", found, created=float(number), config=config, state=state)


def test_the_evaluation_that_counts_is_the_strongest_then_the_largest_then_the_newest(
    old: None,
) -> None:
    train_run("one", epochs=2)
    index, found = Index(), []
    for number, change in enumerate(
        (
            {"suite": "quick"},
            {"suite": "pgd"},
            {"suite": "quick", "n": 800},
            {"suite": "pgd", "n": 200},
            {"suite": "pgd"},
            {"n": 200},
            {"n": 400, "state": "failed"},
            {"n": 300},
            {"n": 300, "robust": 0.4},
            {"model": "run:other"},
        )
    ):
        evaluation(number, **change)
        (row,) = index.rows()
        assert row.evaluated is not None
        found.append(row.evaluated.label)
    assert found == [
        "quick 0",
        "pgd 1",
        "pgd 1",
        "pgd 1",
        "pgd 4",
        *["autoattack 5"] * 2,
        "autoattack 7",
        *["autoattack 8"] * 2,
    ]
    assert (row.evaluated.id, row.evaluated.robust, row.evaluated.n, row.evaluated.created) == (
        "eval-8",
        0.4,
        300,
        8.0,
    )
    check([row])
    delete("eval-8", TASKS)
    assert index.rows()[0].evaluated.id == "eval-7"


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"epsilon": 0.1, "norm": "linf"}, True),
        ({"dataset": "fashion-mnist"}, True),
        ({"weights": "both"}, True),
        ({"epsilon": 0.05}, False),
        ({"norm": "l2"}, False),
        ({"dataset": "mnist"}, False),
        ({"weights": "last"}, False),
        ({"part": "made"}, False),
    ],
)
def test_an_evaluation_of_another_threat_or_other_weights_or_images_does_not_stand_for_the_run(
    change: dict[str, Any], counts: bool
) -> None:
    train_run("one", epochs=2)
    evaluation(1, **change)
    assert (Index().rows()[0].evaluated is not None) is counts


def test_after_any_change_the_index_says_what_a_fresh_one_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Soon settled and kept at once, so that every way to a row is taken.
    monkeypatch.setattr(module, "_YOUNG_NS", 20_000_000)
    monkeypatch.setattr(module, "_ENOUGH", 1)
    changes, index = Changes(7), Index()
    (paths.runs_dir() / ".slots").mkdir()
    for _ in range(150):
        changes.make()
        check(index.rows())


def test_a_run_whose_process_ends_becomes_interrupted(old: None) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        train_run(
            "one",
            state="running",
            epochs=2,
            process={"pid": process.pid, "began": psutil.Process(process.pid).create_time()},
        )
        index = Index()
        assert index.rows()[0].state == "running"
    finally:
        process.kill()
        process.wait()
    assert index.rows()[0].state == "interrupted"


def test_a_run_that_was_just_launched_is_waited_for_and_no_longer_than_that(
    old: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_run("one", state="queued", updated=time.time())
    index = Index()
    assert index.rows()[0].state == "queued"
    monkeypatch.setattr(records, "_START_SECONDS", 0.0)
    assert index.rows()[0].state == "interrupted"
    monkeypatch.setattr(records, "_START_SECONDS", 3600.0)
    assert index.rows()[0].state == "queued"


def test_what_is_over_and_unchanged_is_not_read_again(old: None, reads: list[str]) -> None:
    for number, state in enumerate(("finished", "failed", "stopped", "running")):
        train_run(f"run-{number}", state=state, epochs=2, process=DEAD)
    index = Index()
    before = index.rows()
    assert sorted(reads) == ["run-0", "run-1", "run-2", "run-3"]
    reads.clear()
    after = index.rows()
    assert reads == [] and all(one is other for one, other in zip(before, after, strict=True))
    change_labels("run-1", star=True)
    assert by_id(index.rows())["run-1"].labels.star and reads == ["run-1"]
    reads.clear()
    (paths.runs_dir() / "run-2" / "stop").touch()
    index.rows()
    assert reads == ["run-2"]


def test_changes_within_one_tick_of_a_slow_clock_are_all_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on file systems that keep whole seconds: the next file may have the times, the size and
    the inode of the last one."""
    real = module._stamp

    def slow(name: str, place: int) -> tuple[int, int, int, int] | None:
        found = real(name, place)
        return found and (found[0] // 10**9 * 10**9, found[1] // 10**9 * 10**9, found[2], 1)

    monkeypatch.setattr(module, "_stamp", slow)
    folder = train_run("one", epochs=2).folder
    index = Index()
    for number in range(40):
        (folder / "labels.json").write_text(json.dumps({"note": f"{number:02d}"}))
        (folder / "status.json").write_text(
            json.dumps({"state": "failed", "error": f"{number:02d}"})
        )
        (row,) = index.rows()
        assert (row.labels.note, row.error) == (f"{number:02d}", f"{number:02d}")


def test_threads_that_ask_at_once_all_get_whole_tables(old: None) -> None:
    for number in range(20):
        train_run(f"run-{number:02d}", epochs=2)
    index = Index()

    def ask(number: int) -> list[str]:
        change_labels(f"run-{number:02d}", star=True)
        return [row.id for row in index.rows()]

    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(ask, range(20)))
    assert all(sorted(table) == [f"run-{number:02d}" for number in range(20)] for table in tables)
    assert all(row.labels.star for row in index.rows())


def test_no_folder_of_runs_is_an_empty_table_and_another_home_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index()
    assert index.rows() == []
    train_run("one")
    assert len(index.rows()) == 1
    monkeypatch.setenv("CDP_HOME", str(tmp_path / "other"))
    assert index.rows() == []


@pytest.mark.parametrize(
    "card",
    [
        "",
        "[]",
        "{",
        '{"training": 3}',
        '{"training": {"synthetic_images": "many", "epsilon": []}}',
        "[" * 9999,
        " " * (2 << 20),
    ],
)
def test_a_damaged_card_is_an_unknown_number_of_images(card: str) -> None:
    folder = train_run(
        "one", config=SHORT.model_copy(update={"synthetic": ("made",)}), epochs=2
    ).folder
    (folder / "best").mkdir()
    (folder / "best" / "card.json").write_text(card)
    assert Index().rows()[0].synthetic_images is None
