"""The model and its closed forms: y uniform on {-1, +1}, x|y ~ N(y mu, sigma^2 I_d), classifier
sign(w.x) (docs/theory.md, 1 to 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.errors import InputError
from cdp.theory import checks
from cdp.theory.checks import Floats


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be classified, and against which attack. mu: (d,) real class mean of y = +1;
    sigma: real noise, above 0; epsilon: budget in the units of mu; norm: "linf" or "l2". Raises
    InputError where a value makes no sense."""

    mu: Floats
    sigma: float
    epsilon: float
    norm: str

    def __post_init__(self) -> None:
        _settle(
            self,
            mu=checks.vector("mu", self.mu),
            sigma=checks.positive("sigma", self.sigma),
            epsilon=checks.budget(self.epsilon),
            norm=checks.norm_name(self.norm),
        )

    @property
    def dim(self) -> int:
        return len(self.mu)


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Where training samples come from: x|y ~ N(y m, s^2 Sigma), then a share of the labels is
    flipped.

    mean: (d,) m; noise: s, above 0; label_noise: share of flipped labels, 0 to 1/2; correlation: r
    in 0..0.999 between every two coordinates, so Sigma = (1-r) I + r 11^T. Raises InputError where
    a value makes no sense.
    """

    mean: Floats
    noise: float
    label_noise: float = 0.0
    correlation: float = 0.0

    def __post_init__(self) -> None:
        _settle(
            self,
            mean=checks.vector("mean", self.mean),
            noise=checks.positive("noise", self.noise),
            label_noise=checks.share("label_noise", self.label_noise, most=0.5),
            correlation=checks.share("correlation", self.correlation, most=0.999),
        )


def _settle(value: Problem | Synthetic, **fields: object) -> None:
    for name, field in fields.items():
        if isinstance(field, np.ndarray):
            field.setflags(write=False)
        object.__setattr__(value, name, field)


def robust_accuracy(
    w: object, mu: object, *, sigma: float, epsilon: float, norm: str
) -> float | Floats:
    """Share of x that sign(w.x) gets right whatever a perturbation of size ``epsilon`` does,
    exactly.

    linf: Phi((w.mu - epsilon |w|_1) / (sigma |w|_2)); l2: Phi((w.mu / |w|_2 - epsilon) / sigma).
    (derived: docs/theory.md, 2)

    w: (d,) -> float, or m classifiers (m, d) -> (m,); mu: (d,). Only the direction of w matters. w
    = 0 answers with one class whatever x is, which no attack changes: 1/2. Points on the boundary
    count as wrong; they have probability 0 for every other w. Raises InputError for NaN or
    infinity, shapes that do not fit, sigma <= 0, epsilon < 0 and unknown norms.
    """
    weights, mean = checks.numbers("w", w), checks.vector("mu", mu)
    if weights.ndim not in (1, 2) or weights.shape[-1] != len(mean):
        raise InputError(
            f"w has shape {weights.shape} where mu has {len(mean)} coordinates: pass ({len(mean)},)"
            f" or (m, {len(mean)})"
        )
    sigma, epsilon, norm = (
        checks.positive("sigma", sigma),
        checks.budget(epsilon),
        checks.norm_name(norm),
    )
    scores = margins(weights, mean, sigma=sigma, epsilon=epsilon, norm=norm)
    from scipy.special import ndtr

    return float(ndtr(scores)) if weights.ndim == 1 else np.asarray(ndtr(scores))


def margins(w: Floats, mu: Floats, *, sigma: float, epsilon: float, norm: str) -> Floats:
    """What stands inside Phi, unchecked: w (..., d), mu (d,) -> (...); 0 where w is 0. No step
    overflows that the result does not."""
    scale = np.abs(w).max(axis=-1, keepdims=True)
    rows = w / np.where(scale > 0, scale, 1.0)
    unit = max(float(np.abs(mu).max()), epsilon, sigma)
    length = np.sqrt(np.square(rows).sum(axis=-1))
    cost = epsilon / unit * (np.abs(rows).sum(axis=-1) if norm == "linf" else length)
    found = (rows @ (mu / unit) - cost) / np.where(length > 0, length, 1.0)
    # sigma / unit may underflow to 0: what is 0 stays 0, anything else is without bound.
    with np.errstate(over="ignore", divide="ignore"):
        return np.asarray(found / np.where(found != 0, sigma / unit, 1.0))


def soft_threshold(mu: object, epsilon: float) -> Floats:
    """sign(mu_i) max(|mu_i| - epsilon, 0), coordinate by coordinate. mu: any shape -> the same
    shape; epsilon >= 0."""
    values = checks.numbers("mu", mu)
    return np.asarray(np.sign(values) * np.maximum(np.abs(values) - checks.budget(epsilon), 0.0))


def optimal_direction(mu: object, *, epsilon: float, norm: str) -> Floats:
    """The w of highest robust accuracy. mu: (d,) -> (d,), not normalised.

    linf: the soft threshold of mu at epsilon, which is all 0 when epsilon reaches max |mu_i|: then
    no w that looks at x beats answering with one class. l2: mu itself, whatever epsilon is; from
    epsilon = |mu|_2 on that, too, is no better than one class. (derived: docs/theory.md, 3)
    """
    mean = checks.vector("mu", mu)
    epsilon = checks.budget(epsilon)
    return soft_threshold(mean, epsilon) if checks.norm_name(norm) == "linf" else mean


def best_accuracy(mu: object, *, sigma: float, epsilon: float, norm: str) -> float:
    """The highest robust accuracy that any sign(w.x) has, answering with one class (1/2) included.

    linf: Phi(|S_epsilon(mu)|_2 / sigma); l2: Phi((|mu|_2 - epsilon) / sigma), but at least 1/2.
    """
    w = optimal_direction(mu, epsilon=epsilon, norm=norm)
    return max(0.5, float(robust_accuracy(w, mu, sigma=sigma, epsilon=epsilon, norm=norm)))
