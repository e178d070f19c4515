"""Adversarially trained logistic regression: the worst case inside the loss has a closed form, so
training is one convex problem.

    minimise over w:  mean_i log(1 + exp(-(z_i.w - epsilon |w|))) + ridge/2 |w|_2^2,    z_i = y_i
    x_i,

where |w| is |w|_1 under l_inf and |w|_2 under l2 (docs/theory.md, 7). scipy's L-BFGS-B solves it;
what it stopped at is judged by the subgradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.errors import CdpError, InputError
from cdp.theory.model import Floats, norm_name, number, numbers

MOST_CELLS = 10_000_000
"""Samples times coordinates that one training may hold in memory."""
TOLERANCE = 1e-5
"""Largest entry that the smallest subgradient may have, in units of the largest entry of the loss's
gradient at 0, or of 1; less under a small ridge, whose own pull must not drown in it."""


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """weights: (d,); objective: its value there; residual: largest entry of the smallest
    subgradient, 0 at the minimum; gap: how far the objective is from its minimum at most, by strong
    convexity: |subgradient|^2 / (2 ridge)."""

    weights: Floats
    objective: float
    residual: float
    gap: float


def fit(z: object, *, epsilon: float, norm: str, ridge: float) -> LogisticFit:
    """z: (n, d) samples times their labels. Raises InputError for senseless or too many numbers,
    CdpError where the tolerance is missed."""
    rows = numbers("z", z)
    if rows.ndim != 2 or not rows.size:
        raise InputError(f"z has shape {rows.shape}: pass samples times labels (n, d)")
    require_room(len(rows), rows.shape[1])
    norm_name(norm)
    number("epsilon", epsilon, least=0)
    number("ridge", ridge, above=0)
    centre = rows.mean(axis=0)
    tolerance = min(TOLERANCE, ridge / 10) * max(1.0, float(np.abs(centre).max()) / 2)
    if (np.abs(centre).max() if norm == "linf" else np.linalg.norm(centre)) <= epsilon:
        w = np.zeros(rows.shape[1])  # the loss rises in every direction
    elif norm == "linf" and epsilon:
        w = _split(rows, epsilon, ridge, tolerance)
    else:
        w = _smooth(rows, centre, epsilon, ridge, tolerance)
    slope = subgradient(w, rows, epsilon=epsilon, norm=norm, ridge=ridge)
    residual = float(np.abs(slope).max())
    if residual > tolerance:
        raise CdpError(
            f"adversarial-logistic stopped at a subgradient of {residual:.1e}: raise ridge or use"
            " fewer coordinates"
        )
    return LogisticFit(
        w, _objective(w, rows, epsilon, norm, ridge), residual, float(slope @ slope) / (2 * ridge)
    )


def require_room(n: float, dim: int) -> None:
    """Raises InputError where n samples of ``dim`` coordinates are more than one training
    may hold."""
    if n * dim > MOST_CELLS:
        raise InputError(
            f"n: adversarial-logistic holds at most {MOST_CELLS:,} numbers, so"
            f" {MOST_CELLS // dim:,} samples of {dim:,} coordinates (given: {n:,.0f}): lower n"
            " or dim"
        )


def subgradient(w: Floats, z: Floats, *, epsilon: float, norm: str, ridge: float) -> Floats:
    """The subgradient of smallest size at w, (d,): 0 exactly at the minimum."""
    from scipy.special import expit

    pull = expit(-(z @ w - epsilon * _size(w, norm)))
    toll = epsilon * float(pull.mean())
    slope = ridge * w - pull @ z / len(z)
    if norm == "linf":
        still = np.sign(slope) * np.maximum(np.abs(slope) - toll, 0.0)
        return np.where(w != 0, slope + toll * np.sign(w), still)
    length = float(np.linalg.norm(w))
    if length:
        return np.asarray(slope + toll * w / length)
    steep = float(np.linalg.norm(slope))
    return np.asarray(slope * max(0.0, 1 - toll / steep)) if steep else slope


def _size(w: Floats, norm: str) -> float:
    return float(np.abs(w).sum() if norm == "linf" else np.linalg.norm(w))


def _objective(w: Floats, z: Floats, epsilon: float, norm: str, ridge: float) -> float:
    return float(
        np.logaddexp(0.0, -(z @ w - epsilon * _size(w, norm))).mean() + ridge / 2 * (w @ w)
    )


def _split(z: Floats, epsilon: float, ridge: float, tolerance: float) -> Floats:
    """l_inf: w = u - v with u, v >= 0 makes |w|_1 the sum of both, and the problem smooth with
    bounds."""
    from scipy.optimize import minimize
    from scipy.special import expit

    n, d = z.shape

    def value(both: Floats) -> tuple[float, Floats]:
        w = both[:d] - both[d:]
        margin = z @ w - epsilon * both.sum()
        pull = expit(-margin)
        slope = ridge * w - pull @ z / n
        toll = epsilon * pull.mean()
        return float(np.logaddexp(0.0, -margin).mean() + ridge / 2 * (w @ w)), np.concatenate(
            [slope + toll, toll - slope]
        )

    split = minimize(
        value,
        np.zeros(2 * d),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * d),
        options=_options(tolerance),
    )
    return np.asarray(split.x[:d] - split.x[d:])


def _smooth(z: Floats, centre: Floats, epsilon: float, ridge: float, tolerance: float) -> Floats:
    """l2, or no budget: smooth but for w = 0, which is not the minimum here; the start lies below
    the value at 0, so it is never reached.

    The objective is convex with slope -(|centre| - epsilon)/2 at 0 along the centre, so a step t
    lowers it by t times that at most. Where this is less than the spacing of floats at log 2, no
    shorter step can be told from 0 either, and the answer is 0; its subgradient is judged like any
    other.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    n = len(z)

    def value(w: Floats) -> tuple[float, Floats]:
        length = float(np.linalg.norm(w))
        margin = z @ w - epsilon * length
        pull = expit(-margin)
        slope = ridge * w - pull @ z / n + epsilon * float(pull.mean()) * w / (length or 1.0)
        return float(np.logaddexp(0.0, -margin).mean() + ridge / 2 * (w @ w)), slope

    length = float(np.linalg.norm(centre))
    start, decrease = centre / length, (length - epsilon) / 2
    at_zero = float(np.log(2.0))
    while value(start)[0] >= at_zero:
        start, decrease = start / 2, decrease / 2
        if decrease < np.spacing(at_zero):
            return np.zeros_like(centre)
    return np.asarray(
        minimize(value, start, jac=True, method="L-BFGS-B", options=_options(tolerance)).x
    )


def _options(tolerance: float) -> dict[str, float]:
    return {"maxiter": 20_000, "maxfun": 40_000, "maxcor": 20, "ftol": 0.0, "gtol": tolerance / 10}
