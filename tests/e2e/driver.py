"""Starting the app and driving it as a person does: by what is written on the controls."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from cdp.paths import ROOT

START_SECONDS = 180.0
SLOW_MS = 240_000
"""For what samples: a two-core machine that does ten other things takes minutes to load torch, and
a right result is seen at once either way."""


@dataclass(frozen=True)
class Server:
    """The app under test. home: its CDP_HOME; log: what it printed."""

    url: str
    pid: int
    home: Path
    log: Path

    @contextlib.contextmanager
    def as_home(self) -> Iterator[None]:
        """This process reads and writes the app's home."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CDP_HOME", str(self.home))
            yield

    def loaded(self, library: str) -> bool:
        """Whether a shared library of this name is mapped into the server process."""
        return library in Path(f"/proc/{self.pid}/maps").read_text()


@contextlib.contextmanager
def started(folder: Path, script: str | Path = "app.py", **more: str) -> Iterator[Server]:
    """The app, or another script, on a free port with an empty CDP_HOME in ``folder``; ended on
    exit. more: environment variables."""
    port, home, log = _free_port(), folder / "home", folder / "server.log"
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(script),
        "--server.headless=true",
        f"--server.port={port}",
    ]
    environment = os.environ | {"CDP_HOME": str(home), "PYTHONPATH": str(ROOT)} | more
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/_stcore/health", process, log)
        yield Server(f"http://127.0.0.1:{port}", process.pid, home, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(health: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(health, timeout=2) as answer,
        ):
            if answer.status == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(
        f"the app did not start within {START_SECONDS:.0f} s: {log.read_text()[-2000:]}"
    )


def wait_idle(page: Page) -> None:
    """Until no script run is on its way. Not for a page that polls."""
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=SLOW_MS
    )


def open_page(page: Page, server: Server, path: str) -> None:
    """Load an address of the app and wait until its title and its controls are there."""
    page.goto(f"{server.url}{path}", wait_until="commit")
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=SLOW_MS)
    wait_idle(page)


def until(there: Callable[[], object], what: str) -> None:
    """Wait for something that no page shows."""
    end = time.monotonic() + SLOW_MS / 1000
    while not there():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.1)


def stands_still(page: Page, expression: str) -> None:
    """Until a value on the page is the same in three looks, a quarter of a second apart."""
    page.wait_for_function(
        f"""async () => {{
          const values = [];
          for (let look = 0; look < 3; look++) {{
            values.push(JSON.stringify({expression}));
            await new Promise((done) => setTimeout(done, 250));
          }}
          return values.every((value) => value === values[0]);
        }}""",
        timeout=SLOW_MS,
    )


def listen(page: Page) -> list[str]:
    """What the page asks other addresses for from now on."""
    asked: list[str] = []

    def heard(request: Request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            asked.append(request.url)

    page.on("request", heard)
    return asked


def generate_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Generate", exact=True)


def generate(page: Page) -> None:
    """Press the button; the run goes on afterwards."""
    expect(generate_button(page)).to_be_enabled(timeout=SLOW_MS)
    generate_button(page).click()


def wait_done(page: Page) -> None:
    """Until the images of a run can be kept."""
    expect(page.get_by_role("button", name="Save sample set")).to_be_visible(timeout=SLOW_MS)
    wait_idle(page)


def watch_canvases(page: Page) -> None:
    """From now on remember every different picture that the first grid shows. Grids are drawn
    inside a shadow root."""
    page.evaluate("""() => {
          const find = (root) => root.querySelector("canvas") ||
            [...root.querySelectorAll("*")].reduce((hit, e) => hit || (e.shadowRoot && find(e.shadowRoot)), null);
          window.pictures = new Set();
          let canvas = null;
          setInterval(() => {
            if (!canvas || !canvas.isConnected) canvas = find(document);
            if (canvas && canvas.width) window.pictures.add(canvas.toDataURL());
          }, 100);
        }""")


def pictures_seen(page: Page) -> int:
    return int(page.evaluate("() => window.pictures.size"))


def control(page: Page, name: str) -> Locator:
    """The block of one setting by its name in the config."""
    return page.locator(f".st-key-generate_{name}")


def choose_by_keyboard(page: Page, name: str | re.Pattern[str], choice: str) -> None:
    """Type a choice into a multiselect and press Enter. The page may draw the box anew between two
    keys, which empties it: then the choice is typed again, as a person would."""
    box = page.get_by_role("combobox", name=name).first
    chosen = page.get_by_test_id("stMultiSelect").filter(has=box).get_by_text(choice, exact=True)
    end = time.monotonic() + SLOW_MS / 1000
    while time.monotonic() < end:
        wait_idle(page)
        box.fill("")
        box.press_sequentially(choice, delay=40)
        with contextlib.suppress(AssertionError):
            # The list marks its first entry a moment after it is there.
            marked = page.locator("[role=option][aria-selected=true], [role=option]:only-child")
            expect(marked.filter(has_text=choice)).to_be_visible(timeout=3000)
            if box.input_value() == choice:
                box.press("Enter")
                expect(chosen).to_be_visible(timeout=3000)
                return
    raise AssertionError(f"{choice!r} could not be chosen in {name!r}")


def slider(page: Page, name: str) -> Locator:
    return control(page, name).get_by_role("slider")


def url_value(page: Page, name: str) -> str | None:
    """A query parameter of the address as it is now."""
    found = re.search(rf"[?&]{name}=([^&]*)", page.url)
    return found.group(1) if found else None
