"""Every page under axe-core, which knows the rules of WCAG: none may break one that it calls serious
or critical."""

from __future__ import annotations

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from cdp.data.sets import save_set
from tests.e2e.driver import Server, open_page
from tests.ui.compare_runs import IDS, two_groups
from tests.ui.experiment_runs import measured_grid

pytestmark = pytest.mark.e2e

LOOKS = (("light", 1280, 900), ("dark", 390, 844))


@pytest.fixture(scope="module")
def addresses(fresh: Server) -> list[str]:
    """Pages with something on them."""
    with fresh.as_home():
        image = np.random.default_rng(0).integers(0, 256, (30, 28, 28, 1), dtype=np.uint8)
        save_set("seen", image, np.arange(30) % 3, {"class_names": ["a", "b", "c"]})
        two_groups()
        experiment = measured_grid().id
    return [
        *("/", "/generate", "/gallery", "/gallery?set=seen", "/data?dataset=fashion-mnist"),
        *("/explore", "/lab", f"/train?runs={','.join(IDS)}", "/experiment"),
        f"/experiment?experiment={experiment}",
        *(f"/evaluate?report=e-{IDS[0]}", f"/compare?runs={','.join(IDS)}", "/theory"),
    ]


def test_no_page_breaks_a_rule_that_matters(
    fresh: Server, page: Page, addresses: list[str]
) -> None:
    broken = [line for address in addresses for line in wrong(page, fresh, address)]
    assert not broken, "\n".join(broken)


def wrong(page: Page, server: Server, address: str) -> list[str]:
    """A line for each element that breaks a rule, wide and light, and narrow and dark."""
    result = []
    for scheme, width, height in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        if scheme == LOOKS[0][0]:
            open_page(page, server, address)
            page.wait_for_function("() => window.cdpMenu")
        ground = "() => getComputedStyle(document.querySelector('.stApp')).colorScheme"
        page.wait_for_function(f"scheme => ({ground})() === scheme", arg=scheme)
        result += [
            f"{address}, {scheme}: {rule['id']}: {node['html'][:160]}: {node['failureSummary'][:240]}"
            for rule in Axe().run(page).response["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]
    return result
