"""A person brings images that the project has never seen: import, train in the background, watch
samples come, generate with the result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.driver import SLOW_MS, Server, generate, open_page, wait_done, wait_idle

pytestmark = pytest.mark.e2e

CLASSES = ("disc", "bar", "frame")
SIDE = 12


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of coloured marks as PNG files, in train and test."""
    root = tmp_path_factory.mktemp("images") / "marks"
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    shapes = (x**2 + y**2 < 14, np.abs(y) < 2, np.maximum(np.abs(x), np.abs(y)) // 1 == 4)
    for split, count in (("train", 40), ("test", 12)):
        for name, shape in zip(CLASSES, shapes, strict=True):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                image = np.where(
                    shape[..., None], rng.integers(150, 256, 3), rng.integers(0, 60, 3)
                ).astype(np.uint8)
                Image.fromarray(image).save(root / split / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def trained(fresh: Server, marks: Path, context: BrowserContext) -> Iterator[Page]:
    """A tab in which the images were imported and a judge, an encoder and a diffusion model
    trained, watched to their end."""
    page = context.new_page()
    open_page(page, fresh, "/data")
    page.get_by_role("textbox", name="Path", exact=True).fill(str(marks))
    page.get_by_role("button", name="Import", exact=True).click()
    expect(
        page.get_by_text("Imported 120 training images and 36 test images as marks")
    ).to_be_visible(timeout=SLOW_MS)
    page.locator("[class*='st-key-data_role_standard'] label").click()
    page.get_by_text("Settings of the encoders").click()
    page.get_by_text("Settings of the diffusion model").click()
    for name, value in (
        ("encoder_epochs", "1"),
        ("model_steps", "80"),
        ("model_save_every", "20"),
        ("model_batch", "16"),
        ("model_widths", "32"),
    ):
        box = page.locator(f"[class*='st-key-data_{name}'] input")
        for _ in range(3):  # what is typed while the page is drawn anew is taken back
            box.fill(value)
            box.press("Enter")
            wait_idle(page)
            if box.input_value().replace(",", "") == value:
                break
        expect(box).to_have_value(value)
    expect(page.get_by_text(re.compile("^3 trainings, under 1 (s|min)"))).to_be_visible()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="4. Progress")).to_be_visible(timeout=SLOW_MS)
    # The sheet of the first checkpoint, which stands until the end or for a minute.
    expect(page.get_by_text("Samples of marks at step 20")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("link", name="Generate with marks")).to_be_visible(timeout=SLOW_MS)
    yield page
    page.close()


def test_samples_of_every_class_are_shown_while_and_after_training(trained: Page) -> None:
    # Of whichever step is the newest: on a fast machine the first sheet is gone by now.
    expect(trained.get_by_text(re.compile(r"^Samples of marks at step [\d,]+"))).to_be_visible(
        timeout=SLOW_MS
    )
    for name in CLASSES:
        # One row of real images above, one of samples below.
        expect(trained.get_by_alt_text(f"{name}, image 1", exact=True)).to_have_count(2)


def test_all_trainings_finished_and_their_accuracy_is_told(trained: Page) -> None:
    expect(trained.get_by_text(re.compile("^finished · took"))).to_have_count(3, timeout=SLOW_MS)
    expect(
        trained.get_by_text(re.compile(r"here: judge, test \d+\.\d\s?% \(n = 36\)"))
    ).to_be_visible()


def test_generate_opened_from_there_makes_images_guided_by_the_new_encoder(trained: Page) -> None:
    trained.get_by_role("link", name="Generate with marks").click()
    expect(trained.get_by_role("heading", level=1, name="Generate")).to_be_visible(timeout=SLOW_MS)
    expect(trained.get_by_role("combobox", name="Model")).to_have_value("marks")
    expect(trained.get_by_role("combobox", name="Encoder")).to_have_value("robust")
    generate(trained)
    wait_done(trained)
    expect(
        trained.get_by_role(
            "button", name=re.compile("^Guided, image 1: .*disc|^Guided, image 1.*disc")
        ).first
    ).to_be_attached()
    # The judge's figures, against held-out images of this very data set.
    expect(trained.get_by_text("Agreement with the label").first).to_be_attached()
    assert not trained.get_by_role("alert").filter(has_text="failed").count()


def test_a_reload_knows_the_models_and_leads_to_explore_and_to_train(
    trained: Page, fresh: Server, page: Page
) -> None:
    open_page(page, fresh, "/data?dataset=marks")
    expect(page.get_by_role("link", name="Generate with marks")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("link", name="Explore the real images").click()
    expect(page.get_by_role("heading", level=1, name="Explore")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("all 36 images of marks:test")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("combobox", name="Encoder")).to_have_value("judge")
    open_page(page, fresh, "/data?dataset=marks")
    page.get_by_role("link", name="Train a robust classifier").click()
    expect(page.get_by_role("heading", level=1, name="Train")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("combobox", name="Data set")).to_have_value("marks")
    expect(page.get_by_text(re.compile(r"(trainings|step) on this "))).to_be_visible(
        timeout=SLOW_MS
    )
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_enabled()


def test_an_upload_is_imported_with_its_test_images_and_a_bad_one_leaves_nothing(
    fresh: Server, page: Page, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for name, count in (("dots.npz", 60), ("more.npz", 20)):
        np.savez(
            tmp_path / name,
            image=rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8),
            label=np.arange(count) % 2,
        )
    (tmp_path / "bad.npz").write_bytes(b"not a zip")
    open_page(page, fresh, "/data")
    page.get_by_role("button", name="Upload", exact=True).or_(
        page.get_by_role("radio", name="Upload", exact=True)
    ).first.click()
    inputs = page.locator("input[type=file]")
    inputs.nth(0).set_input_files(tmp_path / "dots.npz")
    inputs.nth(1).set_input_files(tmp_path / "bad.npz")
    expect(page.get_by_text("bad.npz", exact=True)).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(
        page.get_by_role("alert").filter(has_text="bad.npz is not a readable .npz archive")
    ).to_be_visible(timeout=SLOW_MS)
    assert not list((fresh.home / "sets").glob("dots*"))
    page.reload()
    page.get_by_role("button", name="Upload", exact=True).or_(
        page.get_by_role("radio", name="Upload", exact=True)
    ).first.click()
    inputs.nth(0).set_input_files(tmp_path / "dots.npz")
    inputs.nth(1).set_input_files(tmp_path / "more.npz")
    expect(page.get_by_text("more.npz", exact=True)).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(
        page.get_by_text("Imported 60 training images and 20 test images as dots")
    ).to_be_visible(timeout=SLOW_MS)
