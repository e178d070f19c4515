"""The angle of a Gaussian vector to a given direction, and what l2 robust accuracy is expected to
be by it, in any dimension (docs/theory.md, 5).

w ~ N(delta a, I): its angle phi to a has a density with one integral in it, and the part of w
beside a is uniform on a sphere, so any function of the angle between w and a second direction u is
an integral over phi and omega, the cosine of that part with the part of u beside a.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from cdp.theory.model import Floats

REACH = 7.0
"""Standard deviations that are integrated over on either side."""
FIRM = 1e7
"""Ratios delta above this are the limit to all digits shown."""
_AT_ONCE = 1 << 20


def direction_expectation(
    dim: int, delta: Floats, cosine: Floats, *, gain: float, toll: float
) -> Floats:
    """E Phi(gain cos(w, u) - toll) for w ~ N(delta a, I_dim), a and u unit vectors with this
    cosine.

    delta, cosine: (M,), delta from 0 to infinity; gain, toll >= 0 -> (M,), to 1e-6 for gain up to
    100 and to 1e-3 up to 1000.
    """
    from scipy.special import ndtr

    if dim == 1:
        right, sign = ndtr(delta), np.where(cosine < 0, -1.0, 1.0)
        return np.asarray(
            right * ndtr(gain * sign - toll) + (1 - right) * ndtr(-gain * sign - toll)
        )
    # The density depends on delta alone, which the cells of a map share.
    unique, which = np.unique(np.minimum(delta, FIRM), return_inverse=True)
    low, high = window(dim, unique)
    count = nodes(dim, gain)
    omega, omega_weight = aside_nodes(dim, 4 * gain)
    phi, mass = angle_density(dim, unique, low, high, count)
    values = np.empty(len(delta))
    block = max(1, _AT_ONCE // (count * len(omega)))
    for start in range(0, len(delta), block):
        part = slice(start, start + block)
        at, turn = which[part], cosine[part][:, None]
        level = gain * np.cos(phi[at]) * turn - toll
        swing = gain * np.sin(phi[at]) * np.sqrt(np.maximum(1 - turn**2, 0.0))
        value = ndtr(level[..., None] + swing[..., None] * omega) @ omega_weight
        values[part] = (mass[at] * value).sum(axis=1)
    return np.where(delta > FIRM, ndtr(gain * cosine - toll), values)


def nodes(dim: int, gain: float) -> int:
    """How many values of phi an integral takes."""
    span = min(math.pi, 2 * REACH / math.sqrt(max(dim - 1, 1)))
    return int(np.clip(40 + 20 * span + 4 * gain * span, 44, 1000))


def window(dim: int, delta: Floats) -> tuple[Floats, Floats]:
    """Angles outside which w practically never lies."""
    across = math.sqrt(dim - 1)
    least, most = max(across - REACH, 0.0), across + REACH
    along = delta - REACH
    return np.arctan2(least, delta + REACH), np.arctan2(np.where(along < 0, least, most), along)


def angle_density(
    dim: int, delta: Floats, low: Floats, high: Floats, count: int
) -> tuple[Floats, Floats]:
    """Quadrature for phi in [low, high] (M,): nodes (M, count) and weights times density. The
    density of the direction of a Gaussian vector is

    f(phi) = |S^(d-2)| (2 pi)^(-d/2) sin^(d-2)(phi) exp(-(delta sin phi)^2 / 2) J_d(delta cos phi).
    """
    from scipy.special import gammaln

    points, weights = _legendre(count)
    half = (high - low)[:, None] / 2
    phi = low[:, None] + half * (points + 1)
    sine = np.sin(phi)
    sphere = (
        math.log(2)
        + (dim - 1) / 2 * math.log(math.pi)
        - gammaln((dim - 1) / 2)
        - dim / 2 * math.log(2 * math.pi)
    )
    radial = log_radial(dim, delta[:, None] * np.cos(phi))
    log = sphere + (dim - 2) * np.log(sine) - np.square(delta[:, None] * sine) / 2 + radial
    return phi, np.exp(log) * half * weights


def log_radial(dim: int, c: Floats) -> Floats:
    """log J_d(c), J_d(c) = integral over rho > 0 of rho^(d-1) exp(-(rho - c)^2 / 2). c: any shape.

    In t = log rho the integrand is smooth and falls off at both ends, so the trapezoidal rule
    converges exponentially.
    """
    peak = (c + np.sqrt(c**2 + 4 * dim)) / 2
    # The same root without cancellation.
    peak = np.where(c < 0, dim / np.maximum(peak - c, 1e-300), peak)
    width = 1 / np.sqrt(peak**2 + dim)
    pace = 0.75 if dim > 30 else 0.35
    ahead = np.arange(0, REACH + 1, pace)
    behind = -np.arange(pace, max(REACH, 40 / math.sqrt(dim)) + 1, pace)
    top = dim * np.log(peak) - np.square(peak - c) / 2
    total = np.zeros_like(c)
    for step in np.concatenate([behind, ahead]):
        t = step * width
        # rho^d exp(-(rho - c)^2/2) over its value at the peak, written so that large rho lose no
        # digits.
        grown = peak * np.expm1(t)
        total += np.exp(dim * t - grown * (grown / 2 + peak - c))
    return np.asarray(top + np.log(total * pace * width))


@lru_cache(maxsize=64)
def aside_nodes(dim: int, steepness: float) -> tuple[Floats, Floats]:
    """Gauss quadrature for omega, one coordinate of a uniform unit vector in dim - 1 dimensions,
    whose density is (1 - omega^2)^((dim-4)/2): from the recurrence of the Gegenbauer polynomials by
    Golub and Welsch. In two dimensions omega is -1 or 1. steepness: nodes over half the range."""
    from scipy.linalg import eigh_tridiagonal

    if dim == 2:
        return np.array([-1.0, 1.0]), np.full(2, 0.5)
    reach = min(math.pi / 2, REACH / math.sqrt(dim - 2))
    k = np.arange(2.0, min(8 + steepness * reach, 300))
    order = (dim - 3) / 2
    recurrence = k * (k + 2 * order - 1) / (4 * (k + order) * (k + order - 1))
    squares = np.concatenate([[1 / (2 * (1 + order))], recurrence])
    points, vectors = eigh_tridiagonal(np.zeros(len(squares) + 1), np.sqrt(squares))
    return points, np.square(vectors[0])


@lru_cache(maxsize=64)
def _legendre(count: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre quadrature on [-1, 1]: nodes and weights (count,)."""
    return np.polynomial.legendre.leggauss(count)
