"""The browser that timings of pages use: Chromium without a graphics card, on an app of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cdp.errors import MissingError

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.e2e.driver import Server


@contextmanager
def browsing(folder: Path, script: str | Path = "app.py") -> Iterator[tuple[Page, Server]]:
    """An empty page, and a server of a Streamlit script whose CDP_HOME is ``folder``/home. Raises
    MissingError where there is no browser."""
    if find_spec("playwright") is None:
        raise MissingError(
            "timings of pages need playwright: install requirements-dev.txt, which make test does"
        )
    from playwright.sync_api import sync_playwright

    from tests.browser import LAUNCH_ARGS, find_browser
    from tests.e2e.driver import started

    executable = find_browser()
    if executable is None:
        raise MissingError(
            "timings of pages need Chromium or Chrome: run python -m tests.browser, which says how"
            " to get one"
        )
    with started(folder, script) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(LAUNCH_ARGS))
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 1100}), server
        finally:
            browser.close()
