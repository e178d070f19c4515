"""What other work on the machine costs: images/s alone and beside one busy process, and the first
preview while a training runs.

Threads that wait for each other spin by OpenMP's default; ``cdp`` sets a short spin instead
(docs/decisions/0020). The environment is read when torch loads, so each arm is a process of its
own, and the arms take turns. ``python -m benchmarks.beside_work NAME=VALUE ...`` compares settings
of the environment that are being considered.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.live_preview import first_frames
from benchmarks.measuring import Spread, paired_ratio, spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options, to_bytes
from cdp.errors import CdpError
from cdp.paths import ROOT

NAME, TITLE = "beside_work", "Beside other work on the machine"
SPIN = "300000"
"""GNU OpenMP's own count where nothing is set: what a process did before."""
OURS, BEFORE = "as the studio starts it", "with OpenMP's own waiting"
BUSY = "while True: pass"
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


class Sampler:
    """A process that samples one batch of the default model, unguided, whenever it is asked to."""

    def __init__(self, environment: Mapping[str, str], quick: bool) -> None:
        # What this process was started with is no part of an arm.
        inherited = {name: value for name, value in os.environ.items() if name not in WAITING}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.beside_work",
                "--serve",
                *(["--quick"] if quick else []),
            ],
            cwd=ROOT,
            env=inherited | dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.batch()  # loads, and fills caches

    def batch(self) -> float:
        """Seconds of one batch."""
        assert (
            self._process.stdin is not None and self._process.stdout is not None
        )  # both are pipes
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise CdpError("the sampling process ended: see its error above")
        return float(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Images/s alone and beside a busy process, and seconds to the first preview beside a training;
    settings."""
    alone, beside = seconds_of({OURS: {}, BEFORE: {"GOMP_SPINCOUNT": SPIN}}, options)
    images = options.images
    figures = []
    for name in (OURS, BEFORE):
        figures += [
            Figure.of_spread(f"{name}: alone", _rate(images, alone[name]), "images/s"),
            Figure.of_spread(
                f"{name}: beside one busy process", _rate(images, beside[name]), "images/s"
            ),
        ]
    figures += [
        Figure.of_spread(
            "beside one busy process / alone",
            paired_ratio(alone[OURS], beside[OURS]),
            target=Target(">=", 0.7),
        ),
        Figure.of_spread(
            "the same with OpenMP's own waiting", paired_ratio(alone[BEFORE], beside[BEFORE])
        ),
        Figure.of_spread(
            "alone, over OpenMP's own waiting",
            paired_ratio(alone[BEFORE], alone[OURS]),
            target=Target(">=", 0.97),
        ),
    ]
    first = spread(preview_beside_training(options))
    figures.append(
        Figure.of_spread(
            "from submit to the first frame while a training runs",
            first,
            "s",
            target=Target("<=", 1.0),
        )
    )
    return figures, {"config": options.config("unguided").model_dump(mode="json")}


def seconds_of(
    arms: Mapping[str, Mapping[str, str]], options: Options
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds a batch of every arm (name -> environment) in each round: alone on the machine, and
    beside one busy process."""
    alone: dict[str, list[float]] = {name: [] for name in arms}
    beside: dict[str, list[float]] = {name: [] for name in arms}
    with contextlib.ExitStack() as stack:
        samplers = {}
        for name, environment in arms.items():
            samplers[name] = Sampler(environment, options.quick)
            stack.callback(samplers[name].close)
        for _ in range(options.rounds):
            for name, sampler in samplers.items():
                alone[name].append(sampler.batch())
            with _busy():
                for name, sampler in samplers.items():
                    beside[name].append(sampler.batch())
    return alone, beside


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """One process that never waits."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def preview_beside_training(options: Options) -> list[float]:
    """Seconds from submit to the first frame on a warm engine, while a training works in the
    background."""
    from cdp.config.train import TrainConfig
    from cdp.work import launch, records
    from cdp.work.registry import TASKS

    before = os.environ.get("CDP_HOME")
    with tempfile.TemporaryDirectory(
        ignore_cleanup_errors=True
    ) as folder:  # the worker may still be writing its last lines
        os.environ["CDP_HOME"] = folder
        try:
            run = launch.launch(TASKS["train"], TrainConfig(real=2000, steps=100_000), "background")
            _wait_for_steps(Path(folder) / "runs" / run)
            return first_frames(options.config(), options.rounds)
        finally:
            with contextlib.suppress(CdpError, UnboundLocalError):
                launch.stop(run)
                while not records.get_run(run).over:
                    time.sleep(0.1)
            if before is None:
                del os.environ["CDP_HOME"]
            else:
                os.environ["CDP_HOME"] = before


def _wait_for_steps(folder: Path, patience: float = 120.0) -> None:
    """Until the training has done some optimiser steps. Raises CdpError where it ends or takes too
    long."""
    from cdp.work import records

    end = time.monotonic() + patience
    while time.monotonic() < end:
        run = records.read_run(folder)
        if run.over:
            raise CdpError(
                f"the training ended before the preview was measured: {run.error or run.state}"
            )
        if run.progress and run.progress.done >= 5:
            return
        time.sleep(0.2)
    raise CdpError(f"the training did not begin within {patience:.0f} seconds")


def _rate(images: int, seconds: list[float]) -> Spread:
    return spread([images / value for value in seconds])


def _serve(options: Options) -> None:
    """Sample a batch for every line read, and print its seconds."""
    config = options.config("unguided")
    for _ in to_bytes(config):
        pass
    for _ in sys.stdin:
        began = time.perf_counter()
        for _ in to_bytes(config):
            pass
        print(time.perf_counter() - began, flush=True)


def _compare(settings: list[str]) -> None:
    """A line for each setting of the environment, "NAME=VALUE" or several joined by commas."""
    options = Options()
    arms = {
        setting: dict(part.split("=", 1) for part in setting.split(",")) for setting in settings
    }
    alone, beside = seconds_of(arms, options)
    for name in arms:
        ratio = paired_ratio(alone[name], beside[name])
        rates = [_rate(options.images, seconds[name]) for seconds in (alone, beside)]
        print(
            f"{name}: alone {rates[0].value:.1f}, beside {rates[1].value:.1f} images/s, ratio"
            f" {ratio.value:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    if "--serve" in sys.argv:
        _serve(Options(quick="--quick" in sys.argv))
    else:
        _compare(sys.argv[1:])
