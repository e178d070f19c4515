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
    """What is to be classified, and against which attack. mu: (d,), d of 2 or more, real class mean
    of y = +1; sigma: real noise, above 0; epsilon: budget in the units of mu, 0 or more; norm:
    "linf" or "l2". Raises InputError where a value makes no sense."""

    mu: Floats
    sigma: float
    epsilon: float
    norm: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "mu", _vector("mu", self.mu))
        number("sigma", self.sigma, above=0)
        number("epsilon", self.epsilon, least=0)
        if self.norm not in ("linf", "l2"):
            raise InputError(f"norm {self.norm!r} is unknown: choose linf or l2")

    @property
    def dim(self) -> int:
        return len(self.mu)

    @property
    def gain(self) -> float:
        """|mu|/sigma, the steepness of l2 accuracy in the cosine between w and mu."""
        return float(np.linalg.norm(self.mu)) / self.sigma


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Where training samples come from: x|y ~ N(y m, s^2 I). mean: (d,) m, not 0; noise: s, above
    0. Raises InputError where a value makes no sense."""

    mean: Floats
    noise: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", _vector("mean", self.mean))
        number("noise", self.noise, above=0)
        if not self.mean.any():
            raise InputError("mean is 0, so both classes are one: pass a mean that is not")


def robust_accuracy(w: object, problem: Problem) -> Floats:
    """Share of x that sign(w.x) gets right whatever a perturbation of size epsilon does, exactly.

    linf: Phi((w.mu - epsilon |w|_1) / (sigma |w|_2)); l2: Phi((w.mu / |w|_2 - epsilon) / sigma).
    (derived: docs/theory.md, 2)

    w: (..., d) -> (...). Only its direction counts. w = 0 answers with one class whatever x is,
    which no attack changes: 1/2. Raises InputError for NaN, infinity and shapes that do not fit.
    """
    from scipy.special import ndtr

    weights = numbers("w", w)
    if weights.shape[-1:] != problem.mu.shape:
        raise InputError(f"w has shape {weights.shape}: its last axis has to be {problem.dim} long")
    return np.asarray(ndtr(margins(weights, problem)))


def margins(w: Floats, problem: Problem) -> Floats:
    """What stands inside Phi: w (..., d) -> (...); 0 where w is 0."""
    length = np.linalg.norm(w, axis=-1)
    dual = np.abs(w).sum(axis=-1) if problem.norm == "linf" else length
    score = w @ problem.mu - problem.epsilon * dual
    return np.asarray(score / (problem.sigma * np.where(length > 0, length, 1.0)))


def soft_threshold(values: Floats, epsilon: float) -> Floats:
    """sign(v) max(|v| - epsilon, 0), coordinate by coordinate, in any shape."""
    return np.asarray(np.sign(values) * np.maximum(np.abs(values) - epsilon, 0.0))


def optimal_direction(problem: Problem) -> Floats:
    """The w of highest robust accuracy, (d,), not normalised.

    linf: the soft threshold of mu at epsilon, which is all 0 when epsilon reaches max |mu_i|: then
    no w that looks at x beats answering with one class. l2: mu itself, whatever epsilon is; from
    epsilon = |mu|_2 on that, too, is no better than one class. (derived: docs/theory.md, 3)
    """
    return soft_threshold(problem.mu, problem.epsilon) if problem.norm == "linf" else problem.mu


def best_accuracy(problem: Problem) -> float:
    """The highest robust accuracy that any sign(w.x) has, answering with one class (1/2) included.

    linf: Phi(|S_epsilon(mu)|_2 / sigma); l2: Phi((|mu|_2 - epsilon) / sigma), but at least 1/2.
    """
    return max(0.5, float(robust_accuracy(optimal_direction(problem), problem)))


def problem_of(config: TheoryConfig) -> Problem:
    """The real distribution and the attack of these settings."""
    ranks = np.arange(1, config.nonzero + 1)
    shape = np.ones(config.nonzero) if config.profile == "equal" else 1 / np.sqrt(ranks)
    mu = np.zeros(config.dim)
    mu[: config.nonzero] = config.size * shape / np.linalg.norm(shape)
    return Problem(mu, config.sigma, config.epsilon, config.norm)


def synthetic_of(config: TheoryConfig, direction: Floats | None = None) -> Synthetic:
    """The synthetic distribution of these settings. direction: (d,) unit vector of its mean, by
    default at ``angle`` to the robust optimum."""
    problem = problem_of(config)
    direction = turned(problem, config.angle) if direction is None else direction
    return Synthetic(config.separation * config.noise * problem.gain * direction, config.noise)


def optimum(problem: Problem) -> Floats:
    """Unit direction of the robust optimum; of mu where the budget leaves no optimum. (d,)"""
    best = optimal_direction(problem)
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
    there is none, along alternating signs or the first coordinate."""
    d = problem.dim
    signs = np.where(np.arange(d) % 2 == 0, 1.0, -1.0)
    unused = (problem.mu == 0).astype(np.float64)
    return beside(optimum(problem), problem.mu, unused, signs, np.eye(1, d)[0])


def beside(direction: Floats, *candidates: Floats) -> Floats:
    """Unit vector at right angles to ``direction`` towards the first candidate that points
    elsewhere; one of the last two always does. All (d,)."""
    for candidate in candidates:
        rest = candidate - (candidate @ direction) * direction
        rest -= (rest @ direction) * direction  # once more, for what rounding left
        if np.linalg.norm(rest) > _PARALLEL * np.linalg.norm(candidate):
            break
    return unit(rest)


def unit(values: Floats) -> Floats:
    """The same direction at length 1; 0 stays 0."""
    length = float(np.linalg.norm(values))
    return np.asarray(values / length) if length else np.zeros_like(values)


def degrees_between(first: Floats, second: Floats) -> float:
    """Angle of two (d,) vectors in degrees, 0 to 180, accurate near 0 too (Kahan); nan where one
    of them is 0."""
    a, b = unit(first), unit(second)
    if not (a.any() and b.any()):
        return math.nan
    return float(np.rad2deg(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))


def numbers(name: str, value: object) -> Floats:
    """Finite numbers in any shape as float64. Raises InputError for anything else."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"{name} has rows of different lengths: pass an array") from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} is no array of real numbers (type {array.dtype}): pass floats")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinity: pass finite numbers")
    return array


def number(name: str, value: object, *, least: float = -math.inf, above: float = -math.inf) -> None:
    """Raises InputError for anything but one finite number of ``least`` or more, over ``above``."""
    array = numbers(name, value)
    if array.ndim:
        raise InputError(f"{name} has shape {array.shape}: pass one number")
    if float(array) < least or float(array) <= above:
        limit = f"above {above:g}" if above > -math.inf else f"of {least:g} or more"
        raise InputError(f"{name} is {float(array):g}: pass a number {limit}")


def _vector(name: str, value: object) -> Floats:
    """A constant copy of a (d,) vector, d of 2 or more."""
    array = numbers(name, value)
    if array.ndim != 1 or len(array) < 2:
        raise InputError(f"{name} has shape {array.shape}: pass a vector (d,) with d of 2 or more")
    array.setflags(write=False)
    return array
