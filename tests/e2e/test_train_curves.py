"""A person at the live curves: zooms, hides a run, rests the pointer on a point, and keeps all that
while epochs keep coming."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.driver import SLOW_MS, Server, stands_still, started, until
from tests.ui.curve_runs import SCRIPT, lines, write_run, write_status

pytestmark = pytest.mark.e2e

PLOT = ".cdp-chart"
IDS = ("alpha", "beta", "gamma")
FIRST = 30
EACH = 100
"""Steps of an epoch."""
ARRIVES = 3.0
"""Seconds within which a new point has to be on the screen of an idle machine."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page with nothing but the curves of three runs."""
    place = tmp_path_factory.mktemp("curves")
    (place / "curves.py").write_text(SCRIPT.format(ids=IDS))
    with started(place, place / "curves.py") as running:
        yield running


@pytest.fixture
def curve_server(app: Server) -> Server:
    """Three runs at their thirtieth epoch."""
    shutil.rmtree(app.home / "runs", ignore_errors=True)
    for number, name in enumerate(IDS):
        write_run(
            name, epochs=FIRST, seed=number, beta=1.0 + number, state="running", home=app.home
        )
    return app


@pytest.fixture
def frames(page: Page) -> list[object]:
    """What the server has sent to the page so far: also a tick without news sends something."""
    received: list[object] = []
    page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(frame))
    )
    return received


def tick(page: Page, frames: list[object]) -> None:
    """Wait for two more looks of the page at its runs."""
    wanted = len(frames) + 12
    end = time.monotonic() + SLOW_MS / 1000
    while len(frames) < wanted and time.monotonic() < end:
        page.wait_for_timeout(100)
    assert len(frames) >= wanted


@pytest.fixture
def opened(page: Page, frames: list[object], curve_server: Server) -> Page:
    page.set_viewport_size({"width": 1280, "height": 1200})
    page.goto(curve_server.url, wait_until="commit")
    drawn(page)
    return page


def drawn(page: Page) -> None:
    """Until the chart is there and stands still."""
    page.wait_for_function(
        f"() => document.querySelector('{PLOT}')?._fullLayout?._size", timeout=SLOW_MS
    )
    expect(page.locator(f"{PLOT} .legendtext").first).to_be_visible()
    stands_still(page, f"document.querySelector('{PLOT}').getBoundingClientRect()")


def folder(server: Server, name: str) -> Path:
    return server.home / "runs" / name


def add(server: Server, epoch: int) -> None:
    """One more epoch of every run."""
    for number, name in enumerate(IDS):
        with (folder(server, name) / "metrics.jsonl").open("a") as journal:
            journal.write(lines(range(epoch, epoch + 1), number))


@contextmanager
def training(server: Server, every: float = 0.5) -> Iterator[Callable[[], int]]:
    """Epochs that come by themselves; gives a function that says the last one."""
    done, last = threading.Event(), [FIRST]

    def write() -> None:
        while not done.wait(every):
            last[0] += 1
            add(server, last[0])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield lambda: last[0]
    finally:
        done.set()
        writer.join()


def last_x(page: Page, name: str = "beta") -> int:
    found = page.evaluate(
        f"(name) => {{ const t = document.querySelector('{PLOT}')._fullData.find((t) => t.uid ==="
        " name + '/0/robust/line'); return t.x[t.x.length - 1]; }",
        name,
    )
    return int(found) // EACH


def wait_for_epoch(page: Page, epoch: int) -> None:
    page.wait_for_function(
        f"(epoch) => document.querySelector('{PLOT}')._fullData.some((t) => t.uid ==="
        " 'beta/0/robust/line' && t.x[t.x.length - 1] >= epoch)",
        arg=EACH * epoch,
        timeout=SLOW_MS,
    )


def axis(page: Page, name: str = "xaxis") -> list[float]:
    """First and last value, of steps as epochs, and where they lie in the window: pixel of the
    first, pixels."""
    first, last, *place = page.evaluate(
        f"""(name) => {{ const plot = document.querySelector('{PLOT}'), a = plot._fullLayout[name], box = plot.getBoundingClientRect();
        return [...a.range, (name[0] === 'x' ? box.left : box.top) + a._offset, a._length]; }}""",
        name,
    )
    return [first / EACH, last / EACH, *place] if name.startswith("x") else [first, last, *place]


def pixel(page: Page, epoch: float, share: float = 0.5) -> tuple[float, float]:
    """A place in the first panel: at an epoch, at a share of its height."""
    first, last, left, width = axis(page)
    _, _, top, height = axis(page, "yaxis")
    return left + (epoch - first) / (last - first) * width, top + share * height


def drag(page: Page, first: float, last: float) -> None:
    """Zoom to a stretch of epochs."""
    page.mouse.move(*pixel(page, first))
    page.mouse.down()
    page.mouse.move(*pixel(page, (first + last) / 2), steps=4)
    page.mouse.move(*pixel(page, last), steps=4)
    page.mouse.up()
    page.wait_for_function(
        f"() => document.querySelector('{PLOT}')._fullLayout.xaxis.autorange !== true"
    )


def hover_text(page: Page) -> str:
    return " ".join(page.locator(f"{PLOT} .hoverlayer text").all_text_contents())


def test_new_points_are_on_the_screen_within_three_seconds(
    opened: Page, curve_server: Server
) -> None:
    waits = []
    for epoch in range(FIRST + 1, FIRST + 5):
        began = time.monotonic()
        add(curve_server, epoch)
        wait_for_epoch(opened, epoch)
        waits.append(time.monotonic() - began)
    # The best of four: another test's browser may have the machine for a while.
    assert min(waits) <= ARRIVES, waits


def test_zoom_legend_and_hover_outlast_every_tick(opened: Page, curve_server: Server) -> None:
    drag(opened, 10, 20)
    zoomed = axis(opened)[:2]
    assert zoomed == pytest.approx([10, 20], abs=0.5)
    opened.locator(f"{PLOT} .legendtoggle").first.click()
    hidden = (
        f"() => [...new Set(document.querySelector('{PLOT}')._fullData.filter((t) => t.visible !=="
        " true).map((t) => t.legendgroup))]"
    )
    opened.wait_for_function(f"() => ({hidden})().length === 1")
    drawn(opened)
    opened.mouse.move(*pixel(opened, 14.6))
    opened.mouse.move(*pixel(opened, 15))
    opened.wait_for_function(f"() => document.querySelector('{PLOT} .hoverlayer text')")
    before = hover_text(opened)
    assert "beta, robust" in before and "alpha" not in before and "n = 1,000" in before
    with training(curve_server) as last:
        for _ in range(4):
            wait_for_epoch(opened, last() + 1)
            assert axis(opened)[:2] == pytest.approx(zoomed)
            assert opened.evaluate(hidden) == ["alpha"]
            assert hover_text(opened) == before
    assert last_x(opened) > FIRST + 3


def test_a_tick_does_not_break_a_drag_and_a_double_click_brings_back_all(
    opened: Page, curve_server: Server
) -> None:
    whole = axis(opened)[:2]
    with training(curve_server) as last:
        shown = last_x(opened)
        opened.mouse.move(*pixel(opened, 8))
        opened.mouse.down()
        opened.mouse.move(*pixel(opened, 12), steps=4)
        reached = last() + 5
        until(lambda: last() >= reached, "the fifth epoch")
        opened.mouse.move(*pixel(opened, 16), steps=4)
        assert last_x(opened) <= shown + 3
        opened.mouse.up()
        opened.wait_for_function(
            f"() => document.querySelector('{PLOT}')._fullLayout.xaxis.autorange !== true"
        )
        wait_for_epoch(opened, reached)
        assert axis(opened)[:2] == pytest.approx([8, 16], abs=0.5)
        opened.mouse.dblclick(*pixel(opened, 12))
        opened.wait_for_function(
            f"() => document.querySelector('{PLOT}')._fullLayout.xaxis.autorange === true"
        )
        wait_for_epoch(opened, last() + 1)
    assert axis(opened)[1] > whole[1]


def test_the_zoom_outlasts_the_end_of_a_run_and_other_options(
    opened: Page, frames: list[object], curve_server: Server
) -> None:
    drag(opened, 10, 20)
    zoomed = axis(opened)[:2]
    for name in IDS:
        write_status(folder(curve_server, name), "finished")
    tick(opened, frames)  # after which the page has drawn itself anew, as the last run is over
    assert axis(opened)[:2] == pytest.approx(zoomed)
    opened.get_by_role("combobox", name=re.compile("Smoothing")).click()
    opened.get_by_role("option", name="10 validations").click()
    opened.wait_for_function(
        f"() => document.querySelector('{PLOT}')._fullData.some((t) => t.uid.endsWith('/raw'))",
        timeout=SLOW_MS,
    )
    assert axis(opened)[:2] == pytest.approx(zoomed)
    expect(opened.get_by_text("debiased exponential average")).to_be_visible()


def test_a_poll_without_news_draws_nothing(opened: Page, frames: list[object]) -> None:
    opened.evaluate(
        f"() => {{ window.plots = 0; document.querySelector('{PLOT}').on('plotly_afterplot', () =>"
        " (window.plots += 1)); }"
    )
    tick(opened, frames)
    assert opened.evaluate("() => window.plots") == 0


def test_the_numbers_are_one_click_away_and_all_points_are_in_the_file(opened: Page) -> None:
    opened.get_by_text("Numbers of the curves").click()
    expect(opened.get_by_test_id("stDataFrame")).to_be_visible()
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Download all points").click()
    rows = Path(download.value.path()).read_text().splitlines()
    assert rows[0].startswith("run,id,point,epoch,step") and len(rows) >= 1 + FIRST * len(IDS)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_titles_and_legend_are_inside_and_apart_at_every_width(
    page: Page, curve_server: Server, width: int, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 1200})
    page.goto(curve_server.url, wait_until="commit")
    drawn(page)
    boxes = page.evaluate(
        f"""() => [...document.querySelectorAll('{PLOT} .legend, {PLOT} .annotation, {PLOT} .x4title')].map((e) => {{
          const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; }})"""
    )
    assert len(boxes) == 6
    inside: Any = page.locator(PLOT).bounding_box()
    assert inside["x"] + inside["width"] <= width
    for left, top, right, bottom in boxes:
        assert inside["x"] <= left < right <= inside["x"] + inside["width"] + 1
        assert inside["y"] <= top < bottom <= inside["y"] + inside["height"] + 1
    ordered = sorted(boxes, key=lambda box: box[1])
    assert all(above[3] <= below[1] + 2 for above, below in pairwise(ordered))
    expect(page.get_by_role("img", name=re.compile("Training curves"))).to_be_attached()
