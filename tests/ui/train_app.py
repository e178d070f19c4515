"""The Train page under AppTest: a world whose device is taken, and the hands and eyes that tests
have in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from cdp import paths
from cdp.data.catalog import CATALOG
from cdp.data.sets import save_set
from cdp.ui.kit.ask import side
from cdp.work.launch import stop
from cdp.work.records import Run, list_runs
from tests.ui.pages import opened, ran, served

PATIENCE = 60.0


@pytest.fixture
def world(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that has served a page before, helper processes of this test's own home, and a
    device that is taken."""
    served(monkeypatch)
    side.clear()
    (paths.runs_dir() / ".slots").mkdir(parents=True)
    with FileLock(paths.runs_dir() / ".slots" / "0.lock"):
        yield
        for run in list_runs():
            stop(run.id)
        until(lambda: all(run.over for run in list_runs()))
    for kind in ("maps", "looks", "now"):
        side(kind).close()
    side.clear()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def page(**params: str) -> AppTest:
    return opened("train", **params)


def texts(app: AppTest) -> str:
    kinds = (
        app.markdown,
        app.caption,
        app.info,
        app.success,
        app.warning,
        app.error,
        app.subheader,
        app.get("html"),
    )
    return "\n".join(
        str(e.value if hasattr(e, "value") else e.proto.body) for kind in kinds for e in kind
    )


def control(app: AppTest, label: str) -> Any:
    """A control of the form by the beginning of its label."""
    boxes = (
        *app.number_input,
        *app.selectbox,
        *app.multiselect,
        *app.slider,
        *app.text_input,
        *app.toggle,
        *app.get("button_group"),
    )
    return next(box for box in boxes if box.label.startswith(label))


def address(app: AppTest) -> dict[str, str]:
    return {
        name: value[0] if isinstance(value, list) else value
        for name, value in app.query_params.items()
    }


def launched(app: AppTest) -> list[Run]:
    """The runs that a click on the one button starts, oldest first."""
    ran(app.button(key="train_start").click())
    return sorted(list_runs(), key=lambda run: run.created)


def save(name: str, count: int = 40, side_px: int = 28) -> None:
    image = np.random.default_rng(0).integers(0, 256, (count, side_px, side_px, 1), dtype=np.uint8)
    save_set(
        name,
        image,
        np.arange(count) % 10,
        {
            "class_names": list(CATALOG["fashion-mnist"].classes),
            "source": "test",
            "dataset": "fashion-mnist",
            "config": {"x": 1},
        },
    )
