"""Simulated robust accuracy: learned weights are drawn, and each is scored by the exact closed
form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from cdp.errors import InputError
from cdp.theory.expectation import require_fit
from cdp.theory.logistic import fit, require_room
from cdp.theory.model import (
    Floats,
    Problem,
    Synthetic,
    best_accuracy,
    margins,
    sample_count,
    soft_threshold,
)
from cdp.values.types import Interval

if TYPE_CHECKING:
    from cdp.config.theory import Learner

_AT_ONCE = 1 << 20
_MANY = 10**15
"""What stands for the limit: its average is the mean to seven digits."""
_FEW = 10
"""Draws that differ from the rest, below which their mean is too skewed for the t interval."""
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
    report: Callable[[float], None] | None = None,
) -> Interval:
    """Mean robust accuracy of ``draws`` trainings on n samples each, with its 95 % interval;
    Interval.n is the number of draws.

    The interval is Student's t. Where nearly all draws are tied (``_tied``) it is widened by a
    bound that assumes no distribution, for t has next to no width there.

    n: whole, or math.inf for the limit. ridge: of adversarial-logistic, in units of the synthetic
    noise. Memory does not grow with n, but for adversarial-logistic, which needs the samples: n
    times d up to 10^7. report: called with the share of trainings done, after each block of them
    (adversarial-logistic: each training). Raises InputError for more, for a seed that is no whole
    number of 0 or more, and as ``expected`` does.
    """
    from scipy.special import ndtr, stdtrit

    drawn = weights(
        problem, synthetic, n, learner, draws=draws, seed=seed, ridge=ridge, report=report
    )
    scores = np.concatenate([margins(w, problem) for w in drawn])
    values = np.asarray(ndtr(scores))
    value = float(values.mean())
    half = float(stdtrit(draws - 1, 0.975)) * float(values.std(ddof=1)) / math.sqrt(draws)
    low, high = value - half, value + half
    if not math.isinf(n):  # in the limit, draws are tied because nothing is left to chance
        least, most = _tied(scores, best_accuracy(problem)) or (low, high)
        low, high = min(low, least), max(high, most)
    return Interval(value, max(0.0, low), min(1.0, high), draws)


def _tied(scores: Floats, best: float) -> tuple[float, float] | None:
    """Bounds on the mean accuracy where fewer than ten margins (draws,), and fewer than half,
    differ from the most common; None elsewhere.

    The share that differs is p at most (Clopper and Pearson 1934, 95 %), and what differs has an
    accuracy between 0 and ``best``, which no classifier exceeds. Margins are compared, since
    accuracies near 0 and 1 are tied by rounding alone.
    """
    from scipy.special import betaincinv, ndtr

    kinds, counts = np.unique(scores, return_counts=True)
    common, others = float(ndtr(kinds[counts.argmax()])), int(len(scores) - counts.max())
    if others >= min(_FEW, len(scores) / 2):
        return None
    p = float(betaincinv(others + 1, len(scores) - others, 0.975))
    return common - p * common, common + p * max(0.0, best - common)


def weights(
    problem: Problem,
    synthetic: Synthetic,
    n: float,
    learner: Learner,
    *,
    draws: int,
    seed: int | tuple[int, ...],
    ridge: float = 1e-3,
    report: Callable[[float], None] | None = None,
) -> Iterator[Floats]:
    """Blocks (b, d) of learned weights, ``draws`` rows in all. Arguments as in ``simulate``."""
    require_fit(problem, synthetic, learner)
    if not isinstance(draws, int) or draws < 2:
        raise InputError(f"draws is {draws!r}: pass a whole number of 2 or more")
    done = 0
    for block in _blocks(
        problem,
        synthetic,
        int(min(sample_count(n), _MANY)),
        learner,
        draws,
        _generator(seed),
        ridge,
    ):
        done += len(block)
        if report:
            report(done / draws)
        yield block


def _generator(seed: int | tuple[int, ...]) -> np.random.Generator:
    parts = seed if isinstance(seed, tuple) else (seed,)
    if not parts or any(not isinstance(part, int | np.integer) or part < 0 for part in parts):
        raise InputError(f"seed is {seed!r}: pass a whole number of 0 or more, or a tuple of them")
    return np.random.default_rng(seed)


def _blocks(
    problem: Problem,
    synthetic: Synthetic,
    n: int,
    learner: Learner,
    draws: int,
    rng: np.random.Generator,
    ridge: float,
) -> Iterator[Floats]:
    if learner == "adversarial-logistic":
        yield from _trained(problem, synthetic, n, draws, rng, ridge)
        return
    block = max(1, _AT_ONCE // problem.dim)
    for start in range(0, draws, block):
        w = _averages(synthetic, n, min(block, draws - start), rng)
        yield soft_threshold(w, problem.epsilon) if learner == "linf-threshold" else w


def _averages(synthetic: Synthetic, n: int, rows: int, rng: np.random.Generator) -> Floats:
    """Averages of n samples times labels, (rows, d), by their exact distribution: no sample is
    drawn."""
    noise = rng.standard_normal((rows, len(synthetic.mean)), dtype=np.float32).astype(np.float64)
    noise *= synthetic.noise / math.sqrt(n)
    if not synthetic.label_noise:
        return np.asarray(noise + synthetic.mean)
    right = 1 - 2 * rng.binomial(n, synthetic.label_noise, rows) / n
    return np.asarray(noise + right[:, None] * synthetic.mean)


def _trained(
    problem: Problem,
    synthetic: Synthetic,
    n: int,
    draws: int,
    rng: np.random.Generator,
    ridge: float,
) -> Iterator[Floats]:
    require_room(n, problem.dim)
    if draws * n * problem.dim > MOST_WORK:
        raise InputError(
            f"draws: {draws} trainings on {n:,} samples of {problem.dim:,} coordinates take too"
            " long: lower draws, n or dim"
        )
    for _ in range(draws):
        z = samples(synthetic, n, rng) / synthetic.noise
        yield fit(
            z, epsilon=problem.epsilon / synthetic.noise, norm=problem.norm, ridge=ridge
        ).weights[None]


def samples(synthetic: Synthetic, n: int, rng: np.random.Generator) -> Floats:
    """n synthetic samples times their labels, flipped ones included: (n, d)."""
    noise = rng.standard_normal((n, len(synthetic.mean))) * synthetic.noise
    right = np.where(rng.random((n, 1)) < synthetic.label_noise, -1.0, 1.0)
    return np.asarray(noise + right * synthetic.mean)
