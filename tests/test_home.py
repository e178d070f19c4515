"""A CDP_HOME that cannot be used is one sentence with the remedy, on the command line and above
every page."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cdp import paths
from cdp.errors import InputError
from cdp.work.failures import sentence
from tests.cli.command import run
from tests.cli.test_cli import write_npz

REMEDY = "set the environment variable CDP_HOME to a folder that you can write"


@pytest.fixture(params=["a file", "below a file", "nobody's home"])
def broken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "file").write_text("")
    given = {
        "a file": str(tmp_path / "file"),
        "below a file": str(tmp_path / "file" / "home"),
        "nobody's home": "~no-such-user/x",
    }[request.param]
    monkeypatch.setenv("CDP_HOME", given)
    return given


def test_nothing_is_read_where_a_file_is_in_the_way(broken: str) -> None:
    with pytest.raises(InputError, match=REMEDY):
        paths.require_home()
    assert REMEDY in paths.home_problem()


@pytest.mark.parametrize("words", [["sets"], ["import", "FILE"], ["runs"]])
def test_commands_end_with_that_sentence(broken: str, words: list[str], tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz")
    done = run(*[str(tmp_path / "a.npz") if word == "FILE" else word for word in words])
    assert done.returncode == 2
    assert (
        done.stderr.startswith("error: CDP_HOME is ")
        and REMEDY in done.stderr
        and len(done.stderr.splitlines()) == 1
    )
    assert run("--help").returncode == 0


def test_pages_say_it_and_stop(broken: str) -> None:
    page = AppTest.from_file(str(paths.ROOT / "app.py"), default_timeout=60).run()
    assert not page.exception
    (error,) = page.error
    assert REMEDY in str(error.value).replace("\\", "")
    assert not page.button


def test_a_folder_that_cannot_be_written_is_said_by_name(
    monkeypatch: pytest.MonkeyPatch, cdp_home: Path
) -> None:
    cdp_home.mkdir()
    assert paths.home_problem() == ""
    monkeypatch.setattr("cdp.paths.os.access", lambda *_: False)
    assert str(cdp_home) in paths.home_problem() and "cannot be written" in paths.home_problem()
    paths.require_home()
    for error in (
        PermissionError(errno.EACCES, "Permission denied", "x"),
        OSError(errno.EROFS, "Read-only file system", "x"),
    ):
        assert sentence(error) == paths.home_problem()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EEXIST])
def test_what_the_system_refuses_is_said_with_its_place_and_the_way_out(number: int) -> None:
    said = sentence(OSError(number, "Not So", "/some/where"))
    assert said.startswith("not so at /some/where: ") and "set CDP_HOME" in said


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("/home/jo/a.npz", "~/a.npz"),
        ("it is in /home/jo.", "it is in ~."),
        ("/mnt/home/jo/a.npz", "/mnt/home/jo/a.npz"),
        ("/home/jo.old/a and /home/joe", "/home/jo.old/a and /home/joe"),
    ],
)
def test_texts_for_others_name_no_home_of_this_machine_and_change_no_other_path(
    text: str, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/jo"))
    assert paths.shareable({"said": [text]}) == {"said": [shared]}
