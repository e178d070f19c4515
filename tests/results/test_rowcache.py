"""Rows kept for the next process: the same as those read, or not used at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdp import paths
from cdp.results import index as module
from cdp.results import index as rowcache
from cdp.results.index import Index
from cdp.results.labels import change_labels
from cdp.work.records import Run
from tests.evaluations import report, write_evaluation
from tests.results.table_changes import DEAD
from tests.ui.train_runs import SHORT, train_run

RUNS = 60


@pytest.fixture
def kept(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, with enough runs listed once."""
    monkeypatch.setattr(module, "_YOUNG_NS", 0)
    for number in range(RUNS):
        state = ("finished", "stopped", "failed", "running")[number % 4]
        config = SHORT.model_copy(
            update={"seed": number, "epsilon": 1 / (number + 3), "synthetic": ("a", "b")}
        )
        folder = train_run(
            f"run-{number:02d}", config=config, state=state, epochs=number % 5, process=DEAD
        ).folder
        (folder / "best").mkdir()
        (folder / "best" / "card.json").write_text(
            json.dumps({"training": {"synthetic_images": 1000 * number}})
        )
    change_labels("run-07", star=True, add_tags=["night", "é"], note="look\nagain")
    write_evaluation("eval", report(run="run-08"))
    Index().rows()
    return paths.cache_dir() / "run-table.json"


@pytest.fixture
def reads(kept: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the runs that an index reads from now on."""
    found: list[str] = []
    real = module.read_run

    def read_run(folder: Path) -> Run:
        found.append(folder.name)
        return real(folder)

    monkeypatch.setattr(module, "read_run", read_run)
    return found


def test_a_new_process_has_the_same_rows_without_reading_a_run(
    kept: Path, reads: list[str]
) -> None:
    rows = Index().rows()
    assert reads == []
    kept.unlink()
    assert rows == Index().rows()
    assert len(reads) == RUNS + 1 and len(rows) == RUNS
    assert sum(row.evaluated is not None for row in rows) == 1


def test_only_what_changed_since_is_read(reads: list[str]) -> None:
    change_labels("run-03", star=True)
    index = Index()
    (row,) = [row for row in index.rows() if row.id == "run-03"]
    assert row.labels.star and reads == ["run-03"]
    (paths.runs_dir() / "run-04" / "metrics.jsonl").write_text("")
    (row,) = [row for row in index.rows() if row.id == "run-04"]
    assert row.reached.epoch == 0 and reads == ["run-03", "run-04"]


def test_a_run_or_evaluation_that_is_gone_is_not_listed_from_the_cache(kept: Path) -> None:
    for name in ("run-05", "eval"):
        (paths.runs_dir() / name).rename(paths.home() / name)
    rows = Index().rows()
    assert len(rows) == RUNS - 1 and all(
        row.evaluated is None and row.id != "run-05" for row in rows
    )


@pytest.mark.parametrize(
    "damage", ["", "{", "null", "[]", '{"source": 1}', "\x00\xff", "half", "rows"]
)
def test_a_damaged_cache_is_read_past(kept: Path, damage: str) -> None:
    rows = Index().rows()
    text = kept.read_text()
    kept.write_text(
        {
            "half": text[: len(text) // 2],
            "rows": text.replace('"best_epoch":', '"best_epoch":"x",":'),
        }.get(damage, damage)
    )
    assert Index().rows() == rows


@pytest.mark.parametrize("part", ["source", "root"])
def test_a_cache_of_another_version_or_place_is_not_used(
    kept: Path, reads: list[str], part: str
) -> None:
    value = json.loads(kept.read_text())
    kept.write_text(json.dumps(value | {part: "another"}))
    Index().rows()
    assert len(reads) == RUNS + 1


def test_a_home_under_another_name_has_no_paths_of_the_old_one(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = paths.home().with_name("moved")
    paths.home().rename(moved)
    monkeypatch.setenv("CDP_HOME", str(moved))
    assert all(row.folder == moved / "runs" / row.id for row in Index().rows())


def test_without_a_place_for_the_cache_the_table_is_the_same(kept: Path, reads: list[str]) -> None:
    rows = Index().rows()
    kept.unlink()
    kept.parent.rmdir()
    kept.parent.write_text("no folder")
    assert Index().rows() == rows


def test_a_huge_cache_is_not_read(
    kept: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rowcache, "_MOST_BYTES", 100)
    Index().rows()
    assert len(reads) == RUNS + 1
