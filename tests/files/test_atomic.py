"""Publishing files and folders: whatever call a process is killed at, a fresh start finds the old
state or the new one whole, and nothing half-written stays once it is swept."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from cdp import paths
from cdp.data import sets
from cdp.data.sets import SetWriter, open_set
from cdp.errors import InputError
from cdp.files import atomic
from cdp.files.reading import read_json

SYSTEM = {"posix", "fcntl"}
# fmt: off
HARMLESS = frozenset({
    "access", "fileno", "fspath", "fstat", "get_inheritable", "getcwd", "geteuid", "getpid",
    "getuid", "isatty", "listdir", "lstat", "read", "readable", "readall", "readinto",
    "readline", "readlink", "scandir", "seekable", "stat", "statvfs", "tell", "umask",
    "urandom", "writable",
})
# fmt: on
"""What changes nothing on disk: killed before or after it a process leaves the same."""
IMAGES, LABELS = np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4, 1), np.array([0, 1])


def fill(folder: Path, value: str) -> None:
    for name in ("card.json", "weights"):
        (folder / name).write_text(value)


def whole(folder: Path) -> str:
    """What ``fill`` put there; fails where it is a mixture."""
    values = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(values) == {"card.json", "weights"} and len(set(values.values())) == 1
    return values["weights"]


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Do it in a forked process that is killed at its ``number``-th call of the system that may
    change something on disk; whether it was killed before it was done."""
    child = os.fork()
    if child == 0:
        count = 0

        def look(frame: FrameType, event: str, called: Any) -> None:
            nonlocal count
            if event != "c_call" or getattr(called, "__name__", "") in HARMLESS:
                return
            if (
                getattr(called, "__module__", None) in SYSTEM
                or type(getattr(called, "__self__", None)).__module__ == "_io"
            ):
                count += 1
                if count > number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(look)
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.setprofile(None)
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def kills(work: Callable[[], object], before: Callable[[], object]) -> Iterator[int]:
    """The numbers of calls at which the work was killed, each on what ``before`` made."""
    for number in range(1000):  # Python 3.12 makes a quarter more calls than 3.11
        before()
        if not killed_at(number, work):
            assert number > 4
            return
        yield number
    pytest.fail("it never ends")


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@pytest.fixture(params=[True, False], ids=["exchange", "no exchange"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With and without a file system that lets two names swap."""
    if not request.param:
        monkeypatch.setattr(atomic, "_swap", lambda one, other: False)
    return bool(request.param)


def test_a_file_is_the_old_or_the_new_one_at_whatever_call_its_writer_is_killed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "place" / "a.json"
    seen = set()
    for _ in kills(
        lambda: atomic.write_json(path, {"value": "new"}),
        lambda: atomic.write_json(emptied(path.parent) / "a.json", {"value": "old"}),
    ):
        seen.add((read_json(path) or {})["value"])
        atomic.sweep(path.parent)
        assert [item.name for item in path.parent.iterdir()] == ["a.json"]
    assert seen == {"old", "new"}


def test_a_folder_takes_anothers_place_whole_at_whatever_call_its_writer_is_killed(
    tmp_path: Path, exchange: bool
) -> None:
    place = tmp_path / "place"

    def begin() -> None:
        (emptied(place) / "best").mkdir()
        fill(place / "best", "old")

    def work() -> None:
        with atomic.new_folder(place / "best", replace=True) as new:
            fill(new, "new")

    seen = set()
    for _ in kills(work, begin):
        if exchange:
            whole(place / "best")  # also before anybody swept
        atomic.sweep(place)
        seen.add(whole(place / "best"))
        assert [item.name for item in place.iterdir()] == ["best"]
    assert seen == {"old", "new"}


def test_a_new_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "place"

    def work() -> None:
        with atomic.new_folder(place / "a") as new:
            fill(new, "new")

    seen = set()
    for _ in kills(work, lambda: emptied(place)):
        atomic.sweep(place)
        seen.add(tuple(item.name for item in place.iterdir()))
        if (place / "a").exists():
            whole(place / "a")
    assert seen == {(), ("a",)}


def test_a_folder_that_is_removed_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "place"

    def begin() -> None:
        (emptied(place) / "a").mkdir()
        fill(place / "a", "old")

    seen = set()
    for _ in kills(lambda: atomic.remove_folder(place / "a"), begin):
        atomic.sweep(place)
        seen.add(tuple(item.name for item in place.iterdir()))
        if (place / "a").exists():
            whole(place / "a")
    assert seen == {(), ("a",)}


def test_a_move_to_another_disk_loses_nothing_at_whatever_call_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    rename = Path.rename

    def across(self: Path, target: Path) -> Path:
        if self.parent == here and target.parent == there:
            raise OSError(errno.EXDEV, "another disk")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", across)

    def begin() -> None:
        emptied(there)
        (emptied(here) / "a").mkdir()
        fill(here / "a", "old")

    for _ in kills(lambda: atomic.move_folder(here / "a", there / "a"), begin):
        for place in (here, there):
            atomic.sweep(place)
        left = [place / "a" for place in (here, there) if (place / "a").exists()]
        assert left and {whole(folder) for folder in left} == {"old"}
        assert {item.name for place in (here, there) for item in place.iterdir()} == {"a"}
    assert not (here / "a").exists() and whole(there / "a") == "old"


def writer() -> SetWriter:
    return SetWriter(paths.sets_dir() / "a", 2, (4, 4, 1), {"seed": 1})


def write_set() -> None:
    with writer() as open_writer:
        for row in range(open_writer.done_rows, 2):
            open_writer.write(slice(row, row + 1), IMAGES[row : row + 1], LABELS[row : row + 1])
        open_writer.finish({})


def test_a_set_that_is_written_by_rows_never_loses_a_row_that_was_counted(cdp_home: Path) -> None:
    cdp_home.mkdir()
    before, finished = 0, False
    for _ in kills(write_set, lambda: emptied(cdp_home)):
        atomic.sweep(paths.sets_dir()) if paths.sets_dir().exists() else None
        now = open_set("a").card["count"] if sets.is_saved("a") else None
        assert now in (None, 2) and not (finished and now is None)
        finished = now is not None
        if not finished:
            with writer() as open_writer:
                assert open_writer.done_rows >= before
                before = open_writer.done_rows
            write_set()
        assert np.array_equal(open_set("a").image, IMAGES)
    assert before == 2 and finished


def test_a_set_whose_finished_writer_of_an_earlier_version_was_killed_is_not_begun_again(
    cdp_home: Path,
) -> None:
    with writer() as first:
        first.write(slice(0, 2), IMAGES, LABELS)
        first.finish({})
    partial = paths.sets_dir() / ".a.partial"
    (paths.sets_dir() / "a").rename(partial)
    atomic.write_json(partial / "config.json", {"count": 2, "shape": [4, 4, 1], "seed": 1})
    with writer() as second:
        assert second.done_rows == 2
        assert second.finish({}).class_names == ("0", "1")


def test_rows_are_not_counted_without_their_images(cdp_home: Path) -> None:
    with writer() as first:
        first.write(slice(0, 1), IMAGES[:1], LABELS[:1])
    (paths.sets_dir() / ".a.partial" / "image.npy").unlink()
    with writer() as second:
        assert second.done_rows == 0


def test_what_a_living_process_writes_is_no_leftover_whatever_its_age(tmp_path: Path) -> None:
    with atomic.new_folder(tmp_path / "a") as new, atomic.atomic_file(tmp_path / "b") as file:
        fill(new, "new")
        for path in (*tmp_path.rglob("*"), tmp_path):
            os.utime(path, (0, 0))
        assert atomic.leftovers(tmp_path) == []
        atomic.sweep(tmp_path)
        file.write(b"whole")
    assert whole(tmp_path / "a") == "new" and (tmp_path / "b").read_bytes() == b"whole"


def test_a_folder_that_an_earlier_version_had_set_aside_comes_back(tmp_path: Path) -> None:
    aside = tmp_path / ".best.0123abcd.old"
    aside.mkdir()
    fill(aside, "old")
    atomic.sweep(tmp_path)
    assert whole(tmp_path / "best") == "old" and not aside.exists()


def test_unfinished_work_that_is_gone_on_with_is_no_leftover(tmp_path: Path) -> None:
    for name in (".a.partial", ".a.0123abcd.partial", ".m.training", ".a.new-text"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        os.utime(tmp_path / name, (0, 0))
    assert atomic.leftovers(tmp_path) == []


def test_a_name_that_somebody_else_took_meanwhile_is_refused_and_theirs_stays(
    tmp_path: Path,
) -> None:
    def work() -> None:
        with atomic.new_folder(tmp_path / "a") as new:
            fill(new, "mine")
            (tmp_path / "a").mkdir()
            fill(tmp_path / "a", "theirs")

    with pytest.raises(InputError, match="exists"):
        work()
    assert whole(tmp_path / "a") == "theirs" and [p.name for p in tmp_path.iterdir()] == ["a"]
