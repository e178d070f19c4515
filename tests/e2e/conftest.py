"""One started app and one browser for all browser tests of a process; a fresh tab for each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser import LAUNCH_ARGS
from tests.e2e.driver import SLOW_MS, Server, started

# A control's code may still be on its way when its page says that it is done.
expect.set_options(timeout=SLOW_MS / 3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longer than everything that one of these tests waits for."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(1500))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture(scope="module")
def fresh(server: Server) -> Server:
    """The same app without the runs and sets of other files' tests."""
    for name in ("runs", "sets", "trash", "data", "models", "encoders"):
        shutil.rmtree(server.home / name, ignore_errors=True)
    return server


@pytest.fixture(scope="session")
def browser(browser_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser_path, args=list(LAUNCH_ARGS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One profile, so that the app's code is fetched and compiled once; patient enough for a busy
    machine."""
    profile = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    profile.set_default_timeout(SLOW_MS)
    yield profile
    profile.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab; it and all that a test opened beside it are closed afterwards."""
    before = set(context.pages)
    yield context.new_page()
    for tab in set(context.pages) - before:
        tab.close()
