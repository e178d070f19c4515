"""Fixtures for all tests. Nothing here touches a person's own files: CDP_HOME is a fresh folder in
every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.browser import find_browser


@pytest.fixture(autouse=True)
def cdp_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty CDP_HOME, not made yet, for this test and the processes it starts. A run that a
    failed test left behind is ended, or it would slow all tests after it."""
    home = tmp_path / "cdp-home"
    monkeypatch.setenv("CDP_HOME", str(home))
    yield home
    for folder in (home / "runs").glob("[0-9]*"):
        for process in psutil.process_iter(["cmdline"]):
            if str(folder) in (process.info["cmdline"] or ()):
                process.kill()


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
