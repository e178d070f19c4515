"""``python -m benchmarks.soak [--minutes 30] [--seed 0]``: eight people at work in the app for half
an hour, while every 20 seconds a process is killed at random, the disk fills, the MLflow store is
locked and the clock steps. Afterwards every run that was interrupted is resumed, and all is counted.

Results go to benchmarks/results/soak.json, for docs/results.md; a short one (``--minutes`` under
30) checks that the script works and stays out of it. Needs Linux; the disk is a tmpfs of this
program's own; the clock is that of the app's processes, which takes a C compiler.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import documents, results, tables
from benchmarks.measuring import load_now, machine
from benchmarks.results import Figure, Result, Target
from benchmarks.soak import faults, ledger, people
from cdp.work.records import list_runs

NAME, TITLE = "soak", "Eight tabs for half an hour while everything goes wrong"
MINUTES = 30.0
KILL_EVERY, LOOK_EVERY = 20.0, 4.0
DISK = "1536m"
OTHER_FAULTS = {"disk": 150.0, "tracking": 110.0, "clock": 70.0}
"""Seconds between two of a kind."""
APP_LIVES_FROM = 0.5
"""Share of the time after which the app itself is not killed any more, so that its memory can be
followed over one life."""
WARM = 0.15
"""Share of the time that this life takes to load what there is; memory is compared after it."""
DRAIN_SECONDS = 3600.0
"""For what was interrupted to be resumed and end, also beside other work."""


@dataclass
class Watch:
    """What is taken down on the way. memory: (share of the time, bytes)."""

    app: faults.App
    crowd: people.Crowd
    memory: list[tuple[float, float]] = field(default_factory=list)


async def _break(watch: Watch, breaking: faults.Faults, seconds: float) -> None:
    """All that goes wrong, until the time is over."""
    began = time.monotonic()
    due = {"kill": KILL_EVERY} | OTHER_FAULTS
    while (now := time.monotonic() - began) < seconds:
        kind = min(due, key=due.__getitem__)
        if due[kind] > now:
            await asyncio.sleep(min(1.0, due[kind] - now))
            continue
        due[kind] = now + ({"kill": KILL_EVERY} | OTHER_FAULTS)[kind]
        if kind == "kill":
            await asyncio.to_thread(breaking.kill, app_too=now / seconds < APP_LIVES_FROM)
        elif kind == "clock":
            breaking.step_clock()
        elif kind == "tracking":
            await asyncio.to_thread(breaking.lock_tracking, 12)
        elif faults.in_own_mounts():
            await asyncio.to_thread(breaking.fill_disk, 12)
    watch.app.clock.set(0)


async def _look(watch: Watch, seconds: float) -> None:
    """Take down what was finished, and how much memory the app has."""
    began = time.monotonic()
    while not watch.crowd.over:
        share = (time.monotonic() - began) / seconds
        await asyncio.to_thread(watch.crowd.ledger.look)
        runs = await asyncio.to_thread(list_runs)
        watch.crowd.waiting = sum(run.state == "queued" for run in runs)
        watch.crowd.trained = [r.id for r in runs if r.kind == "train" and r.state == "finished"]
        with contextlib.suppress(Exception):  # just killed
            watch.memory.append((share, watch.app.memory()))
        await asyncio.to_thread(watch.app.revive)
        await asyncio.sleep(LOOK_EVERY)


async def _soak(watch: Watch, breaking: faults.Faults, seconds: float) -> None:
    from playwright.async_api import async_playwright

    from tests.browser import LAUNCH_ARGS, find_browser

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_browser(), args=list(LAUNCH_ARGS)
        )
        crowd = [people.work(watch.crowd, browser, jobs) for jobs in people.TABS]
        at_work = [asyncio.create_task(task) for task in (*crowd, _look(watch, seconds))]
        await _break(watch, breaking, seconds)
        watch.crowd.over = True
        await asyncio.gather(*at_work)
        await browser.close()


def _drain(seconds: float) -> None:
    """Until no run waits or moves; what was interrupted is resumed, at most three times over."""
    end, rounds = time.monotonic() + seconds, 3
    while time.monotonic() < end:
        if any(run.state in ("queued", "running", "stopping") for run in list_runs()):
            time.sleep(2)
        elif not rounds or not ledger.resume_all():
            return
        else:
            rounds -= 1


def growth(memory: list[tuple[float, float]]) -> float:
    """Of the app's memory, in per cent: the median of the last tenth of the time against that of the
    tenth after it was warm."""
    warm = APP_LIVES_FROM + WARM
    first = [value for share, value in memory if warm <= share < warm + 0.1]
    last = [value for share, value in memory if share >= 0.9]
    if not first or not last:
        return float("nan")
    return 100 * (statistics.median(last) / statistics.median(first) - 1)


def soak(minutes: float, seed: int, log: Path) -> tuple[list[Figure], list[str]]:
    """Figures, and one line for everything that went wrong and should not have. log: where what the
    app printed goes."""
    with tempfile.TemporaryDirectory(prefix="cdp-soak-") as name:
        folder = Path(name)
        disk = folder / "disk"
        disk.mkdir()
        if faults.in_own_mounts():
            options = ["-t", "tmpfs", "-o", f"size={DISK}", "tmpfs"]
            subprocess.run(["mount", *options, str(disk)], check=True)
        app = faults.App(folder)
        app.home.mkdir(mode=0o700)
        os.environ["CDP_HOME"] = str(app.home)
        draw = random.Random(seed)
        watch = Watch(app, people.Crowd(app.url, ledger.Ledger(app.home), draw))
        breaking = faults.Faults(app, draw)
        app.start()
        try:
            asyncio.run(_soak(watch, breaking, 60 * minutes))
            _drain(DRAIN_SECONDS)
            watch.crowd.ledger.look()
            wrong = _wrong(watch)
            figures = _figures(watch, breaking, minutes, wrong)
        finally:
            app.close()
            log.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(app.log, log)
            for processes in app.processes().values():
                for process in processes:
                    with contextlib.suppress(Exception):
                        process.kill()
            if faults.in_own_mounts():
                subprocess.run(["umount", "--lazy", str(disk)], check=False)
        lines = [f"{kind}: {line}" for kind, found in wrong.items() for line in found]
        return figures, lines


def _wrong(watch: Watch) -> dict[str, list[str]]:
    """What should not be, by kind."""
    log = watch.app.log.read_text(errors="replace")
    tracebacks = [part[:2000] for part in log.split("Traceback (most recent call last)")[1:]]
    return {
        "server errors": [*watch.crowd.exceptions, *tracebacks],
        "lost or changed results": watch.crowd.ledger.lost(),
        "runs not accounted for": ledger.unaccounted()[0],
    }


def _figures(
    watch: Watch, breaking: faults.Faults, minutes: float, wrong: dict[str, list[str]]
) -> list[Figure]:
    none, states = Target("<=", 0), ledger.unaccounted()[1]
    book = watch.crowd.ledger
    figures = [Figure("duration", minutes, "min")]
    figures += [Figure(kind, float(n)) for kind, n in sorted(breaking.counts.items())]
    figures += [Figure(kind, float(n)) for kind, n in sorted(watch.crowd.done.items())]
    figures.append(Figure("times a page had to be loaded again", float(watch.crowd.again)))
    figures += [Figure(f"runs {state} in the end", float(n)) for state, n in sorted(states.items())]
    sizes = {
        "server errors": None,
        "lost or changed results": len(book.sets) + len(book.finished),
        "runs not accounted for": len(book.seen),
    }
    figures += [Figure(kind, len(wrong[kind]), "", n=sizes[kind], target=none) for kind in wrong]
    figures.append(Figure("times the app ended by itself", watch.app.died, target=none))
    grown = growth(watch.memory)
    figures.append(Figure("growth of the app's memory", grown, "%", target=Target("<=", 10)))
    return figures


def main() -> int:
    """Exit code 1 where something went wrong that should not have."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if not faults.in_own_mounts():
        faults.enter_own_mounts()
        print("the disk is not filled: this system lets no user mount one", file=sys.stderr)
    before = load_now()
    short = given.minutes < MINUTES
    folder, log = results.folder(quick=short), results.folder(quick=True) / "soak.log"
    figures, lines = soak(given.minutes, given.seed, log)
    settings = {"quick": short, "seed": given.seed, "tabs": len(people.TABS)}
    settings |= {"kill every": KILL_EVERY, "disk": DISK if faults.in_own_mounts() else "not filled"}
    stepped = any(figure.name == "steps of the clock" for figure in figures)
    notes, load = _notes(stepped), (before, load_now())
    result = Result(NAME, TITLE, tuple(figures), settings, machine(), load, notes)
    print("\n".join(lines))
    print(tables.of_result(result))
    print(f"what the app printed: {log}")
    results.save(result, folder)
    if not short:
        documents.refresh()
    return int(bool(lines))


def _notes(stepped: bool) -> str:
    clock = "" if stepped else " The clock was not stepped, as there is no C compiler."
    disk = "" if faults.in_own_mounts() else " The disk was not filled."
    return (
        f"The app itself was killed in the first {100 * APP_LIVES_FROM:.0f} % of the time only, so"
        " that its memory could be followed over one life; helper, workers and dispatcher to the"
        f" end.{clock}{disk}"
    )


if __name__ == "__main__":
    sys.exit(main())
