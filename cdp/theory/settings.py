"""From the settings of the page to the model's values: the real mean, the robust optimum's
direction, the synthetic mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cdp.theory.checks import Floats
from cdp.theory.model import Problem, Synthetic, optimal_direction

if TYPE_CHECKING:
    from cdp.config.theory import TheoryConfig

_PARALLEL = 1e-9


def problem_of(config: TheoryConfig) -> Problem:
    """The real distribution and the attack of these settings."""
    steps = np.arange(1, config.nonzero + 1)
    shape = np.ones(config.nonzero) if config.profile == "equal" else 1 / np.sqrt(steps)
    mu = np.zeros(config.dim)
    mu[: config.nonzero] = config.size * shape / np.linalg.norm(shape)
    return Problem(mu, config.sigma, config.epsilon, config.norm)


def synthetic_of(config: TheoryConfig) -> Synthetic:
    """The synthetic distribution of these settings: its mean lies at ``angle`` to the robust
    optimum."""
    problem = problem_of(config)
    return synthetic_along(config, turned(problem, config.angle), problem)


def synthetic_along(
    config: TheoryConfig, direction: Floats, problem: Problem, separation: float | None = None
) -> Synthetic:
    """The synthetic distribution whose mean has this (d,) unit direction; separation: c, the
    settings' own where None."""
    c = config.separation if separation is None else separation
    length = c * config.noise * float(np.linalg.norm(problem.mu)) / problem.sigma
    correlation = config.correlation if config.covariance == "correlated" else 0.0
    return Synthetic(length * direction, config.noise, config.label_noise, correlation)


def optimum(problem: Problem) -> Floats:
    """Unit direction of the robust optimum; of mu where the budget leaves no optimum. (d,); 0 where
    mu is 0."""
    best = optimal_direction(problem.mu, epsilon=problem.epsilon, norm=problem.norm)
    return unit(best if best.any() else problem.mu)


def beatable(problem: Problem) -> bool:
    """Whether any direction beats answering with one class: under l_inf a coordinate of mu has to
    exceed the budget, under l2 its length."""
    sizes = np.abs(problem.mu) if problem.norm == "linf" else np.array([np.linalg.norm(problem.mu)])
    return bool((sizes > problem.epsilon).any())


def turned(problem: Problem, degrees: float) -> Floats:
    """Unit vector at this angle from the optimum, turned towards mu and past it. (d,)"""
    angle = np.deg2rad(degrees)
    return np.asarray(np.cos(angle) * optimum(problem) + np.sin(angle) * aside(problem))


def aside(problem: Problem) -> Floats:
    """Unit vector at right angles to the optimum, (d,): towards mu where mu points elsewhere; where
    the optimum points along mu, along the sum of the coordinates that mu leaves at 0, and where
    there is none, along alternating signs. 0 in one dimension."""
    best = optimum(problem)
    d = problem.dim
    pattern = np.where(np.arange(d) % 2 == 0, 1.0, -1.0)
    for candidate in (
        problem.mu,
        (problem.mu == 0).astype(np.float64),
        pattern,
        np.eye(1, d)[0],
        np.eye(1, d, 1)[0],
    ):
        size = np.linalg.norm(candidate)
        rest = candidate - (candidate @ best) * best
        rest -= (rest @ best) * best
        if size > 0 and np.linalg.norm(rest) > _PARALLEL * size:
            return unit(rest)
    return np.zeros(d)


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
