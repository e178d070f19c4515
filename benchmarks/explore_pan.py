"""What a person feels on the map of the Explore page: frames while 50,000 points are dragged, and
the wait for other colours of 5,000.

In a real browser that renders in software, on a page with nothing but the map. Needs the browser of
the browser tests.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.browsing import browsing
from benchmarks.measuring import spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.errors import CdpError

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAME, TITLE = "explore_pan", "The map of the Explore page in a browser without a graphics card"
DRAGGED, RECOLOURED = 50_000, 5_000
# One move of the mouse before every frame, as a hand makes them; moves from outside the browser
# come too slowly to fill each frame.
DRAG = """([x, y, count]) => new Promise((done) => {
  const cover = document.querySelector(".dragcover"), frames = [];
  let last = performance.now();
  const tick = (now) => {
    frames.push(now - last);
    last = now;
    if (frames.length > count + 1) return done(frames.slice(2));
    const angle = frames.length / 12;
    const [clientX, clientY] = [x + 120 * Math.sin(angle), y + 120 * (1 - Math.cos(angle))];
    cover.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, buttons: 1, clientX, clientY }));
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})"""
RANGE = "() => document.querySelector('.cdp-map .plot')._fullLayout.xaxis.range[0]"
# From the click to the frame after plotly has drawn the new figure: the way to Python, the rerun,
# the way back and the drawing.
WATCH_COLOURS = """() => {
  window.waits = [];
  let began = null;
  document.addEventListener("click", () => (began = performance.now()), true);
  document.querySelector(".cdp-map .plot").on("plotly_afterplot", () => {
    const from = began;
    began = null;
    if (from !== null) requestAnimationFrame(() => window.waits.push((performance.now() - from) / 1000));
  });
}"""


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Median and 95th percentile frame while panning, seconds to recolour; settings. Raises
    MissingError without a browser."""
    dragged = DRAGGED // 10 if options.quick else DRAGGED
    with _map_page(dragged) as page:
        frames = _frames_of_panning(page, 20 if options.quick else 120)
        renderer = str(
            page.evaluate(
                """() => { const gl = document.createElement("canvas").getContext("webgl"), info = gl?.getExtension("WEBGL_debug_renderer_info");
              return info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : "none"; }"""
            )
        )
    with _map_page(RECOLOURED) as page:
        waits = _waits_for_colours(page, options.rounds)
    figures = [
        Figure(
            f"panning {dragged:,} points: median frame",
            float(np.median(frames)),
            "ms",
            n=len(frames),
        ),
        Figure(
            f"panning {dragged:,} points: 95th percentile frame",
            float(np.percentile(frames, 95)),
            "ms",
            n=len(frames),
        ),
        Figure.of_spread(
            f"other colours of {RECOLOURED:,} points, from the click to the picture",
            spread(waits),
            "s",
            target=Target("<=", 0.3),
        ),
    ]
    return figures, {"renderer": renderer}


@contextmanager
def _map_page(n: int) -> Iterator[Page]:
    """A browser at a page with a map of n random points."""
    from tests.e2e.map_page import open_map, write

    with (
        tempfile.TemporaryDirectory() as folder,
        browsing(Path(folder), write(Path(folder), n)) as (page, server),
    ):
        open_map(page, server)
        yield page


def _frames_of_panning(page: Page, frames: int) -> list[float]:
    """Milliseconds of every frame while the mouse drags the map around in a circle."""
    page.get_by_role("button", name="Pan").click()
    box: Any = page.locator(".cdp-map .plot").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 10, y)
    before = page.evaluate(RANGE)
    found = page.evaluate(DRAG, [x, y, frames])
    if page.evaluate(RANGE) == before:
        raise CdpError(
            "the map did not follow the mouse, so there are no frames to time: look at DRAG in"
            " benchmarks/explore_pan.py"
        )
    page.mouse.up()
    return [float(frame) for frame in found]


def _waits_for_colours(page: Page, rounds: int) -> list[float]:
    """Seconds of each change of colours, after one untimed round; a round is class, set and
    score."""
    page.evaluate(WATCH_COLOURS)
    for count, name in enumerate(["set", "score", "class"] * (rounds + 1)):
        page.locator("label", has_text=name).first.click()
        page.wait_for_function("(count) => window.waits.length > count", arg=count, timeout=60_000)
        page.wait_for_timeout(300)
    return [float(wait) for wait in page.evaluate("() => window.waits")[3:]]
