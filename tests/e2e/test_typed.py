"""What is typed and not yet sent stays in its field, while runs begin and end above it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from cdp import paths
from cdp.config.generate import GenerateConfig
from cdp.config.knobs import Frozen
from cdp.config.train import TrainConfig
from cdp.data.catalog import CATALOG
from cdp.data.sets import save_set
from cdp.files.atomic import write_json
from cdp.work.launch import create, free_name
from cdp.work.launchers import PROCESS, signature
from cdp.work.records import STATUS
from cdp.work.registry import TASKS
from tests.e2e.driver import SLOW_MS, Server, open_page

pytestmark = pytest.mark.e2e

FIELDS = {
    "/train": ("textbox", "Real images"),
    "/generate": ("spinbutton", "Seed"),
    "/evaluate": ("textbox", "Attack budget"),
    "/gallery": ("textbox", "Find"),
}


@pytest.fixture
def home(fresh: Server) -> Server:
    """With one set for the gallery."""
    image, classes = np.zeros((40, 28, 28, 1), np.uint8), list(CATALOG["fashion-mnist"].classes)
    with fresh.as_home():
        save_set(
            free_name(TASKS["generate"], "one"), image, np.arange(40) % 10, {"class_names": classes}
        )
    return fresh


def begun(server: Server, kind: str, config: Frozen) -> Path:
    """The folder of a run that this process seems to work on."""
    with server.as_home():
        folder = paths.runs_dir() / create(TASKS[kind], config, free_name(TASKS[kind], kind))
    write_json(folder / PROCESS, signature(os.getpid()))
    write_json(folder / STATUS, {"state": "running"})
    return folder


def field_of(page: Page, path: str) -> Locator:
    role, name = FIELDS[path]
    return page.get_by_role(role, name=name).first  # type: ignore[arg-type]


def test_what_is_typed_stays_while_runs_begin_and_end_above_it(
    home: Server, context: BrowserContext
) -> None:
    runs = [
        begun(home, kind, config)
        for kind, config in (("train", TrainConfig()), ("generate", GenerateConfig(count=2000)))
    ]
    tabs = {path: context.new_page() for path in FIELDS}
    for path, page in tabs.items():
        open_page(page, home, path)
        expect(page.locator(".cdp-job")).to_have_count(2, timeout=SLOW_MS)
        field_of(page, path).fill("7")

    def all_show(rows: int) -> None:
        for path, page in tabs.items():
            expect(page.locator(".cdp-job")).to_have_count(rows, timeout=SLOW_MS)
            page.wait_for_timeout(700)  # the list of runs is drawn anew beside the strip
            assert field_of(page, path).input_value() == "7", f"{path} with {rows} runs"

    runs.append(begun(home, "train", TrainConfig(seed=1)))
    all_show(3)
    for folder in runs:
        write_json(folder / STATUS, {"state": "finished"})
    all_show(0)
