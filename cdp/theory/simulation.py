"""Simulated robust accuracy: learned weights are drawn, and each is scored by the exact closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cdp.errors import InputError
from cdp.theory import checks
from cdp.theory.checks import Floats
from cdp.theory.expectation import checked
from cdp.theory.logistic import fit, room
from cdp.theory.model import Problem, Synthetic, margins, soft_threshold
from cdp.types import Interval

if TYPE_CHECKING:
    from cdp.config_theory import Learner

_AT_ONCE = 1 << 20
_MANY = 10**15
"""What stands for the limit: its average is the mean to seven digits."""
MOST_WORK = 4_000_000_000
"""Draws times samples times coordinates that adversarial-logistic may be asked for."""


def simulate(
    problem: Problem,
    synthetic: Synthetic,
    n: float,
    learner: Learner,
    *,
    draws: int = 200,
    seed: int | tuple[int, ...] = 0,
    ridge: float = 1e-3,
) -> Interval:
    """Mean robust accuracy of ``draws`` trainings on n samples each, with its 95 % t interval; Interval.n is the number of draws.

    n: whole, or math.inf for the limit. ridge: of adversarial-logistic, in units of the synthetic noise. Memory does not grow with n, but for
    adversarial-logistic, which needs the samples: n times d up to 10^7. Raises InputError for more, and as ``expected`` does.
    """
    from scipy.special import stdtrit

    values = scores(problem, synthetic, n, learner, draws=draws, seed=seed, ridge=ridge)
    value = float(values.mean())
    half = float(stdtrit(draws - 1, 0.975)) * float(values.std(ddof=1)) / math.sqrt(draws)
    return Interval(value, max(0.0, value - half), min(1.0, value + half), draws)


def scores(
    problem: Problem,
    synthetic: Synthetic,
    n: float,
    learner: Learner,
    *,
    draws: int,
    seed: int | tuple[int, ...],
    ridge: float = 1e-3,
) -> Floats:
    """Exact robust accuracy of each of the drawn classifiers, (draws,). Arguments as in ``simulate``."""
    from scipy.special import ndtr

    found = [
        margins(w, problem.mu, sigma=problem.sigma, epsilon=problem.epsilon, norm=problem.norm)
        for w in weights(problem, synthetic, n, learner, draws=draws, seed=seed, ridge=ridge)
    ]
    return np.asarray(ndtr(np.concatenate(found)))


def weights(
    problem: Problem,
    synthetic: Synthetic,
    n: float,
    learner: Learner,
    *,
    draws: int,
    seed: int | tuple[int, ...],
    ridge: float = 1e-3,
) -> Iterator[Floats]:
    """Blocks (b, d) of learned weights, ``draws`` rows in all. Arguments as in ``simulate``."""
    checked(problem, synthetic, learner)
    if not isinstance(draws, int) or draws < 2:
        raise InputError(f"draws is {draws!r}: pass a whole number of 2 or more")
    count = int(min(checks.sample_count(n), _MANY))
    rng = np.random.default_rng(seed)
    if learner == "adversarial-logistic":
        yield from _trained(problem, synthetic, count, draws, rng, ridge)
        return
    block = max(1, _AT_ONCE // problem.dim)
    for start in range(0, draws, block):
        w = _averages(synthetic, count, min(block, draws - start), rng)
        yield soft_threshold(w, problem.epsilon) if learner == "linf-threshold" else w


def _averages(synthetic: Synthetic, n: int, rows: int, rng: np.random.Generator) -> Floats:
    """Averages of n samples times labels, (rows, d), by their exact distribution: no sample is drawn."""
    r, tau = synthetic.correlation, synthetic.noise / math.sqrt(n)
    noise = rng.standard_normal((rows, len(synthetic.mean)), dtype=np.float32).astype(np.float64)
    noise *= tau * math.sqrt(1 - r)
    if r:
        noise += tau * math.sqrt(r) * rng.standard_normal((rows, 1))
    if not synthetic.label_noise:
        return np.asarray(noise + synthetic.mean)
    right = 1 - 2 * rng.binomial(n, synthetic.label_noise, rows) / n
    return np.asarray(noise + right[:, None] * synthetic.mean)


def _trained(problem: Problem, synthetic: Synthetic, n: int, draws: int, rng: np.random.Generator, ridge: float) -> Iterator[Floats]:
    room(n, problem.dim)
    if draws * n * problem.dim > MOST_WORK:
        raise InputError(f"draws: {draws} trainings on {n:,} samples of {problem.dim:,} coordinates take too long: lower draws, n or dim")
    for _ in range(draws):
        z = samples(synthetic, n, rng) / synthetic.noise
        yield fit(z, epsilon=problem.epsilon / synthetic.noise, norm=problem.norm, ridge=ridge).weights[None]


def samples(synthetic: Synthetic, n: int, rng: np.random.Generator) -> Floats:
    """n synthetic samples times their labels, flipped ones included: (n, d)."""
    r = synthetic.correlation
    noise = rng.standard_normal((n, len(synthetic.mean))) * (synthetic.noise * math.sqrt(1 - r))
    if r:
        noise += synthetic.noise * math.sqrt(r) * rng.standard_normal((n, 1))
    right = np.where(rng.random((n, 1)) < synthetic.label_noise, -1.0, 1.0)
    return np.asarray(noise + right * synthetic.mean)
