"""Large-d formula for averaged and for soft-thresholded weights, under either budget
(docs/theory.md, 6).

Given right labels and common factor the coordinates of w are independent, so the two sums that
robust accuracy depends on, A = sum_i (mu_i w_i - epsilon |w_i|) and Q = sum_i w_i^2, are jointly
Gaussian for many coordinates. Phi(A / (sigma sqrt(Q))) is then averaged with its argument expanded
to second order about the means. Asymptotic: exact in the limit of many coordinates that matter
alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cdp.theory.cases import Cases
from cdp.theory.checks import Floats
from cdp.theory.mixture import COARSE, affordable, factor_nodes, label_table

_AT_ONCE = 1 << 18
_MOST = 3_000_000
"""Coordinates of conditional Gaussians that one value may take."""


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
        h2 = h * h
        s2 = spread * spread
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
    found = [ndtr(-b), bell - b * ndtr(-b)]
    for k in range(2, 5):
        found.append((k - 1) * found[k - 2] - b * found[k - 1])
    return [np.maximum(part, 0.0) for part in found]


def averaged(cases: Cases, *, threshold: float) -> Floats:
    """Expected robust accuracy in every case (M,) of the average (threshold 0) or of its soft
    threshold. n must be finite."""
    (share, label_weight), (g, factor_weight) = _mixture(cases)
    shape = (len(cases), share.shape[1], len(g))
    values = np.empty(math.prod(shape))
    block = max(1, _AT_ONCE // len(cases.mu))
    own, common = (
        math.sqrt(part) * cases.spread for part in (1 - cases.correlation, cases.correlation)
    )
    for start in range(0, len(values), block):
        case, label, factor = np.unravel_index(
            np.arange(start, min(start + block, len(values))), shape
        )
        means = (
            cases.coefficients[case] @ cases.basis * share[case, label, None]
            + (common[case] * g[factor])[:, None]
        )
        values[start : start + block] = _given(cases, means, own[case, None], threshold)
    return np.asarray(np.einsum("ckg,ck,g->c", values.reshape(shape), label_weight, factor_weight))


def nodes(cases: Cases) -> int:
    """How many conditional Gaussians stand for one case."""
    (share, _), (g, _) = _mixture(cases)
    return share.shape[1] * len(g)


def _mixture(cases: Cases) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Right labels of every case and the common factor, each with its weights."""
    moved = 2 * math.sqrt(
        cases.label_noise
        * (1 - cases.label_noise)
        * float(cases.dot(cases.means, cases.means).max())
        / cases.problem.dim
    )
    gain = float(np.linalg.norm(cases.problem.mu)) / cases.problem.sigma
    labels, factor = (
        label_table(cases.n, cases.label_noise, moved / cases.noise, gain, COARSE),
        factor_nodes(cases.correlation, gain, COARSE),
    )
    affordable(labels[0].shape[1] * len(factor[0]) * len(cases.mu), _MOST)
    return labels, factor


def _given(cases: Cases, means: Floats, spread: Floats, threshold: float) -> Floats:
    """Independent coordinates N(means, spread^2): means (M, G), spread (M, 1) -> (M,)."""
    from scipy.special import ndtr

    problem, mu, counts = cases.problem, cases.mu, cases.counts
    flat = problem.epsilon if problem.norm == "linf" else 0.0
    toll = 0.0 if problem.norm == "linf" else problem.epsilon / problem.sigma
    s = moments(means, spread, threshold)
    gain = mu * s.first - flat * s.size
    mean_a, mean_q = gain @ counts, s.square @ counts
    var_a = (mu**2 * s.square - 2 * mu * flat * s.signed + flat**2 * s.square - gain**2) @ counts
    both = (mu * s.cube - flat * s.size_cube - gain * s.square) @ counts
    var_q = (s.fourth - s.square**2) @ counts
    with np.errstate(divide="ignore", invalid="ignore"):
        none = np.exp(np.log(s.nothing) @ counts) if threshold else np.zeros(len(means))
        if threshold:
            mean_a, mean_q, var_a, both, var_q = _given_something(
                none, mean_a, mean_q, var_a, both, var_q
            )
        root = problem.sigma * np.sqrt(mean_q)
        t = mean_a / root
        centre = t - both / (2 * root * mean_q) + 3 * t * var_q / (8 * mean_q**2)
        variance = var_a / root**2 - t * both / (root * mean_q) + t**2 * var_q / (4 * mean_q**2)
        value = ndtr((centre - toll) / np.sqrt(1 + np.maximum(variance, 0.0)))
    return np.asarray(
        np.where(none < 1, none / 2 + (1 - none) * np.nan_to_num(value, nan=0.5), 0.5)
    )


def _given_something(
    none: Floats, mean_a: Floats, mean_q: Floats, var_a: Floats, both: Floats, var_q: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """The same moments of the two sums given that w is not 0, whose probability is 1 - none."""
    some = 1 - none
    a, q = mean_a / some, mean_q / some
    return (
        a,
        q,
        (var_a + mean_a**2) / some - a**2,
        (both + mean_a * mean_q) / some - a * q,
        (var_q + mean_q**2) / some - q**2,
    )
