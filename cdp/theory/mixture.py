"""Two scalars that make synthetic averages anything but isotropic Gaussians: the share of right labels, and the common factor of correlated noise.

Given both, the average of n samples is N(F m + sqrt(r) tau g 1, (1-r) tau^2 I) with tau = s/sqrt(n), exactly (docs/theory.md, 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cdp.theory.checks import Floats


@dataclass(frozen=True)
class Rule:
    """Sums in equal steps: standard deviations that they reach to on either side, and the widest step in them."""

    reach: float
    widest: float


FINE, COARSE = Rule(7.0, 0.8), Rule(5.0, 1.2)
"""To 1e-9 and to 1e-5, for integrands that are smooth at that scale; sharper ones get smaller steps."""


@lru_cache(maxsize=4096)
def label_nodes(n: float, rho: float, sharpness: float, rule: Rule = FINE) -> tuple[Floats, Floats]:
    """Quadrature for F = 1 - 2B/n, B ~ Binomial(n, rho): nodes and weights. rho = 0, and the limit of large n, give one node.

    sharpness: over one standard deviation of F, how much the integrand's argument moves in units of what it takes to change it. A smooth
    integrand gets Gauss quadrature of the binomial distribution, from the recurrence of the Krawtchouk polynomials (Koekoek, Lesky and
    Swarttouw 2010, 9.11; Golub and Welsch 1969); a sharp one the sum over every count, or every so many counts where they are dense.
    """
    if rho == 0 or (n == math.inf and rho < 0.5):
        return np.array([1 - 2 * rho]), np.ones(1)
    n = min(n, 1e15)
    return (
        _krawtchouk(n, rho, 6) if sharpness < 0.2 and n > 8 else _binomial(n, rho, min(rule.widest, 0.4 / max(sharpness, 1e-9)), rule.reach)
    )


def _krawtchouk(n: float, rho: float, count: int) -> tuple[Floats, Floats]:
    from scipy.linalg import eigh_tridiagonal

    k = np.arange(count, dtype=np.float64)
    # Of (B - n rho)/n, so that large n lose no digits.
    diagonal = k * (1 - 2 * rho) / n
    beside = np.sqrt(k[1:] * rho * (1 - rho) * (n - k[1:] + 1)) / n
    nodes, vectors = eigh_tridiagonal(diagonal, beside)
    return 1 - 2 * rho - 2 * nodes, np.square(vectors[0])


def _binomial(n: float, rho: float, pace: float, reach: float) -> tuple[Floats, Floats]:
    """Counts within reach, ``pace`` standard deviations apart at most: a trapezoidal sum, and the whole one where they are 1 apart."""
    from scipy.stats import binom

    spread = math.sqrt(n * rho * (1 - rho))
    stride = max(1.0, math.floor(pace * spread))
    low, high = max(0.0, math.floor(n * rho - reach * spread) - 8), min(n, math.ceil(n * rho + reach * spread) + 8)
    counts = np.arange(low, high + 1, stride)
    weights = binom.pmf(counts, n, rho)
    return 1 - 2 * counts / n, weights / weights.sum()


@lru_cache(maxsize=64)
def factor_nodes(correlation: float, rule: Rule = FINE) -> tuple[Floats, Floats]:
    """Quadrature for the common factor g ~ N(0, 1): nodes and weights; the one node 0 without correlation.

    g moves the mean by sqrt(r/(1-r)) g in units of the other noise: Gauss-Hermite where that is little, else equal steps that resolve it.
    """
    if correlation == 0:
        return np.zeros(1), np.ones(1)
    from scipy.special import roots_hermitenorm

    sharpness = math.sqrt(correlation / (1 - correlation))
    if sharpness < 0.2:
        nodes, weights = roots_hermitenorm(12)
    else:
        pace = min(rule.widest, 0.4 / sharpness)
        nodes = np.arange(-rule.reach, rule.reach + pace, pace)
        weights = np.exp(-np.square(nodes) / 2)
    return nodes, weights / weights.sum()


@lru_cache(maxsize=64)
def legendre(count: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre quadrature on [-1, 1]: nodes and weights (count,)."""
    return np.polynomial.legendre.leggauss(count)


def label_table(n: Floats, rho: float, sharpness: float, rule: Rule = FINE) -> tuple[Floats, Floats]:
    """``label_nodes`` of every n (M,), padded with weight 0: nodes and weights (M, k)."""
    found = [label_nodes(float(each), rho, sharpness, rule) for each in n]
    width = max(len(nodes) for nodes, _ in found)
    share, weight = np.ones((len(found), width)), np.zeros((len(found), width))
    for row, (nodes, weights) in enumerate(found):
        share[row, : len(nodes)], weight[row, : len(nodes)] = nodes, weights
    return share, weight
