"""The views of the model as rows of numbers, which page, figures and command line all show: lines by
formula, points by simulation, each with the word for how it was computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from cdp.config.theory import MOST_SAMPLES, TRAINED, TheoryConfig
from cdp.theory.expectation import accuracies, expected, kind_of, require_formula, samples_needed
from cdp.theory.model import (
    Floats,
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
from cdp.theory.simulation import simulate, weights
from cdp.values.types import Interval

Row = dict[str, Any]
What = Literal["curves", "guided"]
SEPARATIONS = (0.5, 1.0, 2.0)
"""Multiples of the settings' own separation that curves show."""
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
"""Where guided means are simulated."""
DRAWN_AT = tuple(10**k for k in range(8))
TRAINED_AT, TRAININGS = (1, 10, 30, 100, 300, 1_000, 3_000), 20
"""Where classifiers are trained for a curve, and how many for a point."""
MOST_NUMBERS = 2_000_000
"""Samples times coordinates of the largest of these trainings: each takes seconds at most."""
LEAST, QUICK = 20, 2_400_000
"""Draws behind a point of any other learner at least, and random numbers of all points together at
most: a fraction of a second."""


def curves(config: TheoryConfig) -> list[Row]:
    """Robust accuracy against n from 1 to 10^7 and at infinity, at half the settings' own
    separation, at that and at twice it. No line where there is no formula."""
    problem, rows = problem_of(config), []
    grid = np.union1d(np.round(np.geomspace(1, MOST_SAMPLES, 57)), [config.n])
    for factor in SEPARATIONS:
        own = _at(config, separation=config.separation * factor)
        synthetic, kind = synthetic_of(own), kind_of(problem, 1, config.learner)
        for n in [grid, np.array([math.inf])] if kind else [np.array([math.inf])]:
            basis, ones = synthetic.mean[None], np.ones((len(n), 1))
            values = accuracies(problem, basis, ones, synthetic.noise, n, config.learner)
            how = "exact" if math.isinf(n[0]) else kind
            rows += [_curve_row(own, *each, how) for each in zip(n, values, strict=True)]
    return rows


def _curve_row(config: TheoryConfig, n: float, value: Any, kind: str | None = None) -> Row:
    place = {"separation": config.separation, "learner": config.learner, "n": float(n)}
    return place | robust_cells(value, kind)


def robust_cells(value: float | Interval, kind: str | None = None) -> Row:
    """A robust accuracy as cells of a row: by a formula of this kind, or simulated."""
    simulated = value if isinstance(value, Interval) else None
    shares = [simulated.value, simulated.low, simulated.high] if simulated else [value, None, None]
    names = ("robust [%]", "robust low", "robust high")
    cells = {
        name: None if share is None else round(100 * float(share), 4)  # type: ignore[arg-type]
        for name, share in zip(names, shares, strict=True)
    }
    draws = simulated.n if simulated else None
    return cells | {"draws": draws, "kind": "simulated" if simulated else kind}


def points(config: TheoryConfig, what: What, report: Callable[[float], None]) -> list[Row]:
    """Simulated robust accuracies for the curves or for guidance, in rows as theirs; none where
    trainings have no room. report: takes the share done."""
    trained, room = config.learner == TRAINED, MOST_NUMBERS // config.dim
    cases: list[tuple[TheoryConfig, tuple[int, int]]] = []
    if what == "curves":
        marks = [n for n in TRAINED_AT if n <= room] if trained else DRAWN_AT
        for line, factor in enumerate(SEPARATIONS):
            own = _at(config, separation=config.separation * factor)
            cases += [(_at(own, n=n), (line, at)) for at, n in enumerate(marks)]
    elif not trained or config.n <= room:
        cases = [(_at(config, strength=t), (202, at)) for at, t in enumerate(STRENGTHS)]
    most = QUICK // (max(len(cases), 1) * config.dim)
    draws, rows = TRAININGS if trained else max(LEAST, min(config.draws, most)), []
    for number, (own, stream) in enumerate(cases):
        direction = _guided_direction(own, own.strength) if what == "guided" else None
        value = simulate(
            problem_of(own),
            synthetic_of(own, direction),
            own.n,
            own.learner,
            draws=draws,
            seed=(own.seed, *stream),
            ridge=own.ridge,
        )
        if what == "curves":
            rows.append(_curve_row(own, own.n, value))
        else:
            rows.append(_guided_row(own, own.strength, None, value))
        report((number + 1) / len(cases))
    return rows


def heat_map(config: TheoryConfig) -> list[Row]:
    """Robust accuracy over separation (0.1 to 10, and the settings' own) and angle (0 to 90
    degrees, or 180). Raises InputError for adversarial-logistic."""
    require_formula(config.learner, "a map")
    problem = problem_of(config)
    side = 41 if config.profile == "equal" or config.nonzero <= 1000 else 15  # what a slider allows
    ends = min(0.1, config.separation), max(10.0, config.separation)
    degrees = np.linspace(0, 90 if config.angle <= 90 else 180, side)
    angle, separation = (
        grid.ravel() for grid in np.meshgrid(degrees, np.geomspace(*ends, side), indexing="ij")
    )
    turn, length = np.deg2rad(angle), separation * config.noise * problem.gain
    values = accuracies(
        problem,
        np.stack([optimum(problem), aside(problem)]),
        np.stack([np.cos(turn), np.sin(turn)], axis=1) * length[:, None],
        config.noise,
        np.full(len(turn), float(config.n)),
        config.learner,
    )
    return [
        {
            "separation": round(float(c), 6),
            "angle [degrees]": round(float(a), 4),
            "n": config.n,
            "robust [%]": round(100 * float(value), 4),
            "kind": kind_of(problem, config.n, config.learner),
        }
        for a, c, value in zip(angle, separation, values, strict=True)
    ]


def needed_table(config: TheoryConfig) -> list[Row]:
    """Samples that the target takes at eleven separations from a quarter of the settings' own to
    eight times it, None where no number does, and what the c-squared law says from the settings'
    own. For averages the law is exact. Raises InputError for adversarial-logistic."""
    require_formula(config.learner, "samples needed")
    problem, lawful = problem_of(config), config.learner == "averaging"

    def solved(c: float) -> float | None:
        synthetic = synthetic_of(_at(config, separation=c))
        return samples_needed(problem, synthetic, config.target, config.learner)

    own, rows = solved(config.separation), []
    for c in (config.separation * 2.0 ** (k / 2) for k in range(-4, 7)):
        law = None if own is None else own * (config.separation / c) ** 2
        rows.append(
            {
                "separation": c,
                "target [%]": 100 * config.target,
                "samples needed": law if lawful else solved(c),
                "by the c-squared law": law,
                "kind": kind_of(problem, 1, config.learner),
            }
        )
    return rows


def guided(config: TheoryConfig, strengths: Sequence[float] | None = None) -> list[Row]:
    """What guidance strength does: the direction of the synthetic mean is (1 - t) mu/|mu| + t
    optimum/|optimum|, its separation stays; robust accuracy at n samples and in the limit.
    strengths: t, by default 0 to 2 with the settings' own among them. The settings' own angle is
    not used."""
    usual = np.union1d(np.round(np.linspace(0, 2, 41), 3), [config.strength])
    chosen = usual if strengths is None else np.asarray(strengths, np.float64)
    problem = problem_of(config)
    directions = np.stack([_guided_direction(config, t) for t in chosen])
    axes = plane_axes(problem)
    means = directions @ axes.T * config.separation * config.noise * problem.gain
    rows = []
    for n in (float(config.n), math.inf):
        if kind := kind_of(problem, n, config.learner):
            count = np.full(len(chosen), n)
            values = accuracies(problem, axes, means, config.noise, count, config.learner)
            rows += [
                _guided_row(config, t, direction, value, kind, n)
                for t, direction, value in zip(chosen, directions, values, strict=True)
            ]
    return sorted(rows, key=lambda row: row["strength"])


def _guided_row(
    config: TheoryConfig,
    strength: float,
    direction: Floats | None,
    value: Any,
    kind: str | None = None,
    n: float | None = None,
) -> Row:
    problem, angle = problem_of(config), None
    if direction is not None and beatable(problem):
        angle = degrees_between(direction, optimum(problem))
    count = config.n if n is None or math.isfinite(n) else math.inf
    place = {"strength": round(float(strength), 6), "angle to the optimum": angle, "n": count}
    return place | robust_cells(value, kind)


def _guided_direction(config: TheoryConfig, strength: float) -> Floats:
    problem = problem_of(config)
    return unit((1 - strength) * unit(problem.mu) + strength * optimum(problem))


def picture(config: TheoryConfig, *, draws: int = 300) -> list[Row]:
    """Means of both distributions, draws from them, and the learned and the optimal boundary with
    the tube that an attack carries across, in the plane of mu (first axis) and of what the optimum
    adds to it. Means, boundaries and their accuracies are exact.

    Of a boundary w.x = 0: its unit normal in the plane; half the width of |w.x| <= epsilon |w|_dual
    measured in the plane, infinite where w is at right angles to it; the share of w's squared
    length in the plane. No optimal one where no classifier beats answering with one class.
    """
    problem, synthetic = problem_of(config), synthetic_of(config)
    axes = plane_axes(problem)
    rng = np.random.default_rng((config.seed, 101))
    clouds = (("real", problem.mu, problem.sigma), ("synthetic", synthetic.mean, synthetic.noise))
    rows = [_plane_row("mean", name, axes @ mean, 1, "exact") for name, mean, _ in clouds]
    boundaries = [("learned", _learned(config))]
    if beatable(problem):
        boundaries.insert(0, ("optimal", optimal_direction(problem)))
    for name, w in boundaries:
        w = unit(w)
        inside = axes @ w
        length = float(np.linalg.norm(inside))
        reach = config.epsilon * float(np.abs(w).sum() if config.norm == "linf" else 1.0)
        figures = {
            "tube half width": 0.0 if not reach else reach / length if length else math.inf,
            "in the plane [%]": 100 * length**2,
            "robust [%]": 100 * float(robust_accuracy(w, problem)),
        }
        normal = inside / length if length else np.array([1.0, 0.0])
        rows.append(_plane_row("normal of the boundary", name, normal, None, "exact") | figures)
    for name, mean, noise in clouds:
        labels = np.where(rng.random(draws) < 0.5, -1, 1)
        drawn = labels[:, None] * (axes @ mean) + noise * rng.standard_normal((draws, 2))
        for point, label in zip(drawn, labels, strict=True):
            rows.append(_plane_row("draw", name, point, int(label), "simulated"))
    return rows


def _plane_row(what: str, of: str, at: Floats, label: int | None, kind: str) -> Row:
    place = {"along mu": round(float(at[0]), 6), "beside mu": round(float(at[1]), 6)}
    empty: Row = {"tube half width": None, "in the plane [%]": None, "robust [%]": None}
    return {"what": what, "of": of} | place | {"class": label, "kind": kind} | empty


def plane_axes(problem: Problem) -> Floats:
    """Unit vectors along mu, and at right angles to it in the plane that angles are turned in, on
    the optimum's side. (2, d)"""
    along = unit(problem.mu)
    return np.stack([along, beside(along, optimum(problem), aside(problem))])


def coordinates(config: TheoryConfig) -> list[Row]:
    """The real mean, the optimum, the synthetic mean and one learned w, coordinate by coordinate,
    largest |mu_i| first; in the units of mu, not brought to one length."""
    problem = problem_of(config)
    columns = {
        "mu": problem.mu,
        "optimum": optimal_direction(problem),
        "synthetic mean": synthetic_of(config).mean,
        "learned w": _learned(config),
    }
    order = np.argsort(-np.abs(problem.mu), kind="stable")
    return [
        {"rank": rank + 1, "coordinate": int(at)}
        | {name: float(values[at]) for name, values in columns.items()}
        for rank, at in enumerate(order)
    ]


def _learned(config: TheoryConfig) -> Floats:
    """One training on n samples, (d,)."""
    own = (problem_of(config), synthetic_of(config), config.n, config.learner)
    blocks = weights(*own, draws=2, seed=(config.seed, 303), ridge=config.ridge)
    return np.asarray(next(blocks)[0])


def value_at(config: TheoryConfig, **change: float) -> float | None:
    """Expected robust accuracy for these settings but for ``change``; None without a formula."""
    own = _at(config, **change)
    estimate = expected(problem_of(own), synthetic_of(own), change.get("n", own.n), own.learner)
    return None if estimate is None else estimate.value


def _at(config: TheoryConfig, **change: float) -> TheoryConfig:
    return config.model_copy(update=change)


VIEWS: dict[str, Callable[[TheoryConfig], list[Row]]] = {
    "curves": curves,
    "map": heat_map,
    "needed": needed_table,
    "picture": picture,
    "coordinates": coordinates,
    "guided": guided,
}
