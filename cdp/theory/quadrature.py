"""Exact expectation over averaged weights under an l2 budget: an integral over two angles, whatever the dimension (docs/theory.md, 5).

The average w is Gaussian about a mean m' with covariance tau^2 I. l2 robust accuracy depends only on the angle between w and mu. That angle
follows from phi, the angle between w and m', and from omega, the part of the rest of w that lies in the plane of m' and mu.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from cdp.theory.cases import Cases
from cdp.theory.checks import Floats
from cdp.theory.mixture import factor_nodes, label_table, legendre

_REACH = 7.0
"""Standard deviations that are integrated over on either side."""
_AT_ONCE = 1 << 20
_TABULATE, _DULL = 12_000, 40.0
"""From so many rows a table of the two angles is quicker, unless Phi is too steep for it."""
_FIRM = 1e7
"""Ratios |m'|/tau above this are the limit to all digits shown."""


def averaged(cases: Cases) -> Floats:
    """Expected l2 robust accuracy of the average in every case, (M,)."""
    problem = cases.problem
    gain = float(np.linalg.norm(problem.mu)) / problem.sigma
    toll = problem.epsilon / problem.sigma
    delta, cosine, weight = _conditional(cases)
    found = tabulated if weight.size > _TABULATE and gain <= _DULL else direction_expectation
    values = found(problem.dim, delta.ravel(), cosine.ravel(), gain=gain, toll=toll)
    return np.asarray((values.reshape(weight.shape) * weight).sum(axis=1))


def _conditional(cases: Cases) -> tuple[Floats, Floats, Floats]:
    """Given right labels and common factor: |m'|/tau', cosine of m' and mu, and weight, each (M, nodes)."""
    problem, tau = cases.problem, cases.spread
    length = float(np.sqrt(cases.dot(cases.mu, cases.mu))) or 1.0
    means, ones = cases.means, np.ones_like(cases.mu)
    along, squares, sums = cases.dot(means, cases.mu) / length, cases.dot(means, means), cases.dot(means, ones)
    moved = 2 * math.sqrt(cases.label_noise * (1 - cases.label_noise) * float(squares.max(initial=0)) / problem.dim) / cases.noise
    share, label_weight = label_table(cases.n, cases.label_noise, moved)
    g, factor_weight = factor_nodes(cases.correlation)
    shift = math.sqrt(cases.correlation) * g[None, None, :] * tau[:, None, None]
    f = share[:, :, None]
    size = f**2 * squares[:, None, None] + 2 * f * shift * sums[:, None, None] + shift**2 * problem.dim
    size = np.sqrt(np.maximum(size, 0.0))
    reach = f * along[:, None, None] + shift * float(cases.dot(cases.mu, ones)) / length
    own = math.sqrt(1 - cases.correlation) * tau[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = np.where(size > 0, size / own, 0.0)
        cosine = np.where(size > 0, reach / size, 1.0)
    weight = label_weight[:, :, None] * factor_weight[None, None, :]
    flat = (len(cases), -1)
    return delta.reshape(flat), np.clip(cosine, -1, 1).reshape(flat), weight.reshape(flat)


def tabulated(dim: int, delta: Floats, cosine: Floats, *, gain: float, toll: float) -> Floats:
    """``direction_expectation`` for very many rows at once, by a cubic spline through a table of it; within 1e-5. gain: up to 40."""
    from scipy.interpolate import RectBivariateSpline

    centre, turn = np.arctan(delta / math.sqrt(dim)), np.arccos(cosine)
    marks = [np.linspace(part.min() - 1e-9, part.max() + 1e-9, int(64 + 4 * gain)) for part in (centre, turn)]
    rows, columns = (part.ravel() for part in np.meshgrid(*marks, indexing="ij"))
    held = np.tan(np.clip(rows, 0, np.pi / 2 - 1e-9)) * math.sqrt(dim), np.cos(np.clip(columns, 0, np.pi))
    table = direction_expectation(dim, *held, gain=gain, toll=toll)
    spline = RectBivariateSpline(*marks, table.reshape(len(marks[0]), -1))
    return np.clip(spline.ev(centre, turn), 0.0, 1.0)


def direction_expectation(dim: int, delta: Floats, cosine: Floats, *, gain: float, toll: float) -> Floats:
    """E Phi(gain cos(w, u) - toll) for w ~ N(delta a, I_dim), a and u unit vectors with this cosine.

    delta, cosine: (M,), delta from 0 to infinity; gain, toll >= 0 -> (M,), to 1e-6 for gain up to 100 and to 1e-3 up to 1000.
    """
    from scipy.special import ndtr

    values = np.empty(len(delta))
    firm = delta > _FIRM
    values[firm] = ndtr(gain * cosine[firm] - toll)
    soft = np.flatnonzero(~firm)
    if dim == 1:
        right = ndtr(delta[soft])
        sign = np.where(cosine[soft] < 0, -1.0, 1.0)
        values[soft] = right * ndtr(gain * sign - toll) + (1 - right) * ndtr(-gain * sign - toll)
        return values
    low, high = _window(dim, delta[soft])
    span = float((high - low).max(initial=0))
    count = int(np.clip(40 + 20 * span + 4 * gain * span, 44, 1000))
    omega, omega_weight = _aside_nodes(dim, gain)
    straight = np.abs(cosine[soft]) > 1 - 1e-15
    for part, used in ((straight, 1), (~straight, len(omega))):
        rows = np.flatnonzero(part)
        block = max(1, _AT_ONCE // (count * used))
        for start in range(0, len(rows), block):
            at = rows[start : start + block]
            phi, mass = _angle_density(dim, delta[soft][at], low[at], high[at], count)
            turn = cosine[soft][at][:, None]
            if used == 1:
                value = ndtr(gain * np.cos(phi) * np.sign(turn) - toll)
            else:
                level, swing = gain * np.cos(phi) * turn - toll, gain * np.sin(phi) * np.sqrt(1 - turn**2)
                value = ndtr(level[..., None] + swing[..., None] * omega) @ omega_weight
            values[soft[at]] = (mass * value).sum(axis=1)
    return values


def _window(dim: int, delta: Floats) -> tuple[Floats, Floats]:
    """Angles outside which w practically never lies."""
    across = math.sqrt(dim - 1)
    least, most = max(across - _REACH, 0.0), across + _REACH
    along = delta - _REACH
    return np.arctan2(least, delta + _REACH), np.arctan2(np.where(along < 0, least, most), along)


def _angle_density(dim: int, delta: Floats, low: Floats, high: Floats, count: int) -> tuple[Floats, Floats]:
    """Quadrature for phi in [low, high] (M,): nodes (M, count) and weights times density. The density of the direction of a Gaussian vector is

    f(phi) = |S^(d-2)| (2 pi)^(-d/2) sin^(d-2)(phi) exp(-(delta sin phi)^2 / 2) J_d(delta cos phi).
    """
    from scipy.special import gammaln

    nodes, weights = legendre(count)
    half = (high - low)[:, None] / 2
    phi = low[:, None] + half * (nodes + 1)
    sine = np.sin(phi)
    sphere = math.log(2) + (dim - 1) / 2 * math.log(math.pi) - gammaln((dim - 1) / 2) - dim / 2 * math.log(2 * math.pi)
    log = sphere + (dim - 2) * np.log(sine) - np.square(delta[:, None] * sine) / 2 + log_radial(dim, delta[:, None] * np.cos(phi))
    return phi, np.exp(log) * half * weights


def log_radial(dim: int, c: Floats) -> Floats:
    """log J_d(c), J_d(c) = integral over rho > 0 of rho^(d-1) exp(-(rho - c)^2 / 2). c: any shape.

    In t = log rho the integrand is smooth and falls off at both ends, so the trapezoidal rule converges exponentially.
    """
    peak = (c + np.sqrt(c**2 + 4 * dim)) / 2
    peak = np.where(c < 0, dim / np.maximum(peak - c, 1e-300), peak)  # the same root without cancellation
    width = 1 / np.sqrt(peak**2 + dim)
    pace = 0.75 if dim > 30 else 0.35
    ahead = np.arange(0, _REACH + 1, pace)
    behind = -np.arange(pace, max(_REACH, 40 / math.sqrt(dim)) + 1, pace)
    top = dim * np.log(peak) - np.square(peak - c) / 2
    total = np.zeros_like(c)
    for step in np.concatenate([behind, ahead]):
        t = step * width
        # rho^d exp(-(rho - c)^2/2) over its value at the peak, written so that large rho lose no digits.
        grown = peak * np.expm1(t)
        total += np.exp(dim * t - grown * (grown / 2 + peak - c))
    return np.asarray(top + np.log(total * pace * width))


@lru_cache(maxsize=64)
def _aside_nodes(dim: int, gain: float) -> tuple[Floats, Floats]:
    """Gauss quadrature for omega, one coordinate of a uniform unit vector in dim - 1 dimensions, whose density is (1 - omega^2)^((dim-4)/2): from
    the recurrence of the Gegenbauer polynomials by Golub and Welsch. In two dimensions omega is -1 or 1."""
    from scipy.linalg import eigh_tridiagonal

    if dim == 2:
        return np.array([-1.0, 1.0]), np.full(2, 0.5)
    reach = min(math.pi / 2, _REACH / math.sqrt(dim - 2))
    k = np.arange(2.0, min(8 + 4 * gain * reach, 300))
    order = (dim - 3) / 2
    beside = np.concatenate([[1 / (2 * (1 + order))], k * (k + 2 * order - 1) / (4 * (k + order) * (k + order - 1))])
    nodes, vectors = eigh_tridiagonal(np.zeros(len(beside) + 1), np.sqrt(beside))
    return nodes, np.square(vectors[0])
