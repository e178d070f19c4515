"""The Explore page in a real browser with real sets: map, filters, lasso, detail, numbers, pairs,
keeping a part, and the cache."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from cdp.data.sets import save_set
from tests.e2e.driver import SLOW_MS, Server, choose_by_keyboard, open_page, wait_idle

pytestmark = pytest.mark.e2e
POINTS = 240
LINK = f"/explore?sets=spread,tight&encoder=pixels&method=pca&points={POINTS}"


@pytest.fixture(scope="module")
def sets(fresh: Server) -> Server:
    """Two sets of three classes: stripes at different heights; in one the classes lie close
    together."""
    rng = np.random.default_rng(0)
    for name, contrast in (("spread", 200), ("tight", 60)):
        label = np.arange(180) % 3
        image = rng.integers(0, 40, (180, 28, 28, 1))
        for row, value in enumerate(label):
            image[row, 4 + 7 * value : 9 + 7 * value] += contrast
        card = {
            "class_names": ["T-shirt/top", "Trouser", "Pullover"],
            "dataset": "fashion-mnist",
            "source": "test",
        }
        with fresh.as_home():
            save_set(name, image.astype(np.uint8), label, card)
    return fresh


def chart(page: Page) -> Locator:
    return page.locator(".js-plotly-plot").first


def drawn(page: Page) -> None:
    """Until the map's points are there and nothing more is on its way."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('.js-plotly-plot')].some((p) => p.data &&"
        " p.data.some((t) => t.customdata))",
        timeout=SLOW_MS,
    )
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=SLOW_MS)
    wait_idle(page)


def selected_title(page: Page) -> Locator:
    return page.get_by_role("heading", name=re.compile(r"selected$"))


def test_the_filters_open_the_images_of_a_class_and_they_become_a_set(
    page: Page, sets: Server
) -> None:
    open_page(page, sets, LINK)
    drawn(page)
    # By the keyboard: the class filter.
    page.get_by_role("button", name="Filter").click()
    choose_by_keyboard(page, "Classes", "Trouser")
    expect(page.get_by_text(f"{POINTS // 3} of {POINTS} points are left.")).to_be_attached(
        timeout=SLOW_MS
    )
    page.keyboard.press("Tab")
    expect(selected_title(page)).to_have_text(f"{POINTS // 3} selected", timeout=SLOW_MS)
    page.get_by_role("button", name=re.compile("^Save 40 images")).wait_for()
    # A name and a click make it a set.
    page.get_by_role("textbox", name="Name of the new set").fill("only-middle")
    page.get_by_role("textbox", name="Name of the new set").press("Enter")
    wait_idle(page)
    page.get_by_role("button", name=re.compile("^Save 40 images")).click()
    expect(page.get_by_text("Saved 40 images as only-middle.")).to_be_visible(timeout=SLOW_MS)
    assert set(np.load(sets.home / "sets" / "only-middle" / "label.npy")) == {1}


def test_a_lasso_opens_the_images_of_its_panel_and_a_reload_computes_nothing(
    page: Page, sets: Server
) -> None:
    open_page(page, sets, LINK)
    drawn(page)
    area = chart(page).locator(".nsewdrag").first.bounding_box()
    assert area is not None
    x, y, w, h = area["x"], area["y"], area["width"], area["height"]
    page.mouse.move(x + 4, y + 4)
    page.mouse.down()
    for dx, dy in ((w - 8, 0), (w - 8, h - 8), (4, h - 8), (4, 4)):
        page.mouse.move(x + 4 + dx, y + 4 + dy, steps=6)
    page.mouse.up()
    # All of the first panel, which is one set.
    expect(selected_title(page)).to_have_text(f"{POINTS // 2} selected", timeout=SLOW_MS)
    expect(page.get_by_text(f"spread: {POINTS // 2}", exact=True)).to_be_visible()
    before = cached(sets.home)
    page.reload(wait_until="commit")
    drawn(page)
    assert cached(sets.home) == before


def test_a_click_shows_the_image_with_its_neighbours(page: Page, sets: Server) -> None:
    open_page(page, sets, LINK)
    drawn(page)
    spot = page.evaluate("""() => {
          const plot = [...document.querySelectorAll('.js-plotly-plot')].find((p) => p.data && p.data.some((t) => t.customdata));
          const trace = plot._fullData.find((t) => t.customdata && Number.isFinite(t.x[0])), layout = plot._fullLayout;
          const box = plot.getBoundingClientRect();
          const xa = layout[(trace.xaxis || 'x').replace('x', 'xaxis')], ya = layout[(trace.yaxis || 'y').replace('y', 'yaxis')];
          return { x: box.left + xa._offset + xa.d2p(trace.x[0]), y: box.top + ya._offset + ya.d2p(trace.y[0]) };
        }""")
    page.mouse.move(spot["x"] - 3, spot["y"] - 3)
    page.mouse.move(spot["x"], spot["y"], steps=3)
    page.mouse.click(spot["x"], spot["y"])
    detail = page.locator(".st-key-closeup")
    expect(detail).to_be_visible(timeout=SLOW_MS)
    expect(detail.get_by_text("Nearest in the set", exact=False)).to_be_visible(timeout=SLOW_MS)
    expect(detail.get_by_text("pixels classify nothing", exact=False)).to_be_visible(
        timeout=SLOW_MS
    )


def test_numbers_and_pairs_tell_the_sets_apart_in_words(page: Page, sets: Server) -> None:
    open_page(page, sets, "/explore?sets=spread,tight&view=Numbers")
    expect(page.get_by_role("heading", name="How far apart are the classes?")).to_be_visible(
        timeout=SLOW_MS
    )
    expect(page.get_by_text(re.compile(r"further apart")).first).to_be_visible()
    page.get_by_text("Class pairs", exact=True).click()
    expect(page.get_by_text(re.compile(r"hardest to tell apart")).first).to_be_visible(
        timeout=SLOW_MS
    )


def test_keeping_a_part_saves_the_best_images_with_their_origin(page: Page, sets: Server) -> None:
    open_page(page, sets, "/explore?sets=tight&encoder=pixels&view=Keep a part")
    expect(page.get_by_text(re.compile(r"Kept: 90 images"))).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text(re.compile(r"Dropped: 90 images"))).to_be_visible()
    page.get_by_role("textbox", name="Name of the new set").fill("best")
    page.get_by_role("textbox", name="Name of the new set").press("Enter")
    wait_idle(page)
    page.get_by_role("button", name="Save the kept images").click()
    expect(page.get_by_text(re.compile(r"Saved 90 images as best"))).to_be_visible(timeout=SLOW_MS)
    card = (sets.home / "sets" / "best" / "card.json").read_text()
    assert '"by": "separability"' in card
    assert '"name": "tight"' in card


def cached(home: Path) -> dict[str, int]:
    """Every projection in the cache with the time it was written."""
    return {
        path.name: path.stat().st_mtime_ns
        for path in (home / "cache" / "projections").glob("*.npy")
    }
