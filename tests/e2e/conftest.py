"""One started app and one browser for all browser tests; a fresh tab for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser import LAUNCH_ARGS
from tests.e2e.driver import SLOW_MS, Server, started

# A control's code may still be on its way when its page says that it is done.
expect.set_options(timeout=SLOW_MS / 3)
SIZE = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture(scope="session")
def browser(browser_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser_path, args=list(LAUNCH_ARGS))
        yield launched
        launched.close()


def person(browser: Browser) -> BrowserContext:
    """A browser profile of its own, patient enough for a busy machine."""
    fresh = browser.new_context(viewport=SIZE, accept_downloads=True)
    fresh.set_default_timeout(SLOW_MS)
    return fresh


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A person of his own: tabs opened here share nothing with those of other tests but the
    server."""
    fresh = person(browser)
    yield fresh
    fresh.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
