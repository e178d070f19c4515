"""The views: rows that are the expectation, simulated points on the lines, and pictures that are
true to the geometry."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cdp.config.theory import Learner, TheoryConfig
from cdp.errors import InputError
from cdp.theory.model import (
    best_accuracy,
    degrees_between,
    optimal_direction,
    problem_of,
    synthetic_of,
    unit,
)
from cdp.theory.views import (
    STRENGTHS,
    What,
    coordinates,
    curves,
    guided,
    heat_map,
    picture,
    plane_axes,
    points,
    value_at,
)

L2: dict[str, Any] = {"norm": "l2", "epsilon": 1.0}
SETTINGS: list[dict[str, Any]] = [
    {},
    L2 | {"angle": 25, "dim": 3, "nonzero": 2},
    {"learner": "linf-threshold", "angle": 10},
]


@pytest.mark.parametrize("what", ["curves", "guided"])
@pytest.mark.parametrize("change", SETTINGS)
def test_lines_are_the_expectation_and_points_lie_on_them(
    change: dict[str, Any], what: What
) -> None:
    config = TheoryConfig(n=50, **change)
    lines = curves(config) if what == "curves" else guided(config)
    place = ("separation", "n") if what == "curves" else ("strength", "n")
    exact = {tuple(row[name] for name in place): row["robust [%]"] for row in lines}
    drawn = points(config, what, lambda share: None)
    assert len(drawn) == (24 if what == "curves" else 9)
    for row in drawn:
        error = (row["robust high"] - row["robust low"]) / 4
        at = tuple(row[name] for name in place)
        assert abs(row["robust [%]"] - exact[at]) < 4.5 * error + 0.2, at
    assert drawn == points(config, what, lambda share: None)
    if what == "curves":
        for (c, n), value in list(exact.items())[::19]:
            own = config.model_copy(update={"separation": c})
            assert value == pytest.approx(100 * (value_at(own, n=n) or 0), abs=1e-4)
        limits = [value for (_, n), value in exact.items() if math.isinf(n)]
        assert max(limits) <= 100 * best_accuracy(problem_of(config)) + 1e-3


def test_a_learner_without_a_formula_has_a_limit_only() -> None:
    config = TheoryConfig(learner="adversarial-logistic", dim=40, nonzero=10)
    assert {row["n"] for row in [*curves(config), *guided(config)]} == {math.inf}
    with pytest.raises(InputError, match="no formula"):
        heat_map(config)


@pytest.mark.parametrize("change", SETTINGS)
def test_cells_of_the_map_are_the_expectation(change: dict[str, Any]) -> None:
    config = TheoryConfig(n=50, **change)
    rows = heat_map(config)
    for row in rows[:: len(rows) // 7]:
        value = value_at(config, separation=row["separation"], angle=row["angle [degrees]"])
        assert row["robust [%]"] == pytest.approx(100 * (value or 0), abs=1e-3)
    assert min(row["separation"] for row in rows) <= config.separation
    assert len({row["angle [degrees]"] for row in rows}) ** 2 == len(rows) == 41**2


def test_real_data_lie_on_the_map_where_their_own_distribution_is() -> None:
    config = TheoryConfig()
    problem = problem_of(config)
    angle = degrees_between(problem.mu, optimal_direction(problem))
    itself = config.model_copy(update={"angle": angle})
    np.testing.assert_allclose(synthetic_of(itself).mean, problem.mu, atol=1e-9)
    assert 10 < angle < 60  # the decaying profile's optimum points elsewhere


def place(row: dict[str, Any]) -> np.ndarray:
    return np.array([row["along mu"], row["beside mu"]])


@pytest.mark.parametrize(
    "change",
    [
        *({}, L2, {"profile": "equal"}, {"dim": 2, "nonzero": 2}),
        {"learner": "linf-threshold", "angle": 120},
    ],
)
def test_the_picture_is_true_to_the_geometry(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    problem, axes = problem_of(config), plane_axes(problem_of(config))
    real, synthetic, optimal, learned = picture(config)[:4]
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(place(real), [config.size, 0], atol=1e-6)
    np.testing.assert_allclose(axes.T @ place(synthetic), synthetic_of(config).mean, atol=1e-5)
    best = optimal_direction(problem)
    assert optimal["robust [%]"] == pytest.approx(100 * best_accuracy(problem))
    assert optimal["in the plane [%]"] == pytest.approx(100)
    # A point of the plane at the edge of the tube is carried to the boundary by the attack and no
    # further.
    edge = axes.T @ (place(optimal) * optimal["tube half width"])
    step = np.sign(best) if config.norm == "linf" else unit(best)
    assert (edge - config.epsilon * step) @ unit(best) == pytest.approx(0, abs=1e-5)
    assert 0 <= learned["in the plane [%]"] <= 100 + 1e-9


def test_the_draws_of_the_picture_have_its_means_and_spreads() -> None:
    rows = picture(TheoryConfig(dim=30, nonzero=10, noise=0.5), draws=20_000)
    for name, noise in (("real", 1.0), ("synthetic", 0.5)):
        mean = next(place(row) for row in rows if (row["what"], row["of"]) == ("mean", name))
        draws = [row for row in rows if (row["what"], row["of"]) == ("draw", name)]
        signed = np.array([row["class"] * place(row) for row in draws])
        np.testing.assert_allclose(signed.mean(axis=0), mean, atol=0.05)
        np.testing.assert_allclose(np.cov(signed.T), noise**2 * np.eye(2), atol=0.05)


def test_coordinates_are_sorted_and_the_learned_w_points_where_it_should() -> None:
    config = TheoryConfig(angle=35, n=100_000)
    rows = coordinates(config)
    names = ("mu", "optimum", "synthetic mean", "learned w")
    mu, best, synthetic, learned = (np.array([row[name] for row in rows]) for name in names)
    assert (np.diff(np.abs(mu)) <= 0).all()
    assert sorted(row["coordinate"] for row in rows) == list(range(config.dim))
    np.testing.assert_allclose(best, np.sign(mu) * np.maximum(np.abs(mu) - config.epsilon, 0))
    assert degrees_between(synthetic, best) == pytest.approx(35)
    # mu and the synthetic mean are turned the same way.
    assert degrees_between(synthetic, mu) == pytest.approx(35 - degrees_between(mu, best))
    assert abs(degrees_between(learned, best) - 35) < 3


@pytest.mark.parametrize("change", [{}, L2, {"learner": "linf-threshold"}])
def test_guidance_moves_the_mean_from_mu_to_the_optimum(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    problem = problem_of(config)
    rows = guided(config, STRENGTHS)
    start, goal = (next(row for row in rows if row["strength"] == t) for t in (0, 1))
    away = degrees_between(problem.mu, optimal_direction(problem))
    assert start["angle to the optimum"] == pytest.approx(away)
    assert goal["angle to the optimum"] == pytest.approx(0, abs=1e-6)
    for row, angle in ((start, away), (goal, 0.0)):
        value = value_at(config, angle=angle)
        assert row["robust [%]"] == pytest.approx(100 * (value or 0), abs=1e-3)


@pytest.mark.parametrize("learner", ["linf-threshold", "adversarial-logistic"])
def test_a_learner_that_thresholds_itself_wants_mu_and_not_the_optimum(learner: Learner) -> None:
    """What the optimum leaves out it would leave out by itself; the rest it then shrinks twice."""
    config = TheoryConfig(learner=learner)
    at_mu, at_optimum = (row for row in guided(config, [0.0, 1.0]) if math.isinf(row["n"]))
    best = 100 * best_accuracy(problem_of(config))
    assert at_mu["robust [%]"] == pytest.approx(best, abs=1e-3)
    assert at_optimum["robust [%]"] < best - 0.3


def test_the_best_strength_grows_with_the_samples() -> None:
    """Few samples are served by a mean between mu and the optimum, many by the optimum; simulation
    says the same."""
    best = []
    for n in (10, 100, 1000, 100_000):
        rows = guided(TheoryConfig(n=n), list(np.linspace(0, 1.5, 31)))
        finite = [row for row in rows if row["n"] == n]
        best.append(max(finite, key=lambda row: row["robust [%]"])["strength"])
    assert best == sorted(best) and best[0] < 0.5 and best[-1] == pytest.approx(1, abs=0.051)
    drawn = points(TheoryConfig(n=100), "guided", lambda share: None)
    low, high = (next(row for row in drawn if row["strength"] == t) for t in (0.5, 1.0))
    assert low["robust low"] > high["robust high"]


@pytest.mark.parametrize("change", [{"epsilon": 5}, {"norm": "l2", "epsilon": 4}])
def test_where_no_direction_beats_guessing_no_view_names_one(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    assert "optimal" not in {row["of"] for row in picture(config)}
    assert {row["angle to the optimum"] for row in guided(config)} == {None}
