"""How many synthetic samples a target takes, by solving the expectation for n; and the c-squared law that the answer obeys (docs/theory.md, 8)."""

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
    from cdp.config_theory import Learner

_LOWEST, _HIGHEST, _GRID = -6.0, 12.0, 37


def samples_needed(problem: Problem, synthetic: Synthetic, target: float, learner: Learner) -> float | None:
    """The smallest n at which the expected robust accuracy reaches ``target`` (0 < target < 1), as a real number.

    None where none does up to n (|m|/s)^2 = 10^12, and a millionth of that unit where less would do; below 1 a single sample is more than enough.
    Under label noise n is whole. For learners that average it obeys the c-squared law: twice the separation |m|/s at the same direction needs a
    quarter of the samples (exactly without label noise, and approached for many samples with it). Raises InputError as ``expected`` does, and for
    adversarial-logistic, which has no formula.
    """
    checked(problem, synthetic, learner)
    target = checks.number("target", target)
    if not 0 < target < 1:
        raise InputError(f"target is {target:g}: pass a robust accuracy between 0 and 1")
    if learner == "adversarial-logistic":
        raise InputError("learner: adversarial-logistic has no formula to solve for n: choose another, or simulate over n")
    own = _Own(problem, synthetic, learner)
    start = 0.0 if synthetic.label_noise else own.unit + _LOWEST
    grid = np.linspace(start, own.unit + _HIGHEST, _GRID)
    reached = np.flatnonzero(own.values(grid) >= target)
    if not len(reached):
        return None
    first = int(reached[0])
    if first == 0:
        return float(10**start)
    low, high = float(grid[first - 1]), float(grid[first])
    if synthetic.label_noise:
        return _whole(own, math.floor(10**low), math.ceil(10**high), target)
    from scipy.optimize import brentq

    return float(10 ** brentq(lambda at: float(own.values(np.array([at]))[0]) - target, low, high, xtol=1e-10))


def _whole(own: _Own, low: int, high: int, target: float) -> float:
    """The smallest whole n in (low, high] that reaches the target, where low does not and high does."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if own.values(np.log10([middle]))[0] >= target else (middle, high)
    return float(high)


@dataclass(frozen=True, eq=False)
class _Own:
    """The expectation as a function of log10 n."""

    problem: Problem
    synthetic: Synthetic
    learner: Learner

    @property
    def unit(self) -> float:
        """log10 of the n at which |m| sqrt(n) / s is 1, so that the search does not depend on the scale that the law is about."""
        ratio = float(np.linalg.norm(self.synthetic.mean)) / self.synthetic.noise
        return -2 * math.log10(ratio) if ratio > 0 else 0.0

    def values(self, exponents: Floats) -> Floats:
        """log10 n (K,) -> expected robust accuracy (K,); n is rounded to whole samples under label noise, and at least 1."""
        n = 10.0**exponents
        n = np.maximum(np.round(n), 1.0) if self.synthetic.label_noise else n
        made = self.synthetic
        many = cases(self.problem, [made.mean], np.ones((len(n), 1)), n, noise=made.noise, label_noise=made.label_noise,
                     correlation=made.correlation)  # fmt: skip
        return expected_cases(many, self.learner)[0]
