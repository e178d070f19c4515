"""The run table's index: at every moment what the files say, reading only what changed, also from
one process to the next."""

from __future__ import annotations

import json
import os
import random
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
from cdp.results import rows as module
from cdp.results.labels import Labels, change_labels
from cdp.results.reached import Reached, record
from cdp.results.rows import Index, Row
from cdp.work import queue
from cdp.work.launch import delete
from cdp.work.records import Run, list_runs
from tests.evaluations import report, write_evaluation
from tests.ui.train_runs import SHORT, train_run

DEAD = {"pid": 2**22 + 1, "began": 5.0}
"""A process that is no more."""
LISTED = 60


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as one that did not change lately."""
    monkeypatch.setattr(module, "_YOUNG_NS", 0)


@pytest.fixture
def kept(old: None) -> Path:
    """The rows kept for the next process, with enough runs listed once."""
    for number in range(LISTED):
        state = ("finished", "stopped", "failed", "running")[number % 4]
        change = {"seed": number, "epsilon": 1 / (number + 3), "synthetic": ("a", "b")}
        config, epochs = SHORT.model_copy(update=change), number % 5
        run = train_run(
            f"run-{number:02d}", config=config, state=state, epochs=epochs, process=DEAD
        )
        write_card(run.folder, {"synthetic_images": 1000 * number})
    change_labels("run-07", star=True, add_tags=["night", "é"], note="look\nagain")
    write_evaluation("eval", report(run="run-08"))
    Index().rows()
    return paths.cache_dir() / "run-table.json"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the runs that an index has read."""
    ids: list[str] = []
    real = module.read_run

    def read_run(folder: Path) -> Run:
        ids.append(folder.name)
        return real(folder)

    monkeypatch.setattr(module, "read_run", read_run)
    return ids


def write_card(folder: Path, training: dict[str, Any]) -> None:
    (folder / "best").mkdir()
    (folder / "best" / "card.json").write_text(json.dumps({"training": training}))


def final_record(robust: float = 0.4) -> dict[str, Any]:
    """What a training of 12 epochs says at its end; its best epoch was better by 0.1."""
    last = {"epoch": 12, "clean_accuracy": 0.7, "robust_accuracy": robust}
    best = last | {"epoch": 9, "robust_accuracy": robust + 0.1}
    return last | {"best": best, "n": 500, "epsilon": 0.1, "seconds": 77.5}


def by_id(rows: list[Row]) -> dict[str, Row]:
    return {row.id: row for row in rows}


def check(rows: list[Row]) -> None:
    """Against what the command line reads of the same runs, and against new indexes, with what
    others kept and without."""
    runs = [run for run in list_runs() if run.kind == "train"]
    assert [row.id for row in rows] == [run.id for run in runs]
    for row, run in zip(rows, runs, strict=True):
        for name in ("name", "state", "created", "started", "ended"):
            assert getattr(row, name) == getattr(run, name)
        known, reached = record(run), row.reached
        assert (row.error or "") == (run.wrong or reached.problem)
        best = known["best"] or {}
        ours = (reached.epoch, reached.clean, reached.robust)
        assert ours == (known["epoch"], known["clean_accuracy"], known["robust_accuracy"])
        ours = (reached.best_clean, reached.best_robust)
        assert ours == (best.get("clean_accuracy"), best.get("robust_accuracy"))
    assert rows == Index().rows()
    shutil.rmtree(paths.cache_dir(), ignore_errors=True)
    assert rows == Index().rows()


def test_a_row_says_what_a_training_is_and_has_reached() -> None:
    config = TrainConfig(dataset="cifar10", synthetic=("a", "b"), epochs=12, seed=3)
    run = train_run("one", config=config, epochs=12, result=final_record(), ended=90.0)
    write_card(run.folder, {"synthetic_images": 5000, "epsilon": 0.5})
    change_labels("one", star=True, add_tags=["night"])
    (row,) = Index().rows()
    assert (row.id, row.name, row.state, row.seed) == ("one", "night", "finished", 3)
    assert (row.folder, row.created, row.ended) == (run.folder, 1.0, 90.0)
    assert row.reached == Reached(
        12, 0.7, 0.4, 9, 0.7, 0.5, 500, 77.5, 0.1, steps=240, images_seen=24_000
    )
    assert (row.synthetic_images, row.evaluated) == (5000, None)
    assert row.labels == Labels(star=True, tags=("night",))
    assert json.loads(json.dumps(row.settings)) == config.model_dump(mode="json")
    assert row.resolved == row.settings | {"epsilon": 0.1, "attack_steps": 10, "step_size": 0.025}


@pytest.mark.parametrize(
    ("config", "images", "budget"),
    [
        (SHORT, 0, 0.1),
        (TrainConfig(dataset="cifar10"), 0, 8 / 255),
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
    changes: list[dict[str, Any]] = [{}, {"seed": 1}, {"seed": 2}, {"beta": 7.0}, {"epochs": 5}]
    for number, change in enumerate(changes):
        train_run(f"run-{number}", config=SHORT.model_copy(update=change))
    rows = by_id(Index().rows())
    groups = [rows[f"run-{number}"].group for number in range(5)]
    assert groups[0] == groups[1] == groups[2] and len({groups[0], groups[3], groups[4]}) == 3


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
    steps: list[tuple[dict[str, Any], str]] = [
        ({"suite": "quick"}, "quick 0"),
        ({"suite": "pgd"}, "pgd 1"),
        ({"suite": "quick", "n": 800}, "pgd 1"),
        ({"suite": "pgd", "n": 200}, "pgd 1"),
        ({"suite": "pgd"}, "pgd 4"),
        ({"n": 200}, "autoattack 5"),
        ({"state": "failed"}, "autoattack 5"),
        ({"n": 300}, "autoattack 7"),
        ({"n": 300, "robust": 0.4}, "autoattack 8"),
        ({"model": "run:other"}, "autoattack 8"),
    ]
    index = Index()
    for number, (change, label) in enumerate(steps):
        evaluation(number, **change)
        (row,) = index.rows()
        assert row.evaluated is not None and row.evaluated.label == label
    assert (row.evaluated.id, row.evaluated.robust, row.evaluated.n) == ("eval-8", 0.4, 300)
    check([row])
    delete("eval-8")
    assert index.rows()[0].evaluated.id == "eval-7"


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"epsilon": 0.1, "norm": "linf"}, True),
        ({"dataset": "fashion-mnist", "weights": "both"}, True),
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


def any_change(chance: random.Random, number: int) -> None:
    """Anything that can happen to the runs of a table."""
    pick, folders = chance.choice, sorted(paths.runs_dir().glob("run-*"))
    what = pick(
        ["start", "grow", "grow", "state", "state", "damage", "remove", "label", "stop", "e"]
    )
    folder, robust = pick(folders or [paths.runs_dir()]), chance.randrange(80) / 100
    if what == "start" or not folders:
        me = {"pid": os.getpid(), "began": psutil.Process().create_time()}
        state = pick(["queued", "running", "finished", "failed", "stopped"])
        config = SHORT.model_copy(update={"seed": pick([0, 1]), "beta": pick([1.0, 6.0])})
        created, process = pick([1.0, 2.0]), pick([None, DEAD, me])
        where = {"state": state, "created": created, "process": process}
        train_run(f"run-{number}", config=config, epochs=pick([0, 1, 3]), **where)
    elif what == "grow":
        values = {"clean_accuracy": 0.8, "robust_accuracy": robust, "n": 500}
        line = json.dumps({"step": chance.randrange(10, 10**6), "time": 1.0, "values": values})
        with (folder / "metrics.jsonl").open("a") as journal:
            journal.write(line + pick(["\n", "\n", ""]))
    elif what == "state":
        state = pick(["running", "finished", "failed", "stopped"])
        result = pick([{}, {"result": final_record(robust / 2)}])
        status = {"state": state, "started": 2.0, "updated": 3.0} | result
        (folder / "status.json").write_text(json.dumps(status))
    elif what == "damage":
        name = pick(["config.json", "status.json", "labels.json"])
        (folder / name).write_text(pick(["{", "[]", '{"kind": "train"}']))
    elif what == "remove" and len(folders) > 2:
        shutil.rmtree(folder)
    elif what == "label":
        change_labels(folder.name, star=pick([True, False]), add_tags=[pick("abc")])
    elif what == "stop":
        (folder / "stop").touch()
    elif what == "e":
        config = EvaluateConfig(model=f"run:{folder.name}")
        write_evaluation(f"eval-{number}", report(robust=robust), created=number, config=config)


def test_after_any_change_the_index_says_what_a_fresh_one_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Soon settled and kept at once, so that every way to a row is taken.
    monkeypatch.setattr(module, "_YOUNG_NS", 20_000_000)
    monkeypatch.setattr(module, "_ENOUGH", 1)
    chance, index = random.Random(7), Index()
    (paths.runs_dir() / ".slots").mkdir(parents=True)
    for number in range(150):
        any_change(chance, number)
        check(index.rows())


def test_a_run_whose_process_ends_becomes_interrupted(old: None) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        alive = {"pid": process.pid, "began": psutil.Process(process.pid).create_time()}
        train_run("one", state="running", epochs=2, process=alive)
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
    for seconds, state in ((0.0, "interrupted"), (3600.0, "queued")):
        monkeypatch.setattr(queue, "START_SECONDS", seconds)
        assert index.rows()[0].state == state


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
    assert by_id(index.rows())["run-1"].labels.star
    (paths.runs_dir() / "run-2" / "stop").touch()
    index.rows()
    assert reads == ["run-1", "run-2"]


def test_changes_within_one_tick_of_a_slow_clock_are_all_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on file systems that keep whole seconds: the next file may have the times, the size and
    the inode of the last one."""
    real = module._stamp

    def slow(name: str, place: int) -> tuple[int, int, int, int] | None:
        stamp = real(name, place)
        return stamp and (stamp[0] // 10**9 * 10**9, stamp[1] // 10**9 * 10**9, stamp[2], 1)

    monkeypatch.setattr(module, "_stamp", slow)
    folder = train_run("one", epochs=2).folder
    index = Index()
    for number in range(40):
        text = f"{number:02d}"
        (folder / "labels.json").write_text(json.dumps({"note": text}))
        (folder / "status.json").write_text(json.dumps({"state": "failed", "error": text}))
        (row,) = index.rows()
        assert (row.labels.note, row.error) == (text, text)


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


CARDS = ["", "[]", '{"training": 3}', '{"training": {"synthetic_images": "many"}}', "[" * 9999]


@pytest.mark.parametrize("card", [*CARDS, " " * (2 << 20)])
def test_a_damaged_card_is_an_unknown_number_of_images(card: str) -> None:
    config = SHORT.model_copy(update={"synthetic": ("made",)})
    folder = train_run("one", config=config, epochs=2).folder
    (folder / "best").mkdir()
    (folder / "best" / "card.json").write_text(card)
    assert Index().rows()[0].synthetic_images is None


def test_a_new_process_has_the_same_rows_and_reads_only_what_changed(
    kept: Path, reads: list[str]
) -> None:
    rows = Index().rows()
    assert reads == []
    change_labels("run-03", star=True)
    assert by_id(Index().rows())["run-03"].labels.star and reads == ["run-03"]
    change_labels("run-03", star=False)
    kept.unlink()
    assert [row for row in rows if row.id != "run-03"] == [
        row for row in Index().rows() if row.id != "run-03"
    ]
    assert len(rows) == LISTED and sum(row.evaluated is not None for row in rows) == 1


def test_a_run_or_evaluation_that_is_gone_is_not_listed_from_the_cache(kept: Path) -> None:
    for name in ("run-05", "eval"):
        (paths.runs_dir() / name).rename(paths.home() / name)
    rows = Index().rows()
    assert len(rows) == LISTED - 1
    assert all(row.evaluated is None and row.id != "run-05" for row in rows)


@pytest.mark.parametrize("damage", ["", "{", "[]", "\x00\xff", "half", "rows", "source", "huge"])
def test_a_cache_that_is_damaged_too_large_or_of_another_version_is_read_past(
    kept: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    rows, text = Index().rows(), kept.read_text()
    texts = {
        "half": text[: len(text) // 2],
        "rows": text.replace('"best_epoch":', '"best_epoch":"x",":'),
        "source": json.dumps(json.loads(text) | {"source": "another"}),
        "huge": text,
    }
    kept.write_text(texts.get(damage, damage))
    if damage == "huge":
        monkeypatch.setattr(module, "_MOST_BYTES", 100)
    assert Index().rows() == rows and len(reads) == LISTED + 1


def test_a_home_under_another_name_has_no_paths_of_the_old_one_and_needs_no_cache(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = paths.home().with_name("moved")
    paths.home().rename(moved)
    monkeypatch.setenv("CDP_HOME", str(moved))
    shutil.rmtree(moved / "cache")
    (moved / "cache").write_text("no folder")
    assert all(row.folder == moved / "runs" / row.id for row in Index().rows())
