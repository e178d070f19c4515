"""The views: lines and points that agree, maps whose cells are the expectation, and pictures that
are true to the geometry."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cdp.config.theory import TheoryConfig
from cdp.errors import InputError
from cdp.theory import (
    best_accuracy,
    expected,
    optimal_direction,
    problem_of,
    robust_accuracy,
    simulate,
    soft_threshold,
    synthetic_of,
)
from cdp.theory.geometry import _plane
from cdp.theory.settings import degrees_between, unit
from cdp.theory.views import coordinates, curves, guided, heat_map, needed_table, picture, value_at

L2: dict[str, Any] = {"norm": "l2", "epsilon": 1.0}
SETTINGS: list[dict[str, Any]] = [
    {},
    L2 | {"angle": 25},
    {"learner": "linf-threshold", "angle": 10},
    {"label_noise": 0.2, "covariance": "correlated"},
    L2 | {"dim": 3, "nonzero": 2, "label_noise": 0.1},
    {"dim": 1, "nonzero": 1},
]


def value(config: TheoryConfig, n: float) -> float:
    found = expected(problem_of(config), synthetic_of(config), n, config.learner)
    assert found is not None
    return found.value


@pytest.mark.parametrize("change", SETTINGS)
def test_lines_are_the_expectation_and_points_lie_on_them(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    found = curves(config, [0.5, 2.0], draws=60)
    for curve in found:
        own = config.model_copy(update={"separation": curve.separation})
        assert curve.value is not None and curve.simulated is not None
        assert curve.kind == ("exact" if config.norm == "l2" or config.dim == 1 else "asymptotic")
        for at in (0, 20, -1):
            assert curve.value[at] == pytest.approx(value(own, curve.n[at]), abs=1e-6)
        assert curve.limit == pytest.approx(value(own, math.inf))
        assert curve.limit is not None and curve.limit <= curve.best + 1e-12
        line = np.interp(np.log(curve.simulated.n), np.log(curve.n), curve.value)
        error = (curve.simulated.high - curve.simulated.low) / 4
        assert (np.abs(curve.simulated.value - line) < 4.5 * error + 2e-3).all()
        assert curve.simulated.draws == 60 and curve.simulated.kind == "simulated"
    assert [curve.separation for curve in found] == [0.5, 2.0]


def test_a_learner_without_a_formula_has_points_only() -> None:
    curve = curves(
        TheoryConfig(learner="adversarial-logistic", dim=40, nonzero=10), [1.0], draws=3
    )[0]
    assert curve.value is None and curve.kind is None and curve.limit is not None
    assert (
        curve.simulated is not None and curve.simulated.n.max() == 100_000
    )  # 10^6 times 40 coordinates have no room
    with pytest.raises(InputError, match="no formula"):
        heat_map(TheoryConfig(learner="adversarial-logistic"))


def test_points_can_be_left_out_and_are_the_same_each_time() -> None:
    config = TheoryConfig(dim=20, nonzero=5)
    assert curves(config, draws=0)[0].simulated is None
    first, second = (curves(config)[1].simulated for _ in range(2))
    assert first is not None and second is not None
    np.testing.assert_array_equal(first.value, second.value)


@pytest.mark.parametrize("change", SETTINGS)
def test_cells_of_the_map_are_the_expectation(change: dict[str, Any]) -> None:
    config = TheoryConfig(n=50, **change)
    found = heat_map(config)
    assert found.values.shape == (len(found.angles), len(found.separations))
    for row, column in ((0, 0), (1, -1), (len(found.angles) // 2, len(found.separations) // 2)):
        cell = config.model_copy(
            update={
                "separation": float(found.separations[column]),
                "angle": float(found.angles[row]),
            }
        )
        assert found.values[row, column] == pytest.approx(value(cell, 50), abs=5e-4)
    assert found.here == (config.separation, config.angle)
    assert (
        found.separations.min() <= config.separation <= found.separations.max()
        and found.angles.max() >= config.angle
    )


def test_real_data_lie_on_the_map_where_their_own_distribution_is() -> None:
    config = TheoryConfig()
    found = heat_map(config)
    problem = problem_of(config)
    itself = synthetic_of(
        config.model_copy(update={"separation": found.real[0], "angle": found.real[1]})
    )
    np.testing.assert_allclose(itself.mean, problem.mu, atol=1e-9)
    assert 10 < found.real[1] < 60  # the decaying profile's optimum points elsewhere


@pytest.mark.parametrize(
    "change",
    [
        {},
        L2,
        {"profile": "equal"},
        {"learner": "linf-threshold", "angle": 120},
        {"dim": 2, "nonzero": 2},
    ],
)
def test_the_picture_is_true_to_the_geometry(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    problem, axes = problem_of(config), _plane(problem_of(config))
    found = picture(config)
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(found.real_mean, [config.size, 0], atol=1e-9)
    np.testing.assert_allclose(axes.T @ found.synthetic_mean, synthetic_of(config).mean, atol=1e-9)
    best = optimal_direction(problem.mu, epsilon=config.epsilon, norm=config.norm)
    assert found.optimal is not None
    assert found.optimal.accuracy == pytest.approx(
        best_accuracy(problem.mu, sigma=1, epsilon=config.epsilon, norm=config.norm)
    )
    assert found.optimal.in_plane == pytest.approx(1)
    # A point of the plane at the edge of the tube is carried to the boundary by the attack and no
    # further.
    edge = axes.T @ (found.optimal.normal * found.optimal.half_width)
    step = np.sign(best) if config.norm == "linf" else best / np.linalg.norm(best)
    assert (edge - config.epsilon * step) @ unit(best) == pytest.approx(0, abs=1e-9)
    if config.norm == "l2":
        assert found.optimal.half_width == pytest.approx(config.epsilon)
    assert 0 <= found.learned.in_plane <= 1 + 1e-12


def test_the_draws_of_the_picture_have_its_means_spreads_and_flips() -> None:
    config = TheoryConfig(
        dim=30, nonzero=10, label_noise=0.25, covariance="correlated", correlation=0.3
    )
    found = picture(config, points=40_000)
    for points, labels, mean, covariance, right in (
        (found.real_points, found.real_labels, found.real_mean, found.real_covariance, 1.0),
        (
            found.synthetic_points,
            found.synthetic_labels,
            found.synthetic_mean,
            found.synthetic_covariance,
            0.5,
        ),
    ):
        assert set(labels.tolist()) == {-1, 1}
        np.testing.assert_allclose((labels[:, None] * points).mean(axis=0), right * mean, atol=0.06)
        whole = covariance + np.outer(mean, mean)
        np.testing.assert_allclose(points.T @ points / len(points), whole, atol=0.2)


def test_one_dimension_has_no_picture() -> None:
    with pytest.raises(InputError, match="dim: one dimension"):
        picture(TheoryConfig(dim=1, nonzero=1))


def test_a_budget_that_covers_mu_leaves_no_optimal_boundary() -> None:
    assert picture(TheoryConfig(epsilon=50)).optimal is None


def test_coordinates_are_sorted_and_angles_are_theirs() -> None:
    config = TheoryConfig(angle=35, n=100_000)
    found = coordinates(config)
    assert (np.diff(np.abs(found.mu)) <= 0).all() and sorted(found.order.tolist()) == list(
        range(config.dim)
    )
    np.testing.assert_allclose(found.optimum, soft_threshold(found.mu, config.epsilon))
    assert found.dropped == int(((found.mu > 0) & (found.mu <= config.epsilon)).sum()) > 0
    assert found.synthetic_to_optimum == pytest.approx(35)
    assert found.mu_to_optimum == pytest.approx(degrees_between(found.mu, found.optimum))
    # mu and the synthetic mean are turned the same way.
    assert found.synthetic_to_mu == pytest.approx(35 - found.mu_to_optimum, abs=1e-6)
    assert abs(found.learned_to_optimum - 35) < 3


@pytest.mark.parametrize("change", [{}, L2, {"label_noise": 0.1}, {"learner": "linf-threshold"}])
def test_guidance_moves_the_mean_from_mu_to_the_optimum(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    problem = problem_of(config)
    found = guided(config, [0.0, 0.5, 1.0, 2.0], draws=200)
    assert found.angles[0] == pytest.approx(
        degrees_between(
            problem.mu, optimal_direction(problem.mu, epsilon=config.epsilon, norm=config.norm)
        )
    )
    assert found.angles[2] == pytest.approx(0, abs=1e-6)
    assert found.value is not None and found.simulated is not None
    real = config.model_copy(update={"angle": float(found.angles[0])})
    assert found.value[0] == pytest.approx(value(real, config.n), abs=1e-6)
    assert found.value[2] == pytest.approx(
        value(config.model_copy(update={"angle": 0.0}), config.n), abs=1e-6
    )
    np.testing.assert_allclose(
        np.linalg.norm(found.means, axis=1), config.separation * config.size, rtol=1e-9
    )
    error = (found.simulated.high - found.simulated.low) / 4
    assert (np.abs(found.simulated.value - found.value) < 4.5 * error + 2e-3).all()
    if config.norm == "linf" and config.learner == "averaging":
        assert found.limit[2] > found.limit[0] + 0.01


def test_a_learner_that_thresholds_itself_wants_mu_and_not_the_optimum() -> None:
    """What the optimum leaves out it would leave out by itself; the rest it then shrinks twice."""
    for learner in ("linf-threshold", "adversarial-logistic"):
        found = guided(TheoryConfig(learner=learner), [0.0, 1.0])  # type: ignore[arg-type]
        assert found.limit[0] == pytest.approx(found.best) and found.limit[1] < found.best - 0.003


def test_under_l2_guidance_towards_the_optimum_moves_nothing() -> None:
    found = guided(TheoryConfig(**L2), [0.0, 1.0, 2.0])
    np.testing.assert_allclose(found.angles, 0, atol=1e-6)
    assert found.value is not None and np.ptp(found.value) < 1e-9


@pytest.mark.parametrize("strengths", [[], [-1.0], [math.nan], [[1.0]]])
def test_strengths_that_are_none_are_refused(strengths: list[float]) -> None:
    with pytest.raises(InputError, match="strengths"):
        guided(TheoryConfig(), strengths)


def test_a_trained_learner_is_one_of_the_learned_boundaries() -> None:
    config = TheoryConfig(learner="adversarial-logistic", dim=30, nonzero=10, n=400)
    learned = picture(config).learned.accuracy
    found = simulate(
        problem_of(config), synthetic_of(config), 400, "adversarial-logistic", draws=20
    )
    assert abs(learned - found.value) < 0.05
    w = coordinates(config).learned
    assert robust_accuracy(
        w, problem_of(config).mu, sigma=1, epsilon=config.epsilon, norm="linf"
    ) == pytest.approx(learned)


def test_the_best_strength_grows_with_the_samples() -> None:
    """Few samples are served by a mean between mu and the optimum, many by the optimum; simulation
    says the same."""
    best = []
    for n in (10, 100, 1000, 100_000):
        found = guided(TheoryConfig(n=n), list(np.linspace(0, 1.5, 31)))
        assert found.value is not None
        best.append(float(found.strengths[found.value.argmax()]))
    assert best == sorted(best) and best[0] < 0.5 and best[-1] == pytest.approx(1, abs=0.051)
    drawn = guided(TheoryConfig(n=100), [0.65, 1.0], draws=400).simulated
    assert drawn is not None and drawn.low[0] > drawn.high[1]


@pytest.mark.parametrize("change", [{"epsilon": 5}, {"norm": "l2", "epsilon": 4}])
def test_where_no_direction_beats_guessing_no_view_names_one(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    assert picture(config).optimal is None and np.isnan(guided(config).angles).all()


def test_limits_that_have_no_exact_form_are_not_called_exact() -> None:
    config = TheoryConfig(label_noise=0.5)
    assert [line.limit_kind for line in curves(config, draws=0)] == ["asymptotic"] * 3 and guided(
        config
    ).limit_kind == "asymptotic"
    assert (
        curves(TheoryConfig(), draws=0)[0].limit_kind
        == guided(TheoryConfig()).limit_kind
        == "exact"
    )


def test_the_settings_own_strength_is_among_those_shown() -> None:
    assert 0.37 in guided(TheoryConfig(strength=0.37)).strengths


def test_views_are_coarser_where_a_value_takes_long_and_refused_where_all_would() -> None:
    both = {"label_noise": 0.2, "covariance": "correlated"}
    sides = [
        len(heat_map(TheoryConfig(**change)).angles)
        for change in ({}, both, {"dim": 10_000, "nonzero": 10_000})
    ]  # type: ignore[arg-type]
    assert sides[0] == 41 > max(sides[1:]) and min(sides) >= 9
    lengths = [
        len(curves(TheoryConfig(**change), draws=0)[0].n)
        for change in ({}, {"dim": 10_000, "nonzero": 10_000})
    ]  # type: ignore[arg-type]
    assert lengths[0] > 70 > lengths[1] > 20
    steep = TheoryConfig(
        norm="l2",
        dim=3,
        nonzero=3,
        size=20,
        sigma=0.5,
        label_noise=0.5,
        covariance="correlated",
        correlation=0.99,
    )
    for view in (curves, heat_map, needed_table):
        with pytest.raises(InputError, match=r"label_noise, correlation: .* lower one of the two"):
            view(steep)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"norm": "l2", "epsilon": 1.0},
        {"norm": "l2", "epsilon": 1.0, "label_noise": 0.2, "covariance": "correlated"},
    ],
)
def test_what_views_read_off_tables_is_what_single_values_are(change: dict[str, Any]) -> None:
    config = TheoryConfig(dim=60, nonzero=20, angle=25, **change)
    (line,) = curves(config, [0.7], draws=0)
    found = heat_map(config, size=9)
    assert value_at(config) == pytest.approx(value(config, config.n), abs=1e-5)
    for n, v in list(zip(line.n, line.value if line.value is not None else [], strict=True))[::9]:
        made = synthetic_of(config.model_copy(update={"separation": 0.7}))
        one = expected(problem_of(config), made, float(n), "averaging")
        assert one is not None and one.value == pytest.approx(float(v), abs=1e-5)
    for i, j in ((0, 4), (3, 7), (8, 2)):
        made = synthetic_of(
            config.model_copy(
                update={"separation": float(found.separations[j]), "angle": float(found.angles[i])}
            )
        )
        one = expected(problem_of(config), made, config.n, "averaging")
        assert one is not None and one.value == pytest.approx(float(found.values[i, j]), abs=1e-5)
