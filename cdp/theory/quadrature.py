"""Exact expectation over averaged weights under an l2 budget: an integral over two angles, whatever
the dimension (docs/theory.md, 5).

The average w is Gaussian about a mean m' with covariance tau^2 I. l2 robust accuracy depends only
on the angle between w and mu. That angle follows from phi, the angle between w and m', and from
omega, the part of the rest of w that lies in the plane of m' and mu.
"""

from __future__ import annotations

import math

import numpy as np

from cdp.theory.angle_table import STEEPEST, tabulated
from cdp.theory.angles import direction_expectation
from cdp.theory.cases import Cases
from cdp.theory.checks import Floats
from cdp.theory.mixture import affordable, factor_nodes, label_table

_MOST = 100_000
"""Conditional Gaussians that one value may take."""


def averaged(cases: Cases, *, quick: bool = False) -> Floats:
    """Expected l2 robust accuracy of the average in every case, (M,).

    quick: read off a table where there is one (``tabulated``). So it is in any case where flipped
    labels and a common factor are both averaged over, which are hundreds of integrals a case.
    """
    problem = cases.problem
    gain = _gain(cases)
    toll = problem.epsilon / problem.sigma
    delta, cosine, weight = _conditional(cases, gain)
    quick = quick or (cases.label_noise > 0 and cases.correlation > 0)
    found = (
        tabulated
        if quick and gain <= STEEPEST * (1 + 1e-9) and problem.dim > 1
        else direction_expectation
    )
    values = found(problem.dim, delta.ravel(), cosine.ravel(), gain=gain, toll=toll)
    return np.asarray((values.reshape(weight.shape) * weight).sum(axis=1))


def _conditional(cases: Cases, gain: float) -> tuple[Floats, Floats, Floats]:
    """Given right labels and common factor: |m'|/tau', cosine of m' and mu, and weight, each (M,
    nodes)."""
    problem, tau = cases.problem, cases.spread
    length = float(np.sqrt(cases.dot(cases.mu, cases.mu))) or 1.0
    means, ones = cases.means, np.ones_like(cases.mu)
    along, squares, sums = (
        cases.dot(means, cases.mu) / length,
        cases.dot(means, means),
        cases.dot(means, ones),
    )
    moved = (
        2
        * math.sqrt(
            cases.label_noise
            * (1 - cases.label_noise)
            * float(squares.max(initial=0))
            / problem.dim
        )
        / cases.noise
    )
    share, label_weight = label_table(cases.n, cases.label_noise, moved, gain)
    g, factor_weight = factor_nodes(cases.correlation, gain)
    affordable(share.shape[1] * len(g), _MOST)
    shift = math.sqrt(cases.correlation) * g[None, None, :] * tau[:, None, None]
    f = share[:, :, None]
    size = (
        f**2 * squares[:, None, None] + 2 * f * shift * sums[:, None, None] + shift**2 * problem.dim
    )
    size = np.sqrt(np.maximum(size, 0.0))
    reach = f * along[:, None, None] + shift * float(cases.dot(cases.mu, ones)) / length
    own = math.sqrt(1 - cases.correlation) * tau[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = np.where(size > 0, size / own, 0.0)
        cosine = np.where(size > 0, reach / size, 1.0)
    weight = label_weight[:, :, None] * factor_weight[None, None, :]
    flat = (len(cases), -1)
    return delta.reshape(flat), np.clip(cosine, -1, 1).reshape(flat), weight.reshape(flat)


def nodes(cases: Cases) -> int:
    """How many conditional Gaussians stand for one case."""
    return int(_conditional(cases, _gain(cases))[2].shape[1])


def _gain(cases: Cases) -> float:
    """|mu|/sigma, the steepness of accuracy in the cosine."""
    return float(np.linalg.norm(cases.problem.mu)) / cases.problem.sigma
