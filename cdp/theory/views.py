"""The views of the model over n, separation and angle: lines by formula, points by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cdp.config.theory import MOST_SAMPLES, Learner, TheoryConfig
from cdp.errors import InputError
from cdp.theory.cases import Cases, cases
from cdp.theory.checks import Floats
from cdp.theory.effort import fitting
from cdp.theory.expectation import Kind, expected, expected_cases, kind_of
from cdp.theory.geometry import coordinates, guided, picture
from cdp.theory.logistic import MOST_CELLS
from cdp.theory.model import Problem, best_accuracy
from cdp.theory.needed import solved
from cdp.theory.results import Curve, HeatMap, Needed, NeededTable, Points, points_of
from cdp.theory.settings import (
    aside,
    degrees_between,
    optimum,
    problem_of,
    synthetic_along,
    synthetic_of,
    turned,
)
from cdp.theory.simulation import simulate

__all__ = [
    "coordinates",
    "curves",
    "guided",
    "heat_map",
    "needed_table",
    "picture",
    "simulated_points",
    "value_at",
]

SEPARATIONS = (0.5, 1.0, 2.0)
"""Multiples of the settings' own separation that curves and tables show where none are asked for.
"""
MARKS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Where curves are simulated."""
_NUMBERS = 2_000_000
"""Random numbers that the points of all curves together may take, so that a slider is answered at
once."""
_SIDES, _STEPS = (41, 31, 21, 15, 11, 9), (85, 57, 43, 29, 22)
"""Values a side of a map, and along a curve, from finest to coarsest."""
_TRIES, _TRIES_ALONE = 12, 50
"""Values that solving for one n takes, about: with a law that says where to look, and without one.
"""
_CELLS, _TRAININGS = 600_000, 96
"""Adversarial training is slower: samples times coordinates of one, and how many for the points of
all curves together."""


def curves(
    config: TheoryConfig, separations: Sequence[float] | None = None, *, draws: int | None = None
) -> list[Curve]:
    """Robust accuracy against n from 1 to 10^7 at each separation: a line where there is a formula,
    and simulated points.

    separations: None for the settings' own, half and twice it. draws: trainings behind a point;
    None takes the settings' own or as many as are quick, 0 simulates nothing.
    """
    chosen = _separations(config, separations, SEPARATIONS)
    problem, direction = problem_of(config), turned(problem_of(config), config.angle)
    steps = fitting(config, _STEPS, lambda count: count * len(chosen))
    n = np.unique(np.round(np.geomspace(1, MOST_SAMPLES, steps)))
    best = _best(problem)
    found = []
    for number, c in enumerate(chosen):
        made = synthetic_along(config, direction, problem, c)
        plain = made.label_noise == 0 and made.correlation == 0
        value, kind = None, None
        if kind_of(problem, 1, config.learner, plain=plain):
            value, kind = expected_cases(
                _over(config, problem, direction, [c] * len(n), n), config.learner, quick=True
            )
        limit = expected(problem, made, math.inf, config.learner, quick=True)
        points = (
            None
            if draws == 0
            else simulated_points(config, c, draws=draws, shared=len(chosen), stream=number)
        )
        found.append(
            Curve(
                c,
                config.learner,
                n,
                value,
                kind,
                limit.value if limit else None,
                limit.kind if limit else None,
                points,
                best,
            )
        )
    return found


def simulated_points(
    config: TheoryConfig,
    separation: float,
    marks: Sequence[int] = MARKS,
    *,
    draws: int | None = None,
    shared: int = 1,
    stream: int = 0,
) -> Points | None:
    """Simulated robust accuracy at each n of ``marks`` that has room; None where none has.

    draws: None takes the settings' own, but fewer where they would take long. shared: how many
    curves have to be answered together; stream: of the random numbers, so that points of different
    curves are independent.
    """
    problem = problem_of(config)
    made = synthetic_along(config, turned(problem, config.angle), problem, separation)
    trained = config.learner == "adversarial-logistic"
    held = [n for n in marks if not trained or n * config.dim <= (MOST_CELLS if draws else _CELLS)]
    if not held:
        return None
    allowed = (_TRAININGS if trained else _NUMBERS // config.dim) // (len(held) * shared)
    used = draws or max(4, min(config.draws, allowed))
    found = [
        simulate(
            problem,
            made,
            n,
            config.learner,
            draws=used,
            seed=(config.seed, stream, at),
            ridge=config.ridge,
        )
        for at, n in enumerate(held)
    ]
    return points_of(np.array(held, np.float64), found)


def heat_map(config: TheoryConfig, *, size: int | None = None) -> HeatMap:
    """Robust accuracy at n samples over separation (0.1 to 10, or further to hold the settings'
    own) and angle (0 to 90 degrees, or 180).

    size: values a side; None for 41, or fewer where each value takes long, so that a slider is
    answered at once. Raises InputError for adversarial-logistic, which has no formula.
    """
    _needs_formula(config.learner, "a map")
    problem = problem_of(config)
    low, high = min(0.1, config.separation), max(10.0, config.separation)
    # Flipped labels take the more the farther classes are apart, and all cells are summed alike.
    size = size or fitting(
        config.model_copy(update={"separation": high}), _SIDES, lambda side: side**2
    )
    separations = np.geomspace(low, high, size)
    angles = np.linspace(0, 90 if config.angle <= 90 else 180, size)
    if config.dim == 1:
        angles = np.array([0.0, 180.0])
    turn = np.deg2rad(np.repeat(angles, size))
    lengths = np.tile(separations, len(angles)) * _per_separation(config, problem)
    mixed = np.stack([np.cos(turn), np.sin(turn)], axis=1) * lengths[:, None]
    many = _cases(config, problem, [optimum(problem), aside(problem)], mixed, float(config.n))
    values, kind = expected_cases(many, config.learner, quick=True)
    real = (1.0, degrees_between(problem.mu, optimum(problem)))
    return HeatMap(
        separations,
        angles,
        values.reshape(len(angles), size),
        kind,
        config.n,
        (config.separation, config.angle),
        real,
        _best(problem),
    )


def needed_table(config: TheoryConfig, separations: Sequence[float] | None = None) -> NeededTable:
    """Samples that the target takes at each separation, beside what the c-squared law says from the
    settings' own separation.

    separations: None for eleven from a quarter of the settings' own to eight times it, or every
    second or fourth of them where each takes long. Raises InputError for adversarial-logistic.
    """
    _needs_formula(config.learner, "samples needed")
    problem = problem_of(config)
    direction = turned(problem, config.angle)
    own = synthetic_of(config)
    tries = _TRIES if lawful(config) else _TRIES_ALONE
    stride = fitting(config, (1, 2, 4), lambda stride: 11 * tries // stride)
    anchor = solved(problem, own, config.target, config.learner, quick=True)
    limit = expected(problem, own, math.inf, config.learner, quick=True)
    kind = kind_of(problem, 1, config.learner, plain=True)
    assert limit is not None and kind is not None  # every learner but adversarial-logistic has both
    rows = []
    for c in _separations(config, separations, tuple(2.0 ** (k / 2) for k in range(-4, 7, stride))):
        made = synthetic_along(config, direction, problem, c)
        law = None if anchor is None else anchor * (config.separation / c) ** 2
        hint = law if lawful(config) else None
        n = (
            anchor
            if c == config.separation
            else solved(problem, made, config.target, config.learner, near=hint, quick=True)
        )
        rows.append(Needed(c, n, law, kind))
    return NeededTable(tuple(rows), config.target, limit.value, _best(problem), lawful(config))


def value_at(config: TheoryConfig) -> float | None:
    """Expected robust accuracy for these settings, read off a table as the lines are; None where
    there is no formula."""
    problem = problem_of(config)
    if kind_of(problem, config.n, config.learner, plain=False) is None:
        return None
    many = _over(
        config,
        problem,
        turned(problem, config.angle),
        [config.separation],
        np.array([float(config.n)]),
    )
    return float(expected_cases(many, config.learner, quick=True)[0][0])


def lawful(config: TheoryConfig) -> Kind | None:
    """How the c-squared law holds for these settings: exactly for averages, for many samples under
    label noise, not for a learner with a threshold of its own."""
    if config.learner in ("averaging", "l2-optimal"):
        return "asymptotic" if config.label_noise else "exact"
    return None


def _separations(
    config: TheoryConfig, given: Sequence[float] | None, multiples: Sequence[float]
) -> list[float]:
    if given is None:
        return [config.separation * factor for factor in multiples]
    bad = [c for c in given if not (math.isfinite(c) and c > 0)]
    if bad or not given:
        raise InputError(f"separations: {bad[0] if bad else 'none'} given: pass numbers above 0")
    return [float(c) for c in given]


def _needs_formula(learner: Learner, what: str) -> None:
    if learner == "adversarial-logistic":
        raise InputError(
            f"learner: adversarial-logistic has no formula for {what}: choose averaging, or look at"
            " its simulated curve"
        )


def _over(
    config: TheoryConfig,
    problem: Problem,
    direction: Floats,
    separations: Sequence[float],
    n: Floats,
) -> Cases:
    lengths = np.asarray(separations, np.float64) * _per_separation(config, problem)
    return _cases(config, problem, [direction], lengths[:, None], n)


def _cases(
    config: TheoryConfig,
    problem: Problem,
    basis: list[Floats],
    coefficients: Floats,
    n: Floats | float,
) -> Cases:
    made = synthetic_of(config)
    return cases(
        problem,
        basis,
        coefficients,
        n,
        noise=made.noise,
        label_noise=made.label_noise,
        correlation=made.correlation,
    )


def _per_separation(config: TheoryConfig, problem: Problem) -> float:
    return config.noise * float(np.linalg.norm(problem.mu)) / problem.sigma


def _best(problem: Problem) -> float:
    return best_accuracy(
        problem.mu, sigma=problem.sigma, epsilon=problem.epsilon, norm=problem.norm
    )
