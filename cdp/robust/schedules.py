"""What changes over a training, in closed form, so that any step can be asked for alone."""

from __future__ import annotations

import math

WARM, START, END = 0.25, 25.0, 1e4
"""One-cycle: share of training that the rate rises, its start below the peak, and its end below the start (Smith 2018, PyTorch's)."""


LIGHT, HEAVY = 0.85, 0.95
"""Momentum at the peak of a cycled momentum and at both ends (PyTorch's)."""


def one_cycle(step: int, total: int, *, peak: float) -> float:
    """The learning rate of step ``step`` (from 0) of ``total``: torch's OneCycleLR with cosine annealing and pct_start ``WARM``."""
    return _cycle(step, total, peak / START, peak, peak / START / END)


def cycled_momentum(step: int, total: int) -> float:
    """The momentum that the same OneCycleLR sets beside the rate, against it: ``HEAVY``, ``LIGHT`` at the peak, ``HEAVY``."""
    return _cycle(step, total, HEAVY, LIGHT, HEAVY)


def warmed_up(step: int, total: int, *, share: float) -> float:
    """The part of the full budget at step ``step`` (from 0): grows in proportion over the first ``share`` of training, then 1."""
    return min(1.0, (step + 1) / (share * total)) if share > 0 else 1.0


def _cycle(step: int, total: int, start: float, middle: float, end: float) -> float:
    top = WARM * total - 1
    if step <= top:
        return _cosine(start, middle, step / top if top > 0 else 1.0)
    return _cosine(middle, end, (step - top) / (total - 1 - top))


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * part))
