"""Pages under AppTest: the app as a server that has served a page before, opened by a link, drawn
anew after every move."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from cdp import paths

APP = str(paths.ROOT / "app.py")
PATIENCE = 120.0
# Every AppTest is a server of its own, which reads what each installed package says of itself, for
# two thirds of the time of a page. A process does it once.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest makes every run the first of a fresh server, where a page starts again once and a
    click is lost on the way (cdp/ui/kit/frame.py). Here the server has served a page before."""
    monkeypatch.setattr(
        "streamlit.testing.v1.app_test.PagesManager", type("Served", (PagesManager,), {})
    )
    monkeypatch.setattr(PagesManager, "uses_pages_directory", False)


def opened(name: str, /, **params: str) -> AppTest:
    """The page of that name, opened by a link."""
    app = AppTest.from_file(APP, default_timeout=60)
    app.switch_page(f"pages/{name}.py")
    for key, value in params.items():
        app.query_params[key] = value
    return ran(app)


def ran(moved: Any) -> AppTest:
    """The page drawn anew, after a control of it was moved, or as it is."""
    app: AppTest = moved.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    """All that the page says beside its controls, without the marks that make text safe."""
    kinds = (app.markdown, app.caption, app.info, app.success, app.warning, app.error)
    parts = [str(e.value) for kind in (*kinds, app.subheader) for e in kind]
    parts += [str(e.proto.body) for e in app.get("html") if "<style" not in e.proto.body]
    return "\n".join(parts).replace("\\", "").replace("&nbsp;", " ")


def control(app: AppTest, label: str) -> Any:
    """The control of this label, else the first whose label begins so."""
    boxes = (
        *("button", "button_group", "selectbox", "multiselect", "number_input", "text_input"),
        *("text_area", "slider", "select_slider", "toggle"),
    )
    every = [box for kind in boxes for box in app.get(kind)]
    exact = [box for box in every if box.label.split(" (")[0] == label]
    return (exact or [box for box in every if box.label.startswith(label)])[0]


def drawn_until(app: AppTest, *words: str, without: str = "") -> AppTest:
    """Draw the page again until it says all this: what a browser's polling does. without: what it
    must not say any more."""
    end = time.monotonic() + PATIENCE
    while not (all(word in texts(app) for word in words) and (without or "\0") not in texts(app)):
        assert time.monotonic() < end, texts(app)
        time.sleep(0.3)
        ran(app)
    return app


def address(app: AppTest) -> dict[str, str]:
    """The parameters of the page's address."""
    return {k: v[0] if isinstance(v, list) else v for k, v in app.query_params.items()}


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
