"""The Theory page in a browser: a knob moves and the curve answers, a link brings it back, the mean
is guided, real images lie on the map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.driver import SLOW_MS, Server, open_page, stands_still, url_value, wait_idle

pytestmark = pytest.mark.e2e


def chart(page: Page, said: str) -> Locator:
    """The chart whose finding this is, once it is drawn."""
    return page.get_by_role("img", name=re.compile(said)).filter(has=page.locator(".main-svg"))


def drawn(page: Page) -> str:
    """The first line of the first panel, as the browser drew it."""
    return str(
        page.locator(".cdp-chart .scatterlayer .trace path.js-line").first.get_attribute("d")
    )


def test_a_slider_moves_the_curve_answers_and_the_link_brings_it_back(
    fresh: Server, page: Page, tmp_path: Path
) -> None:
    open_page(page, fresh, "/theory")
    expect(
        chart(page, "1,000 synthetic samples give .* points: simulated, 200 draws")
    ).to_be_visible(timeout=SLOW_MS)
    before, line = page.locator(".cdp-chart").get_attribute("aria-label"), drawn(page)
    slider = page.locator(".st-key-theory_epsilon").get_by_role("slider")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    page.wait_for_url(
        re.compile(f"epsilon={re.escape(str(slider.get_attribute('aria-valuetext')))}$")
    )
    expect(page.locator(".cdp-chart")).not_to_have_attribute(
        "aria-label", str(before), timeout=SLOW_MS
    )
    expect(chart(page, "points: simulated, 200 draws")).to_be_visible(timeout=SLOW_MS)
    wait_idle(page)
    after, moved = page.locator(".cdp-chart").get_attribute("aria-label"), drawn(page)
    assert moved != line
    page.reload(wait_until="commit")
    expect(page.locator(".cdp-chart")).to_have_attribute("aria-label", str(after), timeout=SLOW_MS)
    expect(page.locator(".cdp-chart .scatterlayer .trace path.js-line").first).to_have_attribute(
        "d", moved, timeout=SLOW_MS
    )
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download PNG").click()
    assert taken.value.suggested_filename == "robust-accuracy-against-n.png"
    taken.value.save_as(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_the_guided_mean_follows_the_strength_and_nothing_moves_by_itself(
    fresh: Server, page: Page
) -> None:
    open_page(page, fresh, "/theory?view=guided&strength=0")
    expect(chart(page, r"Unguided, the mean points \d+° beside the optimum")).to_be_visible(
        timeout=SLOW_MS
    )
    slider = page.locator(".st-key-theory_strength").get_by_role("slider")
    slider.focus()
    slider.press("End")
    expect(chart(page, "Strength 2 turns the mean from .* past it")).to_be_visible(timeout=SLOW_MS)
    wait_idle(page)
    stands_still(page, "document.querySelector('.cdp-chart .main-svg').innerHTML")


def test_a_shipped_real_split_lands_on_the_map(fresh: Server, page: Page) -> None:
    open_page(page, fresh, "/theory?view=images&set=fashion-mnist:test&encoder=pixels")
    expect(chart(page, "fashion-mnist:test is as separable as real images")).to_be_visible(
        timeout=SLOW_MS
    )
    expect(page.get_by_text("Features are not Gaussian")).to_be_visible()
    expect(
        page.locator(".cdp-chart .legendtext").filter(has_text="fashion-mnist:test")
    ).to_have_count(1)
    assert url_value(page, "set") == "fashion-mnist:test"
