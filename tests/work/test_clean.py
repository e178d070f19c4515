"""clean: cache, trash and checkpoints of finished trainings go when that is asked for, nothing else
ever does."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from cdp import paths
from cdp.cli.main import app
from cdp.config.train import TrainConfig
from cdp.data.sets import delete_set, save_set, trash_dir
from cdp.errors import InputError
from cdp.files import cache
from cdp.work.clean import seconds_of

DAY = 86_400


def training(run_id: str, state: str, *, pid: int | None = None) -> Path:
    folder = paths.runs_dir() / run_id
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "best").mkdir()
    settings = TrainConfig().model_dump(mode="json")
    record = {"kind": "train", "name": run_id, "created": time.time() - 9 * DAY, "config": settings}
    (folder / "config.json").write_text(json.dumps(record))
    (folder / "status.json").write_text(json.dumps({"state": state, "updated": 1.0}))
    if pid is not None:
        began = psutil.Process(pid).create_time()
        (folder / "process.json").write_text(json.dumps({"pid": pid, "began": began}))
    (folder / "checkpoints" / "config.json").write_text("{}")
    for step in (1, 2):
        (folder / "checkpoints" / f"state-{step:09d}.safetensors").write_bytes(bytes(1000))
    (folder / "best" / "model.safetensors").write_bytes(bytes(10))
    return folder


def files() -> set[str]:
    home = paths.home()
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def clean(*options: str) -> dict[str, Any]:
    answer = CliRunner().invoke(app, ["clean", "--json", *options], catch_exceptions=False)
    assert answer.exit_code == 0
    return dict(json.loads(answer.output))


@pytest.fixture
def workspace(cdp_home: Path) -> Path:
    """A home with everything that may go and everything that may not."""
    training("20260101-000000-aaaaaa", "finished")
    training("20260102-000000-bbbbbb", "stopped")
    training("20260103-000000-cccccc", "running", pid=os.getpid())
    training("20260104-000000-dddddd", "running")  # its process is gone
    for name in ("mine", "gone"):
        save_set(name, np.zeros((4, 8, 8, 1), np.uint8), np.arange(4) % 2, {"note": name})
    delete_set("gone")
    (trash_dir() / "linked").symlink_to(paths.sets_dir() / "mine")
    cache.keep("scores", "new", np.zeros(100))
    cache.keep("scores", "old", np.zeros(100))
    cache.keep("unsaved", "0123456789ab", {})
    (paths.sets_dir() / f".cut.new-{'a' * 16}").write_bytes(b"half an image")
    os.utime(paths.cache_dir() / "scores/old.npy", (time.time() - 40 * DAY,) * 2)
    return cdp_home


def test_without_yes_nothing_is_deleted_and_the_sizes_are_said(workspace: Path) -> None:
    before = files()
    found = clean()
    assert files() == before and not found["deleted"] and found["freed"] == 0
    entries = {part: value["entries"] for part, value in found["parts"].items()}
    assert entries == {"cache": 2, "unsaved": 1, "trash": 2, "checkpoints": 2, "leftovers": 1}
    assert found["parts"]["checkpoints"]["bytes"] == 2000
    assert found["bytes"] == sum(part["bytes"] for part in found["parts"].values())
    text = CliRunner().invoke(app, ["clean"]).output
    assert "2 entries, 2.0 kB" in text and "add --yes" in text


def test_with_yes_just_that_goes_and_sets_results_and_unfinished_runs_stay(workspace: Path) -> None:
    before = files()
    found = clean("--yes")
    assert found["deleted"] and found["freed"] == found["bytes"] > 2000
    gone = before - files()
    finished = "runs/20260101-000000-aaaaaa/checkpoints/state-"
    assert {name for name in gone if name.startswith("runs/")} == {
        f"{finished}{step:09d}.safetensors" for step in (1, 2)
    }
    assert {name.split("/")[0] for name in gone} == {"runs", "trash", "cache", "sets"}
    assert {name for name in gone if name.startswith("sets/")} == {f"sets/.cut.new-{'a' * 16}"}
    assert not list(trash_dir().iterdir()) and (paths.sets_dir() / "mine/card.json").exists()
    assert clean()["bytes"] == 0


@pytest.mark.parametrize("part", ["cache", "unsaved", "trash", "checkpoints", "leftovers"])
def test_a_part_can_be_chosen(workspace: Path, part: str) -> None:
    others = {name: value for name, value in clean()["parts"].items() if name != part}
    assert set(clean(f"--{part}", "--yes")["parts"]) == {part}
    left = clean()["parts"]
    assert left.pop(part)["entries"] == 0 and left == others


def test_only_what_is_old_enough_goes(workspace: Path) -> None:
    found = clean("--older-than", "30d", "--yes")
    expected = {"cache": 1, "unsaved": 0, "trash": 0, "checkpoints": 0, "leftovers": 0}
    assert {part: value["entries"] for part, value in found["parts"].items()} == expected
    assert cache.load_array("scores", "new") is not None
    assert cache.load_array("scores", "old") is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", 43_200), ("30d", 30 * DAY), ("2w", 14 * DAY), ("7", 7 * DAY)]
)
def test_ages_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1d", "3m", "1e3", "9999999d", "1.5d"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="older-than"):
        seconds_of(text)


def test_an_empty_home_has_nothing_to_free_and_is_not_made(cdp_home: Path) -> None:
    assert clean("--yes")["bytes"] == 0 and not cdp_home.exists()
