"""Shoot the pages of the running app into docs/images: ``python -m scripts.screenshots`` (needs
Chromium, see tests/browser.py).

Starts the app with an empty CDP_HOME, generates and saves two sets as a person would, and takes
every page in the light and the dark theme at 1280 and at 390 pixels. PNGs are reduced to 128
colours, which keeps each well under 200 KB. ``--only experiment`` takes the pictures of experiments
alone, ``--only study`` that of the finding on Home, ``--only tour`` records the film of the README,
``--home FOLDER`` keeps what was computed for the next time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from cdp.paths import ROOT
from scripts.tour import record
from tests.browser import LAUNCH_ARGS, find_browser
from tests.e2e.driver import SLOW_MS, Server, generate, open_page, started, wait_done, wait_idle

OUT = ROOT / "docs" / "images"
WIDTHS = (1280, 390)
THEMES = ("light", "dark")
TALLEST = {1280: 1800, 390: 2600}
"""Pixels of a page that are kept, by width: a picture nobody scrolls through."""
COLOURS = 128
SETTLE_MS = 1500
SETS = (
    ("supcon-strength-0.1", "/generate?count=100&batch=100&seed=1"),
    ("unguided", "/generate?loss=none&strength=0&count=100&batch=100&seed=1"),
)
PLAIN = "/train?real=1000&steps=120&attack_steps=3&seeds=2&warm_up=0.1&name=real-only"
TRAININGS = (PLAIN, PLAIN.replace("real-only", "guided") + f"&synthetic={SETS[0][0]}&fraction=0.5")
TRAIN_MS = 600_000
EXPERIMENT = """
name: strength-and-temperature
real: 500
seeds: [0, 1]
generate: {count: 300, steps: 10, solver: ddim}
grid: {generate.strength: [0.05, 0.2, 0.6], generate.temperature: [0.05, 0.2]}
train: {preset: quick, steps: 80, attack_steps: 2}
evaluate: {attack: quick, count: 300}
objective: [robust, clean]
"""
PARTS = ("pages", "experiment", "study", "tour")
EVALUATION = ("--attack", "pgd", "--steps", "20", "--restarts", "2", "--count", "400", "--json")


def main() -> int:
    """Exit code 0, or 1 where there is no browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=OUT, help="folder for the PNGs (default: docs/images)"
    )
    parser.add_argument(
        "--only",
        choices=PARTS,
        help="a part of the pictures (default: all)",
    )
    parser.add_argument(
        "--home", type=Path, help="folder to work in, which stays: experiments are found again"
    )
    given = parser.parse_args()
    executable = find_browser()
    if executable is None:
        print(
            "no browser: run python -m tests.browser, or set CHROME to a Chromium", file=sys.stderr
        )
        return 1
    parts = [given.only] if given.only else PARTS
    given.out.mkdir(parents=True, exist_ok=True)
    kept = contextlib.nullcontext(given.home) if given.home else tempfile.TemporaryDirectory()
    with (
        kept as folder,
        started(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=executable, args=list(LAUNCH_ARGS))
        if "pages" in parts or "tour" in parts:
            _make_sets(browser, server)
            trained = _train(browser, server)
            evaluated = _evaluate(server)
        if "experiment" in parts or "tour" in parts:
            experiment = _experiment(server, Path(folder))
        if "tour" in parts:
            record(
                browser,
                server,
                given.out / "tour.gif",
                sets=[name for name, _ in SETS],
                trained=trained,
                evaluated=evaluated[0],
                experiment=experiment,
            )
        for theme in THEMES:
            context = browser.new_context(
                color_scheme=theme, viewport={"width": WIDTHS[0], "height": 900}
            )
            context.set_default_timeout(SLOW_MS)
            if "study" in parts:
                _shoot_study(context, server, theme, given.out)
            if "pages" in parts:
                _shoot_theme(context, server, theme, given.out, trained, evaluated)
            if "experiment" in parts:
                _shoot_experiment(context, server, theme, given.out, experiment)
            context.close()
        browser.close()
    return 0


def _make_sets(browser: Browser, server: Server) -> None:
    """Generate and save, so that the gallery has something to show."""
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 900})
    context.set_default_timeout(SLOW_MS)
    for name, path in SETS:
        page = context.new_page()
        open_page(page, server, path)
        generate(page)
        wait_done(page)
        field = page.get_by_role("textbox", name="Name of the sample set")
        field.fill(name)
        field.press("Enter")
        wait_idle(page)
        page.get_by_role("button", name="Save sample set").click()
        expect(page.get_by_text(f"Saved as {name}")).to_be_visible()
    context.close()


def _train(browser: Browser, server: Server) -> str:
    """Short trainings with and without a synthetic set, two seeds each, as a person would start
    them; the address that watches the last two."""
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 900})
    page = context.new_page()
    for number, path in enumerate(TRAININGS, start=1):
        open_page(page, server, path)
        page.get_by_role("button", name="Train 2 runs").click(timeout=SLOW_MS)
        expect(page.get_by_text(re.compile("^finished · robust"))).to_have_count(
            2 * number, timeout=TRAIN_MS
        )
    address = page.url
    context.close()
    return address.removeprefix(server.url)


def _evaluate(server: Server) -> list[str]:
    """Every training by the same PGD on the same images; ids of the evaluations, oldest first. The
    first has all parts of a report."""
    environment = os.environ | {"CDP_HOME": str(server.home)}
    found = []
    for number, folder in enumerate(
        sorted(path.parent for path in (server.home / "runs").glob("*/best"))
    ):
        parts = () if number == 0 else ("--no-unseen", "--no-masking")
        command = [sys.executable, "-m", "cdp", "evaluate", folder.name, *EVALUATION, *parts]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True
        )
        found.append(str(json.loads(done.stdout)["run"]))
    return found


def _experiment(server: Server, folder: Path) -> str:
    """A small grid from its file to its verdict; the id of its run."""
    file = folder / "experiment.yaml"
    file.write_text(EXPERIMENT)
    command = [sys.executable, "-m", "cdp", "experiment", "run", str(file), "--json"]
    environment = os.environ | {"CDP_HOME": str(server.home)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return str(json.loads(done.stdout.splitlines()[-1])["run"])


def _shoot_experiment(
    context: BrowserContext, server: Server, theme: str, out: Path, experiment: str
) -> None:
    page = context.new_page()
    for name, path in (
        ("experiment", f"/experiment?experiment={experiment}"),
        ("experiment-form", "/experiment"),
    ):
        _open_settled(page, server, path)
        _shoot(page, f"{name}-{theme}", out)


def _shoot_study(context: BrowserContext, server: Server, theme: str, out: Path) -> None:
    """The finding on Home, which is the study's main figure."""
    page = context.new_page()
    open_page(page, server, "/")
    finding = page.locator(".st-key-home_answer")
    expect(finding.locator(".cdp-chart .main-svg").first).to_be_visible(timeout=SLOW_MS)
    page.wait_for_timeout(SETTLE_MS)
    (out / f"study-{theme}.png").write_bytes(_small(finding.screenshot()))
    page.close()


def _shoot_theme(
    context: BrowserContext,
    server: Server,
    theme: str,
    out: Path,
    trained: str,
    evaluated: list[str],
) -> None:
    """trained: the address of the Train page; evaluated: ids of evaluations, one a training."""
    page = context.new_page()
    for name, path in (
        ("home", "/"),
        ("gallery", "/gallery"),
        ("gallery-set", f"/gallery?set={SETS[0][0]}"),
        ("gallery-pair", f"/gallery?set={SETS[0][0]}&with={SETS[1][0]}"),
        ("data", "/data?dataset=fashion-mnist"),
    ):
        open_page(page, server, path)
        _shoot(page, f"{name}-{theme}", out)
    open_page(page, server, trained)
    expect(page.locator(".cdp-chart .legend")).to_be_visible(timeout=SLOW_MS)
    wait_idle(page)
    _shoot(page, f"train-{theme}", out)
    runs = ",".join(path.parent.name for path in sorted((server.home / "runs").glob("*/best")))
    for name, path in (
        ("evaluate", f"/evaluate?report={evaluated[0]}"),
        ("compare", f"/compare?runs={runs}"),
        ("lab", "/lab"),
    ):
        _open_settled(page, server, path)
        _shoot(page, f"{name}-{theme}", out)
    for name, path in (
        ("theory", "/theory?angle=29"),
        ("theory-map", "/theory?view=map"),
        ("theory-picture", "/theory?view=picture&angle=29"),
        ("theory-guided", "/theory?view=guided"),
        ("theory-images", f"/theory?view=images&set={SETS[0][0]}"),
    ):
        open_page(page, server, path)
        expect(page.locator(".cdp-chart .main-svg").first).to_be_visible(timeout=4 * SLOW_MS)
        page.wait_for_timeout(SETTLE_MS)
        wait_idle(page)
        _shoot(page, f"{name}-{theme}", out)
    sets = ",".join([*(name for name, _ in SETS), "fashion-mnist:test"])
    for name, view in (
        ("explore", "Map"),
        ("explore-numbers", "Numbers"),
        ("explore-pairs", "Class pairs"),
        ("explore-keep", "Keep a part"),
    ):
        open_page(page, server, f"/explore?sets={sets}&points=900&view={view}")
        # Until nothing is on its way, and what came has been drawn.
        expect(page.get_by_role("progressbar")).to_have_count(0, timeout=4 * SLOW_MS)
        page.wait_for_timeout(SETTLE_MS)
        expect(page.get_by_role("progressbar")).to_have_count(0, timeout=4 * SLOW_MS)
        wait_idle(page)
        _shoot(page, f"{name}-{theme}", out)
    open_page(page, server, "/generate?count=40&batch=40&seed=1")
    generate(page)
    wait_done(page)
    _shoot(page, f"generate-{theme}", out)


def _open_settled(page: Page, server: Server, path: str) -> None:
    """Open a page and wait until nothing on it is on its way."""
    open_page(page, server, path)
    page.wait_for_timeout(2 * SETTLE_MS)
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=4 * SLOW_MS)
    wait_idle(page)


def _shoot(page: Page, name: str, out: Path) -> None:
    """One PNG a width, from the top of the page, as tall as its content up to the limit."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(SETTLE_MS)
        height = int(
            page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
        )
        page.set_viewport_size({"width": width, "height": min(height, TALLEST[width])})
        page.wait_for_timeout(SETTLE_MS)
        (out / f"{name}-{width}.png").write_bytes(_small(page.screenshot()))


def _small(png: bytes) -> bytes:
    """The same picture with a palette: text and grey images lose nothing that an eye sees."""
    target = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
            target, "PNG", optimize=True
        )
    return target.getvalue()


if __name__ == "__main__":
    sys.exit(main())
