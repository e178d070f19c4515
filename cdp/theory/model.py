"""The model and its closed forms: y uniform on {-1, +1}, x|y ~ N(y mu, sigma^2 I_d), classifier
sign(w.x) (docs/theory.md, 1 to 3); and from the settings of the page to the model's values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cdp.errors import InputError

if TYPE_CHECKING:
    from cdp.config.theory import TheoryConfig

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_PARALLEL = 1e-9


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
        object.__setattr__(self, "mu", _constant(vector("mu", self.mu)))
        object.__setattr__(self, "sigma", number("sigma", self.sigma, above=0))
        object.__setattr__(self, "epsilon", number("epsilon", self.epsilon, least=0))
        norm_name(self.norm)

    @property
    def dim(self) -> int:
        return len(self.mu)

    @property
    def gain(self) -> float:
        """|mu|/sigma, the steepness of l2 accuracy in the cosine between w and mu."""
        return float(np.linalg.norm(self.mu)) / self.sigma


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Where training samples come from: x|y ~ N(y m, s^2 I), then a share of the labels is flipped.

    mean: (d,) m; noise: s, above 0; label_noise: share of flipped labels, 0 to 1/2. Raises
    InputError where a value makes no sense.
    """

    mean: Floats
    noise: float
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", _constant(vector("mean", self.mean)))
        object.__setattr__(self, "noise", number("noise", self.noise, above=0))
        number("label_noise", self.label_noise, least=0, most=0.5)


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
    from scipy.special import ndtr

    weights, problem = numbers("w", w), Problem(vector("mu", mu), sigma, epsilon, norm)
    if weights.ndim not in (1, 2) or weights.shape[-1] != problem.dim:
        raise InputError(
            f"w has shape {weights.shape} where mu has {problem.dim} coordinates: pass"
            f" ({problem.dim},) or (m, {problem.dim})"
        )
    accuracy = np.asarray(ndtr(margins(weights, problem)))
    return float(accuracy) if weights.ndim == 1 else accuracy


def margins(w: Floats, problem: Problem) -> Floats:
    """What stands inside Phi: w (..., d) -> (...); 0 where w is 0. No step overflows that the
    result does not."""
    scale = np.abs(w).max(axis=-1, keepdims=True)
    rows = w / np.where(scale > 0, scale, 1.0)
    unit = max(float(np.abs(problem.mu).max()), problem.epsilon, problem.sigma)
    length = np.sqrt(np.square(rows).sum(axis=-1))
    dual = np.abs(rows).sum(axis=-1) if problem.norm == "linf" else length
    score = rows @ (problem.mu / unit) - problem.epsilon / unit * dual
    score = score / np.where(length > 0, length, 1.0)
    # sigma / unit may underflow to 0: what is 0 stays 0, anything else is without bound.
    with np.errstate(over="ignore", divide="ignore"):
        return np.asarray(score / np.where(score != 0, problem.sigma / unit, 1.0))


def soft_threshold(mu: object, epsilon: float) -> Floats:
    """sign(mu_i) max(|mu_i| - epsilon, 0), coordinate by coordinate. mu: any shape -> the same
    shape; epsilon >= 0."""
    values, budget = numbers("mu", mu), number("epsilon", epsilon, least=0)
    return np.asarray(np.sign(values) * np.maximum(np.abs(values) - budget, 0.0))


def optimal_direction(mu: object, *, epsilon: float, norm: str) -> Floats:
    """The w of highest robust accuracy. mu: (d,) -> (d,), not normalised.

    linf: the soft threshold of mu at epsilon, which is all 0 when epsilon reaches max |mu_i|: then
    no w that looks at x beats answering with one class. l2: mu itself, whatever epsilon is; from
    epsilon = |mu|_2 on that, too, is no better than one class. (derived: docs/theory.md, 3)
    """
    mean, budget = vector("mu", mu), number("epsilon", epsilon, least=0)
    return soft_threshold(mean, budget) if norm_name(norm) == "linf" else mean


def best_accuracy(problem: Problem) -> float:
    """The highest robust accuracy that any sign(w.x) has, answering with one class (1/2) included.

    linf: Phi(|S_epsilon(mu)|_2 / sigma); l2: Phi((|mu|_2 - epsilon) / sigma), but at least 1/2.
    """
    from scipy.special import ndtr

    w = optimal_direction(problem.mu, epsilon=problem.epsilon, norm=problem.norm)
    return max(0.5, float(ndtr(margins(w, problem))))


def problem_of(config: TheoryConfig) -> Problem:
    """The real distribution and the attack of these settings."""
    steps = np.arange(1, config.nonzero + 1)
    shape = np.ones(config.nonzero) if config.profile == "equal" else 1 / np.sqrt(steps)
    mu = np.zeros(config.dim)
    mu[: config.nonzero] = config.size * shape / np.linalg.norm(shape)
    return Problem(mu, config.sigma, config.epsilon, config.norm)


def synthetic_of(
    config: TheoryConfig, direction: Floats | None = None, separation: float | None = None
) -> Synthetic:
    """The synthetic distribution of these settings. direction: (d,) unit vector of its mean, by
    default at ``angle`` to the robust optimum; separation: c, by default the settings' own."""
    problem = problem_of(config)
    direction = turned(problem, config.angle) if direction is None else direction
    c = config.separation if separation is None else separation
    return Synthetic(c * config.noise * problem.gain * direction, config.noise, config.label_noise)


def optimum(problem: Problem) -> Floats:
    """Unit direction of the robust optimum; of mu where the budget leaves no optimum. (d,); 0 where
    mu is 0."""
    best = optimal_direction(problem.mu, epsilon=problem.epsilon, norm=problem.norm)
    return unit(best if best.any() else problem.mu)


def beatable(problem: Problem) -> bool:
    """Whether any direction beats answering with one class: under l_inf a coordinate of mu has to
    exceed the budget, under l2 its length."""
    size = np.abs(problem.mu).max() if problem.norm == "linf" else np.linalg.norm(problem.mu)
    return bool(size > problem.epsilon)


def turned(problem: Problem, degrees: float) -> Floats:
    """Unit vector at this angle from the optimum, turned towards mu and past it. (d,)"""
    angle = np.deg2rad(degrees)
    return np.asarray(np.cos(angle) * optimum(problem) + np.sin(angle) * aside(problem))


def aside(problem: Problem) -> Floats:
    """Unit vector at right angles to the optimum, (d,): towards mu where mu points elsewhere; where
    the optimum points along mu, along the sum of the coordinates that mu leaves at 0, and where
    there is none, along alternating signs. 0 in one dimension."""
    d = problem.dim
    pattern = np.where(np.arange(d) % 2 == 0, 1.0, -1.0)
    unused = (problem.mu == 0).astype(np.float64)
    candidates = (problem.mu, unused, pattern, np.eye(1, d)[0], np.eye(1, d, 1)[0])
    return beside(optimum(problem), candidates)


def beside(direction: Floats, candidates: tuple[Floats, ...]) -> Floats:
    """Unit vector at right angles to ``direction`` towards the first candidate that points
    elsewhere; 0 where none does. All (d,)."""
    for candidate in candidates:
        size = np.linalg.norm(candidate)
        rest = candidate - (candidate @ direction) * direction
        rest -= (rest @ direction) * direction
        if size > 0 and np.linalg.norm(rest) > _PARALLEL * size:
            return unit(rest)
    return np.zeros_like(direction)


def unit(values: Floats) -> Floats:
    """The same direction at length 1; 0 stays 0."""
    scale = float(np.abs(values).max())
    if not scale:
        return np.zeros_like(values)
    rows = values / scale
    return np.asarray(rows / np.linalg.norm(rows))


def degrees_between(first: Floats, second: Floats) -> float:
    """Angle of two (d,) vectors in degrees, 0 to 180, accurate near 0 too (Kahan)."""
    a, b = unit(first), unit(second)
    return float(np.rad2deg(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))


def vector(name: str, value: object) -> Floats:
    """A (d,) vector of d >= 1 finite numbers as float64. Raises InputError for anything else."""
    array = numbers(name, value)
    if array.ndim != 1 or not array.size:
        raise InputError(f"{name} has shape {array.shape}: pass a vector (d,) with d of 1 or more")
    return array


def numbers(name: str, value: object) -> Floats:
    """Finite numbers in any shape as float64. Raises InputError for anything else."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(
            f"{name} has rows of different lengths: pass an array of numbers"
        ) from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} is no array of real numbers (type {array.dtype}): pass floats")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinity: pass finite numbers")
    return array


def number(
    name: str,
    value: object,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
) -> float:
    """One finite number in these limits. Raises InputError for anything else."""
    array = numbers(name, value)
    if array.ndim:
        raise InputError(f"{name} has shape {array.shape}: pass one number")
    result = float(array)
    if result < least or result <= above or result > most:
        low = f"above {above:g}" if above > -math.inf else f"of {least:g} or more"
        limits = low if most == math.inf else f"from {least:g} to {most:g}"
        raise InputError(f"{name} is {result:g}: pass a number {limits}")
    return result


def norm_name(value: object) -> str:
    """ "linf" or "l2". Raises InputError for anything else."""
    if value not in ("linf", "l2"):
        raise InputError(f"norm {value!r} is unknown: choose linf or l2")
    return str(value)


def sample_count(value: object) -> float:
    """A number of samples: whole and 1 or more, or infinity for the limit."""
    if isinstance(value, float) and value == math.inf:
        return math.inf
    count = number("n", value)
    if count < 1 or count != math.floor(count):
        raise InputError(
            f"n is {count:g}: pass a whole number of samples of 1 or more, or math.inf for the"
            " limit"
        )
    return count


def _constant(array: Floats) -> Floats:
    array.setflags(write=False)
    return array
