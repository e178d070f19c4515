"""``direction_expectation`` for very many pairs of angles at once: a table over both, made once for
a problem, and a cubic spline through it.

The table takes far less than its entries one by one: what is integrated over phi is a smooth
function of it that all deltas share, so it is written in Chebyshev polynomials, and each delta
needs their means under its own density only.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cdp.theory.angles import FIRM, angle_density, aside_nodes, window
from cdp.theory.checks import Floats

if TYPE_CHECKING:
    from scipy.interpolate import RectBivariateSpline

STEEPEST = 40.0
"""The largest gain that a table resolves."""
_FINEST = 20.0
"""Gains above this get a table no finer, and its error grows to 5e-5."""


def tabulated(dim: int, delta: Floats, cosine: Floats, *, gain: float, toll: float) -> Floats:
    """``direction_expectation`` within 1e-5 for gains up to 20, and within 5e-5 up to 40, the
    largest. dim: 2 or more."""
    spline = _table(dim, gain, toll)
    return np.clip(spline.ev(np.arctan(delta / math.sqrt(dim)), np.arccos(cosine)), 0.0, 1.0)


@lru_cache(maxsize=16)
def _table(dim: int, gain: float, toll: float) -> RectBivariateSpline:
    """Over arctan(delta/sqrt(dim)) in [0, pi/2] and the angle between a and u in [0, pi]; gain,
    toll: of the classifier's problem."""
    from scipy.fft import dct
    from scipy.interpolate import RectBivariateSpline
    from scipy.special import ndtr

    fine = min(gain, _FINEST)
    centre, turn = (
        np.linspace(0, np.pi / 2, int(100 + 4 * fine)),
        np.linspace(0, np.pi, int(100 + 8 * fine) + (40 if gain > _FINEST else 0)),
    )
    delta = np.minimum(np.tan(np.minimum(centre, np.pi / 2 - 1e-9)) * math.sqrt(dim), FIRM)
    low, high = window(dim, delta)
    span = float((high - low).max())
    phi, mass = angle_density(
        dim, delta, low, high, int(np.clip(30 + 14 * span + 2 * gain * span, 44, 500))
    )

    order = int(32 + 4 * gain)
    at = (np.cos(np.pi * (np.arange(order) + 0.5) / order) + 1) * np.pi / 2
    omega, omega_weight = aside_nodes(dim, 2 * gain)
    level, swing = (
        gain * np.cos(at)[:, None] * np.cos(turn) - toll,
        gain * np.sin(at)[:, None] * np.sin(turn),
    )
    coefficients = (
        dct(
            sum(
                weight * ndtr(level + swing * node)
                for node, weight in zip(omega, omega_weight, strict=True)
            ),
            axis=0,
        )
        / order
    )
    coefficients[0] /= 2
    polynomials = np.polynomial.chebyshev.chebvander(phi * 2 / np.pi - 1, order - 1)
    return RectBivariateSpline(
        centre, turn, np.einsum("ik,ikl->il", mass, polynomials) @ coefficients
    )
