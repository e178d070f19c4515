"""Expected robust accuracy of a learner on n synthetic samples, exact where there is an exact form,
else by the large-d formula, each by name; and how many samples a target takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from cdp.config.theory import LEARNERS, TRAINED, Learner
from cdp.errors import InputError
from cdp.theory.model import Floats, Ints, Problem, Synthetic, margins, numbers, soft_threshold
from cdp.values.text import listed

Kind = Literal["exact", "asymptotic"]
_REACH = 7.0
"""Standard deviations that are integrated over on either side."""
_LARGEST = 1e7
"""Ratios |m| sqrt(n) / s above this are the limit to all digits shown."""
_AT_ONCE = 1 << 19
"""Values of an integrand that are held in memory at once."""


@dataclass(frozen=True)
class Expectation:
    """Expected robust accuracy, 0 to 1, over the learner's random samples. kind: "exact" up to
    quadrature (below 1e-6), or "asymptotic" in d."""

    value: float
    kind: Kind


def expected(
    problem: Problem, synthetic: Synthetic, n: float, learner: Learner
) -> Expectation | None:
    """Expected robust accuracy of this learner on n samples; n = math.inf is the limit.

    None for adversarial-logistic on finitely many samples, which has no formula. Raises InputError
    for unknown learners, n below 1, a mean that does not fit mu, and linf-threshold under an l2
    budget.
    """
    require_fit(problem, synthetic, learner)
    require_count(n)
    kind = kind_of(problem, n, learner)
    if kind is None:
        return None
    one = np.ones((1, 1))
    values = accuracies(problem, synthetic.mean[None], one, synthetic.noise, np.array([n]), learner)
    return Expectation(float(values[0]), kind)


def kind_of(problem: Problem, n: float, learner: Learner) -> Kind | None:
    """How the expectation is computed, None where it cannot be."""
    if math.isinf(n):
        return "exact"
    if learner == TRAINED:
        return None
    return "exact" if problem.norm == "l2" or problem.epsilon == 0 else "asymptotic"


def require_fit(problem: Problem, synthetic: Synthetic, learner: str) -> None:
    """Raises InputError where these three do not go together."""
    known = LEARNERS[problem.norm]
    if learner not in known:
        raise InputError(f"learner: {learner} is none under {problem.norm}: choose {listed(known)}")
    if len(synthetic.mean) != problem.dim:
        raise InputError(
            f"mean has {len(synthetic.mean)} coordinates where mu has {problem.dim}: give both the"
            " same"
        )


def require_count(n: object) -> None:
    """Raises InputError for anything but a whole number of samples, or infinity for the limit."""
    if n == math.inf:
        return
    count = numbers("n", n)
    if count.ndim or count < 1 or count != np.floor(count):
        raise InputError(f"n is {n}: pass a whole number of samples of 1 or more, or math.inf")


def accuracies(
    problem: Problem,
    basis: Floats,
    coefficients: Floats,
    noise: float,
    n: Floats,
    learner: Learner,
) -> Floats:
    """Expected robust accuracy of M synthetic distributions of one problem. basis: (B, d);
    coefficients: (M, B), case j has the mean ``coefficients[j] @ basis``; n: (M,) real numbers,
    all finite or all infinite. Only where ``kind_of`` gives a kind."""
    if np.isinf(n).all():
        return _limits(problem, coefficients @ basis, learner)
    spread = noise / np.sqrt(n)
    if kind_of(problem, 1, learner) == "asymptotic":
        threshold = problem.epsilon if learner == "linf-threshold" else 0.0
        return _large_d(problem, basis, coefficients, spread, threshold)
    means = coefficients @ basis
    length = np.linalg.norm(means, axis=1)
    cosine = means @ problem.mu / (length * np.linalg.norm(problem.mu))
    toll = problem.epsilon / problem.sigma
    return by_angle(problem.dim, length / spread, cosine, gain=problem.gain, toll=toll)


def _limits(problem: Problem, weights: Floats, learner: Learner) -> Floats:
    """Weights without spread: the mean, or the optimum for it."""
    from scipy.special import ndtr

    if problem.norm == "linf" and learner != "averaging":
        weights = soft_threshold(weights, problem.epsilon)
    if problem.norm == "l2" and learner == TRAINED:
        # Its loss rises in every direction where the budget covers the mean, so it learns nothing.
        weights = weights * (np.linalg.norm(weights, axis=1) > problem.epsilon)[:, None]
    return np.asarray(ndtr(margins(weights, problem)))


def by_angle(dim: int, delta: Floats, cosine: Floats, *, gain: float, toll: float) -> Floats:
    """E Phi(gain cos(w, u) - toll) for w ~ N(delta a, I_dim), a and u unit vectors with this cosine
    (docs/theory.md, 5).

    The angle phi of w to a has a density that depends on delta alone, which the cells of a map
    share; omega, the cosine between the parts of w and of u beside a, is independent of it.
    delta, cosine: (M,); gain, toll >= 0 -> (M,), to 1e-6 for gain up to 100.
    """
    from scipy.special import ndtr

    unique, which = np.unique(np.minimum(delta, _LARGEST), return_inverse=True)
    span = min(math.pi, 2 * _REACH / math.sqrt(dim - 1))
    phi, mass = angles(dim, unique, min(1000, math.ceil(44 + (20 + 4 * gain) * span)))
    omega, weight = _beside(dim, gain)
    values = np.empty(len(delta))
    block = max(1, _AT_ONCE // (phi.shape[1] * len(omega)))
    for start in range(0, len(delta), block):
        part = slice(start, start + block)
        at, turn = phi[which[part]], np.clip(cosine[part, None], -1, 1)
        level = gain * np.cos(at) * turn - toll
        swing = gain * np.sin(at) * np.sqrt(1 - turn**2)
        value = ndtr(level[..., None] + swing[..., None] * omega) @ weight
        values[part] = (mass[which[part]] * value).sum(axis=1)
    return values


def angles(dim: int, delta: Floats, count: int) -> tuple[Floats, Floats]:
    """Quadrature for the angle phi between w ~ N(delta a, I_dim) and a: delta (K,) -> nodes and
    weights (K, count), which add up to 1. The density in polar coordinates, proportional to
    rho^(d-1) sin^(d-2)(phi) exp(-((rho - delta cos phi)^2 + (delta sin phi)^2)/2), is summed over
    the length rho."""
    across, side = math.sqrt(dim - 1), delta[:, None]
    least = max(across - _REACH, 0.0)
    low = np.arctan2(least, side + _REACH)
    high = np.arctan2(np.where(side < _REACH, least, across + _REACH), side - _REACH)
    phi, weight = _gauss(low, high, count)
    length = np.hypot(side, across)
    rho, pace = _gauss(np.maximum(length - _REACH - 1, 0.0), length + _REACH + 1, 80)
    log = (dim - 2) * np.log(np.sin(phi)) - np.square(side * np.sin(phi)) / 2
    away = np.square(rho[:, None] - (side * np.cos(phi))[..., None]) / 2
    log = log[..., None] + (dim - 1) * np.log(rho / length)[:, None] - away
    log -= log.max(axis=(1, 2), keepdims=True)
    mass = weight * (np.exp(log) * pace[:, None]).sum(axis=2)
    return phi, mass / mass.sum(axis=1, keepdims=True)


@lru_cache(maxsize=16)
def _beside(dim: int, gain: float) -> tuple[Floats, Floats]:
    """Gauss quadrature for omega, one coordinate of a uniform unit vector in dim - 1 dimensions,
    whose density is proportional to (1 - omega^2)^((dim-4)/2). In two dimensions it is -1 or 1."""
    from scipy.special import roots_gegenbauer

    if dim == 2:
        return np.array([-1.0, 1.0]), np.full(2, 0.5)
    reach = min(math.pi / 2, _REACH / math.sqrt(dim - 2))
    omega, weight = roots_gegenbauer(min(300, math.ceil(8 + 4 * gain * reach)), (dim - 3) / 2)
    return omega, weight / weight.sum()


def _gauss(low: Floats, high: Floats, count: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights between ends (K, 1): (K, count)."""
    points, weights = _legendre(count)
    half = (high - low) / 2
    return low + half * (points + 1), half * weights


@lru_cache(maxsize=64)
def _legendre(count: int) -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(count)


def powers(mean: Floats, spread: Floats, threshold: float) -> tuple[list[Floats], list[Floats]]:
    """E |S|^k and E sign(S) |S|^k for k = 0..4 of S = S_t(w), w ~ N(mean, spread^2), coordinate by
    coordinate; threshold: t >= 0, 0 leaves w as it is; E |S|^0 is P(S is not 0). Exact (folded and
    truncated normal)."""
    from scipy.special import ndtr

    def beyond(b: Floats) -> list[Floats]:
        """E (z - b)_+^k for z ~ N(0, 1)."""
        bell, tail = np.exp(-np.square(b) / 2) / math.sqrt(2 * math.pi), ndtr(-b)
        result = [tail, bell - b * tail]
        for k in range(2, 5):
            result.append((k - 1) * result[k - 2] - b * result[k - 1])
        return [np.maximum(part, 0.0) for part in result]

    up, down = beyond((threshold - mean) / spread), beyond((threshold + mean) / spread)
    pairs = [(spread**k, u, v) for k, (u, v) in enumerate(zip(up, down, strict=True))]
    return [s * (u + v) for s, u, v in pairs], [s * (u - v) for s, u, v in pairs]


def _large_d(
    problem: Problem, basis: Floats, coefficients: Floats, spread: Floats, threshold: float
) -> Floats:
    """Averaged weights, or their soft threshold, under an l_inf budget (docs/theory.md, 6), where
    coordinates that are alike are counted, not repeated."""
    columns, counts = np.unique(np.vstack([problem.mu, basis]), axis=1, return_counts=True)
    values = np.empty(len(coefficients))
    block = max(1, _AT_ONCE // len(counts))
    for start in range(0, len(values), block):
        part = slice(start, start + block)
        means, own = coefficients[part] @ columns[1:], spread[part, None]
        values[part] = _by_moments(problem, columns[0], counts, means, own, threshold)
    return values


def _by_moments(
    problem: Problem, mu: Floats, counts: Ints, means: Floats, spread: Floats, threshold: float
) -> Floats:
    """A = sum_i (mu_i w_i - epsilon |w_i|) and Q = sum_i w_i^2 are jointly Gaussian for many
    coordinates; Phi(A / (sigma sqrt(Q))) is averaged with its argument expanded to second order.
    mu, counts: (G,); means: (M, G); spread: (M, 1) -> (M,)."""
    from scipy.special import ndtr

    flat = problem.epsilon
    size, signed = powers(means, spread, threshold)
    gain = mu * signed[1] - flat * size[1]
    a, q = gain @ counts, size[2] @ counts
    var_a = ((mu**2 + flat**2) * size[2] - 2 * mu * flat * signed[2] - gain**2) @ counts
    both = (mu * signed[3] - flat * size[3] - gain * size[2]) @ counts
    var_q = (size[4] - size[2] ** 2) @ counts
    none = np.zeros(len(means))
    with np.errstate(divide="ignore", invalid="ignore"):
        if threshold:  # the same moments given that w is not 0
            none = np.exp(np.log(np.clip(1 - size[0], 0.0, 1.0)) @ counts)
            some, a0, q0 = 1 - none, a, q
            a, q = a0 / some, q0 / some
            var_a = (var_a + a0**2) / some - a**2
            both = (both + a0 * q0) / some - a * q
            var_q = (var_q + q0**2) / some - q**2
        root = problem.sigma * np.sqrt(q)
        t = a / root
        centre = t - both / (2 * root * q) + 3 * t * var_q / (8 * q**2)
        variance = var_a / root**2 - t * both / (root * q) + t**2 * var_q / (4 * q**2)
        value = ndtr(centre / np.sqrt(1 + np.maximum(variance, 0.0)))
    return np.where(none < 1, none / 2 + (1 - none) * np.nan_to_num(value, nan=0.5), 0.5)


def samples_needed(
    problem: Problem, synthetic: Synthetic, target: float, learner: Learner
) -> float | None:
    """The first n at which the expected robust accuracy reaches ``target`` (0 < target < 1), as a
    real number.

    Looked for from n (|m|/s)^2 = 10^-6 to 10^12 in eighths of decades: a rise and fall between two
    of these is missed. None where no n reaches it; the least n that is looked at where less would
    do: below 1 a single sample is more than enough. For averages it obeys the c-squared law: twice
    the separation |m|/s in the same direction needs a quarter of the samples. Raises InputError as
    ``expected`` does, and for adversarial-logistic, which has no formula.
    """
    require_fit(problem, synthetic, learner)
    if not 0 < target < 1:
        raise InputError(f"target is {target:g}: pass a robust accuracy between 0 and 1")
    require_formula(learner, "samples needed")
    ratio = float(np.linalg.norm(synthetic.mean)) / synthetic.noise
    grid, basis = 10 ** np.linspace(-6, 12, 145) / ratio**2, synthetic.mean[None]
    for _ in range(8):  # each round looks 32 times closer
        ones = np.ones((len(grid), 1))
        values = accuracies(problem, basis, ones, synthetic.noise, grid, learner)
        reached = np.flatnonzero(values >= target)
        if not len(reached) and len(grid) > 33:
            return None
        first = int(reached[0]) if len(reached) else len(grid) - 1
        if first == 0:
            break
        grid = np.geomspace(grid[first - 1], grid[first], 33)
    return float(grid[0])


def require_formula(learner: str, what: str) -> None:
    """Raises InputError for the learner that has none."""
    if learner == TRAINED:
        raise InputError(
            f"learner: adversarial-logistic has no formula for {what}: choose averaging, or look at"
            " its simulated curve"
        )
