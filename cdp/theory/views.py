"""The views of the model over n, separation, angle and guidance strength: lines by formula, points
by simulation. Numbers for figures and tables, each with the word for how it was computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cdp.config.theory import MOST_SAMPLES, Learner, TheoryConfig
from cdp.errors import InputError
from cdp.theory import angles
from cdp.theory.expectation import (
    Cases,
    Kind,
    expected,
    expected_cases,
    kind_of,
    samples_needed,
    steepness,
)
from cdp.theory.geometry import second_axis
from cdp.theory.model import (
    Floats,
    aside,
    beatable,
    best_accuracy,
    degrees_between,
    optimum,
    problem_of,
    synthetic_of,
    turned,
    unit,
)
from cdp.theory.simulation import simulate

SEPARATIONS = (0.5, 1.0, 2.0)
"""Multiples of the settings' own separation that curves show."""
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
"""Where guided means are simulated."""
_WORK = 3_000_000
"""Values of an integrand that a map may take, so that a slider is answered at once."""


@dataclass(frozen=True, eq=False)
class Points:
    """Simulated robust accuracies with 95 % intervals. at: (P,) samples or strengths; value, low,
    high: (P,); draws: trainings behind each."""

    at: Floats
    value: Floats
    low: Floats
    high: Floats
    draws: int
    kind: Literal["simulated"] = "simulated"


@dataclass(frozen=True, eq=False)
class AccuracyCurve:
    """Robust accuracy against n at one separation. n: (N,) samples; value: (N,), None with kind
    None where there is no formula; limit: at infinitely many samples with its kind, None where
    unknown; best: what the best classifier of the real problem has; simulated: points, where they
    are there."""

    separation: float
    learner: Learner
    n: Floats
    value: Floats | None
    kind: Kind | None
    limit: float | None
    limit_kind: Kind | None
    best: float
    simulated: Points | None = None


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Robust accuracy over separation and angle at n samples. separations: (S,); angles: (A,)
    degrees; values: (A, S).

    here, real: (separation, angle) of the settings and of real data themselves.
    """

    separations: Floats
    angles: Floats
    values: Floats
    kind: Kind
    n: int
    here: tuple[float, float]
    real: tuple[float, float]


@dataclass(frozen=True)
class Needed:
    """Samples for the target at one separation. n: real, None where no n reaches it; law: what the
    c-squared law says from the settings' own separation, None where that has no n."""

    separation: float
    n: float | None
    law: float | None


@dataclass(frozen=True)
class NeededTable:
    """rows by separation; kind: of their n; limit: robust accuracy at infinitely many samples,
    which a target has to stay below; lawful: see ``lawful``."""

    rows: tuple[Needed, ...]
    kind: Kind
    target: float
    limit: float
    lawful: Kind | None


@dataclass(frozen=True, eq=False)
class Guided:
    """The synthetic mean moved from mu (strength 0) to the optimum's direction (1) and past it, at
    the same separation.

    strengths, angles (degrees to the optimum; nan where no direction beats guessing), limit
    (infinitely many samples; nan where unknown, of kind limit_kind): (S,); value: (S,) at n
    samples, None with kind None where there is no formula; means: (S, 2) in the plane of mu and the
    optimum; best: what the best classifier has.
    """

    strengths: Floats
    angles: Floats
    value: Floats | None
    kind: Kind | None
    limit: Floats
    limit_kind: Kind | None
    means: Floats
    n: int
    best: float


def curves(config: TheoryConfig) -> list[AccuracyCurve]:
    """Robust accuracy against n from 1 to 10^7 at half the settings' own separation, at that and at
    twice it, without points."""
    problem, n = problem_of(config), np.unique(np.round(np.geomspace(1, MOST_SAMPLES, 57)))
    kind = kind_of(problem, 1, config.learner, config.label_noise)
    lines = []
    for factor in SEPARATIONS:
        synthetic = synthetic_of(config, separation=config.separation * factor)
        value = expected_cases(Cases.of(problem, synthetic, n), config.learner)[0] if kind else None
        limit = expected(problem, synthetic, math.inf, config.learner)
        lines.append(
            AccuracyCurve(
                config.separation * factor,
                config.learner,
                n,
                value,
                kind,
                limit.value if limit else None,
                limit.kind if limit else None,
                best_accuracy(problem),
            )
        )
    return lines


def curve_points(
    config: TheoryConfig, factor: float, marks: Sequence[int], *, draws: int
) -> Points | None:
    """Simulated robust accuracy at each n of ``marks``; None where there are none. factor: of the
    settings' own separation, one of ``SEPARATIONS``."""
    synthetic = synthetic_of(config, separation=config.separation * factor)
    stream = SEPARATIONS.index(factor)
    values = [
        simulate(
            problem_of(config),
            synthetic,
            n,
            config.learner,
            draws=draws,
            seed=(config.seed, stream, at),
            ridge=config.ridge,
        )
        for at, n in enumerate(marks)
    ]
    if not values:
        return None
    value, low, high = np.array([(each.value, each.low, each.high) for each in values]).T
    return Points(np.asarray(marks, np.float64), value, low, high, draws)


def heat_map(config: TheoryConfig) -> HeatMap:
    """Robust accuracy over separation (0.1 to 10, and the settings' own) and angle (0 to 90
    degrees, or 180); coarser where a value takes long. Raises InputError for
    adversarial-logistic."""
    _require_formula(config.learner, "a map")
    problem = problem_of(config)
    low, high = min(0.1, config.separation), max(10.0, config.separation)
    side = _side(config, math.sqrt(low * high))
    separations = np.geomspace(low, high, side)
    degrees = np.linspace(0, 90 if config.angle <= 90 else 180, side)
    if config.dim == 1:
        degrees = np.array([0.0, 180.0])
    turn = np.deg2rad(np.repeat(degrees, side))
    lengths = np.tile(separations, len(degrees)) * config.noise * problem.gain
    cases = Cases(
        problem,
        np.stack([optimum(problem), aside(problem)]),
        np.stack([np.cos(turn), np.sin(turn)], axis=1) * lengths[:, None],
        np.full(len(turn), float(config.n)),
        config.noise,
        config.label_noise,
    )
    values, kind = expected_cases(cases, config.learner)
    real = (1.0, degrees_between(problem.mu, optimum(problem)))
    here = (config.separation, config.angle)
    shape = (len(degrees), side)
    return HeatMap(separations, degrees, values.reshape(shape), kind, config.n, here, real)


def _side(config: TheoryConfig, separation: float) -> int:
    """How many values a side a map may have, so that a slider is answered at once. separation:
    where labels are flipped, as steep as on the average over the map."""
    problem = problem_of(config)
    if problem.dim == 1:
        return 41
    if kind_of(problem, 1, config.learner, 0.0) == "exact":
        each = angles.nodes(problem.dim, problem.gain) * len(
            angles.aside_nodes(problem.dim, 4 * problem.gain)[0]
        )
    else:
        each = 4 * len(np.unique(problem.mu))
    if config.label_noise:
        each *= 8 + int(10 * steepness(problem, separation * problem.gain, config.label_noise))
    return next((side for side in (41, 31, 21, 15) if side**2 * each <= _WORK), 11)


def needed_table(config: TheoryConfig) -> NeededTable:
    """Samples that the target takes at eleven separations from a quarter of the settings' own to
    eight times it: what the c-squared law says from the settings' own, which is solved for n, and
    where the law is not exact the solution beside it. Raises InputError for adversarial-logistic.
    """
    _require_formula(config.learner, "samples needed")
    problem, direction = problem_of(config), turned(problem_of(config), config.angle)

    def solved(c: float, law: float | None = None) -> float | None:
        synthetic = synthetic_of(config, direction, c)
        return samples_needed(problem, synthetic, config.target, config.learner, near=law)

    anchor = solved(config.separation)
    limit = expected(problem, synthetic_of(config), math.inf, config.learner)
    kind = kind_of(problem, 1, config.learner, config.label_noise)
    assert limit is not None and kind is not None  # every learner but adversarial-logistic has both
    rows = []
    for c in (config.separation * 2.0 ** (k / 2) for k in range(-4, 7)):
        law = None if anchor is None else anchor * (config.separation / c) ** 2
        n = law if lawful(config) == "exact" else solved(c, law if lawful(config) else None)
        rows.append(Needed(c, n, law))
    return NeededTable(tuple(rows), kind, config.target, limit.value, lawful(config))


def guided(config: TheoryConfig, strengths: Sequence[float] | None = None) -> Guided:
    """What guidance strength does: the direction of the synthetic mean is (1 - t) mu/|mu| + t
    optimum/|optimum|, its separation stays.

    strengths: t, by default 0 to 2 with the settings' own among them. The settings' own angle is
    not used.
    """
    usual = np.union1d(np.round(np.linspace(0, 2, 41), 3), [config.strength])
    chosen = usual if strengths is None else np.asarray(strengths, np.float64)
    if chosen.ndim != 1 or not chosen.size or not np.isfinite(chosen).all() or (chosen < 0).any():
        raise InputError("strengths: pass numbers of 0 or more, 0 for mu and 1 for the optimum")
    problem = problem_of(config)
    axes = np.stack([unit(problem.mu), second_axis(problem)])
    directions = np.stack([_guided_direction(config, t) for t in chosen])
    means = directions @ axes.T * config.separation * config.noise * problem.gain
    cases = Cases(
        problem,
        axes,
        means,
        np.full(len(chosen), float(config.n)),
        config.noise,
        config.label_noise,
    )
    value, kind = None, None
    if kind_of(problem, config.n, config.learner, config.label_noise):
        value, kind = expected_cases(cases, config.learner)
    limit = np.full(len(chosen), math.nan)
    limit_kind = kind_of(problem, math.inf, config.learner, config.label_noise)
    if limit_kind:
        endless = replace(cases, n=np.full(len(chosen), math.inf))
        limit, limit_kind = expected_cases(endless, config.learner)
    goal = optimum(problem)
    far = [degrees_between(each, goal) if beatable(problem) else math.nan for each in directions]
    return Guided(
        chosen,
        np.array(far),
        value,
        kind,
        limit,
        limit_kind,
        means,
        config.n,
        best_accuracy(problem),
    )


def guided_points(config: TheoryConfig, *, draws: int) -> Points:
    """Simulated robust accuracy at each of ``STRENGTHS``."""
    values = [
        simulate(
            problem_of(config),
            synthetic_of(config, _guided_direction(config, t)),
            config.n,
            config.learner,
            draws=draws,
            seed=(config.seed, 202, at),
            ridge=config.ridge,
        )
        for at, t in enumerate(STRENGTHS)
    ]
    value, low, high = np.array([(each.value, each.low, each.high) for each in values]).T
    return Points(np.asarray(STRENGTHS), value, low, high, draws)


def _guided_direction(config: TheoryConfig, strength: float) -> Floats:
    problem = problem_of(config)
    return unit((1 - strength) * unit(problem.mu) + strength * optimum(problem))


def value_at(config: TheoryConfig) -> float | None:
    """Expected robust accuracy for these settings; None where there is no formula."""
    estimate = expected(problem_of(config), synthetic_of(config), config.n, config.learner)
    return None if estimate is None else estimate.value


def lawful(config: TheoryConfig) -> Kind | None:
    """How the c-squared law holds for these settings: exactly for averages, for many samples under
    label noise ("asymptotic"), not for a learner with a threshold of its own (None)."""
    if config.learner in ("averaging", "l2-optimal"):
        return "asymptotic" if config.label_noise else "exact"
    return None


def _require_formula(learner: Learner, what: str) -> None:
    if learner == "adversarial-logistic":
        raise InputError(
            f"learner: adversarial-logistic has no formula for {what}: choose averaging, or look at"
            " its simulated curve"
        )
