"""Reports open from a file, without a network, in both themes and on a phone: every plot is drawn
and nothing is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request

from cdp.reports.comparison import comparison_html
from cdp.reports.evaluation import evaluation_html
from tests.evaluations import CLASSES, outcome, report, weights_report
from tests.figures.arms import arm, comparison

pytestmark = pytest.mark.e2e

HOSTILE = "</script><script>window.harmed=1</script><img src=x onerror='window.harmed=1'>"
DRAWN = (
    "[...document.querySelectorAll('.plot')].filter((plot) =>"
    " plot.querySelector('.main-svg')?.getBoundingClientRect().width > 200).length"
)


def evaluation() -> str:
    label, last = outcome(400, robust=0.4, seed=3)
    names = (HOSTILE, *CLASSES[1:])
    found = report(name=HOSTILE)[0]
    return evaluation_html(
        replace(
            found,
            weights=(found.main, weights_report(label, last, names, which="last")),
            class_names=names,
        )
    )


def compared() -> str:
    whole = comparison()
    return comparison_html(
        replace(whole, arms=(*whole.arms[:2], arm(HOSTILE, (0.5, 0.51), (0.8, 0.82)))),
        title=HOSTILE,
    )


@pytest.mark.parametrize(("make", "plots"), [(evaluation, 5), (compared, 8)])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_report_draws_all_its_plots_offline(
    browser: Browser, tmp_path: Path, make: Callable[[], str], plots: int, scheme: str, width: int
) -> None:
    path = tmp_path / "report.html"
    path.write_text(make(), encoding="utf-8")
    context = browser.new_context(
        offline=True,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 900},
    )
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    _listen(page, asked, said)
    page.goto(path.as_uri())
    page.wait_for_function(f"{DRAWN} === {plots}")
    assert asked == [path.as_uri()]
    assert said == []
    assert page.evaluate("window.harmed") is None
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
        "the page itself does not scroll sideways"
    )
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 24, 29)" if scheme == "dark" else "rgb(255, 255, 255)")
    context.close()


def _listen(page: Page, asked: list[str], said: list[str]) -> None:
    def heard(request: Request) -> None:
        if not request.url.startswith("data:"):
            asked.append(request.url)

    page.on("request", heard)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))


def test_printing_opens_the_tables_and_puts_all_back_afterwards(
    browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(evaluation(), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    page.wait_for_function(f"{DRAWN} === 5")
    opened = "document.querySelectorAll('details[open]').length"
    width = "document.querySelector('.main-svg').getBoundingClientRect().width"
    before = page.evaluate(width)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(opened) > 3
    assert page.evaluate(width) == 640
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(opened) == 0
    page.wait_for_function(f"{width} === {before}")
    page.close()
