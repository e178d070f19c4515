"""A person at the Generate page: moves a slider, watches guided and unguided images appear, stops,
shares an address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.driver import (
    SLOW_MS,
    Server,
    control,
    generate,
    generate_button,
    open_page,
    pictures_seen,
    slider,
    url_value,
    wait_done,
    wait_idle,
    watch_canvases,
)

pytestmark = pytest.mark.e2e

LONG = "/generate?count=16&batch=16&steps=600"
"""A run that is still on its way when the test acts; the tests cancel it."""


@pytest.fixture(scope="module")
def done(fresh: Server, context: BrowserContext) -> Iterator[Page]:
    """A tab in which one small generation has run, watched from its start."""
    page = context.new_page()
    open_page(page, fresh, "/generate?count=20&batch=20&steps=48&seed=3")
    watch_canvases(page)
    generate(page)
    wait_done(page)
    yield page
    page.close()


def test_images_change_step_by_step_while_they_are_generated(done: Page) -> None:
    assert pictures_seen(done) >= 4


def test_guided_and_unguided_images_stand_side_by_side(done: Page) -> None:
    expect(done.get_by_role("button", name=re.compile("^Guided, image 20")).first).to_be_attached()
    expect(
        done.get_by_role("button", name=re.compile("^Unguided, image 20")).first
    ).to_be_attached()


def test_a_finished_run_says_its_size_its_time_and_its_seed(done: Page) -> None:
    expect(done.get_by_text(re.compile(r"^20 images in .* s, seed 3$"))).to_be_visible()


def test_curves_and_figures_are_drawn(done: Page) -> None:
    expect(done.get_by_text("The contrastive loss has").first).to_be_attached()
    expect(done.get_by_text("Numbers of the curves")).to_be_visible()


def test_choosing_an_image_shows_how_it_came_about(done: Page) -> None:
    before = done.locator("canvas").count()
    done.get_by_role("button", name=re.compile("^Guided, image 1(,|:| |$)")).first.click()
    expect(done.locator("canvas")).not_to_have_count(before, timeout=SLOW_MS)


def test_a_saved_set_is_found_in_the_gallery_with_its_images_and_settings(
    done: Page, fresh: Server, page: Page
) -> None:
    done.get_by_role("textbox", name="Name of the sample set").fill("first-try")
    done.get_by_role("textbox", name="Name of the sample set").press("Enter")
    wait_idle(done)
    done.get_by_role("button", name="Save sample set").click()
    expect(done.get_by_text("Saved as first-try")).to_be_visible(timeout=SLOW_MS)
    open_page(page, fresh, "/gallery")
    expect(page.get_by_text("20 images · SupCon · strength 0.1 · seed 3")).to_be_visible()
    page.locator(".st-key-open-first-try").get_by_role("button").click()
    expect(page.get_by_role("button", name="row 19")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("link", name="Use these settings").click()
    expect(generate_button(page)).to_be_visible(timeout=SLOW_MS)
    assert (url_value(page, "steps"), url_value(page, "seed")) == ("48", "3")


def test_a_sheet_dropped_on_the_page_restores_its_settings_and_another_image_none(
    done: Page, fresh: Server, page: Page, tmp_path: Path
) -> None:
    with done.expect_download(timeout=SLOW_MS) as download:
        done.get_by_role("button", name="Download PNG sheet").click()
    sheet = tmp_path / "sheet.png"
    download.value.save_as(sheet)
    other = tmp_path / "other.png"
    other.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    open_page(page, fresh, "/generate?seed=9")
    page.get_by_text("Restore from a PNG sheet").click()
    box = page.locator(".st-key-restore input[type=file]")
    box.set_input_files(other)
    expect(page.get_by_role("alert").filter(has_text="PNG")).to_be_visible(timeout=SLOW_MS)
    expect(control(page, "seed").get_by_role("spinbutton")).to_have_value("9")
    box.set_input_files(sheet)
    expect(page.get_by_text("Settings restored from sheet.png")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("3")
    page.wait_for_url(re.compile("steps=48"))


def test_moving_the_strength_slider_is_kept_in_the_address_and_survives_a_reload(
    fresh: Server, page: Page
) -> None:
    open_page(page, fresh, "/generate")
    slider(page, "strength").press("ArrowRight")
    page.wait_for_url(re.compile(r"strength="), timeout=SLOW_MS)
    moved = url_value(page, "strength")
    assert moved is not None
    assert float(moved) > 0.1
    page.reload()
    expect(generate_button(page)).to_be_visible(timeout=SLOW_MS)
    expect(control(page, "strength").get_by_text(f"{float(moved):g}").first).to_be_visible()


def test_a_second_tab_waits_until_the_first_is_cancelled_which_keeps_what_is_done(
    fresh: Server, context: BrowserContext, page: Page
) -> None:
    open_page(page, fresh, LONG)
    generate(page)
    expect(page.get_by_text(re.compile(r"^Step \d+ of 600"))).to_be_visible(timeout=SLOW_MS)
    second = context.new_page()
    open_page(second, fresh, "/generate?count=4&batch=4&steps=4")
    generate(second)
    expect(second.get_by_text(re.compile("in the queue", re.IGNORECASE))).to_be_visible(
        timeout=SLOW_MS
    )
    page.locator(".st-key-cancel").get_by_role("button").click()
    expect(page.get_by_text(re.compile(r"Stopped at step \d+ of 600"))).to_be_visible(
        timeout=SLOW_MS
    )
    expect(page.get_by_role("button", name=re.compile("^Guided, image 16")).first).to_be_attached()
    wait_done(second)
    expect(second.get_by_text(re.compile(r"^4 images in"))).to_be_visible()


def test_by_keyboard_generate_is_three_keys_away_and_focus_follows_to_the_result(
    fresh: Server, page: Page
) -> None:
    open_page(page, fresh, "/generate?count=16&batch=16&steps=4&seed=5")
    skip = page.get_by_text("Skip to the main button")
    expect(skip).to_be_attached()
    page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    page.keyboard.press("Enter")
    expect(generate_button(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Result")).to_be_focused()
    wait_done(page)


def test_a_generation_is_there_again_after_a_reload_and_in_another_tab(
    done: Page, context: BrowserContext
) -> None:
    done.reload()
    wait_done(done)
    expect(done.get_by_text(re.compile(r"^20 images in .* s, seed 3$"))).to_be_visible()
    other = context.new_page()
    other.goto(done.url)
    wait_done(other)
    expect(other.get_by_text(re.compile(r"^20 images in .* s, seed 3$"))).to_be_visible()
