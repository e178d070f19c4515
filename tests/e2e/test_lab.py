"""The Attack lab in a browser: the budget moves and everything follows, a link brings it back, two
models, images of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.driver import SLOW_MS, Server, open_page, url_value
from tests.tasks.lab_world import png

pytestmark = pytest.mark.e2e

LINK = "/lab?model=robust&second=standard&row=4"


def verdicts(page: Page) -> Locator:
    return page.get_by_role("status").filter(has_text=re.compile("Fooled|Stands|Wrong"))


def attacked(page: Page) -> list[str]:
    return [
        str(image.get_attribute("src"))
        for image in page.get_by_role("img", name="Attacked image").all()
    ]


def move(page: Page, key: str) -> None:
    """A key on the budget's slider."""
    slider = page.get_by_role("slider").first
    slider.focus()
    slider.press(key)


def bars(page: Page) -> Locator:
    return page.get_by_role("img", name=re.compile("^Class probabilities"))


def test_moving_the_budget_changes_verdict_pictures_and_probabilities_and_a_reload_keeps_it(
    fresh: Server, page: Page
) -> None:
    open_page(page, fresh, LINK)
    expect(verdicts(page)).to_have_text(
        [re.compile("✓ Stands.*smallest budget found"), re.compile("✗ Fooled.*turns Shirt into")],
        timeout=SLOW_MS,
    )
    before, said = attacked(page), bars(page).first.get_attribute("aria-label")
    assert len(before) == 2
    move(page, "End")
    expect(verdicts(page)).to_have_text([re.compile("✗ Fooled. At 0.3 ")] * 2, timeout=SLOW_MS)
    assert not set(attacked(page)) & set(before)
    assert bars(page).first.get_attribute("aria-label") != said
    expect(page.get_by_role("img", name=re.compile("^Smallest budget found: 0"))).to_be_visible()
    page.wait_for_url(re.compile("epsilon=0.3"))
    shown = attacked(page)
    page.reload(wait_until="commit")
    expect(verdicts(page)).to_have_text([re.compile("✗ Fooled. At 0.3 ")] * 2, timeout=SLOW_MS)
    assert attacked(page) == shown
    # No budget, no change.
    move(page, "Home")
    expect(verdicts(page)).to_have_text([re.compile("✓ Stands. At 0 ")] * 2, timeout=SLOW_MS)
    assert attacked(page) == [
        str(image.get_attribute("src"))
        for image in page.get_by_role("img", name="Clean image").all()
    ]
    # The smallest budget is a click away.
    page.get_by_role("button", name="Smallest for standard").click()
    expect(verdicts(page).last).to_contain_text("Fooled", timeout=SLOW_MS)
    expect(verdicts(page).first).to_contain_text("Stands")


def test_a_second_model_stands_beside_the_first_and_leaves_again(fresh: Server, page: Page) -> None:
    open_page(page, fresh, LINK)
    for chosen, count in (("noise-aware", 2), ("none", 1)):
        page.get_by_role("combobox", name=re.compile("Beside it")).click()
        page.get_by_role("option", name=chosen, exact=True).click()
        expect(verdicts(page)).to_have_count(count, timeout=SLOW_MS)
        if count == 2:
            expect(page.get_by_role("heading", name="noise-aware")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("heading", name="noise-aware")).to_have_count(0)
    assert url_value(page, "second") is None
    # The buttons choose another image, and the address says which.
    page.get_by_role("button", name="Next", exact=True).click()
    page.wait_for_url(re.compile("row=5"))
    expect(page.get_by_role("img", name=re.compile("^Test image 5"))).to_be_visible()
    expect(verdicts(page)).to_contain_text("Trouser", timeout=SLOW_MS)


def upload(page: Page, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)


def test_an_uploaded_png_is_attacked_and_one_that_does_not_fit_is_asked_about(
    fresh: Server, page: Page, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "good.png").write_bytes(png(rng.integers(0, 256, (28, 28), dtype=np.uint8)))
    (tmp_path / "large.png").write_bytes(png(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)))
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing of the kind")
    open_page(page, fresh, "/lab?model=robust")
    page.get_by_role("button", name="Upload", exact=True).or_(
        page.get_by_role("radio", name="Upload", exact=True)
    ).first.click()
    expect(page.get_by_text("No image yet")).to_be_visible(timeout=SLOW_MS)
    upload(page, tmp_path / "bad.png")
    expect(
        page.get_by_role("alert").filter(has_text="bad.png is not a readable image")
    ).to_be_visible(timeout=SLOW_MS)
    upload(page, tmp_path / "large.png")
    expect(
        page.get_by_text(
            re.compile("its colours become grey and it is resized from 120 x 90 to 28 x 28 px")
        )
    ).to_be_visible(timeout=SLOW_MS)
    assert url_value(page, "image") is None
    page.get_by_role("button", name="Use it like this").click()
    expect(verdicts(page)).to_have_count(1, timeout=SLOW_MS)
    resized = url_value(page, "image")
    assert resized is not None and re.fullmatch("[0-9a-f]{24}", resized)
    upload(page, tmp_path / "good.png")
    page.wait_for_url(lambda url: "image=" in url and resized not in url)
    expect(verdicts(page)).to_have_count(1, timeout=SLOW_MS)
    expect(page.get_by_text(re.compile("The true class is unknown"))).to_be_visible()
    page.reload(wait_until="commit")
    expect(page.get_by_role("img", name="Uploaded image")).to_be_visible(timeout=SLOW_MS)
    expect(verdicts(page)).to_have_count(1, timeout=SLOW_MS)
