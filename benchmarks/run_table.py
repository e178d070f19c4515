"""The run table of 2,000 trainings of 200 epochs: listed, filtered, sorted, and 20 of them overlaid
as the Compare page does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.measuring import spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.config.evaluate import EvaluateConfig
from cdp.config.train import TrainConfig
from cdp.errors import CdpError
from cdp.paths import ROOT, cache_dir
from cdp.results.labels import change_labels
from cdp.results.rows import Index, Row
from cdp.results.table import matching, sort_rows

NAME, TITLE = "run_table", "The run table"
RUNS, EPOCHS, EVALUATIONS, OVERLAID = 2000, 200, 400, 20
SEEDS = 5
FILTER = "night method:trades robust>20 epochs>=30 -tag:old"
YOUNG_SECONDS = 2.1
"""An index does not trust files that changed in the last two seconds to stay as they are, and would
read them again."""
T = TypeVar("T")


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Seconds of listing from nothing, in a process that knows what another has kept, and again; of
    filter, sort and overlay; settings."""
    runs, epochs, evaluations = (100, 20, 20) if options.quick else (RUNS, EPOCHS, EVALUATIONS)
    what = f"{runs:,} runs of {epochs} epochs"
    seconds: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        found = work()
        seconds.setdefault(name, []).append(time.perf_counter() - began)
        return found

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_runs(home, runs, epochs, evaluations)
        time.sleep(YOUNG_SECONDS)
        with _home(home):
            for _ in range(options.rounds):
                shutil.rmtree(cache_dir(), ignore_errors=True)
                timed("never", lambda: Index().rows())
                index = Index()
                rows = timed("first", index.rows)
                timed("filter", lambda rows=rows: matching(rows, FILTER))
                timed("again", index.rows)
                timed(
                    "sort", lambda rows=rows: sort_rows(rows, "evaluated_robust", descending=True)
                )
                star = not rows[0].labels.star
                change_labels(rows[0].id, star=star)
                if timed("changed", index.rows)[0].labels.star is not star:
                    raise CdpError("the index missed a change: its figures mean nothing")
            for _ in range(2 if options.quick else 3):
                timed("process", lambda: _list_as_a_process(home))
            _overlay(rows)  # the first one imports plotly
            for _ in range(options.rounds):
                timed("overlay", lambda: _overlay(rows))
    figures = [
        _figure(f"list {what} that were never listed", seconds["never"], 1.0),
        _figure(f"list {what}, the first time in a process", seconds["first"], 1.0),
        _figure(f"list {what} again, nothing new", seconds["again"], 1.0),
        _figure(f"list {what} again, one changed", seconds["changed"], 1.0),
        _figure(f"filter {runs:,} runs by five terms", seconds["filter"], 0.3),
        _figure(f"sort {runs:,} runs", seconds["sort"], 0.3),
        _figure(
            f"read and overlay the curves of {OVERLAID} runs of {epochs} epochs",
            seconds["overlay"],
            1.0,
        ),
        _figure(
            f"python -m cdp runs --where, {runs:,} runs, start of Python included",
            seconds["process"],
        ),
    ]
    return figures, {
        "runs": runs,
        "epochs": epochs,
        "evaluations": evaluations,
        "overlaid": OVERLAID,
        "filter": FILTER,
    }


def write_runs(home: Path, runs: int, epochs: int, evaluations: int) -> None:
    """Run folders as workers leave them: of ten, seven are finished, one was stopped, one
    interrupted, and one is worked on by this process or, for all but the first hundred runs,
    finished too. Every fifth has labels."""
    journals = [_journal(epochs, number) for number in range(20)]
    own = _own_process()
    for number in range(runs):
        tenth = number % 10
        state = (
            "stopped"
            if tenth == 7
            else (
                "interrupted"
                if tenth == 8
                else "running"
                if tenth == 9 and number < 100
                else "finished"
            )
        )
        _write_training(
            home / "runs" / _run_id(number),
            number,
            epochs,
            state,
            journals[number % len(journals)],
            own,
        )
    for number in range(evaluations):
        _write_evaluation(
            home / "runs" / f"20260301-{number:06d}-evalua", number * (runs // evaluations)
        )


def _write_training(
    folder: Path,
    number: int,
    epochs: int,
    state: str,
    journal: tuple[str, dict[str, Any]],
    own: dict[str, float],
) -> None:
    lines, result = journal
    config = TrainConfig(
        seed=number % SEEDS,
        epochs=epochs,
        beta=1 + number // SEEDS / 5,
        method=("trades", "pgd-at", "mart")[number // 50 % 3],
        synthetic=("guided-5k",),
    ).model_dump(mode="json")
    (folder / "best").mkdir(parents=True)
    name, created = f"night-{number // SEEDS}-s{number % SEEDS}", 1.7e9 + number
    _write(
        folder / "config.json",
        {"kind": "train", "name": name, "created": created, "config": config},
    )
    (folder / "metrics.jsonl").write_text(lines)
    _write(
        folder / "process.json",
        own if state == "running" else {"pid": 2**22 + number, "began": created},
    )
    progress = {
        "done": 90,
        "count": 90,
        "seconds": 9.0,
        "seconds_left": None,
        "rate": 10.0,
        "resumed_from": 0,
        "unit": "steps",
    }
    status = {
        "state": "running" if state == "interrupted" else state,
        "started": created,
        "updated": created + 600,
        "progress": progress,
    }
    if state in ("finished", "stopped"):
        status["ended"] = created + 600
    if state == "finished":
        status["result"] = result
    _write(folder / "status.json", status)
    card = {
        "what": "classifier",
        "class_names": [f"class {k}" for k in range(10)],
        "epoch": result["best"]["epoch"],
        "metrics": result,
        "training": config | {"epsilon": 0.1, "synthetic_images": 5000},
    }
    _write(folder / "best" / "card.json", card)
    if number % 5 == 0:
        tags = ["old" if number % 20 else "new"]
        _write(
            folder / "labels.json",
            {"star": number % 10 == 0, "archived": False, "tags": tags, "note": "look again"},
        )


def _write_evaluation(folder: Path, of: int) -> None:
    folder.mkdir(parents=True)
    config = EvaluateConfig(model=f"run:{_run_id(of)}").model_dump(mode="json")
    _write(
        folder / "config.json",
        {"kind": "evaluate", "name": folder.name, "created": 1.8e9 + of, "config": config},
    )
    result = {
        "label": "AutoAttack, n = 1,000, +/- 3 points",
        "clean_accuracy": 0.75,
        "robust_accuracy": 0.3 + of / 2e4,
        "n": 1000,
    }
    _write(
        folder / "status.json",
        {
            "state": "finished",
            "started": 1.8e9,
            "ended": 1.8e9 + 60,
            "updated": 1.8e9 + 60,
            "result": result,
        },
    )


def _journal(epochs: int, seed: int) -> tuple[str, dict[str, Any]]:
    """The lines of a journal, and the final record that goes with them."""
    from tests.ui.curve_runs import point

    lines, best = [], {"epoch": 0, "clean_accuracy": 0.0, "robust_accuracy": -1.0}
    for epoch in range(1, epochs + 1):
        values = point(epoch, seed, epochs)
        now = {
            "epoch": epoch,
            "clean_accuracy": values["clean_accuracy"],
            "robust_accuracy": values["robust_accuracy"],
        }
        best = now if now["robust_accuracy"] > best["robust_accuracy"] else best
        values |= {"best_epoch": best["epoch"], "best_robust": best["robust_accuracy"]}
        lines.append(json.dumps({"step": epoch, "time": 1.7e9 + epoch, "values": values}))
    result = now | {
        "epochs": epochs,
        "best": best,
        "last": now,
        "n": 1000,
        "epsilon": 0.1,
        "norm": "linf",
        "attack": "PGD-10",
        "seconds": 31.0 * epochs,
    }
    return "".join(line + "\n" for line in lines), result


def _own_process() -> dict[str, float]:
    import psutil

    return {"pid": os.getpid(), "began": psutil.Process().create_time()}


def _run_id(number: int) -> str:
    return f"20260201-{number:06d}-traini"


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1))


def _overlay(rows: list[Row]) -> int:
    """Read the journals anew, draw the curves and make the message; bytes of it. One seed of each
    of 20 settings: the most lines there can be."""
    from cdp.figures.curve_data import RunCurves
    from cdp.figures.curves import Look, training_curves
    from cdp.results.history import Histories
    from cdp.ui.components.chart import pack

    histories = Histories()
    curves = [
        RunCurves(row.id, row.name, row.group, histories.of(row.folder).columns)
        for row in rows[: SEEDS * OVERLAID : SEEDS]
    ]
    return len(pack(training_curves(curves, Look()).figure, alt="curves"))


def _list_as_a_process(home: Path) -> None:
    command = [sys.executable, "-m", "cdp", "runs", "--where", FILTER]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"CDP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CdpError(f"the child process failed: {done.stderr.strip()[-400:]}")


def _figure(name: str, seconds: list[float], bound: float | None = None) -> Figure:
    return Figure.of_spread(
        name, spread(seconds), "s", target=None if bound is None else Target("<=", bound)
    )


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
