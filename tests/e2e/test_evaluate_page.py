"""The Evaluate page in a browser: a report read, kept by its link and taken along, and a real
evaluation watched to its end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from cdp import paths
from tests.e2e.driver import SLOW_MS, Server, listen, open_page, url_value, wait_idle
from tests.evaluations import report, write_evaluation

pytestmark = pytest.mark.e2e

ROBUST = paths.ASSETS / "encoders" / "fashion-mnist" / "robust"


@pytest.fixture(scope="module")
def prepared(fresh: Server) -> str:
    """A finished evaluation in the server's home; its id."""
    with fresh.as_home():
        found = report(
            1000, clean=0.851, robust=0.603, label="AutoAttack (standard), n = 1,000, +/- 3 points"
        )
        return write_evaluation("20261124-120000-aaaaaa", found, name="night-autoattack-n1000").name


def test_a_report_is_read_kept_by_its_link_and_taken_along(
    fresh: Server, prepared: str, page: Page, tmp_path: Path
) -> None:
    open_page(page, fresh, f"/evaluate?report={prepared}")
    expect(
        page.get_by_text(re.compile(r"60\.3.% .57.2 to 63.3. of 1,000 test images"))
    ).to_be_visible(timeout=SLOW_MS)
    chart = page.get_by_role("img", name=re.compile("AutoAttack .standard., n = 1,000"))
    expect(chart.locator(".main-svg").first).to_be_visible(timeout=SLOW_MS)
    page.get_by_text("Numbers of the attacks").click()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("radio", name="Can it be trusted?").click()
    expect(page.get_by_text("Square turns no image that gradients leave.")).to_be_visible(
        timeout=SLOW_MS
    )
    budget = page.get_by_role("textbox", name=re.compile("Attack budget"))
    budget.fill("8/255")
    budget.press("Enter")
    page.wait_for_url(re.compile("epsilon=0.03"))
    wait_idle(page)
    page.reload(wait_until="commit")
    expect(budget).to_have_value("8/255", timeout=SLOW_MS)
    expect(page.get_by_text("Square turns no image that gradients leave.")).to_be_visible(
        timeout=SLOW_MS
    )
    assert (url_value(page, "view"), url_value(page, "report")) == ("masking", prepared)
    with page.expect_download() as taken:
        page.get_by_role("button", name="HTML report").click()
    file = tmp_path / taken.value.suggested_filename
    taken.value.save_as(file)
    assert file.name == "night-autoattack-n1000.html"
    asked = listen(page)
    page.goto(file.as_uri())
    expect(page.get_by_text("60.3").first).to_be_visible()
    assert not asked


def test_a_quick_evaluation_of_the_shipped_encoder_runs_to_its_report(
    fresh: Server, prepared: str, page: Page
) -> None:
    open_page(
        page,
        fresh,
        f"/evaluate?model={quote(str(ROBUST))}&attack=quick&count=20&curve=false&unseen=false&masking=false",
    )
    page.get_by_role("button", name="Evaluate", exact=True).click()
    row = page.locator("[class*=st-key-evaluate-run-]").filter(has_text="robust-quick-n20")
    expect(row).to_contain_text("withstand", timeout=2 * SLOW_MS)
    expect(row).to_contain_text("a quick estimate")
    (folder,) = [one for one in (fresh.home / "runs").glob("[0-9]*") if one.name != prepared]
    found = json.loads((folder / "report.json").read_text())
    assert (found["n"], found["quick"], found["epsilon"]) == (20, True, 0.1)
    robust = f"{100 * found['weights'][0]['robust']['value']:.1f}"
    expect(page.get_by_text(re.compile(rf"{robust}.% .* of 20 test images"))).to_be_visible(
        timeout=SLOW_MS
    )
    assert url_value(page, "report") == folder.name
