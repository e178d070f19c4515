"""Eight people, a tab each: they generate, cancel, save, train, stop, resume, explore, evaluate and
look around. Whatever goes wrong they load the page again, as people do."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from playwright.async_api import Browser, Page, expect
from playwright.async_api import Error as BrowserError

from benchmarks.soak.ledger import Ledger

PATIENCE_MS = 45_000
"""That a person waits for one thing."""
MOST_WAITING = 4
"""Runs that wait; beyond, nobody starts one."""
TRAINING = {
    "dataset": "fashion-mnist",
    "real": 300,
    "held_out": 60,
    "batch": 50,
    "steps": 60,
    "attack_steps": 1,
    "validation_steps": 1,
}
ROOMS = ("", "gallery", "compare", "theory", "experiment", "evaluate", "data", "lab?model=robust")


@dataclass
class Crowd:
    """What all of them know. done: jobs by name; again: how often somebody had to load a page again;
    exceptions: what Streamlit showed in place of a page, one line each."""

    url: str
    ledger: Ledger
    random: random.Random
    done: Counter[str] = field(default_factory=Counter)
    again: int = 0
    exceptions: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    waiting: int = 0
    over: bool = False


Job = Callable[[Crowd, Page], Awaitable[str]]


async def work(crowd: Crowd, browser: Browser, jobs: tuple[Job, ...]) -> None:
    """One person: jobs one after another until all is over."""
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    while not crowd.over:
        job = crowd.random.choice(jobs)
        began = time.monotonic()
        try:
            if name := await job(crowd, page):
                crowd.done[name] += 1
        except (BrowserError, AssertionError):
            crowd.again += 1
        try:
            for shown in await page.get_by_test_id("stException").all():
                text = " ".join((await shown.inner_text()).split())
                crowd.exceptions.append(f"{page.url}: {text[:400]}")
                await page.goto("about:blank")
        except BrowserError:
            crowd.again += 1
        await asyncio.sleep(max(1.0, 3.0 - (time.monotonic() - began)))


async def _open(crowd: Crowd, page: Page, path: str) -> None:
    await page.goto(f"{crowd.url}/{path}", wait_until="commit")
    await expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=PATIENCE_MS)


async def _idle(page: Page) -> None:
    app = page.get_by_test_id("stApp")
    await expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE_MS)


async def generate(crowd: Crowd, page: Page) -> str:
    """Make a few images and save them; one in three times stop on the way."""
    seed, loss = crowd.random.randrange(10**6), crowd.random.choice(("none", "classifier"))
    count = crowd.random.choice((8, 16, 24))
    await _open(crowd, page, f"generate?count={count}&batch=8&steps=10&seed={seed}&loss={loss}")
    await page.get_by_role("button", name="Generate", exact=True).click()
    if crowd.random.random() < 1 / 3:
        await page.locator(".st-key-cancel").get_by_role("button").click(timeout=10_000)
        return "generations cancelled"
    save = page.get_by_role("button", name="Save sample set")
    await expect(save).to_be_visible(timeout=PATIENCE_MS)
    await _idle(page)
    name = f"soak-{seed}"
    box = page.get_by_role("textbox", name="Name of the sample set")
    await box.fill(name)
    await box.press("Enter")
    await _idle(page)
    await save.click()
    await expect(page.get_by_text(f"Saved as {name}")).to_be_visible(timeout=PATIENCE_MS)
    crowd.ledger.promised.add(name)
    return "sets generated and saved"


async def train(crowd: Crowd, page: Page) -> str:
    """Start a training, unless enough wait."""
    if crowd.waiting >= MOST_WAITING:
        return ""
    settings = TRAINING | {"seed": crowd.random.randrange(10**6)}
    await _open(crowd, page, "train?" + "&".join(f"{k}={v}" for k, v in settings.items()))
    await page.get_by_role("button", name=re.compile(r"^Train( \d+ runs)?$")).click()
    await _idle(page)
    return "trainings started"


async def stop(crowd: Crowd, page: Page) -> str:
    return await _press(crowd, page, "Stop")


async def resume(crowd: Crowd, page: Page) -> str:
    return await _press(crowd, page, "Resume")


async def _press(crowd: Crowd, page: Page, word: str) -> str:
    """One of the buttons of this name on Train, where there is one."""
    await _open(crowd, page, "train")
    await _idle(page)
    buttons = await page.get_by_role("button", name=re.compile(f"^{word} ")).all()
    if not buttons:
        return ""
    await crowd.random.choice(buttons).click(timeout=10_000)
    return f"presses of {word}"


async def explore(crowd: Crowd, page: Page) -> str:
    """A map of a set that was saved, with another seed each time."""
    sets = sorted(crowd.ledger.promised)
    chosen = crowd.random.choice(sets) if sets else "fashion-mnist:test"
    more = f"&encoder={crowd.random.choice(('pixels', ''))}&seed={crowd.random.randrange(10**6)}"
    await _open(crowd, page, f"explore?sets={quote(chosen)}{more}")
    await _idle(page)
    return "sets explored"


async def evaluate(crowd: Crowd, page: Page) -> str:
    """Attack a training that has finished, or look at what there is."""
    if not crowd.trained or crowd.waiting >= MOST_WAITING:
        await _open(crowd, page, "evaluate")
        await _idle(page)
        return "pages looked at"
    model = quote(f"run:{crowd.random.choice(crowd.trained)}")
    quick = "attack=quick&curve=false&unseen=false&masking=false"
    count = crowd.random.randrange(20, 60)
    await _open(crowd, page, f"evaluate?model={model}&{quick}&count={count}")
    await page.get_by_role("button", name="Evaluate", exact=True).click()
    await _idle(page)
    return "evaluations started"


async def look(crowd: Crowd, page: Page) -> str:
    room = crowd.random.choice(ROOMS)
    if room.startswith("lab"):
        room += f"&row={crowd.random.randrange(1000)}"
    await _open(crowd, page, room)
    await _idle(page)
    return "pages looked at"


TABS: tuple[tuple[Job, ...], ...] = (
    (generate,),
    (generate,),
    (generate, look),
    (train,),
    (train, stop, resume),
    (explore,),
    (evaluate,),
    (look,),
)
