"""How many synthetic samples a target takes, by solving the expectation for n; and the c-squared
law that the answer obeys (docs/theory.md, 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cdp.errors import InputError
from cdp.theory import checks
from cdp.theory.cases import cases
from cdp.theory.checks import Floats
from cdp.theory.expectation import checked, expected_cases
from cdp.theory.model import Problem, Synthetic

if TYPE_CHECKING:
    from cdp.config.theory import Learner

_LOWEST, _HIGHEST, _GRID = -6.0, 12.0, 37
_NEAR = 0.05
"""How far from what a law says the answer is looked for first, in decades."""
_EACH, _FLAT = 40, 1e-9
_Point = tuple[float, float]
_Count = tuple[int, float]


def samples_needed(
    problem: Problem, synthetic: Synthetic, target: float, learner: Learner
) -> float | None:
    """The first n at which the expected robust accuracy reaches ``target`` (0 < target < 1), as a
    real number.

    Looked for from n (|m|/s)^2 = 10^-6 to 10^12 in half decades, with every peak between them
    looked at again; None where no n reaches it, and the least n that is looked at where less would
    do. Below 1 a single sample is more than enough. Accuracy need not grow with n; a rise and fall
    within half a decade is missed where the half decades themselves show no peak. Under label noise
    n is whole, and up to 40 every n is looked at. For learners that average it obeys the c-squared
    law: twice the separation |m|/s at the same direction needs a quarter of the samples (exactly
    without label noise, and approached for many samples with it). Raises InputError as ``expected``
    does, and for adversarial-logistic, which has no formula.
    """
    checked(problem, synthetic, learner)
    target = checks.number("target", target)
    if not 0 < target < 1:
        raise InputError(f"target is {target:g}: pass a robust accuracy between 0 and 1")
    if learner == "adversarial-logistic":
        raise InputError(
            "learner: adversarial-logistic has no formula to solve for n: choose another, or"
            " simulate over n"
        )
    return solved(problem, synthetic, target, learner)


def solved(
    problem: Problem,
    synthetic: Synthetic,
    target: float,
    learner: Learner,
    *,
    near: float | None = None,
    quick: bool = False,
) -> float | None:
    """``samples_needed``, unchecked. near: what a law says that it is, looked at first; quick: as
    in ``expected_cases``."""
    own = _Own(problem, synthetic, learner, quick)
    found = _bracket(own, target, near)
    if found is None or found[0] is None:
        return None if found is None else found[1]
    (low, below), (high, above) = found
    if synthetic.label_noise:
        return _whole(own, (math.floor(10**low), below), (math.ceil(10**high), above), target)
    from scipy.optimize import brentq

    known = {low: below, high: above}  # a sign that rounding turned would have no root between
    return float(
        10 ** brentq(lambda at: known.get(at, own.value(at)) - target, low, high, xtol=1e-8)
    )


def _bracket(
    own: _Own, target: float, near: float | None
) -> tuple[_Point, _Point] | tuple[None, float] | None:
    """Two log10 n with their values, the target between them, or (None, n) where the least n that
    is looked at reaches it; None where none does."""
    start = 0.0 if own.synthetic.label_noise else own.unit + _LOWEST
    if near is not None and math.log10(near) - _NEAR > start:
        tried = np.log10(near) + np.array([-_NEAR, _NEAR])
        low, high = own.values(tried)
        if low < target <= high:
            return (float(tried[0]), float(low)), (float(tried[1]), float(high))
    grid = _grid(own, start)
    values = own.values(grid)
    while True:
        reached = np.flatnonzero(values >= target)
        first = int(reached[0]) if len(reached) else len(values)
        if first == 0:
            return None, float(10**start)
        more = _peaks(own, grid[: first + 1], values[: first + 1], target)
        if more is None:
            break
        grid, values = more
    if first == len(values):
        return None
    return (float(grid[first - 1]), float(values[first - 1])), (
        float(grid[first]),
        float(values[first]),
    )


def _grid(own: _Own, start: float) -> Floats:
    """log10 n in half decades; under label noise, where accuracy can go up and down from one n to
    the next, the first whole n one by one before them."""
    end = max(own.unit, start) + _HIGHEST
    if not own.synthetic.label_noise:
        return np.linspace(start, end, _GRID)
    each = np.log10(np.arange(1, _EACH + 1))
    return np.concatenate([each, np.linspace(each[-1], end, _GRID)[1:]])


def _peaks(own: _Own, grid: Floats, values: Floats, target: float) -> tuple[Floats, Floats] | None:
    """Around the first peak that stays below the target and that points in between carry above it:
    the points up to there. None where there is none."""
    for at in range(1, len(values) - 1):
        if not (
            values[at] < target and values[at - 1] + _FLAT < values[at] > values[at + 1] + _FLAT
        ):
            continue
        low, high = float(grid[at - 1]), float(grid[at + 1])
        for _ in range(3):
            near = np.linspace(low, high, 9)
            found = own.values(near)
            if (found >= target).any():
                return np.concatenate([grid[: at - 1], near]), np.concatenate(
                    [values[: at - 1], found]
                )
            top = int(np.clip(found.argmax(), 1, 7))
            low, high = float(near[top - 1]), float(near[top + 1])
    return None


def _whole(own: _Own, low: _Count, high: _Count, target: float) -> float:
    """The smallest whole n in (low, high] that reaches the target, where low does not and high
    does: by interpolation, and by halves in turn."""
    halve = False
    while high[0] - low[0] > 1:
        share = 0.5 if halve else (target - low[1]) / (high[1] - low[1])
        at = (
            min(max(round(low[0] ** (1 - share) * high[0] ** share), low[0] + 1), high[0] - 1)
            if low[0]
            else 1
        )
        value = own.value(math.log10(at))
        low, high = (low, (at, value)) if value >= target else ((at, value), high)
        halve = not halve
    return float(high[0])


@dataclass(frozen=True, eq=False)
class _Own:
    """The expectation as a function of log10 n."""

    problem: Problem
    synthetic: Synthetic
    learner: Learner
    quick: bool

    @property
    def unit(self) -> float:
        """log10 of the n at which |m| sqrt(n) / s is 1, so that the search does not depend on the
        scale that the law is about."""
        ratio = float(np.linalg.norm(self.synthetic.mean)) / self.synthetic.noise
        return -2 * math.log10(ratio) if ratio > 0 else 0.0

    def values(self, exponents: Floats) -> Floats:
        """log10 n (K,) -> expected robust accuracy (K,); n is rounded to whole samples under label
        noise, and at least 1."""
        n = 10.0**exponents
        n = np.maximum(np.round(n), 1.0) if self.synthetic.label_noise else n
        made = self.synthetic
        many = cases(
            self.problem,
            [made.mean],
            np.ones((len(n), 1)),
            n,
            noise=made.noise,
            label_noise=made.label_noise,
            correlation=made.correlation,
        )
        return expected_cases(many, self.learner, quick=self.quick)[0]

    def value(self, exponent: float) -> float:
        """Of one log10 n."""
        return float(self.values(np.array([exponent]))[0])
