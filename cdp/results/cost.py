"""What a background run will take on this machine, from .. to: by finished runs like it, by other
runs of its kind, or else by what was measured on other machines. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdp.config.evaluate import EvaluateConfig
from cdp.config.generate import GenerateConfig
from cdp.config.knobs import Frozen
from cdp.config.pretrain import PretrainConfig
from cdp.config.train import TrainConfig
from cdp.values.text import counted, range_text
from cdp.work.cost import kind as kind_of_generation
from cdp.work.cost import known_rates, network_calls
from cdp.work.records import Run

START_SECONDS = 6.0
"""A process until it works: Python, torch, networks."""
ASSUMED = {
    "pretrain": (0.05, 0.4),
    "generate": (0.0005, 0.004),
    "train": (0.004, 0.03),
    "evaluate": (0.0004, 0.004),
}
"""Seconds an optimiser step of a diffusion model, an image and sampler step, an optimiser step and
attack step of a batch, and an image and attack step, from a fast processor's to a slow one's, where
nothing was measured here yet."""
FIRST_ANSWERS = {"embed": (0.0003, 0.003), "umap": (0.002, 0.006)}
"""Seconds a point of features and of a UMAP projection, with what loads before the first: from 5,000
points on an idle machine of two cores to 900 on a busy one, where nothing was measured here yet."""
LEAST_SECONDS = 1.0
NEWEST = 20
"""Runs of a kind that the machine is judged by."""
MARGIN = 0.8, 1.25
"""How far a run may be off what was measured here, of the fastest and the slowest."""
AUTOATTACK_STEPS = 3000
"""Attack steps of an image that withstands all of AutoAttack."""


@dataclass(frozen=True)
class Cost:
    """seconds: from .. to; basis: what they rest on, in words."""

    seconds: tuple[float, float]
    basis: str

    @property
    def text(self) -> str:
        """ "1 to 2 min, from 3 runs here"."""
        return f"{range_text(*self.seconds)}, {self.basis}"


def measured_cost(seconds: float, basis: str) -> Cost:
    """Of work that was measured here. basis: how, in words."""
    return Cost((MARGIN[0] * seconds, MARGIN[1] * seconds), basis)


def answers_cost(parts: Sequence[tuple[str, str, int]]) -> Cost:
    """Of answers of a helper process one after another. parts: name of the task, what else its
    duration depends on, and its size."""
    known = {
        (name, what): rate["unit"]
        for name, what, _ in parts
        if (rate := known_rates("helper", f"{name} {what}"))
    }
    low = high = 0.0
    for name, what, size in parts:
        unit = known.get((name, what))
        rates = (unit * MARGIN[0], unit * MARGIN[1]) if unit else FIRST_ANSWERS[name]
        low, high = low + size * rates[0], high + size * rates[1]
    all_known = all((name, what) in known for name, what, _ in parts)
    basis = "as measured here" if all_known else "as measured on another machine"
    return Cost((low, high), basis)


Rates = dict[tuple[str, ...], list[tuple[float, float]]]
"""Units and seconds a unit of runs here, the newest first, by kind of work, and by what else their
pace depends on."""


class Pace:
    """How fast this machine works, by its finished runs."""

    def __init__(self, runs: Sequence[Run]) -> None:
        """runs: the newest first. Of the work itself, without the start of its process; what took
        less than a second tells nothing."""
        self.rates: Rates = {}
        for run in runs:
            done = run.progress
            if run.state == "finished" and done and done.count and run.kind in ASSUMED:
                share = (done.done - done.resumed_from) / done.count
                if done.seconds > LEAST_SECONDS and share > 0 and run.config is not None:
                    units = units_of(run.config) * share
                    for sort in ((run.kind,), alike(run.kind, run.config)):
                        seen = self.rates.setdefault(sort, [])
                        if len(seen) < NEWEST:
                            seen.append((units, done.seconds / units))

    @property
    def runs(self) -> int:
        """That it is judged by."""
        return sum(len(seen) for sort, seen in self.rates.items() if len(sort) == 1)

    def cost(self, kind: str, config: Frozen, measured: Cost | None = None) -> Cost:
        """Of one run of this kind. measured: what a short measurement here says, which tells more
        than runs of other settings."""
        for sort, what in ((alike(kind, config), "run"), ((kind,), "other run")):
            if seen := self.rates.get(sort):
                return Cost(self._seconds(seen, config), f"from {counted(len(seen), what)} here")
            if measured is not None:
                return measured
        return Cost(_scaled(ASSUMED[kind], config), "as measured on other machines")

    def of_kind(self, kind: str, config: Frozen) -> tuple[float, float]:
        """Seconds from .. to, by all runs of the kind: for many different ones together."""
        seen = self.rates.get((kind,))
        return self._seconds(seen, config) if seen else _scaled(ASSUMED[kind], config)

    def _seconds(self, seen: list[tuple[float, float]], config: Frozen) -> tuple[float, float]:
        """The middle half of what was seen here, by the work that it did."""
        ordered = sorted(seen, key=lambda one: one[1])
        total, passed, low, high = sum(units for units, _ in ordered), 0.0, 0.0, 0.0
        for count, rate in ordered:
            passed += count
            low = low or (rate if passed >= total / 4 else 0.0)
            if passed >= 3 * total / 4:
                high = rate
                break
        return _scaled((MARGIN[0] * low, MARGIN[1] * high), config)


def _scaled(rates: tuple[float, float], config: Frozen) -> tuple[float, float]:
    units = units_of(config)
    return START_SECONDS / 2 + units * rates[0], START_SECONDS + units * rates[1]


def units_of(config: object) -> float:
    """Optimiser steps of a diffusion model; images times network calls; optimiser steps times attack
    steps; images times attack steps."""
    if isinstance(config, PretrainConfig):
        return config.steps * config.batch / 128
    if isinstance(config, GenerateConfig):
        return config.count * network_calls(config)
    if isinstance(config, TrainConfig):
        steps = config.steps or 300 * (config.epochs or 1)
        return steps * (config.pgd_steps + 2) * config.batch / 128
    assert isinstance(config, EvaluateConfig)
    steps_of = {"quick": 10, "pgd": 2 * config.steps * config.restarts}
    per_image = steps_of.get(config.attack, AUTOATTACK_STEPS)
    return (config.images or 10_000) * per_image


def alike(kind: str, config: Frozen) -> tuple[str, ...]:
    """What the seconds a unit depend on beside the machine: runs that share it tell of each other."""
    if isinstance(config, GenerateConfig):
        return kind, kind_of_generation(config, compare=False)
    if isinstance(config, TrainConfig):
        return kind, config.architecture, config.dataset, config.precision
    if isinstance(config, EvaluateConfig):
        beside = [str(config.curve), str(config.unseen), str(config.masking)]
        return kind, config.attack, config.dataset, config.weights, *beside
    assert isinstance(config, PretrainConfig)
    return kind, config.dataset
