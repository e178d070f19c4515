"""Two scalars that make synthetic averages anything but isotropic Gaussians: the share of right
labels, and the common factor of correlated noise.

Given both, the average of n samples is N(F m + sqrt(r) tau g 1, (1-r) tau^2 I) with tau =
s/sqrt(n), exactly (docs/theory.md, 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cdp.errors import InputError
from cdp.theory.checks import Floats


@dataclass(frozen=True)
class Rule:
    """Sums in equal steps: standard deviations that they reach to on either side, the widest step
    in them, and the widest in units of what changes accuracy."""

    reach: float
    widest: float
    steep: float


FINE, COARSE = Rule(7.0, 0.8, 0.8), Rule(4.5, 1.2, 1.6)
"""To 1e-9 and to 1e-4, for integrands that are smooth at that scale; sharper ones get smaller
steps."""
_MOST = 2000
"""Steps of a sum. Where they are still too wide, accuracy is all but a step of its own, and a
thousandth of it may be missed."""
_SMOOTH = 0.2
"""Up to here a standard deviation changes the integrand so little that a few nodes are exact to
seven digits."""


@lru_cache(maxsize=4096)
def label_nodes(
    n: float, rho: float, moved: float, gain: float, rule: Rule = FINE
) -> tuple[Floats, Floats]:
    """Quadrature for F = 1 - 2B/n, B ~ Binomial(n, rho): nodes and weights. rho = 0, and the limit
    of large n, give one node.

    moved: by what angle a standard deviation of F turns the average; gain: how steep accuracy is in
    it, |mu|/sigma. A smooth integrand gets Gauss quadrature of the binomial distribution, from the
    recurrence of the Krawtchouk polynomials (Koekoek, Lesky and Swarttouw 2010, 9.11; Golub and
    Welsch 1969); a sharp one the sum over every count, or every so many counts where they are
    dense.
    """
    if rho == 0 or (n == math.inf and rho < 0.5):
        return np.array([1 - 2 * rho]), np.ones(1)
    n = min(n, 1e15)
    smooth = moved * max(1.0, gain) < _SMOOTH and n > 8
    return (
        _krawtchouk(n, rho, 6)
        if smooth
        else _binomial(n, rho, _pace(moved, gain, rule), rule.reach)
    )


def _pace(moved: float, gain: float, rule: Rule) -> float:
    """Standard deviations a step: what turns by ``moved`` is resolved, and so is an accuracy that
    is ``gain`` times as steep, up to _MOST steps."""
    return max(
        2 * rule.reach / _MOST,
        min(rule.widest, 0.4 / max(moved, 1e-9), rule.steep / max(moved * gain, 1e-9)),
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
    """Counts within reach, ``pace`` standard deviations apart at most: a trapezoidal sum, and the
    whole one where they are 1 apart."""
    from scipy.stats import binom

    spread = math.sqrt(n * rho * (1 - rho))
    stride = max(1.0, math.floor(pace * spread))
    low, high = (
        max(0.0, math.floor(n * rho - reach * spread) - 8),
        min(n, math.ceil(n * rho + reach * spread) + 8),
    )
    counts = np.arange(low, high + 1, stride)
    weights = binom.pmf(counts, n, rho)
    return 1 - 2 * counts / n, weights / weights.sum()


@lru_cache(maxsize=64)
def factor_nodes(correlation: float, gain: float, rule: Rule = FINE) -> tuple[Floats, Floats]:
    """Quadrature for the common factor g ~ N(0, 1): nodes and weights; the one node 0 without
    correlation.

    g moves the mean by sqrt(r/(1-r)) g in units of the other noise: Gauss-Hermite where that is
    little, else equal steps that resolve it and an accuracy that is ``gain`` times as steep.
    """
    if correlation == 0:
        return np.zeros(1), np.ones(1)
    from scipy.special import roots_hermitenorm

    moved = math.sqrt(correlation / (1 - correlation))
    if moved * max(1.0, gain) < _SMOOTH:
        nodes, weights = roots_hermitenorm(12)
    else:
        pace = _pace(moved, gain, rule)
        nodes = np.arange(-rule.reach, rule.reach + pace, pace)
        weights = np.exp(-np.square(nodes) / 2)
    return nodes, weights / weights.sum()


@lru_cache(maxsize=64)
def legendre(count: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre quadrature on [-1, 1]: nodes and weights (count,)."""
    return np.polynomial.legendre.leggauss(count)


def label_table(
    n: Floats, rho: float, moved: float, gain: float, rule: Rule = FINE
) -> tuple[Floats, Floats]:
    """``label_nodes`` of every n (M,), padded with weight 0: nodes and weights (M, k)."""
    found = [label_nodes(float(each), rho, moved, gain, rule) for each in n]
    width = max(len(nodes) for nodes, _ in found)
    share, weight = np.ones((len(found), width)), np.zeros((len(found), width))
    for row, (nodes, weights) in enumerate(found):
        share[row, : len(nodes)], weight[row, : len(nodes)] = nodes, weights
    return share, weight


def affordable(numbers: int, most: int) -> None:
    """Raises InputError where one value would go through more than ``most`` numbers."""
    if numbers > most:
        raise InputError(
            "label_noise, correlation: for classes so far apart their integral takes too long:"
            " lower one of the two, mu or the separation"
        )
