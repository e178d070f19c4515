"""The Experiment page in a browser: from a YAML to a verdict, stopped and gone on with on the
way."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from cdp.experiments import crew
from cdp.work.cost import learn_rates
from cdp.work.slots import core_count
from tests.e2e.driver import SLOW_MS, Server, open_page

pytestmark = pytest.mark.e2e

TINY = """\
name: tiny
real: 300
seeds: [0, 1]
stage: train
arms:
  real only: {}
  more real: {more_real: 100}
train: {preset: quick, steps: 2, attack_steps: 1, validation_steps: 1, held_out: 100}
control: real only
"""


@pytest.fixture
def sized(fresh: Server) -> Server:
    """It is known how many trainings at a time serve the machine, which takes long to measure."""
    with fresh.as_home():
        learn_rates((*crew._MEASURED, core_count()), **{str(core_count()): 1.0})
    return fresh


def test_from_a_yaml_to_a_verdict_with_a_stop_on_the_way(sized: Server, page: Page) -> None:
    open_page(page, sized, "/experiment")
    start = page.get_by_role("button", name="Start the experiment")
    expect(start).to_be_enabled(timeout=SLOW_MS)
    page.get_by_text("As YAML", exact=True).click()
    box = page.get_by_role("textbox", name="Experiment as YAML")
    box.fill("arms: {a: {set: x, more_real: 3}}")
    box.press("Control+Enter")
    expect(page.get_by_text("contradict each other")).to_be_visible(timeout=SLOW_MS)
    expect(start).to_be_disabled()
    box.fill(TINY)
    box.press("Control+Enter")
    expect(page.get_by_text("100 more of them")).to_be_visible(timeout=SLOW_MS)
    start.click()
    page.wait_for_url(re.compile("experiment=2"), timeout=SLOW_MS)
    buttons = page.locator(".st-key-experiment_buttons")
    expect(page.get_by_text("No pair of arms is finished yet")).to_be_visible(timeout=SLOW_MS)
    buttons.get_by_role("button", name="Stop").click()
    resume = buttons.get_by_role("button", name="Resume")
    resume.click(timeout=SLOW_MS)
    headline = page.locator(".cdp-headline")
    expect(headline).to_contain_text(
        re.compile("cannot be told apart|is better|no verdict", re.IGNORECASE), timeout=SLOW_MS
    )
    expect(buttons.get_by_role("button", name="Two more seeds")).to_be_visible(timeout=SLOW_MS)
    matrix = page.get_by_role("region", name="Arms by seeds")
    expect(matrix.get_by_text("done", exact=True)).to_have_count(4)
    matrix.get_by_role("link", name="run").first.click()
    page.wait_for_url(re.compile("train.run=2"), timeout=SLOW_MS)
    expect(page.get_by_role("heading", level=1, name="Train")).to_be_visible(timeout=SLOW_MS)
    page.go_back()
    expect(headline).to_be_visible(timeout=SLOW_MS)
