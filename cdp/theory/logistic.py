"""Adversarially trained logistic regression: the worst case inside the loss has a closed form, so
training is one convex problem, with z_i = y_i x_i:

    minimise over w:  mean_i log(1 + exp(-(z_i.w - epsilon |w|))) + ridge/2 |w|_2^2

where |w| is |w|_1 under l_inf and |w|_2 under l2 (docs/theory.md, 7). scipy's L-BFGS-B solves it;
what it stopped at is judged by the subgradient.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cdp.errors import CdpError, InputError
from cdp.theory.model import Floats, number, numbers

MOST_CELLS = 10_000_000
"""Samples times coordinates that one training may hold in memory."""
TOLERANCE = 1e-5
"""Largest entry that the smallest subgradient may have, in units of the largest entry of the loss's
gradient at 0, or of 1; less under a small ridge, whose own pull must not drown in it."""
Value = Callable[[Floats], tuple[float, Floats]]


def fit(z: object, *, epsilon: float, norm: str, ridge: float) -> Floats:
    """The weights (d,) of the minimum. z: (n, d) samples times their labels. Raises InputError for
    senseless or too many numbers, CdpError where the tolerance is missed."""
    rows = numbers("z", z)
    if rows.ndim != 2 or not rows.size:
        raise InputError(f"z has shape {rows.shape}: pass samples times labels (n, d)")
    require_room(len(rows), rows.shape[1])
    number("epsilon", epsilon, least=0)
    number("ridge", ridge, above=0)
    centre = rows.mean(axis=0)
    largest = float(np.abs(centre).max())
    tolerance = min(TOLERANCE, ridge / 10) * max(1.0, largest / 2)
    if (largest if norm == "linf" else np.linalg.norm(centre)) <= epsilon:
        w = np.zeros(rows.shape[1])  # the loss rises in every direction
    elif norm == "linf" and epsilon:
        w = _split(rows, epsilon, ridge, tolerance)
    else:
        w = _smooth(rows, centre, epsilon, ridge, tolerance)
    residual = float(np.abs(subgradient(w, rows, epsilon=epsilon, norm=norm, ridge=ridge)).max())
    if residual > tolerance:
        raise CdpError(
            f"adversarial-logistic stopped at a subgradient of {residual:.1e}: raise ridge or use"
            " fewer coordinates"
        )
    return w


def require_room(n: float, dim: int, most: int = MOST_CELLS) -> None:
    """Raises InputError where n samples of ``dim`` coordinates are more than ``most`` numbers."""
    if n * dim > most:
        raise InputError(
            f"n: adversarial-logistic takes at most {most:,} numbers here, so {most // dim:,}"
            f" samples of {dim:,} coordinates (given: {n:,.0f}): lower n or dim"
        )


def subgradient(w: Floats, z: Floats, *, epsilon: float, norm: str, ridge: float) -> Floats:
    """The subgradient of smallest size at w, (d,): 0 exactly at the minimum."""
    dual = float(np.abs(w).sum() if norm == "linf" else np.linalg.norm(w))
    _, slope, toll = _loss(w, dual, z, epsilon, ridge)
    if norm == "linf":
        still = np.sign(slope) * np.maximum(np.abs(slope) - toll, 0.0)
        return np.where(w != 0, slope + toll * np.sign(w), still)
    if dual:
        return slope + toll * w / dual
    steep = float(np.linalg.norm(slope))
    return slope * max(0.0, 1 - toll / steep) if steep else slope


def _loss(
    w: Floats, dual: float, z: Floats, epsilon: float, ridge: float
) -> tuple[float, Floats, float]:
    """The objective, its gradient in w at a fixed |w| = ``dual``, and its derivative in |w|."""
    from scipy.special import expit

    margin = z @ w - epsilon * dual
    pull = expit(-margin)
    value = float(np.logaddexp(0.0, -margin).mean() + ridge / 2 * (w @ w))
    return value, ridge * w - pull @ z / len(z), epsilon * float(pull.mean())


def _split(z: Floats, epsilon: float, ridge: float, tolerance: float) -> Floats:
    """l_inf: w = u - v with u, v >= 0 makes |w|_1 the sum of both, and the problem smooth with
    bounds."""
    d = z.shape[1]

    def value(both: Floats) -> tuple[float, Floats]:
        loss, slope, toll = _loss(both[:d] - both[d:], float(both.sum()), z, epsilon, ridge)
        return loss, np.concatenate([slope + toll, toll - slope])

    both = _minimum(value, np.zeros(2 * d), tolerance, [(0, None)] * (2 * d))
    return both[:d] - both[d:]


def _smooth(z: Floats, centre: Floats, epsilon: float, ridge: float, tolerance: float) -> Floats:
    """l2, or no budget: smooth but for w = 0, which is not the minimum here; the start lies below
    the value at 0, so it is never reached.

    The objective is convex with slope -(|centre| - epsilon)/2 at 0 along the centre, so a step t
    lowers it by t times that at most. Where this is less than the spacing of floats at log 2, no
    shorter step can be told from 0 either, and the answer is 0; its subgradient is judged like any
    other.
    """

    def value(w: Floats) -> tuple[float, Floats]:
        length = float(np.linalg.norm(w))
        loss, slope, toll = _loss(w, length, z, epsilon, ridge)
        return loss, slope + toll * w / (length or 1.0)

    length, at_zero = float(np.linalg.norm(centre)), float(np.log(2.0))
    start, decrease = centre / length, (length - epsilon) / 2
    while value(start)[0] >= at_zero:
        start, decrease = start / 2, decrease / 2
        if decrease < np.spacing(at_zero):
            return np.zeros_like(centre)
    return _minimum(value, start, tolerance)


def _minimum(value: Value, start: Floats, tolerance: float, bounds: object = None) -> Floats:
    from scipy.optimize import minimize

    options = {"maxiter": 20_000, "maxfun": 40_000, "maxcor": 20, "ftol": 0.0}
    options["gtol"] = tolerance / 10
    solved = minimize(value, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(solved.x)
