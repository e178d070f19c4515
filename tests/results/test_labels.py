"""Labels of runs: kept whole whoever writes at once, read from any file, and of no concern to the
work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cdp.config.train import TrainConfig
from cdp.errors import CdpError, InputError, MissingError
from cdp.paths import ROOT
from cdp.results import labels
from cdp.results.labels import LABELS, Labels, change_labels, labels_json, read_labels
from cdp.work.launch import delete, launch, resume, stop
from cdp.work.records import get_run
from cdp.work.registry import TASKS
from tests.ui.train_runs import train_run
from tests.work.processes import COMMAND, done, until


@pytest.fixture
def folder() -> Path:
    return train_run("one", epochs=2).folder


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
        if path.is_file() and path.name != LABELS
    }


def test_what_is_given_changes_and_the_rest_stays(folder: Path) -> None:
    assert read_labels(folder) == Labels()
    assert change_labels(
        "one", star=True, add_tags=["night", "two words"], note="  look\nagain "
    ) == Labels(True, False, ("night", "two words"), "look\nagain")
    change_labels(
        "one", archived=True, add_tags=["night", "new"], remove_tags=["two words", "not there"]
    )
    assert read_labels(folder) == Labels(True, True, ("night", "new"), "look\nagain")
    assert (
        change_labels("one", star=False, note="")
        == read_labels(folder)
        == Labels(False, True, ("night", "new"), "")
    )
    expected = {"star": False, "archived": True, "tags": ["night", "new"], "note": ""}
    assert labels_json(read_labels(folder)) == expected


def test_a_change_touches_no_other_file_and_says_nothing_of_the_state(folder: Path) -> None:
    before, run = files(folder), get_run("one")
    assert change_labels("one", add_tags=["a", "b"], remove_tags=["a"]).tags == ("b",)
    change_labels("one", archived=True)
    assert (files(folder), get_run("one")) == (before, run)


LIMITS = [
    ({"add_tags": [""]}, "tags"),
    ({"add_tags": ["x" * 41]}, "tags"),
    ({"add_tags": [" a"]}, "tags"),
    ({"add_tags": ["a\nb"]}, "tags"),
    ({"add_tags": ["\ud800"]}, "tags"),
    ({"add_tags": "night"}, "tags"),
    ({"add_tags": [str(k) for k in range(20)]}, "tags: 21 are too many"),
    ({"note": "x" * 2001}, "note"),
    ({"note": "a\x00b"}, "note"),
    ({"note": "\ud800"}, "note"),
]


@pytest.mark.parametrize(("change", "named"), LIMITS)
def test_what_cannot_be_is_refused_by_the_name_of_its_field_and_changes_nothing(
    folder: Path, change: dict[str, object], named: str
) -> None:
    change_labels("one", add_tags=["kept"], note="kept")
    with pytest.raises(InputError, match=f"^{named}"):
        change_labels("one", star=True, **change)
    assert read_labels(folder) == Labels(tags=("kept",), note="kept")


def test_the_longest_labels_can_be_written_and_read_again(folder: Path) -> None:
    tags, note = tuple(chr(0x1F600 + k) * 40 for k in range(20)), "\N{SNOWMAN}\n" * 999 + "é"
    written = change_labels("one", add_tags=tags, note=note)
    assert read_labels(folder) == written == Labels(tags=tags, note=note)


DAMAGED: list[bytes | Callable[[Path], None]] = [
    b"",
    b"null",
    b"{",
    b"\xff\xfe",
    b'{"star": 1}',
    b'{"tags": "night"}',
    b'{"tags": [""]}',
    json.dumps({"tags": [str(k) for k in range(21)]}).encode(),
    json.dumps({"note": "x" * 2001}).encode(),
    b'{"note": "' + b"x" * 70_000 + b'"}',
    b"[" * 60_000,
    Path.mkdir,
    os.mkfifo,
]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_no_labels_with_a_problem_and_is_set_aside_by_the_next_change(
    folder: Path, content: bytes | Callable[[Path], None]
) -> None:
    path = folder / LABELS
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    found = read_labels(folder)
    assert str(path) in found.problem and "labels.damaged.json" in found.problem
    assert found == Labels(problem=found.problem) and labels_json(found)["problem"] == found.problem
    assert change_labels("one", star=True) == read_labels(folder) == Labels(star=True)
    aside = folder / "labels.damaged.json"
    assert aside.exists() and (not isinstance(content, bytes) or aside.read_bytes() == content)


def test_what_a_later_version_adds_is_no_damage(folder: Path) -> None:
    (folder / LABELS).write_text('{"star": true, "colour": "red"}')
    assert read_labels(folder) == Labels(star=True)


@pytest.mark.parametrize("run_id", ["", "..", "no-such-run", "../sets"])
def test_a_run_that_is_not_there_is_a_missing_error(folder: Path, run_id: str) -> None:
    with pytest.raises(MissingError, match="is unknown"):
        change_labels(run_id, star=True)


def test_a_run_that_is_deleted_meanwhile_is_a_missing_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = labels.write_json

    def write_json(path: Path, value: dict[str, object]) -> None:
        shutil.rmtree(folder)
        real(path, value)

    monkeypatch.setattr(labels, "write_json", write_json)
    with pytest.raises(MissingError, match="deleted meanwhile"):
        change_labels("one", star=True)
    assert not folder.exists()


def test_a_full_disk_is_a_sentence_and_the_old_labels_stay(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_labels("one", add_tags=["kept"])

    def write_json(path: Path, value: dict[str, object]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(labels, "write_json", write_json)
    with pytest.raises(
        CdpError, match=r"labels\.json cannot be written \(No space left on device\)"
    ):
        change_labels("one", star=True)
    assert read_labels(folder) == Labels(tags=("kept",))


def test_threads_and_processes_that_write_at_once_lose_nothing(folder: Path) -> None:
    work = "[change_labels('one', add_tags=[f'p{sys.argv[1]}-{k}']) for k in range(5)]"
    code = f"import sys; from cdp.results.labels import change_labels; {work}"
    others = [
        subprocess.Popen([sys.executable, "-c", code, str(number)], cwd=ROOT) for number in range(2)
    ]
    with ThreadPoolExecutor(2) as pool:
        mine = [
            pool.submit(change_labels, "one", add_tags=[f"t{number}-{k}"])
            for k in range(5)
            for number in range(2)
        ]
    assert [process.wait(timeout=120) for process in others] == [0, 0]
    assert [future.exception() for future in mine] == [None] * 10
    assert set(read_labels(folder).tags) == {
        f"{who}{number}-{k}" for who in "pt" for number in range(2) for k in range(5)
    }


def test_a_training_that_is_labelled_stopped_and_resumed_goes_on_undisturbed_and_keeps_its_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.2")
    run_id = launch(TASKS["train"], TrainConfig(epochs=4), "night", command=COMMAND)
    until(run_id, lambda run: done(run) > 0, 120)
    change_labels(run_id, star=True, note="while it runs")
    stop(run_id)
    assert until(run_id, lambda run: run.over, 10).state == "stopped"
    change_labels(run_id, add_tags=["stopped once"])
    resume(run_id, command=COMMAND)
    finished = until(run_id, lambda run: run.over, 180)
    assert (finished.state, finished.error) == ("finished", None)
    assert finished.progress.resumed_from > 0
    assert read_labels(finished.folder) == Labels(
        star=True, tags=("stopped once",), note="while it runs"
    )
    assert read_labels(delete(run_id)).star
