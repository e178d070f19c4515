"""A person in the gallery: imports a file, looks at it, takes it out again, deletes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from cdp.data.sets import save_set
from tests.e2e.driver import SLOW_MS, Server, open_page

pytestmark = pytest.mark.e2e


def upload(page: Page, path: Path, name: str) -> None:
    page.locator("input[type=file]").first.set_input_files(path)
    expect(page.get_by_text(path.name, exact=True)).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("button", name="Import", exact=True).click()


def open_import(page: Page, server: Server) -> None:
    open_page(page, server, "/gallery")
    page.get_by_text("Import images").first.click()


def test_a_file_that_is_no_npz_says_so_and_of_one_that_is_the_same_arrays_come_out(
    fresh: Server, page: Page, tmp_path: Path
) -> None:
    (tmp_path / "bad.npz").write_bytes(b"not a zip")
    open_import(page, fresh)
    upload(page, tmp_path / "bad.npz", "bad")
    expect(page.get_by_role("alert").filter(has_text="npz")).to_be_visible(timeout=SLOW_MS)
    assert not (fresh.home / "sets" / "bad").exists()
    image = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    label = np.arange(12) % 3
    np.savez(tmp_path / "mine.npz", image=image, label=label)
    open_import(page, fresh)
    upload(page, tmp_path / "mine.npz", "mine")
    expect(page.get_by_role("button", name="Download .npz")).to_be_visible(timeout=SLOW_MS)
    with page.expect_download(timeout=SLOW_MS) as download:
        page.get_by_role("button", name="Download .npz").click()
    download.value.save_as(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as out:
        assert np.array_equal(out["image"], image)
        assert np.array_equal(out["label"], label)


def test_a_set_is_deleted_only_after_a_second_yes(fresh: Server, page: Page) -> None:
    with fresh.as_home():
        save_set("gone", np.zeros((2, 8, 8, 1), np.uint8), np.arange(2), {})
    open_page(page, fresh, "/gallery?set=gone")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0, timeout=SLOW_MS)
    assert (fresh.home / "sets" / "gone").is_dir()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Move to trash").click()
    expect(page.get_by_text("gone was moved to")).to_be_visible(timeout=SLOW_MS)
    assert not (fresh.home / "sets" / "gone").exists()


def test_images_are_marked_from_the_keyboard_and_the_rest_becomes_a_set(
    fresh: Server, page: Page
) -> None:
    with fresh.as_home():
        image = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)
        save_set("marked", image, np.arange(30) % 3, {"class_names": ["a", "b", "c"]})
    open_page(page, fresh, "/gallery?set=marked")
    page.get_by_role("button", name="row 0").focus()
    for key in ("d", "ArrowRight", "k", "ArrowRight", "d", "u", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("30 images · 1 marked keep, 1 drop")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("button", name="row 0, marked drop")).to_be_visible()
    expect(page.locator(".cdp-enlarged")).to_contain_text("row 14", timeout=SLOW_MS)
    page.reload()
    expect(page.get_by_role("button", name="row 1, marked keep")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Save without the 1 dropped").click()
    expect(page.get_by_text("Saved 29 images as marked-undropped-29")).to_be_visible(
        timeout=SLOW_MS
    )
