"""A person at a map of points: sees the image under the pointer, draws a lasso, clicks, and keeps
all that when the colours change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from cdp.values.types import Embedding
from tests.e2e.driver import SLOW_MS, Server, started
from tests.e2e.map_page import PLOT, axes, drawn, open_map, pixels, read, recolour, said, write

pytestmark = pytest.mark.e2e

N = 300
CLEAR = 3.0
"""Pixels that a lasso's line keeps from every point: plotly straightens the line of the mouse by up
to 1.5."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("map")


@pytest.fixture(scope="module")
def map_server(folder: Path) -> Iterator[Server]:
    with started(folder, write(folder, N)) as running:
        yield running


@pytest.fixture
def opened(page: Page, map_server: Server) -> Page:
    open_map(page, map_server)
    return page


@pytest.fixture
def world(map_server: Server, folder: Path) -> tuple[Embedding, np.ndarray, np.ndarray]:
    return read(folder / "points.npz")


def inside(point: np.ndarray, corners: np.ndarray) -> bool:
    """Whether a ray to the right crosses the polygon's line an odd number of times."""
    crossings = 0
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if (y1 > point[1]) != (y2 > point[1]) and point[0] < x1 + (point[1] - y1) / (y2 - y1) * (
            x2 - x1
        ):
            crossings += 1
    return crossings % 2 == 1


def clearance(points: np.ndarray, corners: np.ndarray) -> float:
    """Least distance of any point from the polygon's line."""
    least = np.inf
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = np.clip(((points - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
        least = min(
            least, float(np.linalg.norm(points - (a + along[:, None] * (b - a)), axis=1).min())
        )
    return least


def lasso_around(points: np.ndarray) -> np.ndarray:
    """Corners of a polygon, in whole pixels, that has some of the points inside and keeps clear of
    all."""
    rng = np.random.default_rng(0)
    for _ in range(20_000):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 6))
        spokes = rng.uniform(40, 110, 6)[:, None] * np.stack(
            [np.cos(angles), np.sin(angles)], axis=1
        )
        corners = np.rint(points[rng.integers(len(points))] + spokes)
        if (
            clearance(points, corners) >= CLEAR
            and 10 <= sum(inside(p, corners) for p in points) <= len(points) - 10
        ):
            return corners
    raise AssertionError("no polygon keeps clear of the points")


def draw(page: Page, corners: np.ndarray) -> None:
    """Move the mouse along the corners with its button down."""
    first, *others = corners.tolist()
    page.mouse.move(*first)
    page.mouse.down()
    for corner in others:
        page.mouse.move(*corner, steps=6)
    page.mouse.up()


def wait_said(page: Page, words: str) -> None:
    expect(page.locator(".st-key-said")).to_have_text(re.compile(words), timeout=SLOW_MS)


def lonely(points: np.ndarray, among: np.ndarray | None = None) -> int:
    """The point, of all or of some, that is farthest from its nearest neighbour."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    return int(nearest.argmax() if among is None else among[nearest[among].argmax()])


def highlighted(page: Page) -> set[int]:
    """The point numbers that are drawn as selected."""
    return set(
        page.evaluate(
            f"() => document.querySelector('{PLOT}')._fullData.flatMap((t) => (t.selectedpoints ??"
            " []).map((k) => t.customdata[k]))"
        )
    )


def test_the_pointer_and_the_keyboard_reach_every_point_and_button(
    opened: Page, world: tuple[Embedding, np.ndarray, np.ndarray]
) -> None:
    """The picture under the pointer is that of the point, a click gives the point, and a screen
    reader is told what the map shows."""
    expect(opened.get_by_role("img", name="the map")).to_be_attached()
    buttons = opened.locator(".cdp-map .modebar-btn")
    assert buttons.evaluate_all("(all) => all.map((b) => b.getAttribute('aria-label'))") == [
        "Zoom",
        "Pan",
        "Lasso Select",
        "Box Select",
        "Reset axes",
        "Download plot as a PNG",
    ]
    buttons.first.focus()
    opened.keyboard.press("Enter")
    opened.wait_for_function(
        f"() => document.querySelector('{PLOT}')._fullLayout.dragmode === 'zoom'"
    )
    points, images, score = world
    places = pixels(opened, points.coordinates)
    shirts = np.flatnonzero(points.label == 2)
    for number in (lonely(places), lonely(places, shirts)):
        x, y = places[number].tolist()
        opened.mouse.move(x + 40, y + 40)
        opened.mouse.move(x, y)
        card = opened.locator(".cdp-map .card")
        expect(card.locator("p").nth(1)).to_have_text(
            f"{points.names[points.which[number]]}, row {2 * number}"
        )
        expect(card.locator("p").nth(0)).to_have_text(points.class_names[points.label[number]])
        expect(card.locator("p").nth(2)).to_have_text(
            f"Score: {float(f'{score[number]:.3g}'):g}".replace("e-0", "e-")
        )
        shown = card.locator("canvas").evaluate(
            "(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        )
        picture = np.array(shown, np.uint8).reshape(8, 10, 4)
        assert (picture[..., :3] == images[number]).all() and (picture[..., 3] == 255).all()
    opened.mouse.move(5, 5)
    expect(card).to_be_hidden()
    number = lonely(places)
    x, y = places[number].tolist()
    opened.mouse.move(x, y)
    expect(opened.locator(".cdp-map .card")).to_be_visible()
    opened.mouse.click(x, y)
    wait_said(opened, rf"^\[null, {number}\]$")


def test_a_lasso_gives_exactly_the_points_inside_it_that_the_filter_leaves(
    opened: Page, world: tuple[Embedding, np.ndarray, np.ndarray]
) -> None:
    places = pixels(opened, world[0].coordinates)
    corners = lasso_around(places)
    draw(opened, np.vstack([corners, corners[:1]]))
    wait_said(opened, r"^\[\[\d")
    wanted = [number for number, place in enumerate(places) if inside(place, corners)]
    assert said(opened) == (wanted, None)
    recolour(opened, "set", "alpha")
    assert highlighted(opened) == set(wanted)
    opened.locator(".cdp-map .nsewdrag").first.dblclick(position={"x": 5, "y": 5})
    wait_said(opened, r"^\[null")
    recolour(opened, "class", "shoe")
    opened.get_by_text("Only above 0").click()
    opened.wait_for_function(
        f"() => document.querySelector('{PLOT}').data.some((t) => !t.legendgroup)", timeout=SLOW_MS
    )
    draw(opened, np.vstack([corners, corners[:1]]))
    wait_said(opened, r"^\[\[\d")
    assert said(opened)[0] == [
        number
        for number, place in enumerate(places)
        if inside(place, corners) and world[2][number] > 0
    ]


def test_zoom_and_hidden_classes_survive_recolouring_however_often(opened: Page) -> None:
    first = axes(opened)
    opened.get_by_role("button", name="Zoom").click()
    x, y = first["x"][2] + first["x"][3] / 2, first["y"][2] + first["y"][3] / 2
    draw(opened, np.array([[x, y], [x + 120, y + 90]]))
    opened.wait_for_function(
        f"(x) => document.querySelector('{PLOT}')._fullLayout.xaxis.range[0] !== x",
        arg=first["x"][0],
    )
    zoomed = axes(opened)
    assert zoomed["x"][1] - zoomed["x"][0] < (first["x"][1] - first["x"][0]) / 2
    for _ in range(2):
        recolour(opened, "score", "alpha")
        recolour(opened, "class", "shoe")
    assert axes(opened)["x"] == pytest.approx(zoomed["x"])
    assert axes(opened)["y"] == pytest.approx(zoomed["y"])
    opened.get_by_role("button", name="Reset axes").click()
    opened.wait_for_function(
        f"(x) => Math.abs(document.querySelector('{PLOT}')._fullLayout.xaxis.range[0] - x) < 1e-6",
        arg=first["x"][0],
    )
    hidden = (
        f"() => document.querySelector('{PLOT}')._fullData.filter((t) => t.visible !=="
        " true).map((t) => t.legendgroup)"
    )
    opened.locator(".cdp-map .legendtoggle").first.click()
    opened.wait_for_function(f"() => ({hidden})().length > 0")
    assert set(opened.evaluate(hidden)) == {"class-0"}
    recolour(opened, "score", "alpha")
    assert opened.evaluate(hidden) == []
    recolour(opened, "class", "shoe")
    opened.get_by_text("side by side").click()
    opened.wait_for_function(
        f"() => document.querySelector('{PLOT}')._fullLayout.xaxis2", timeout=SLOW_MS
    )
    assert opened.evaluate(hidden) == ["class-0"] * 3  # a legend entry and two panels


def test_a_map_in_three_dimensions_is_turned_hovered_and_clicked(
    page: Page, tmp_path: Path
) -> None:
    with started(tmp_path, write(tmp_path, 2000, dims=3)) as server:
        open_map(page, server)
        drawn(page)
        box = page.locator(PLOT).bounding_box()
        assert box is not None
        card = page.locator(".cdp-map .card")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for step in range(60):
            page.mouse.move(x - 60 + 2 * step, y)
            page.wait_for_timeout(60)
            if card.is_visible():
                break
        row = int(card.locator("p").nth(1).inner_text().rpartition(" ")[2])
        page.mouse.click(x - 60 + 2 * step, y, delay=300)
        wait_said(page, rf"^\[null, {row // 2}\]$")
