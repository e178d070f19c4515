"""The main jobs without a mouse; that of Generate stands in test_generate_live.py."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from cdp.data.sets import save_set
from tests.e2e.driver import SLOW_MS, Server, choose_by_keyboard, open_page, wait_idle
from tests.ui.compare_runs import two_groups

pytestmark = pytest.mark.e2e

NO_MORE = "curve=off&unseen=off&masking=off"


def to_main_button(page: Page, server: Server, path: str, name: str | re.Pattern[str]) -> None:
    """Open a page and come to its main button by the link that skips to it."""
    open_page(page, server, path)
    expect(page.get_by_text("Skip to the main button")).to_be_attached()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name=name, exact=isinstance(name, str))
    expect(button).to_be_focused()
    expect(button).to_be_enabled(timeout=SLOW_MS)
    page.keyboard.press("Enter")


def test_looking_training_and_evaluating(fresh: Server, page: Page) -> None:
    with fresh.as_home():
        image = np.random.default_rng(0).integers(0, 256, (90, 8, 8, 1), dtype=np.uint8)
        save_set("seen", image, np.arange(90) % 3, {"class_names": ["a", "b", "c"]})
    path = "/explore?encoder=pixels&method=pca&points=90"
    to_main_button(page, fresh, path, "Show")
    expect(page.locator(".cdp-map .main-svg, .cdp-map canvas").first).to_be_visible(timeout=SLOW_MS)
    to_main_button(page, fresh, "/train?real=50&steps=2&attack_steps=1&name=keys", "Train")
    expect(page.locator(".st-key-train_runs")).to_contain_text("keys", timeout=SLOW_MS)
    page.get_by_role("combobox", name=re.compile("Preset")).first.focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Help for Preset")).to_be_focused()
    path = f"/evaluate?attack=quick&count=4&{NO_MORE}"
    to_main_button(page, fresh, path, "Evaluate")
    expect(page.locator(".st-key-evaluate_runs")).to_contain_text("quick-n4", timeout=SLOW_MS)


def test_comparing(fresh: Server, page: Page) -> None:
    with fresh.as_home():
        two_groups()
    open_page(page, fresh, "/compare")
    for name in ("plain-s0", "guided-s0"):
        choose_by_keyboard(page, "Runs to compare", name)
    expect(page.get_by_text("Is one better?")).to_be_visible(timeout=SLOW_MS)
    wait_idle(page)
    # Space ticks or unticks the line that the arrow keys came to.
    before = page.url
    page.locator("[data-testid=stDataFrame]").first.click(position={"x": 250, "y": 60})
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.wait_for_function("before => location.href !== before", arg=before, timeout=SLOW_MS)
