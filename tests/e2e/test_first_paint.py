"""What a stranger gets from a server that has just been started: a page at once, at any address,
with nothing heavy loaded."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.driver import SLOW_MS, Server, generate_button, open_page, started

pytestmark = pytest.mark.e2e

AT_MOST = 1.6
"""Times as long as the heading."""
TRIES = 8


@pytest.fixture(scope="module")
def unvisited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody has visited."""
    with started(tmp_path_factory.mktemp("fresh")) as running:
        yield running


def test_a_link_to_a_page_opens_it_in_the_frame_of_the_app_on_a_server_nobody_has_visited(
    unvisited: Server, page: Page
) -> None:
    open_page(page, unvisited, "/gallery")
    expect(page.get_by_role("link", name="Generate", exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name="app", exact=True)).to_have_count(0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_pages_are_painted_without_torch_and_without_another_server(
    unvisited: Server, page: Page
) -> None:
    """The Generate page warms the models up after it has painted; that it imports nothing to paint
    is a page test."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/gallery", "/train", "/evaluate", "/theory"):
        open_page(page, unvisited, path)
        assert not unvisited.loaded("libtorch"), path
    own = (unvisited.url, unvisited.url.replace("http", "ws"), "data:", "blob:")
    assert asked and [url for url in asked if not url.startswith(own)] == []


def test_the_first_page_is_painted_nearly_as_soon_as_a_heading_alone(
    unvisited: Server, browser: Browser, tmp_path: Path
) -> None:
    """Against what Streamlit and the browser take for a script of one line, in turns and the best
    of a few visits, so that a slow or busy machine does not fail a fast page."""
    script = tmp_path / "heading.py"
    script.write_text("import streamlit as st\nst.title('A heading')\n", encoding="utf-8")
    home: list[float] = []
    plain: list[float] = []
    with started(tmp_path, script) as bare:
        for _ in range(TRIES):
            plain.append(_seconds_to(bare, browser, "heading", "A heading"))
            home.append(_seconds_to(unvisited, browser, "button", "Ask it with an experiment"))
            if min(home) < AT_MOST * min(plain):
                break
    assert min(home) < AT_MOST * min(plain), (home, plain)


def _seconds_to(
    server: Server, browser: Browser, role: Literal["heading", "button"], name: str
) -> float:
    context = browser.new_context()
    tab = context.new_page()
    begin = time.monotonic()
    tab.goto(server.url)
    expect(tab.get_by_role(role, name=name)).to_be_visible(timeout=SLOW_MS)
    seconds = time.monotonic() - begin
    context.close()
    return seconds


def test_the_first_page_leads_to_the_experiment_and_to_generate(
    unvisited: Server, page: Page
) -> None:
    open_page(page, unvisited, "/")
    expect(page.get_by_text("Nobody has asked it on this machine yet")).to_be_visible()
    page.get_by_role("button", name="Ask it with an experiment").click()
    expect(page.get_by_role("heading", name="Experiment", level=1)).to_be_visible(timeout=SLOW_MS)
    page.go_back()
    page.get_by_role("link", name="Make images").click()
    expect(generate_button(page)).to_be_visible(timeout=SLOW_MS)


def test_the_menu_groups_the_pages_and_closes_after_a_choice_where_it_lies_over_them(
    unvisited: Server, browser: Browser
) -> None:
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    open_page(tab, unvisited, "/")
    tab.get_by_role("button", name="Expand sidebar").click()
    menu = tab.get_by_role("navigation", name="App pages")
    for group in ("Make", "Look", "Judge", "Learn"):
        expect(menu.get_by_text(group, exact=True)).to_be_visible()
    menu.get_by_role("link", name="Theory").click()
    expect(tab.get_by_role("heading", name="Theory", level=1)).to_be_visible(timeout=SLOW_MS)
    expect(menu.get_by_role("link", name="Theory")).not_to_be_in_viewport()
    tab.close()
