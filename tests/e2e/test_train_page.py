"""The Train page in a browser: a real training on a tiny data set, launched, watched, reloaded,
stopped and resumed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from cdp.data.npz import write_npz
from tests.e2e.driver import SLOW_MS, Server, open_page, until, wait_idle

pytestmark = pytest.mark.e2e

EPOCHS = 3000
"""More than there is time for: a test stops the run itself."""
GONE_SECONDS = 30.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of grey images that differ by a bright row: learned within an epoch or two."""
    rng = np.random.default_rng(0)
    label = np.arange(300) % 3
    image = rng.integers(0, 60, (300, 12, 12, 1))
    image[np.arange(300), 3 * label + 2] += 180
    path = tmp_path_factory.mktemp("data") / "rows.npz"
    write_npz(path, image.astype(np.uint8), label)
    return path


def link(data: Path, **more: object) -> str:
    settings = {
        "dataset": str(data),
        "real": "",
        "held_out": 60,
        "attack_steps": 1,
        "validation_steps": 2,
        "batch": 60,
        "epochs": EPOCHS,
        "validate_every": "1 epoch",
    } | more
    return "/train?" + "&".join(f"{name}={quote(str(value))}" for name, value in settings.items())


def open_link(page: Page, server: Server, address: str) -> None:
    """A link that names a path, and the button that opens it where no run was started with it."""
    open_page(page, server, address)
    asked = page.get_by_role("button", name="Open /")
    read = page.get_by_text("3 classes, 12 x 12, grey")
    expect(asked.or_(read).first).to_be_visible(timeout=SLOW_MS)
    if asked.count():
        expect(train_button(page)).to_be_disabled()
        asked.click()


def train_button(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile(r"^Train( \d+ runs)?$"))


def runs(server: Server) -> list[dict[str, Any]]:
    """What the files say of every run, oldest first."""
    folders = [path for path in (server.home / "runs").glob("*") if not path.name.startswith(".")]
    found = [
        {"id": path.name}
        | json.loads((path / "config.json").read_text())
        | json.loads((path / "status.json").read_text())
        for path in folders
    ]
    return sorted(found, key=lambda run: run["created"])


def epochs_done(server: Server, run_id: str) -> int:
    journal = server.home / "runs" / run_id / "metrics.jsonl"
    return len(journal.read_text().splitlines()) if journal.exists() else 0


def row(page: Page, run_id: str) -> Locator:
    return page.locator(f".st-key-train-run-{run_id}")


def start(page: Page, server: Server) -> str:
    """Press the button; the id of the run it starts."""
    before = len(runs(server)) if (server.home / "runs").exists() else 0
    expect(train_button(page)).to_be_enabled(timeout=SLOW_MS)
    train_button(page).click()
    expect(page.get_by_role("button", name="Stop")).to_have_count(1, timeout=SLOW_MS)
    found = runs(server)
    assert len(found) == before + 1
    return str(found[-1]["id"])


def stop(page: Page, server: Server, run_id: str) -> None:
    row(page, run_id).get_by_role("button", name="Stop").click()
    expect(row(page, run_id)).to_contain_text("stopped", timeout=GONE_SECONDS * 1000)
    assert next(run["state"] for run in runs(server) if run["id"] == run_id) == "stopped"


def test_a_training_is_launched_watched_stopped_resumed_and_survives_a_reload_and_a_second_tab(
    fresh: Server, page: Page, context: BrowserContext, data: Path
) -> None:
    open_link(page, fresh, link(data))
    expect(page.get_by_text("3 classes, 12 x 12, grey")).to_be_visible(timeout=SLOW_MS)
    # A data set of one's own has no conventional budget, so the button waits for one.
    expect(page.get_by_text(re.compile("no conventional linf budget"))).to_be_visible(
        timeout=SLOW_MS
    )
    expect(train_button(page)).to_be_disabled()
    radius = page.get_by_role("textbox", name=re.compile("Attack budget"))
    radius.fill("0.1")
    radius.press("Enter")
    expect(train_button(page)).to_be_enabled(timeout=SLOW_MS)
    rate = page.get_by_role("spinbutton", name=re.compile("Learning rate"))
    rate.fill("0.05")
    rate.press("Enter")
    wait_idle_enough(page)
    expect(page.get_by_text(re.compile(r"(trainings|step) on .+, \d.+B$"))).to_be_visible(
        timeout=SLOW_MS
    )
    run_id = start(page, fresh)
    config = runs(fresh)[0]["config"]
    assert (config["learning_rate"], config["epsilon"], config["real"], config["epochs"]) == (
        0.05,
        0.1,
        None,
        EPOCHS,
    )
    assert config["dataset"] == str(data)
    expect(row(page, run_id)).to_contain_text(
        re.compile(r"running · step [\d,]+ of [\d,]+, epoch [1-9]"), timeout=SLOW_MS
    )
    expect(row(page, run_id)).to_contain_text("best (step")
    expect(page.get_by_role("region", name="Adversarial examples")).to_be_visible(timeout=SLOW_MS)
    expect(row(page, run_id).get_by_role("checkbox")).to_be_checked()
    # The step that is shown moves by itself.
    seen = step_shown(page, run_id)
    page.wait_for_function(
        "([key, seen]) => Number(document.querySelector(key).innerText.match(/step ([\\d,]+)"
        " of/)[1].replace(',', '')) > seen",
        arg=[f".st-key-train-run-{run_id}", seen],
        timeout=SLOW_MS,
    )
    # A reload and a second tab know the settings and what is watched.
    page.reload(wait_until="commit")
    expect(row(page, run_id).get_by_role("checkbox")).to_be_checked(timeout=SLOW_MS)
    expect(page.get_by_role("spinbutton", name=re.compile("Learning rate"))).to_have_value("0.05")
    second = context.new_page()
    open_second(second, fresh, page)
    expect(row(second, run_id)).to_contain_text("running", timeout=SLOW_MS)
    expect(second.get_by_role("spinbutton", name=re.compile("Learning rate"))).to_have_value("0.05")
    # Stopped in one tab, it is stopped in the other.
    stop(page, fresh, run_id)
    expect(row(second, run_id)).to_contain_text("stopped", timeout=GONE_SECONDS * 1000)
    second.close()
    kept = epochs_done(fresh, run_id)
    assert kept >= 1
    row(page, run_id).get_by_role("button", name="Resume").click()
    expect(row(page, run_id)).to_contain_text("running", timeout=SLOW_MS)
    until(lambda: epochs_done(fresh, run_id) > kept, "the next epoch")
    lines = (fresh.home / "runs" / run_id / "metrics.jsonl").read_text().splitlines()
    steps = [point["step"] for line in lines if "step" in (point := json.loads(line))]
    assert steps == list(range(1, len(steps) + 1))
    stop(page, fresh, run_id)
    row(page, run_id).get_by_role("button", name="Remove").click()
    expect(page.get_by_text(re.compile("was moved to"))).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("No training run yet")).to_be_visible()
    assert (fresh.home / "trash" / f"run-{run_id}" / "last" / "model.safetensors").is_file()


def test_two_short_runs_finish_one_after_the_other_and_their_settings_come_back_to_the_form(
    fresh: Server, page: Page, data: Path
) -> None:
    open_link(page, fresh, link(data, epochs=2, epsilon=0.1, seeds=2, name="short"))
    expect(train_button(page)).to_have_text("Train 2 runs")
    expect(train_button(page)).to_be_enabled(timeout=SLOW_MS)
    train_button(page).click()
    expect(page.get_by_text(re.compile("finished · robust"))).to_have_count(2, timeout=2 * SLOW_MS)
    assert [(run["name"], run["config"]["seed"], run["state"]) for run in runs(fresh)] == [
        ("short-s0", 0, "finished"),
        ("short-s1", 1, "finished"),
    ]
    epochs = page.get_by_role("textbox", name=re.compile("Epochs"))
    epochs.fill("5")
    epochs.press("Enter")
    wait_idle(page)
    page.get_by_text("Settings and checkpoints").click()
    page.get_by_role("button", name="Use these settings").click()
    expect(epochs).to_have_value("2", timeout=SLOW_MS)
    expect(page.get_by_text(re.compile("has these very settings"))).to_be_visible()


def test_a_click_on_a_run_changes_what_is_watched_and_the_address(
    fresh: Server, page: Page
) -> None:
    open_page(page, fresh, "/train")
    boxes = page.get_by_role("checkbox", name=re.compile("^Watch"))
    expect(boxes).to_have_count(2, timeout=SLOW_MS)
    expect(boxes.nth(0)).to_be_checked()
    boxes.nth(1).locator("xpath=ancestor::label").click()
    expect(boxes.nth(1)).to_be_checked()
    page.wait_for_url(re.compile(r"runs=[^&]+(,|%2C)[^&]+"))


def wait_idle_enough(page: Page) -> None:
    """A page that measures a step polls, so it is never idle for long: until the last change has
    been taken in."""
    page.wait_for_timeout(1500)


def step_shown(page: Page, run_id: str) -> int:
    found = re.search(r"step ([\d,]+) of", row(page, run_id).inner_text())
    assert found is not None
    return int(found.group(1).replace(",", ""))


def open_second(second: Page, server: Server, first: Page) -> None:
    second.goto(first.url, wait_until="commit")
    expect(second.get_by_role("heading", level=1)).to_be_visible(timeout=SLOW_MS)
