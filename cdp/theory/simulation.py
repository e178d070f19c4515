"""Simulated robust accuracy: learned weights are drawn, and each is scored by the exact closed
form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from cdp.config.theory import TRAINED, Learner
from cdp.errors import InputError
from cdp.theory.expectation import require_count, require_fit
from cdp.theory.logistic import fit, require_room
from cdp.theory.model import Floats, Problem, Synthetic, best_accuracy, margins, soft_threshold
from cdp.values.types import Interval

Seed = int | tuple[int, ...]
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
    seed: Seed = 0,
    ridge: float = 1e-3,
    report: Callable[[float], None] = lambda share: None,
) -> Interval:
    """Mean robust accuracy of ``draws`` trainings on n samples each, with its 95 % interval;
    Interval.n is the number of draws.

    The interval is Student's t. Where nearly all draws are tied (``_tied``) it is widened by a
    bound that assumes no distribution, for t has next to no width there.

    n: whole, or math.inf for the limit. ridge: of adversarial-logistic, in units of the synthetic
    noise. Memory does not grow with n, but for adversarial-logistic, which needs the samples: n
    times d up to 10^7. report: called with the share of trainings done. Raises InputError for more,
    and as ``expected`` does.
    """
    from scipy.special import ndtr, stdtrit

    scores = np.empty(0)
    for w in weights(problem, synthetic, n, learner, draws=draws, seed=seed, ridge=ridge):
        scores = np.append(scores, margins(w, problem))
        report(len(scores) / draws)
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
    seed: Seed,
    ridge: float = 1e-3,
) -> Iterator[Floats]:
    """Blocks (b, d) of learned weights, ``draws`` rows in all. Arguments as in ``simulate``."""
    require_fit(problem, synthetic, learner)
    require_count(n)
    if draws < 2:
        raise InputError(f"draws is {draws}: pass 2 or more")
    rng, dim = np.random.default_rng(seed), problem.dim
    if learner == TRAINED:
        require_room(n, dim)
        if draws * n * dim > MOST_WORK:
            raise InputError(
                f"draws: {draws} trainings on {n:,} samples of {dim:,} coordinates take too long:"
                " lower draws, n or dim"
            )
        epsilon = problem.epsilon / synthetic.noise
        for _ in range(draws):
            z = synthetic.mean / synthetic.noise + rng.standard_normal((int(n), dim))
            yield fit(z, epsilon=epsilon, norm=problem.norm, ridge=ridge)[None]
        return
    # The average of n samples times their labels is N(m, s^2/n I), so no sample is drawn.
    spread, block = synthetic.noise / math.sqrt(min(n, _MANY)), max(1, _AT_ONCE // dim)
    for start in range(0, draws, block):
        shape = (min(block, draws - start), dim)
        noise = rng.standard_normal(shape, dtype=np.float32).astype(np.float64)
        w = synthetic.mean + spread * noise
        yield soft_threshold(w, problem.epsilon) if learner == "linf-threshold" else w
