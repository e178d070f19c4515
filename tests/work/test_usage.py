"""What takes how much disk, quotas, and logs that stay small."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cdp import paths
from cdp.cli.main import app
from cdp.cli.system import _disk
from cdp.data.sets import save_set
from cdp.doctor import Trouble
from cdp.doctor import _disk as examined
from cdp.errors import InputError
from cdp.work import logs
from cdp.work.usage import measure, quota_bytes
from tests.ui.pages import opened, served


@pytest.fixture
def store(cdp_home: Path) -> Path:
    save_set("large", np.zeros((25, 64, 64, 1), np.uint8), np.zeros(25, np.int64), {})
    (paths.cache_dir() / "scores").mkdir(parents=True)
    (paths.cache_dir() / "scores/a.npy").write_bytes(bytes(1000))
    (cdp_home / "signs.json").write_bytes(bytes(10))
    return cdp_home


def test_kinds_and_items_are_measured_the_largest_first(store: Path) -> None:
    usage = measure()
    assert [item.name for item in usage.kinds] == ["sets", "cache", "signs.json"]
    assert [item.name for item in usage.largest] == ["sets/large", "cache/scores"]
    assert usage.size == sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    assert usage.quota is None and usage.problem == ""
    text = "\n".join(_disk(examined([])))
    assert "sets/large" in text and "1.0 kB" in text


@pytest.mark.parametrize(
    ("text", "size"), [("20 GB", 20e9), ("1.5tb", 1.5e12), ("3", 3e9), ("0.5 MB", 5e5), ("", None)]
)
def test_quotas_are_read_as_people_write_them(
    text: str, size: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(paths.QUOTA, text)
    assert quota_bytes() == size


@pytest.mark.parametrize("text", ["much", "-1 GB", "1e3", "20 GiB"])
def test_what_is_no_size_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.QUOTA, text)
    with pytest.raises(InputError, match=paths.QUOTA):
        quota_bytes()
    problems: list[Trouble] = []
    assert examined(problems) == {} and paths.QUOTA in problems[0].what


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, "more than"), (1.05, "nearly all of"), (1.2, "")]
)
def test_a_store_over_its_quota_or_nearly_so_is_said_by_doctor_and_in_the_app(
    store: Path, share: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(paths.QUOTA, f"{share * measure().size / 1e6:.6f} MB")
    problems: list[Trouble] = []
    examined(problems)
    assert [problem.what.count(expected) for problem in problems] == ([1] if expected else [])
    served(monkeypatch)
    opened("home")
    for thread in threading.enumerate():
        if thread.name == "room":
            thread.join()
    said = [str(warning.value).replace("\\", "") for warning in opened("home").warning]
    assert [text for text in said if paths.QUOTA in text and (expected or "never") in text] == (
        said[:1] if expected else []
    )


def test_a_long_log_keeps_its_end_in_two_files_and_is_read_as_one(tmp_path: Path) -> None:
    with (tmp_path / "log.txt").open("ab", buffering=0) as printing:
        lines = b"".join(b"line %07d\n" % number for number in range(logs.MOST // 13 + 1))
        printing.write(lines)
        logs.bound(tmp_path)
        printing.write(b"and more\n")
        logs.bound(tmp_path)
    assert (tmp_path / "log.txt").read_bytes() == b"and more\n"
    assert logs.tail(tmp_path, 100) == (lines + b"and more\n")[-100:]
    assert logs.earlier(tmp_path) == lines[-logs.MOST :]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * logs.MOST + 100
    assert logs.tail(tmp_path / "none", 100) == b""


def test_the_command_logs_reads_both_files(cdp_home: Path) -> None:
    folder = paths.runs_dir() / "20260101-000000-aaaaaa"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"kind": "train", "name": "a"}))
    (folder / "log.1.txt").write_text("first\nsecond\n")
    (folder / "log.txt").write_text("third\n")
    os.utime(folder / "log.txt", (0, 0))
    assert CliRunner().invoke(app, ["logs", "a", "--lines", "2"]).stdout == "second\nthird\n"
