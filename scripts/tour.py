"""The tour at the top of the README: the running app in a minute, as a GIF. ``scripts/screenshots.py``
records it (``--only tour``), with the workspace that it has filled."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page

from tests.e2e.driver import SLOW_MS, Server, generate_button, open_page, wait_idle

SIZE = (1280, 800)
SHOWN = (832, 520)
"""Pixels of the window, and of the GIF."""
COLOURS = 64
STRIP_PX = 34
SECONDS = 0.4
"""Between two frames, in the recording and in the GIF."""
SCROLL_PX = 90


@dataclass
class Film:
    """Frames as they are taken, each with the words under it."""

    page: Page
    words: str = ""
    frames: list[Image.Image] = field(default_factory=list)

    def hold(self, seconds: float) -> None:
        """Record what the page does by itself."""
        for _ in range(round(seconds / SECONDS)):
            begun = time.monotonic()
            self.frames.append(titled(self.page.screenshot(), self.words))
            self.page.wait_for_timeout(max(0.0, 1000 * (SECONDS - (time.monotonic() - begun))))

    def scroll(self, seconds: float) -> None:
        """Record while the page moves down."""
        self.page.mouse.move(SIZE[0] * 0.6, SIZE[1] * 0.6)
        for _ in range(round(seconds / SECONDS)):
            self.page.mouse.wheel(0, SCROLL_PX)
            self.hold(SECONDS)


def titled(png: bytes, words: str) -> Image.Image:
    """A frame as it is shown: reduced, with the words on a strip at its lower edge."""
    with Image.open(io.BytesIO(png)) as picture:
        frame = picture.convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(frame)
    draw.rectangle((0, SHOWN[1] - STRIP_PX, *SHOWN), fill="#1f2933")
    place = (14, SHOWN[1] - STRIP_PX + 8)
    draw.text(place, words, fill="#ffffff", font=ImageFont.load_default(size=16))
    return frame


def record(
    browser: Browser,
    server: Server,
    out: Path,
    *,
    sets: Sequence[str],
    trained: str,
    evaluated: str,
    experiment: str,
) -> None:
    """Write ``out``. sets: names of saved ones; trained: address that watches trainings; evaluated,
    experiment: ids of runs."""
    context = browser.new_context(
        color_scheme="light", viewport={"width": SIZE[0], "height": SIZE[1]}
    )
    context.set_default_timeout(SLOW_MS)
    page = context.new_page()
    film = Film(page)
    _visit(film, server, "/", "Does guided diffusion make better training data? The answer so far.")
    film.hold(4)
    _visit(
        film,
        server,
        "/generate?count=40&batch=40&seed=2",
        "Make: guided beside unguided images, step by step from the same noise",
    )
    film.hold(1.5)
    generate_button(page).click()
    film.hold(10)
    film.scroll(2)
    _visit(
        film,
        server,
        f"/explore?sets={','.join(sets)},fashion-mnist:test&points=900&view=Map",
        "Look: how well can the classes be told apart?",
    )
    film.hold(6)
    _visit(
        film, server, trained, "Train: robust classifiers in the background, curves as they come"
    )
    film.hold(3)
    film.scroll(4)
    _visit(film, server, f"/evaluate?report={evaluated}", "Judge: attack them, with intervals")
    film.hold(2)
    film.scroll(4)
    _visit(
        film,
        server,
        f"/experiment?experiment={experiment}",
        "Or all of it in one click: arms over seeds, to a verdict with error bars",
    )
    film.hold(4)
    film.scroll(7)
    _visit(film, server, "/theory?view=map", "And why it should help: the theory, as pictures")
    film.hold(4)
    context.close()
    save(film.frames, out)


def _visit(film: Film, server: Server, path: str, words: str) -> None:
    """Open a page and wait until it stands, which the film skips."""
    open_page(film.page, server, path)
    film.page.wait_for_timeout(2500)
    wait_idle(film.page)
    film.words = words


def save(frames: Sequence[Image.Image], out: Path) -> None:
    """One GIF that begins anew at its end; frames that repeat are shown longer."""
    few = [frame.quantize(COLOURS, dither=Image.Dither.NONE) for frame in frames]
    few[0].save(
        out,
        save_all=True,
        append_images=few[1:],
        duration=round(1000 * SECONDS),
        loop=0,
        optimize=True,
        disposal=1,
    )
