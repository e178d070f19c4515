"""The views of the model that show directions: a picture in a plane, and every coordinate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cdp.config.theory import TheoryConfig
from cdp.errors import InputError
from cdp.theory.model import (
    Floats,
    Ints,
    Problem,
    aside,
    beatable,
    beside,
    degrees_between,
    optimal_direction,
    optimum,
    problem_of,
    robust_accuracy,
    synthetic_of,
    unit,
)
from cdp.theory.simulation import weights


@dataclass(frozen=True, eq=False)
class Boundary:
    """Where the plane of the picture meets the boundary w.x = 0, and the points that an attack
    carries across it.

    normal: (2,) unit normal in the plane; half_width: of the tube |w.x| <= epsilon |w|_dual,
    measured in the plane, infinite where w is at right angles to it; in_plane: |w| in the plane
    over |w|, 0 to 1; accuracy: robust accuracy of w in all dimensions, exact.
    """

    name: str
    normal: Floats
    half_width: float
    in_plane: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Cloud:
    """A distribution in the plane. mean: (2,), of class +1; noise: standard deviation in every
    direction; points: (P, 2) draws; labels: (P,) of -1 and 1, flipped ones included."""

    name: str
    mean: Floats
    noise: float
    points: Floats
    labels: Ints


@dataclass(frozen=True, eq=False)
class Picture:
    """The plane of the real mean (first axis) and of what the optimum adds to it (second axis), in
    the units of x. optimal: None where no classifier that looks at x beats answering with one
    class. Projections are exact, the draws simulated."""

    real: Cloud
    synthetic: Cloud
    optimal: Boundary | None
    learned: Boundary
    epsilon: float
    norm: str


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Coordinate by coordinate, largest |mu_i| first. order: (d,) coordinate numbers from 0; mu,
    optimum (soft threshold, in the units of mu), synthetic, learned (one training on n samples):
    (d,). Angles in degrees; nan where one of the two is 0."""

    order: Ints
    mu: Floats
    optimum: Floats
    synthetic: Floats
    learned: Floats
    synthetic_to_optimum: float
    synthetic_to_mu: float
    learned_to_optimum: float
    dropped: int
    """Coordinates that mu has and the optimum does not."""


def picture(config: TheoryConfig, *, points: int = 300) -> Picture:
    """Both distributions, the learned and the optimal boundary, and the tube that the attack
    crosses, in the plane of mu and the optimum.

    points: draws of each distribution. Raises InputError in one dimension, and where the learner
    needs more samples than it may hold.
    """
    problem, synthetic = problem_of(config), synthetic_of(config)
    if problem.dim == 1:
        raise InputError("dim: one dimension has no plane to draw: raise dim to 2 or more")
    axes = np.stack([unit(problem.mu), second_axis(problem)])
    best = optimal_direction(problem.mu, epsilon=problem.epsilon, norm=problem.norm)
    rng = np.random.default_rng((config.seed, 101))

    def cloud(name: str, mean: Floats, noise: float, flipped: float) -> Cloud:
        labels = np.where(rng.random(points) < 0.5, -1, 1)
        drawn = labels[:, None] * mean + noise * rng.standard_normal((points, 2))
        wrong = rng.random(points) < flipped
        return Cloud(name, mean, noise, drawn, np.where(wrong, -labels, labels).astype(np.int64))

    return Picture(
        cloud("real", axes @ problem.mu, problem.sigma, 0.0),
        cloud("synthetic", axes @ synthetic.mean, synthetic.noise, synthetic.label_noise),
        _boundary("optimal", best, problem, axes) if beatable(problem) else None,
        _boundary("learned", _learned(config), problem, axes),
        problem.epsilon,
        problem.norm,
    )


def coordinates(config: TheoryConfig) -> Coordinates:
    """The real mean, the optimum, the synthetic mean and one learned w, coordinate by coordinate.
    Errors as in ``picture``."""
    problem, synthetic = problem_of(config), synthetic_of(config)
    best = optimal_direction(problem.mu, epsilon=problem.epsilon, norm=problem.norm)
    learned = _learned(config)
    order = np.argsort(-np.abs(problem.mu), kind="stable")

    def angle(first: Floats, second: Floats) -> float:
        return degrees_between(first, second) if first.any() and second.any() else math.nan

    return Coordinates(
        order,
        problem.mu[order],
        best[order],
        synthetic.mean[order],
        learned[order],
        angle(synthetic.mean, best),
        angle(synthetic.mean, problem.mu),
        angle(learned, best),
        int(((problem.mu != 0) & (best == 0)).sum()),
    )


def second_axis(problem: Problem) -> Floats:
    """Unit vector at right angles to mu in the plane that angles are turned in, on the optimum's
    side of it. (d,); 0 in one dimension."""
    return beside(unit(problem.mu), (optimum(problem), aside(problem)))


def _learned(config: TheoryConfig) -> Floats:
    """One training on n samples, (d,)."""
    blocks = weights(
        problem_of(config),
        synthetic_of(config),
        config.n,
        config.learner,
        draws=2,
        seed=(config.seed, 303),
        ridge=config.ridge,
    )
    return np.asarray(next(blocks)[0])


def _boundary(name: str, w: Floats, problem: Problem, axes: Floats) -> Boundary:
    w = unit(w)
    inside = axes @ w
    length = float(np.linalg.norm(inside))
    dual = np.abs(w).sum() if problem.norm == "linf" else np.linalg.norm(w)
    reach = problem.epsilon * float(dual)
    accuracy = robust_accuracy(
        w, problem.mu, sigma=problem.sigma, epsilon=problem.epsilon, norm=problem.norm
    )
    width = 0.0 if reach == 0 else reach / length if length else math.inf
    normal = inside / length if length else np.array([1.0, 0.0])
    return Boundary(name, normal, width, length, float(accuracy))
