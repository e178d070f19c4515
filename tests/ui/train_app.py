"""The Train page under AppTest."""

from __future__ import annotations

from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from cdp.data.catalog import CATALOG
from cdp.data.sets import save_set
from cdp.work.records import Run, list_runs
from tests.ui.pages import opened, ran


def page(**params: str) -> AppTest:
    return opened("train", **params)


def launched(app: AppTest) -> list[Run]:
    """The runs that a click on the one button starts, oldest first."""
    ran(app.button(key="train_start").click())
    return sorted(list_runs(), key=lambda run: run.created)


def save(name: str, count: int = 40, side_px: int = 28, **more: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (count, side_px, side_px, 1), dtype=np.uint8)
    names = list(CATALOG["fashion-mnist"].classes)
    card = {"class_names": names, "source": "test", "dataset": "fashion-mnist", "config": {"x": 1}}
    save_set(name, image, np.arange(count) % 10, card | more)
