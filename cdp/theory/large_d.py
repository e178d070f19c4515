"""Large-d formula for averaged and for soft-thresholded weights, under either budget
(docs/theory.md, 6).

The coordinates of w are independent, so the two sums that robust accuracy depends on, A = sum_i
(mu_i w_i - epsilon |w_i|) and Q = sum_i w_i^2, are jointly Gaussian for many coordinates. Phi(A /
(sigma sqrt(Q))) is then averaged with its argument expanded to second order about the means.
Asymptotic: exact in the limit of many coordinates that matter alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cdp.theory.model import Floats, Problem

_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Moments:
    """Of S = S_t(w), w ~ N(m, tau^2), coordinate by coordinate: E S, E|S|, E S^2, E S|S|, E S^3,
    E|S|^3, E S^4, and P(S = 0)."""

    first: Floats
    size: Floats
    square: Floats
    signed: Floats
    cube: Floats
    size_cube: Floats
    fourth: Floats
    nothing: Floats


def moments(mean: Floats, spread: Floats, threshold: float) -> Moments:
    """mean, spread: broadcastable arrays, spread above 0; threshold: t >= 0, 0 leaves w as it is.
    Exact (folded and truncated normal)."""
    from scipy.special import ndtr

    h = mean / spread
    if threshold == 0:
        tail, bell = 2 * ndtr(h) - 1, 2 * np.exp(-np.square(h) / 2) / math.sqrt(2 * math.pi)
        h2, s2 = h * h, spread * spread
        return Moments(
            mean,
            spread * (bell + h * tail),
            s2 * (h2 + 1),
            s2 * ((h2 + 1) * tail + h * bell),
            s2 * spread * h * (h2 + 3),
            s2 * spread * (h * (h2 + 3) * tail + (h2 + 2) * bell),
            s2 * s2 * (h2 * h2 + 6 * h2 + 3),
            np.zeros_like(h),
        )
    up, down = _beyond(threshold / spread - h), _beyond(threshold / spread + h)
    total = [spread**k * (u + v) for k, (u, v) in enumerate(zip(up, down, strict=True))]
    signed = [spread**k * (u - v) for k, (u, v) in enumerate(zip(up, down, strict=True))]
    return Moments(
        signed[1],
        total[1],
        total[2],
        signed[2],
        signed[3],
        total[3],
        total[4],
        np.clip(1 - total[0], 0.0, 1.0),
    )


def _beyond(b: Floats) -> list[Floats]:
    """E (z - b)_+^k for z ~ N(0, 1) and k = 0..4, the power 0 being P(z > b)."""
    from scipy.special import ndtr

    bell = np.exp(-np.square(b) / 2) / math.sqrt(2 * math.pi)
    powers = [ndtr(-b), bell - b * ndtr(-b)]
    for k in range(2, 5):
        powers.append((k - 1) * powers[k - 2] - b * powers[k - 1])
    return [np.maximum(power, 0.0) for power in powers]


def averaged(
    problem: Problem, basis: Floats, coefficients: Floats, spread: Floats, *, threshold: float
) -> Floats:
    """Expected robust accuracy (M,) of w ~ N(coefficients @ basis, spread^2 I) (threshold 0), or of
    its soft threshold. basis: (B, d); coefficients: (M, B); spread: (M,), above 0."""
    mu, columns, counts = _alike(problem.mu, basis)
    values = np.empty(len(coefficients))
    block = max(1, _AT_ONCE // len(counts))
    for start in range(0, len(values), block):
        part = slice(start, start + block)
        means = coefficients[part] @ columns
        values[part] = _expected(problem, mu, counts, means, spread[part, None], threshold)
    return values


def _alike(mu: Floats, basis: Floats) -> tuple[Floats, Floats, Floats]:
    """Coordinates that are alike in mu and in every mean are counted, not repeated: mu (G,), basis
    (B, G), and how many there are of each (G,)."""
    columns, counts = np.unique(np.vstack([mu, basis]), axis=1, return_counts=True)
    return columns[0], columns[1:], counts.astype(np.float64)


def _expected(
    problem: Problem, mu: Floats, counts: Floats, means: Floats, spread: Floats, threshold: float
) -> Floats:
    """mu, counts: (G,); means: (M, G); spread: (M, 1) -> (M,)."""
    from scipy.special import ndtr

    flat = problem.epsilon if problem.norm == "linf" else 0.0
    toll = 0.0 if problem.norm == "linf" else problem.epsilon / problem.sigma
    s = moments(means, spread, threshold)
    gain = mu * s.first - flat * s.size
    a, q = gain @ counts, s.square @ counts
    var_a = (mu**2 * s.square - 2 * mu * flat * s.signed + flat**2 * s.square - gain**2) @ counts
    both = (mu * s.cube - flat * s.size_cube - gain * s.square) @ counts
    var_q = (s.fourth - s.square**2) @ counts
    with np.errstate(divide="ignore", invalid="ignore"):
        none = np.exp(np.log(s.nothing) @ counts) if threshold else np.zeros(len(means))
        if threshold:  # the same moments given that w is not 0
            some, a0, q0 = 1 - none, a, q
            a, q = a0 / some, q0 / some
            var_a = (var_a + a0**2) / some - a**2
            both = (both + a0 * q0) / some - a * q
            var_q = (var_q + q0**2) / some - q**2
        root = problem.sigma * np.sqrt(q)
        t = a / root
        centre = t - both / (2 * root * q) + 3 * t * var_q / (8 * q**2)
        variance = var_a / root**2 - t * both / (root * q) + t**2 * var_q / (4 * q**2)
        value = ndtr((centre - toll) / np.sqrt(1 + np.maximum(variance, 0.0)))
    value = np.nan_to_num(value, nan=0.5)
    return np.where(none < 1, none / 2 + (1 - none) * value, 0.5)
