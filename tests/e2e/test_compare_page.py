"""The Compare page in a browser: runs are filtered, ticked and starred in the grid, compared, and
shared as a link and a report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from cdp.results.compare import compare
from cdp.ui.kit.words import split_verdict
from tests.e2e.driver import (
    SLOW_MS,
    Server,
    choose_by_keyboard,
    listen,
    open_page,
    until,
    wait_idle,
)
from tests.ui.compare_runs import IDS, two_groups

pytestmark = pytest.mark.e2e

ROW_PX, CHECK_PX, STAR_PX = 35, 18, 60
"""Height of a row of the grid, head included, and where its check box and its star lie from the
left."""


@pytest.fixture(scope="module")
def groups(fresh: Server) -> tuple[Server, str]:
    """The app with two groups of two evaluated seeds; and what the verdict on their robust accuracy
    begins with."""
    with fresh.as_home():
        two_groups()
        return fresh, split_verdict(compare(IDS).differences[0].verdict)[0].rstrip(".")


def grid(page: Page) -> Locator:
    found = page.get_by_test_id("stDataFrame").first
    expect(found.locator("canvas").first).to_be_visible(timeout=SLOW_MS)
    return found


def click_cell(page: Page, row: int, x: float) -> None:
    """A click into row ``row`` (from 0) of the run table, ``x`` pixels from its left: the grid is a
    canvas."""
    box = grid(page).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + ROW_PX * (row + 1) + ROW_PX / 2)


def test_runs_are_filtered_ticked_compared_and_come_back_from_the_link(
    groups: tuple[Server, str], page: Page
) -> None:
    server, verdict = groups
    open_page(page, server, "/compare")
    expect(page.get_by_text("Tick two runs or more")).to_be_visible()
    box = page.get_by_role("textbox", name="Filter")
    box.fill("seed=0")
    box.press("Enter")
    expect(page.get_by_text("2 of 4 runs")).to_be_visible()
    page.wait_for_url(re.compile(r"q=seed"))
    for row, ticked in ((0, "guided-s0"), (1, "guided-s0(,|%2C)plain-s0")):
        click_cell(page, row, CHECK_PX)
        page.wait_for_url(re.compile(f"runs={ticked}"), timeout=SLOW_MS)
        wait_idle(page)
    expect(page.get_by_text(verdict)).to_be_visible(timeout=SLOW_MS)
    # Its charts are drawn, and a shared link shows the same.
    page.wait_for_function(
        "() => [...document.querySelectorAll('.cdp-chart')].filter((plot) =>"
        " plot._fullLayout).length >= 5",
        timeout=SLOW_MS,
    )
    page.reload(wait_until="commit")
    expect(page.get_by_text(verdict)).to_be_visible(timeout=SLOW_MS)
    expect(box).to_have_value("seed=0")
    # A tick that is taken away takes the run off again.
    click_cell(page, 0, CHECK_PX)
    expect(page.get_by_text("plain is one arm of 2 seeds")).to_be_visible(timeout=SLOW_MS)
    page.wait_for_url(lambda url: "guided" not in url)


def test_a_star_is_a_click_in_the_table_and_the_keyboard_alone_chooses_runs(
    groups: tuple[Server, str], page: Page
) -> None:
    server, verdict = groups
    open_page(page, server, "/compare?sort=name")
    click_cell(page, 0, STAR_PX)
    file = server.home / "runs" / "guided-s0" / "labels.json"
    until(file.exists, "the star")
    assert json.loads(file.read_text())["star"] is True
    box = page.get_by_role("textbox", name="Filter")
    box.fill("is:starred")
    box.press("Enter")
    expect(page.get_by_text("1 of 4 runs")).to_be_visible()
    open_page(page, server, "/compare")
    for name in ("plain-s0", "guided-s0"):
        choose_by_keyboard(page, re.compile("Runs to compare"), name)
    page.keyboard.press("Escape")
    expect(page.get_by_text(verdict)).to_be_visible(timeout=SLOW_MS)


def test_a_shared_link_with_a_missing_run_and_its_report_that_opens_offline(
    groups: tuple[Server, str], page: Page, tmp_path: Path
) -> None:
    server, verdict = groups
    open_page(page, server, "/compare?runs=plain-s0,long-gone,guided-s1")
    expect(page.get_by_text(re.compile("long-gone.* is not here"))).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text(verdict)).to_be_visible()
    with page.expect_download(timeout=SLOW_MS) as download:
        page.get_by_role("button", name="HTML report").click()
    report = tmp_path / "comparison.html"
    download.value.save_as(report)
    asked = listen(page)
    page.goto(report.as_uri())
    expect(page.get_by_text(verdict).first).to_be_visible()
    assert not asked
    assert "long-gone" in report.read_text()
    assert f"{server.url}/compare?runs=plain-s0,long-gone,guided-s1" in report.read_text().replace(
        "&amp;", "&"
    )
