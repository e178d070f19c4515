"""What this software writes is its owner's alone, whatever umask it is started under; what an earlier
version left open is told and closed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cdp import doctor, paths
from cdp.data.npz import write_npz
from cdp.files.private import close_to_others, open_to_others

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights of group and others")

_ENTRY = """
import os, runpy, sys
os.umask(0o022)
sys.argv = [sys.argv[0], *sys.argv[2:]]
try:
    runpy.run_module({module!r}, run_name="__main__")
except BaseException:
    pass
os.write(2, f"umask {{os.umask(0):o}}".encode())
"""


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=paths.ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "module", ["cdp", "cdp.tasks.worker", "cdp.tasks.helper", "cdp.work.dispatch"]
)
def test_every_process_begins_with_a_private_umask(module: str) -> None:
    done = _run("-c", _ENTRY.format(module=module), module, "--help")
    assert done.stderr.endswith("umask 77"), done.stderr


def test_importing_sets_nothing() -> None:
    names = ("cdp.files.private", "cdp.cli.main", "cdp.ui.server", "cdp.work.worker")
    script = f"import os; os.umask(0o022); import {', '.join(names)}; print(os.umask(0))"
    assert _run("-c", script).stdout.strip() == str(0o022)


def test_the_store_of_a_command_is_private_and_what_it_is_asked_for_elsewhere_is_not(
    cdp_home: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "mine.npz", tmp_path / "out.npz"
    write_npz(source, np.zeros((6, 8, 8, 1), np.uint8), np.arange(6) % 2)
    script = (
        "import os, runpy, sys; os.umask(0o022); sys.argv[0] = 'cdp';"
        " runpy.run_module('cdp', run_name='__main__')"
    )
    assert _run("-c", script, "import", str(source), "--name", "mine").returncode == 0
    inside = [cdp_home, *cdp_home.rglob("*")]
    assert len(inside) > 4
    assert {oct(stat.S_IMODE(path.lstat().st_mode) & 0o077) for path in inside} == {"0o0"}
    assert _run("-c", script, "export", "mine", str(out)).returncode == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o644


def _store(home: Path) -> list[Path]:
    """As an earlier version left it, with a link to what is elsewhere."""
    outside = home.with_name("outside")
    outside.write_text("not ours")
    outside.chmod(0o644)
    files = [home / "cache" / "data" / "image.npy", home / "runs" / "1" / "log.txt"]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text("x")
        file.chmod(0o664)
    files[0].chmod(0o755)
    (home / "link").symlink_to(outside)
    for folder in (home, *(path for path in home.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    return files


def test_a_store_that_others_can_read_is_told_and_closed(cdp_home: Path) -> None:
    image, log = _store(cdp_home)
    assert len(open_to_others(cdp_home)) == 7
    problems: list[doctor.Trouble] = []
    doctor._home(problems)
    (problem,) = problems
    assert "7 files and folders" in problem.what and not problem.blocking
    assert "doctor --fix" in problem.remedy
    assert close_to_others(cdp_home) == 7
    assert open_to_others(cdp_home) == []
    assert [stat.S_IMODE(p.stat().st_mode) for p in (cdp_home, image, log)] == [0o700, 0o700, 0o600]
    assert stat.S_IMODE(cdp_home.with_name("outside").stat().st_mode) == 0o644
    assert close_to_others(cdp_home) == 0


def test_doctor_mends_it_where_it_is_asked_to_and_says_so(cdp_home: Path) -> None:
    from cdp.cli.system import mended

    _store(cdp_home)
    assert mended(cdp_home) == [f"7 files and folders in {cdp_home} are yours alone now"]
    assert mended(cdp_home) == []
    assert open_to_others(cdp_home.with_name("nowhere")) == []


@pytest.mark.parametrize(
    ("people", "address", "token", "said"),
    [
        (("ann",), "127.0.0.1", "", ""),
        (("ann",), "localhost", "", ""),
        (("ann",), "", "", "every network"),
        (("ann",), "0.0.0.0", "", "0.0.0.0"),
        (("ann", "bob"), "127.0.0.1", "", "2 people"),
        (("ann", "bob"), "0.0.0.0", "random", ""),
    ],
)
def test_the_token_is_advised_where_others_could_reach_the_app(
    people: tuple[str, ...],
    address: str,
    token: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "_people", lambda: list(people))
    monkeypatch.setattr(doctor, "_listens_on", lambda: address)
    monkeypatch.setenv("CDP_TOKEN", token)
    problems: list[doctor.Trouble] = []
    doctor._reach(problems)
    assert len(problems) == bool(said)
    for problem in problems:
        assert said in problem.what and "CDP_TOKEN=random" in problem.remedy
        assert not problem.blocking


def test_the_address_is_the_one_that_the_server_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMLIT_SERVER_ADDRESS", raising=False)
    assert doctor._listens_on() == "127.0.0.1", "by .streamlit/config.toml"
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    assert doctor._listens_on() == "0.0.0.0"
