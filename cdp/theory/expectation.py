"""Expected robust accuracy of a learner on n synthetic samples, exact where there is an exact form,
else by the large-d formula, each by name; and how many samples a target takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from cdp.errors import InputError
from cdp.theory import angles, large_d
from cdp.theory.model import (
    Floats,
    Ints,
    Problem,
    Synthetic,
    margins,
    number,
    sample_count,
    soft_threshold,
)

if TYPE_CHECKING:
    from cdp.config.theory import Learner

Kind = Literal["exact", "asymptotic"]
LEARNERS: tuple[Learner, ...] = (
    "averaging",
    "linf-threshold",
    "l2-optimal",
    "adversarial-logistic",
)
_MANY = 1e15
"""What stands for the limit where weights stay random at every n."""
_LOWEST, _HIGHEST, _PER_DECADE, _EACH, _NEAR = -6, 12, 8, 40, 0.1
"""Where the n of a target is looked for: from and to, in decades about the n at which |m| sqrt(n) /
s is 1, and how finely; under label noise every n up to 40; and how far from what a law says."""
_AT_ONCE, _FEW = 16, 64
"""Values of n that are looked at together, and of F that are summed one by one."""


@dataclass(frozen=True)
class Expectation:
    """Expected robust accuracy, 0 to 1, over the learner's random samples. kind: "exact" up to
    quadrature (below 1e-6), or "asymptotic" in d."""

    value: float
    kind: Kind


@dataclass(frozen=True, eq=False)
class Cases:
    """M synthetic distributions of one problem: case j has the mean ``coefficients[j] @ basis`` and
    n[j] samples. basis: (B, d); coefficients: (M, B); n: (M,) real numbers of 1 or more, or
    infinity; noise, label_noise: as in Synthetic."""

    problem: Problem
    basis: Floats
    coefficients: Floats
    n: Floats
    noise: float
    label_noise: float = 0.0

    @classmethod
    def of(cls, problem: Problem, synthetic: Synthetic, n: Sequence[float] | Floats) -> Cases:
        """One distribution at several n."""
        count = np.asarray(n, np.float64)
        basis, ones = synthetic.mean[None], np.ones((len(count), 1))
        return cls(problem, basis, ones, count, synthetic.noise, synthetic.label_noise)

    def rows(self, which: Floats | np.ndarray) -> Cases:
        return replace(self, coefficients=self.coefficients[which], n=self.n[which])


def expected(
    problem: Problem, synthetic: Synthetic, n: float, learner: Learner
) -> Expectation | None:
    """Expected robust accuracy of this learner on n samples; n = math.inf is the limit.

    None where there is no formula: adversarial-logistic on finitely many samples, and in the limit
    under label noise. Raises InputError for unknown learners, a mean that does not fit mu, and
    linf-threshold under an l2 budget.
    """
    require_fit(problem, synthetic, learner)
    count = sample_count(n)
    if kind_of(problem, count, learner, synthetic.label_noise) is None:
        return None
    values, kind = expected_cases(Cases.of(problem, synthetic, [count]), learner)
    return Expectation(float(values[0]), kind)


def expected_cases(cases: Cases, learner: Learner) -> tuple[Floats, Kind]:
    """Expected robust accuracy in every case (M,), and how it was found: "asymptotic" where one of
    them is. Only for learners with a formula (see kind_of)."""
    problem = cases.problem
    if learner in ("averaging", "l2-optimal"):
        # A mean of 0, or labels of which half are flipped, leave an average that is random at every
        # n: its limit is that of a very large n.
        lost = (cases.label_noise == 0.5) | ~(cases.coefficients @ cases.basis).any(axis=1)
        cases = replace(cases, n=np.where(np.isinf(cases.n) & lost, _MANY, cases.n))
    limit = np.isinf(cases.n)
    values = np.empty(len(cases.n))
    kind: Kind = "exact"
    if limit.any():
        values[limit] = _limits(cases.rows(limit), learner)
    if not limit.all():
        finite = cases.rows(~limit)
        finite_kind = kind_of(problem, float(finite.n[0]), learner, cases.label_noise)
        if finite_kind is None:
            raise InputError(
                f"learner: {learner} has no formula for finitely many samples: simulate it"
            )
        kind = finite_kind
        values[~limit] = _averaged(finite, learner, exact=kind == "exact")
    return values, kind


def kind_of(problem: Problem, n: float, learner: Learner, label_noise: float) -> Kind | None:
    """How the expectation is found, None where it cannot be."""
    if learner == "adversarial-logistic":
        return "exact" if math.isinf(n) and not label_noise else None
    # Without a budget the norms agree, and in one dimension both budgets move x by the same amount.
    alike = problem.norm == "l2" or problem.epsilon == 0 or problem.dim == 1
    if math.isinf(n) or (alike and (learner != "linf-threshold" or problem.epsilon == 0)):
        return "exact"
    return "asymptotic"


def require_fit(problem: Problem, synthetic: Synthetic, learner: str) -> None:
    """Raises InputError where these three do not go together."""
    if learner not in LEARNERS:
        raise InputError(f"learner {learner!r} is unknown: choose {', '.join(LEARNERS)}")
    if learner == "linf-threshold" and problem.norm == "l2":
        raise InputError(
            "learner: linf-threshold thresholds at an l_inf budget: choose norm linf, or the"
            " learner l2-optimal"
        )
    if len(synthetic.mean) != problem.dim:
        raise InputError(
            f"mean has {len(synthetic.mean)} coordinates where mu has {problem.dim}: give both the"
            " same"
        )


def _limits(cases: Cases, learner: Learner) -> Floats:
    """Weights without spread: the mean, or its soft threshold."""
    from scipy.special import ndtr

    problem = cases.problem
    weights = cases.coefficients @ cases.basis * (1 - 2 * cases.label_noise)
    if problem.norm == "linf" and learner in ("linf-threshold", "adversarial-logistic"):
        weights = soft_threshold(weights, problem.epsilon)
    if problem.norm == "l2" and learner == "adversarial-logistic":
        # Its loss rises in every direction where the budget covers the mean, so it learns nothing.
        weights = weights * (np.linalg.norm(weights, axis=1) > problem.epsilon)[:, None]
    return np.asarray(ndtr(margins(weights, problem)))


def _averaged(cases: Cases, learner: Learner, *, exact: bool) -> Floats:
    """Given the share F of right labels less that of flipped ones, the average of n samples is N(F
    m, s^2/n I) (docs/theory.md, 4); over F it is summed."""
    problem = cases.problem
    case, share, weight = _label_shares(cases)
    spread = cases.noise / np.sqrt(cases.n[case])
    coefficients = cases.coefficients[case] * share[:, None]
    if not exact:
        threshold = problem.epsilon if learner == "linf-threshold" else 0.0
        values = large_d.averaged(problem, cases.basis, coefficients, spread, threshold=threshold)
        return np.asarray(np.bincount(case, values * weight), np.float64)
    length, size = _lengths(cases.basis, coefficients), float(np.linalg.norm(problem.mu))
    along = coefficients @ (cases.basis @ problem.mu) / (size or 1.0)
    cosine = np.divide(along, length, out=np.ones_like(along), where=length > 0)
    values = angles.direction_expectation(
        problem.dim,
        length / spread,
        np.clip(cosine, -1, 1),
        gain=problem.gain,
        toll=problem.epsilon / problem.sigma,
    )
    return np.asarray(np.bincount(case, values * weight), np.float64)


def _lengths(basis: Floats, coefficients: Floats) -> Floats:
    """Of the means, (M,)."""
    squares = np.einsum("mi,ij,mj->m", coefficients, basis @ basis.T, coefficients)
    return np.sqrt(np.maximum(squares, 0.0))


def _label_shares(cases: Cases) -> tuple[Ints, Floats, Floats]:
    """Values of F with their weights, one after the other: case numbers, F, weights (K,)."""
    count, rho = len(cases.n), cases.label_noise
    if rho == 0:
        return np.arange(count), np.ones(count), np.ones(count)
    lengths = _lengths(cases.basis, cases.coefficients)
    rules = [
        _label_nodes(float(n), rho, steepness(cases.problem, length / cases.noise, rho))
        for n, length in zip(cases.n, lengths, strict=True)
    ]
    case = np.repeat(np.arange(count), [len(values) for values, _ in rules])
    return (
        case,
        np.concatenate([values for values, _ in rules]),
        np.concatenate([weights for _, weights in rules]),
    )


def steepness(problem: Problem, ratio: float, rho: float) -> float:
    """How much accuracy changes within a standard deviation of F, rounded up to tenths. ratio:
    |m|/s."""
    moved = 2 * math.sqrt(rho * (1 - rho) / problem.dim) * ratio
    return math.ceil(10 * moved * max(1.0, problem.gain)) / 10


@lru_cache(maxsize=4096)
def _label_nodes(n: float, rho: float, steep: float) -> tuple[Floats, Floats]:
    """F = 1 - 2B/n, B ~ Binomial(n, rho): every count where they are few; else Gauss quadrature
    from the recurrence of the Krawtchouk polynomials (Koekoek, Lesky and Swarttouw 2010, 9.11;
    Golub and Welsch 1969); where accuracy is too steep for that, counts in equal steps."""
    from scipy.linalg import eigh_tridiagonal
    from scipy.stats import binom

    n = round(min(n, _MANY))
    count = 8 + math.ceil(10 * steep)
    if n > _FEW and steep <= 1:
        k = np.arange(count, dtype=np.float64)
        # Of (B - n rho)/n, so that large n lose no digits.
        squares = k[1:] * rho * (1 - rho) * (n - k[1:] + 1)
        points, vectors = eigh_tridiagonal(k * (1 - 2 * rho) / n, np.sqrt(squares) / n)
        return 1 - 2 * rho - 2 * points, np.square(vectors[0])
    spread = math.sqrt(n * rho * (1 - rho))
    stride = max(1.0, math.floor(spread * max(0.01, min(0.8, 0.8 / max(steep, 1e-9)))))
    low = max(0.0, math.floor(n * rho - angles.REACH * spread) - 8)
    high = min(n, math.ceil(n * rho + angles.REACH * spread) + 8)
    counts = np.arange(low, high + 1, stride)
    weights = binom.pmf(counts, n, rho)
    return 1 - 2 * counts / n, weights / weights.sum()


def samples_needed(
    problem: Problem,
    synthetic: Synthetic,
    target: float,
    learner: Learner,
    *,
    near: float | None = None,
) -> float | None:
    """The first n at which the expected robust accuracy reaches ``target`` (0 < target < 1), as a
    real number; a whole one under label noise.

    Looked for from n (|m|/s)^2 = 10^-6 to 10^12 in eighths of decades, and under label noise at
    every n up to 40: a rise and fall between two of these is missed. None where no n reaches it;
    the least n that is looked at where less would do: below 1 a single sample is more than enough.
    For learners that average it obeys the c-squared law: twice the separation |m|/s at the same
    direction needs a quarter of the samples (exactly without label noise, and approached for many
    samples with it). near: what the law says, looked at first. Raises InputError as ``expected``
    does, and for adversarial-logistic, which has no formula.
    """
    require_fit(problem, synthetic, learner)
    if not 0 < number("target", target) < 1:
        raise InputError(f"target is {target:g}: pass a robust accuracy between 0 and 1")
    if learner == "adversarial-logistic":
        raise InputError(
            "learner: adversarial-logistic has no formula to solve for n: choose another, or"
            " simulate over n"
        )
    whole = synthetic.label_noise > 0

    def values(n: Floats) -> Floats:
        return expected_cases(Cases.of(problem, synthetic, n), learner)[0]

    if near is not None and near > 2 * _EACH:
        ends = near * np.array([1 - _NEAR, 1 + _NEAR])
        ends = np.round(ends) if whole else ends
        low, high = values(ends)
        if low < target <= high:
            return _crossing(values, float(ends[0]), float(ends[1]), target, whole=whole)
    grid = _counts(synthetic, whole=whole)
    for start in range(0, len(grid), _AT_ONCE):
        reached = np.flatnonzero(values(grid[start : start + _AT_ONCE]) >= target) + start
        if len(reached):
            first = int(reached[0])
            if first == 0:
                return float(grid[0])
            low, high = float(grid[first - 1]), float(grid[first])
            return _crossing(values, low, high, target, whole=whole)
    return None


def _crossing(
    values: Callable[[Floats], Floats], low: float, high: float, target: float, *, whole: bool
) -> float:
    """Where the target is reached between two n of which the second reaches it."""
    from scipy.optimize import brentq

    def short(exponent: float) -> float:
        return float(values(np.array([math.exp(exponent)]))[0]) - target

    ends = {math.log(low): -1.0, math.log(high): 1.0}  # rounding may turn the sign at an end

    def distance(exponent: float) -> float:
        return ends.get(exponent) or short(exponent)

    if not whole:
        return math.exp(brentq(distance, math.log(low), math.log(high), xtol=1e-9))
    while high - low > 1:
        middle = float(math.floor((low + high) / 2))
        reaches = values(np.array([middle]))[0] >= target
        low, high = (low, middle) if reaches else (middle, high)
    return high


def _counts(synthetic: Synthetic, *, whole: bool) -> Floats:
    ratio = float(np.linalg.norm(synthetic.mean)) / synthetic.noise
    unit = -2 * math.log10(ratio) if ratio > 0 else 0.0
    count = (_HIGHEST - _LOWEST) * _PER_DECADE + 1
    grid = 10 ** np.linspace(unit + _LOWEST, unit + _HIGHEST, count)
    if not whole:
        return np.asarray(grid)
    each = np.arange(1.0, _EACH + 1)
    return np.concatenate([each, np.unique(np.round(grid[(grid > _EACH) & (grid <= _MANY)]))])
