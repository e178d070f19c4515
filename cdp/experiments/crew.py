"""How many children of an experiment, or seeds of a training, work at a time on this machine, and on
how many threads each.

On a processor some small networks get more done by one process a core than by one process over all
cores, which is measured once. On a GPU there is one at a time, or as many as CDP_SLOTS says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from cdp import __version__
from cdp.config.choices import ARCHITECTURES
from cdp.config.train import TrainConfig
from cdp.tasks.train_data import has_gpu
from cdp.work.cost import known_rates, learn_rates
from cdp.work.launch import WORKER, Share
from cdp.work.launchers import environment
from cdp.work.slots import core_count, slot_count

CHILD_BYTES = 1_500_000_000
"""Memory that a child may take: libraries, networks and batches of the shipped sizes."""
SECONDS = 3.0
"""Of measured work in each way of sharing the cores."""
_MEASURED = ("crew", 1, __version__)


@dataclass(frozen=True)
class Crew:
    """children: at most so many at a time; threads: of each, 0 leaves it to the libraries; worker:
    what works on a child's run."""

    children: int
    threads: int
    worker: tuple[str, ...] = WORKER

    @property
    def command(self) -> tuple[str, ...]:
        """What starts a child."""
        more = ["--slots", str(self.children)] if self.children > 1 else []
        more += ["--threads", str(self.threads)] if self.threads else []
        return (*self.worker, *more)


def crew() -> Crew:
    """What serves best here: as CDP_SLOTS says, one on a GPU, else what is measured, within the
    memory that is free."""
    if "CDP_SLOTS" in os.environ:
        return Crew(slot_count(), 0)
    cores = core_count()
    if cores == 1 or _on_gpu():
        return Crew(1, 0)
    return _within_memory(_best(cores), cores)


def share_of_seeds(config: TrainConfig) -> Share | None:
    """What each of several seeds of one training takes of this machine, as far as is known without
    waiting for a measurement: until an experiment has made one, a small network gets a process a
    core. None where a run takes all of it: as CDP_SLOTS says, on a GPU, for a large network."""
    cores = core_count()
    alone = "CDP_SLOTS" in os.environ or cores == 1 or has_gpu()
    if alone or ARCHITECTURES[config.architecture].large:
        return None
    best = _within_memory(_fastest(measured(cores) or {f"{cores}": 0.0}, cores), cores)
    return Share(best.children, best.threads) if best.children > 1 else None


def gain(share: Share) -> float:
    """How many times as many steps so many children do at a time as one by one; 1 where that was
    never measured."""
    known = measured(core_count()) or {}
    one, many = known.get("1"), known.get(f"{share.slots}")
    return one / many if one and many else 1.0


def measured(cores: int) -> dict[str, float] | None:
    """Seconds a step by children at a time, where that was measured."""
    return known_rates(*_MEASURED, cores)


def ways(cores: int) -> list[Crew]:
    """Ways to share the cores: all for one, one each, and what lies between in powers of two."""
    counts = {1, cores} | {2**k for k in range(1, 7) if 2**k < cores}
    return [Crew(count, cores // count) for count in sorted(counts)]


def _best(cores: int) -> Crew:
    known = measured(cores)
    if known is None:
        known = {f"{way.children}": _seconds_a_step(way) for way in ways(cores)}
        learn_rates((*_MEASURED, cores), **known)
    return _fastest(known, cores)


def _fastest(known: Mapping[str, float], cores: int) -> Crew:
    children = int(min(known, key=lambda name: known[name]))
    return Crew(children, cores // children)


def _within_memory(best: Crew, cores: int) -> Crew:
    room = max(1, int(psutil.virtual_memory().available // CHILD_BYTES))
    return best if best.children <= room else Crew(room, max(1, cores // room))


def _seconds_a_step(way: Crew) -> float:
    """Seconds a training step, all processes together."""
    libraries = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    given = environment() | dict.fromkeys(libraries, str(way.threads))
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "cdp.experiments.crew"],
            env=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(way.children)
    ]
    for process in processes:  # ready once torch is loaded
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return 1 / sum(float(process.communicate()[0]) for process in processes)


def _on_gpu() -> bool:
    import torch

    from cdp.models.precision import pick_device

    return torch.device(pick_device()).type != "cpu"


def _work() -> float:
    """Steps a second of a small network's training in this process."""
    import torch

    from cdp.models.classifiers import build_classifier

    net = build_classifier("small-cnn", classes=10, shape=(1, 28, 28), seed=0)
    image = torch.rand(128, 1, 28, 28)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    began, steps = time.monotonic(), 0
    while (spent := time.monotonic() - began) < SECONDS:
        net(image).square().mean().backward()
        steps += 1
    return steps / spent


if __name__ == "__main__":
    sys.stdout.write(f"{_work()}\n")
