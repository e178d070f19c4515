"""How fast the Theory page answers a slider: what the server computes and packs for each view, and
from the key to the new chart in a browser."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.browsing import browsing
from benchmarks.measuring import spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.config.theory import TheoryConfig

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAME, TITLE = "theory_page", "A slider of the Theory page"
SECONDS = 0.2
SETTINGS: Mapping[str, dict[str, Any]] = {
    "the page's own settings": {},
    "l_2": {"norm": "l2"},
    "10,000 different coordinates": {"dim": 10_000, "nonzero": 10_000},
}
VIEWS = ("curves", "map", "needed", "picture", "coordinates", "guided")
SHOWN = ("curves", "map", "needed", "guided")
# From the key to the frame after the chart says something else.
WATCH = """() => {
  window.answers = [];
  const chart = document.querySelector(".cdp-chart");
  let began = null;
  document.addEventListener("keydown", () => (began = performance.now()), true);
  new MutationObserver(() => {
    const from = began;
    began = null;
    if (from !== null) requestAnimationFrame(() => window.answers.push((performance.now() - from) / 1000));
  }).observe(chart, { attributes: true, attributeFilter: ["aria-label"] });
}"""


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Seconds of the server for each view and setting, and of the browser for each view; settings.
    Raises MissingError without a browser."""
    figures = []
    chosen = dict(list(SETTINGS.items())[:2]) if options.quick else SETTINGS
    for name, change in chosen.items():
        for view in VIEWS:
            seconds = _moved(view, change, options.rounds)
            figures.append(_figure(f"server, {name}: {view}", seconds))
    with tempfile.TemporaryDirectory() as folder, browsing(Path(folder)) as (page, server):
        for view in SHOWN:
            page.goto(f"{server.url}/theory?view={view}", wait_until="commit")
            figures.append(
                _figure(
                    f"browser, from the key to the chart: {view}",
                    _answers(page, options.rounds),
                    bound=None,
                )
            )
    return figures, {"settings": chosen, "views": list(VIEWS)}


def _figure(name: str, seconds: list[float], bound: float | None = SECONDS) -> Figure:
    return Figure.of_spread(
        name, spread(seconds), "s", target=None if bound is None else Target("<=", bound)
    )


def _moved(view: str, change: dict[str, Any], rounds: int) -> list[float]:
    """Seconds of the figure and its message, with another budget in every round: nothing is known
    before it."""
    from cdp.theory.views import VIEWS as MODEL
    from cdp.theory.views import points
    from cdp.ui.components.chart import pack
    from cdp.ui.theory.page import drawn

    seconds = []
    for number in range(rounds + 1):
        config = TheoryConfig(**{"epsilon": 0.2 + 0.01 * number, **change})
        began = time.perf_counter()
        rows = MODEL[view](config)
        if view in ("curves", "guided"):
            rows += points(config, view, lambda share: None)
        pack(drawn(view, config, rows).to_json(), alt="")
        seconds.append(time.perf_counter() - began)
    return seconds[1:]  # the first imports


def _answers(page: Page, rounds: int) -> list[float]:
    """Seconds from a key on the slider of the budget to the frame in which the chart has
    changed."""
    from tests.e2e.driver import wait_idle

    page.wait_for_function(
        "() => document.querySelector('.cdp-chart')?._fullLayout && window.Plotly", timeout=60_000
    )
    wait_idle(page)
    page.evaluate(WATCH)
    slider = page.locator(".st-key-theory_epsilon").get_by_role("slider")
    slider.focus()
    for count in range(rounds):
        page.wait_for_timeout(1500)
        slider.press("ArrowRight")
        page.wait_for_function(
            "(count) => window.answers.length > count", arg=count, timeout=60_000
        )
    return [float(value) for value in page.evaluate("() => window.answers")]
