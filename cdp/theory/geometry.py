"""The views of the model that show directions: a picture in a plane, coordinates, and the mean as
guidance moves it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cdp.config.theory import TheoryConfig
from cdp.errors import InputError
from cdp.theory.cases import cases
from cdp.theory.checks import Floats, Ints
from cdp.theory.effort import fitting
from cdp.theory.expectation import expected, expected_cases, kind_of
from cdp.theory.model import Problem, Synthetic, best_accuracy, optimal_direction, robust_accuracy
from cdp.theory.results import Boundary, Coordinates, Guided, Picture, Points, points_of
from cdp.theory.settings import (
    aside,
    beatable,
    degrees_between,
    optimum,
    problem_of,
    synthetic_along,
    synthetic_of,
    unit,
)
from cdp.theory.simulation import simulate, weights

_STEPS = (41, 21, 11)
"""Strengths of an animation, from finest to coarsest; 1 is among all of them."""


def picture(config: TheoryConfig, *, points: int = 300) -> Picture:
    """Both distributions, the learned and the optimal boundary, and the tube that the attack
    crosses, in the plane of mu and the optimum.

    points: draws of each distribution. Raises InputError in one dimension, and where the learner
    needs more samples than it may hold.
    """
    problem, made = problem_of(config), synthetic_of(config)
    axes = _plane(problem)
    best = optimal_direction(problem.mu, epsilon=problem.epsilon, norm=problem.norm)
    rng = np.random.default_rng((config.seed, 101))
    common = axes.sum(axis=1)
    spread = made.noise**2 * (
        (1 - made.correlation) * axes @ axes.T + made.correlation * np.outer(common, common)
    )
    real_points, real_labels = _drawn(
        rng, axes @ problem.mu, problem.sigma**2 * axes @ axes.T, points, 0.0
    )
    synthetic_points, synthetic_labels = _drawn(
        rng, axes @ made.mean, spread, points, made.label_noise
    )
    return Picture(
        axes @ problem.mu,
        problem.sigma**2 * axes @ axes.T,
        axes @ made.mean,
        spread,
        _boundary("optimal", best, problem, axes) if beatable(problem) else None,
        _boundary("learned", _learned(config), problem, axes),
        real_points,
        real_labels,
        synthetic_points,
        synthetic_labels,
        problem.epsilon,
        problem.norm,
    )


def coordinates(config: TheoryConfig) -> Coordinates:
    """The real mean, the optimum, the synthetic mean and one learned w, coordinate by coordinate.
    Errors as in ``picture``."""
    problem, made = problem_of(config), synthetic_of(config)
    best = optimal_direction(problem.mu, epsilon=problem.epsilon, norm=problem.norm)
    learned = _learned(config)
    order = np.argsort(-np.abs(problem.mu), kind="stable")

    def angle(first: Floats, second: Floats) -> float:
        return degrees_between(first, second) if first.any() and second.any() else math.nan

    return Coordinates(
        order,
        problem.mu[order],
        best[order],
        made.mean[order],
        learned[order],
        angle(problem.mu, best),
        angle(made.mean, best),
        angle(made.mean, problem.mu),
        angle(learned, best),
        int(((problem.mu != 0) & (best == 0)).sum()),
    )


def guided(
    config: TheoryConfig, strengths: Sequence[float] | None = None, *, draws: int = 0
) -> Guided:
    """What guidance strength does: the direction of the synthetic mean is (1 - t) mu/|mu| + t
    optimum/|optimum|, its separation stays.

    strengths: t, None for 0 to 2 with the settings' own among them. draws: trainings behind each
    simulated value, 0 for none. The settings' own angle is not used.
    """
    usual = np.union1d(
        np.round(np.linspace(0, 2, fitting(config, _STEPS, int)), 3), [config.strength]
    )
    chosen = usual if strengths is None else np.asarray(strengths, np.float64)
    if chosen.ndim != 1 or not chosen.size or not np.isfinite(chosen).all() or (chosen < 0).any():
        raise InputError("strengths: pass numbers of 0 or more, 0 for mu and 1 for the optimum")
    problem = problem_of(config)
    start, end = unit(problem.mu), optimum(problem)
    directions = [unit((1 - t) * start + t * end) for t in chosen]
    made = [synthetic_along(config, direction, problem) for direction in directions]
    value, kind = None, None
    if kind_of(problem, config.n, config.learner, plain=False):
        length = float(np.linalg.norm(made[0].mean))
        mixed = np.array([[one @ start, one @ _second(problem)] for one in directions]) * length
        many = cases(
            problem,
            [start, _second(problem)],
            mixed,
            float(config.n),
            noise=made[0].noise,
            label_noise=made[0].label_noise,
            correlation=made[0].correlation,
        )
        value, kind = expected_cases(many, config.learner, quick=True)
    limits = [expected(problem, one, math.inf, config.learner, quick=True) for one in made]
    axes = np.stack([start, _second(problem)])
    angles = np.array(
        [degrees_between(one.mean, end) if beatable(problem) else math.nan for one in made]
    )
    limit = np.array([one.value if one else math.nan for one in limits])
    return Guided(
        chosen,
        angles,
        value,
        kind,
        limit,
        limits[0].kind if limits[0] else None,
        _simulated(config, problem, made, draws) if draws else None,
        np.stack([axes @ one.mean for one in made]),
        config.n,
        best_accuracy(problem.mu, sigma=problem.sigma, epsilon=problem.epsilon, norm=problem.norm),
    )


def _simulated(config: TheoryConfig, problem: Problem, made: list[Synthetic], draws: int) -> Points:
    found = [
        simulate(
            problem,
            one,
            config.n,
            config.learner,
            draws=draws,
            seed=(config.seed, 202, at),
            ridge=config.ridge,
        )
        for at, one in enumerate(made)
    ]
    return points_of(np.full(len(made), float(config.n)), found)


def _learned(config: TheoryConfig) -> Floats:
    """One training on n samples, (d,)."""
    block = next(
        weights(
            problem_of(config),
            synthetic_of(config),
            config.n,
            config.learner,
            draws=2,
            seed=(config.seed, 303),
            ridge=config.ridge,
        )
    )
    return np.asarray(block[0])


def _plane(problem: Problem) -> Floats:
    """Two orthonormal axes (2, d): mu, and what the optimum or the synthetic mean add to it."""
    if problem.dim == 1:
        raise InputError("dim: one dimension has no plane to draw: raise dim to 2 or more")
    return np.stack([unit(problem.mu), _second(problem)])


def _second(problem: Problem) -> Floats:
    """Unit vector at right angles to mu in the plane that angles are turned in, on the optimum's
    side of it. (d,); 0 in one dimension."""
    first = unit(problem.mu)
    for candidate in (optimum(problem), aside(problem)):
        rest = candidate - (candidate @ first) * first
        rest -= (rest @ first) * first
        if np.linalg.norm(rest) > 1e-9:
            return unit(rest)
    return np.zeros(problem.dim)


def _boundary(name: str, w: Floats, problem: Problem, axes: Floats) -> Boundary:
    w = unit(w)
    inside = axes @ w
    length = float(np.linalg.norm(inside))
    reach = problem.epsilon * float(
        np.abs(w).sum() if problem.norm == "linf" else np.linalg.norm(w)
    )
    accuracy = robust_accuracy(
        w, problem.mu, sigma=problem.sigma, epsilon=problem.epsilon, norm=problem.norm
    )
    width = 0.0 if reach == 0 else reach / length if length else math.inf
    return Boundary(
        name, inside / length if length else np.array([1.0, 0.0]), width, length, float(accuracy)
    )


def _drawn(
    rng: np.random.Generator, mean: Floats, covariance: Floats, count: int, flipped: float
) -> tuple[Floats, Ints]:
    labels = np.where(rng.random(count) < 0.5, -1, 1)
    points = labels[:, None] * mean + rng.multivariate_normal(
        np.zeros(2), covariance, count, method="cholesky"
    )
    wrong = rng.random(count) < flipped
    return points, np.where(wrong, -labels, labels).astype(np.int64)
