"""Fixtures for all tests. Nothing here touches a person's own files: CDP_HOME is a fresh folder in
every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from cdp.errors import InputError
from cdp.work.launchers import LAUNCHERS, Local, process_of
from cdp.work.queue import queue_dir
from tests.browser import find_browser
from tests.work.forks import Forked

# How long an example takes says more of what else the machine does.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(autouse=True)
def cdp_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty CDP_HOME, not made yet, for this test and the processes it starts. A run that a
    failed test left behind is ended, or it would slow all tests after it."""
    home = tmp_path / "cdp-home"
    monkeypatch.setenv("CDP_HOME", str(home))
    yield home
    with suppress(InputError):  # the home that the test itself may have set
        for waiting in queue_dir().glob("*.*"):
            waiting.unlink(missing_ok=True)
    for folder in (home / "runs").glob("[0-9]*"):
        if Local().alive(process := process_of(folder)):
            Local().kill(process)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forked]:
    with TemporaryDirectory() as folder:  # whose path is short, as a socket's has to be
        launcher = Forked(Path(folder) / "socket")
        yield launcher
        launcher.close()


@pytest.fixture(autouse=True)
def _forked(forks: Forked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-in workers are forked, in this test and in what it starts so."""
    monkeypatch.setitem(LAUNCHERS, "local", forks)


@pytest.fixture(autouse=True)
def _no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing depends on data sets that happen to be installed on this machine."""
    monkeypatch.setattr("cdp.data.catalog.DEBIAN", tmp_path / "no-packages")


@pytest.fixture(autouse=True, scope="session")
def _no_example(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The shipped example study is of the product; a test that is about one brings its own."""
    os.environ["CDP_EXAMPLE"] = str(tmp_path_factory.mktemp("no-example"))


@pytest.fixture(autouse=True, scope="session")
def _unsynced() -> None:
    """Files are not forced to the disk one by one: no test cuts the power, and there would be tens
    of thousands, of milliseconds each."""
    os.fsync = lambda file: None


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The browser to drive. Without one browser tests are skipped, but in continuous integration
    they fail."""
    found = find_browser()
    if found is None:
        message = "no browser: install chromium, or set CHROME to its executable"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found
