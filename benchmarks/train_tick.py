"""What a live tick of the Train page costs with 20 runs of 500 epochs on it: on the server, and in
a browser that renders in software.

A tick reads the states and the journals, builds the figure and makes the message; the browser then
draws it in place.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.browsing import browsing
from benchmarks.measuring import spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.figures.curves import Look
from cdp.ui.train.curves import Drawn, drawn_from, groups_of, there

NAME, TITLE = "train_tick", "A live tick of the Train page"
RUNS, EPOCHS = 20, 500
# From Python's message to the frame after plotly has drawn it; every tick of a page that polls.
WATCH = """() => {
  window.ticks = [];
  const react = window.Plotly.react;
  window.Plotly.react = async (...given) => {
    const began = performance.now();
    const done = await react(...given);
    requestAnimationFrame(() => window.ticks.push(performance.now() - began));
    return done;
  };
}"""


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Milliseconds of ticks with and without news; settings. Raises MissingError without a
    browser."""
    runs, epochs = (4, 40) if options.quick else (RUNS, EPOCHS)
    what = f"{runs} runs of {epochs} epochs"
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        ids = _write(home, runs, epochs)
        with _home(home):
            for name, look in (("", Look()), (", smoothed", Look(smoothing=10))):
                news, quiet, size = _server_ticks(home, ids, epochs, look, options.rounds)
                figures += [
                    Figure.of_spread(
                        f"server, {what}{name}: a new epoch in each",
                        spread(news),
                        "ms",
                        target=Target("<=", 50),
                    ),
                    Figure.of_spread(f"server, {what}{name}: nothing new", spread(quiet), "ms"),
                    Figure(f"the message of {what}{name}", size / 1e6, "MB"),
                ]
        shown = _browser_ticks(Path(folder), ids, epochs, options.rounds)
    figures.append(
        Figure.of_spread(f"browser, {what}: a new epoch in each, drawn", spread(shown), "ms")
    )
    return figures, {"runs": runs, "epochs": epochs}


def _write(home: Path, runs: int, epochs: int) -> tuple[str, ...]:
    from tests.ui.curve_runs import write_run

    ids = tuple(f"run-{number:02d}" for number in range(runs))
    for number, name in enumerate(ids):
        # Another beta each, so that they are no seeds of one another: the most curves there can be.
        write_run(
            name,
            epochs=epochs,
            total=2 * epochs,
            seed=number,
            beta=1.0 + number,
            state="running",
            home=home,
        )
    return ids


@contextmanager
def _home(home: Path) -> Iterator[None]:
    before = os.environ.get("CDP_HOME")
    os.environ["CDP_HOME"] = str(home)
    try:
        yield
    finally:
        os.environ.pop("CDP_HOME")
        if before is not None:
            os.environ["CDP_HOME"] = before


def _append(home: Path, ids: tuple[str, ...], epoch: int, epochs: int) -> None:
    from tests.ui.curve_runs import lines

    for number, name in enumerate(ids):
        with (home / "runs" / name / "metrics.jsonl").open("a") as journal:
            journal.write(lines(range(epoch, epoch + 1), number, 2 * epochs))


def _server_ticks(
    home: Path, ids: tuple[str, ...], epochs: int, look: Look, rounds: int
) -> tuple[list[float], list[float], int]:
    """Milliseconds of ticks with news and without, and the bytes of the last message."""
    groups = groups_of(there(ids))
    drawn = drawn_from(there(ids), groups, look)
    first = len(drawn.curves[0].columns["epoch"]) + 1
    news, quiet = [], []

    def timed(before: Drawn, into: list[float]) -> Drawn:
        began = time.perf_counter()
        now = drawn_from(there(ids), groups, look, before)
        into.append(1000 * (time.perf_counter() - began))
        return now

    for epoch in range(first, first + rounds):
        _append(home, ids, epoch, epochs)
        drawn = timed(drawn, news)
        drawn = timed(drawn, quiet)
    return news, quiet, len(drawn.packed or b"")


def _browser_ticks(folder: Path, ids: tuple[str, ...], epochs: int, rounds: int) -> list[float]:
    """Milliseconds of drawing a tick with news."""
    from tests.ui.curve_runs import SCRIPT

    script = folder / "curves.py"
    script.write_text(SCRIPT.format(ids=ids))
    home = folder / "home"
    with browsing(folder, script) as (page, server):
        page.goto(server.url, wait_until="commit")
        page.wait_for_function(
            "() => document.querySelector('.cdp-chart')?._fullLayout && window.Plotly",
            timeout=60_000,
        )
        page.evaluate(WATCH)
        begin = 1 + (home / "runs" / ids[0] / "metrics.jsonl").read_text().count("\n")
        for count, epoch in enumerate(range(begin, begin + rounds)):
            _append(home, ids, epoch, epochs)
            page.wait_for_function(
                "(count) => window.ticks.length > count", arg=count, timeout=60_000
            )
        return [float(tick) for tick in page.evaluate("() => window.ticks")]
