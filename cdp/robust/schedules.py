"""What changes over a training, in closed form, so that any step can be asked for alone."""

from __future__ import annotations

import math

from cdp.config.train import AUTO, TrainConfig, attack_steps_of

WARM, START, END = 0.25, 25.0, 1e4
"""One-cycle: share of training that the rate rises, its start below the peak, and its end below the
start (Smith 2018, PyTorch's)."""
VALIDATION_SHARE, MOST_POINTS = 0.09, 100
"""Automatic validation: its share of the training's work, a little below the tenth that is
promised, and how many there are at most."""
HALF_GAIN = {"cpu": 1.6, "cuda": 8.0}
"""How much faster a pass is in bf16 than in fp32, in which validation always runs: on a CPU as
measured (benchmarks/train_step.py), on a GPU by the peaks of recent ones, with tensor cores against
without."""
_PASSES = {"pgd-at": 1.0, "trades": 2 + 1 / 3, "mart": 2.0}
"""Forward and backward passes of an optimiser step besides its attack; a forward pass alone is a
third of one."""
LIGHT, HEAVY = 0.85, 0.95
"""Momentum at the peak of a cycled momentum and at both ends (PyTorch's)."""


def one_cycle(step: int, total: int, *, peak: float) -> float:
    """The learning rate of step ``step`` (from 0) of ``total``: torch's OneCycleLR with cosine
    annealing and pct_start ``WARM``."""
    return _cycle(step, total, peak / START, peak, peak / START / END)


def cycled_momentum(step: int, total: int) -> float:
    """The momentum that the same OneCycleLR sets beside the rate, against it: ``HEAVY``, ``LIGHT``
    at the peak, ``HEAVY``."""
    return _cycle(step, total, HEAVY, LIGHT, HEAVY)


def warmed_up(step: int, total: int, *, share: float) -> float:
    """The part of the full budget at step ``step`` (from 0): grows in proportion over the first
    ``share`` of training, then 1."""
    return min(1.0, (step + 1) / (share * total)) if share > 0 else 1.0


def _cycle(step: int, total: int, start: float, middle: float, end: float) -> float:
    top = WARM * total - 1
    if step <= top:
        return _cosine(start, middle, step / top if top > 0 else 1.0)
    return _cosine(middle, end, (step - top) / (total - 1 - top))


def pass_gain(device: str, *, half: bool) -> float:
    """How much faster a pass of training is than one of validation, by the kind of device ("cpu",
    "cuda"). half: whether training runs in bf16."""
    return HALF_GAIN.get(device, 1.0) if half else 1.0


def validation_interval(
    config: TrainConfig, *, total: int, steps_per_epoch: int, images: int, gain: float
) -> int:
    """Optimiser steps from one validation of ``images`` images to the next; the last step of
    ``total`` is validated in any case.

    gain: how much faster a pass of training is than one of validation (``pass_gain``). Automatic
    intervals are even, at most ``MOST_POINTS``, and follow from counted work alone, images times
    forward and backward passes, so that they are the same at every speed of the machine.
    """
    if config.validate_every != AUTO:
        count, unit = config.validate_every.split()
        return int(count) * (steps_per_epoch if unit.startswith("epoch") else 1)
    step = config.batch * (attack_steps_of(config) + _PASSES[config.method])
    checking = images * (config.validation_steps + 2 / 3) * gain
    points = min(MOST_POINTS, int(VALIDATION_SHARE * total * step / checking))
    return math.ceil(total / max(1, points))


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * part))
