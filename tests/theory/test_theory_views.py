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
    soft_threshold,
    synthetic_of,
)
from cdp.theory.geometry import coordinates, picture, second_axis
from cdp.theory.model import degrees_between, unit
from cdp.theory.views import (
    STRENGTHS,
    Points,
    curve_points,
    curves,
    guided,
    guided_points,
    heat_map,
    value_at,
)

L2: dict[str, Any] = {"norm": "l2", "epsilon": 1.0}
SETTINGS: list[dict[str, Any]] = [
    {},
    L2 | {"angle": 25},
    {"learner": "linf-threshold", "angle": 10},
    L2 | {"dim": 3, "nonzero": 2, "label_noise": 0.1},
    {"dim": 1, "nonzero": 1},
]


def value(config: TheoryConfig, n: float) -> float:
    estimate = expected(problem_of(config), synthetic_of(config), n, config.learner)
    assert estimate is not None
    return estimate.value


def near(points: Points, line: np.ndarray) -> bool:
    """Whether simulated points lie within their errors of a line."""
    error = (points.high - points.low) / 4
    return bool((np.abs(points.value - line) < 4.5 * error + 2e-3).all())


@pytest.mark.parametrize("change", SETTINGS)
def test_lines_are_the_expectation_and_points_lie_on_them(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    half, own, twice = curves(config)
    assert twice.separation == 2 * own.separation == 4 * half.separation
    for curve in (half, own):
        at = config.model_copy(update={"separation": curve.separation})
        assert curve.value is not None
        assert curve.kind == ("exact" if config.norm == "l2" or config.dim == 1 else "asymptotic")
        for k in (0, 20, -1):
            assert curve.value[k] == pytest.approx(value(at, curve.n[k]), abs=1e-9)
        assert curve.limit == pytest.approx(value(at, math.inf))
        assert curve.limit is not None and curve.limit <= curve.best + 1e-12
    points = curve_points(config, 1.0, (1, 100, 10_000), draws=60)
    assert points is not None and own.value is not None and points.kind == "simulated"
    assert near(points, np.array([value(config, n) for n in points.at]))
    again = curve_points(config, 1.0, (1, 100, 10_000), draws=60)
    assert again is not None and (again.value == points.value).all()
    assert value_at(config) == value(config, config.n)


def test_a_learner_without_a_formula_has_a_limit_only() -> None:
    config = TheoryConfig(learner="adversarial-logistic", dim=40, nonzero=10)
    curve = curves(config)[0]
    assert curve.value is None and curve.kind is None and curve.limit is not None
    with pytest.raises(InputError, match="no formula"):
        heat_map(config)


@pytest.mark.parametrize("change", SETTINGS)
def test_cells_of_the_map_are_the_expectation(change: dict[str, Any]) -> None:
    config = TheoryConfig(n=50, **change)
    cells = heat_map(config)
    assert cells.values.shape == (len(cells.angles), len(cells.separations))
    for row, column in ((0, 0), (1, -1), (len(cells.angles) // 2, len(cells.separations) // 2)):
        place = {"separation": cells.separations[column], "angle": cells.angles[row]}
        at = config.model_copy(update={name: float(number) for name, number in place.items()})
        assert cells.values[row, column] == pytest.approx(value(at, 50), abs=1e-6)
    assert cells.here == (config.separation, config.angle)
    assert cells.separations.min() <= config.separation <= cells.separations.max()
    assert cells.angles.max() >= config.angle


def test_a_map_is_coarser_where_a_value_takes_long() -> None:
    cases = [{}, L2 | {"label_noise": 0.2}, {"dim": 10_000, "nonzero": 10_000}]
    sides = [len(heat_map(TheoryConfig(**change)).angles) for change in cases]  # type: ignore[arg-type]
    assert sides[0] == 41 > max(sides[1:]) and min(sides) >= 11


def test_real_data_lie_on_the_map_where_their_own_distribution_is() -> None:
    config = TheoryConfig()
    separation, angle = heat_map(config).real
    itself = config.model_copy(update={"separation": separation, "angle": angle})
    np.testing.assert_allclose(synthetic_of(itself).mean, problem_of(config).mu, atol=1e-9)
    assert 10 < angle < 60  # the decaying profile's optimum points elsewhere


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
    problem = problem_of(config)
    axes = np.stack([unit(problem.mu), second_axis(problem)])
    drawn = picture(config)
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(drawn.real.mean, [config.size, 0], atol=1e-9)
    np.testing.assert_allclose(axes.T @ drawn.synthetic.mean, synthetic_of(config).mean, atol=1e-9)
    best = optimal_direction(problem.mu, epsilon=config.epsilon, norm=config.norm)
    assert drawn.optimal is not None
    assert drawn.optimal.accuracy == pytest.approx(best_accuracy(problem))
    assert drawn.optimal.in_plane == pytest.approx(1)
    # A point of the plane at the edge of the tube is carried to the boundary by the attack and no
    # further.
    edge = axes.T @ (drawn.optimal.normal * drawn.optimal.half_width)
    step = np.sign(best) if config.norm == "linf" else best / np.linalg.norm(best)
    assert (edge - config.epsilon * step) @ unit(best) == pytest.approx(0, abs=1e-9)
    if config.norm == "l2":
        assert drawn.optimal.half_width == pytest.approx(config.epsilon)
    assert 0 <= drawn.learned.in_plane <= 1 + 1e-12


def test_the_draws_of_the_picture_have_its_means_spreads_and_flips() -> None:
    drawn = picture(TheoryConfig(dim=30, nonzero=10, label_noise=0.25), points=40_000)
    for cloud, right in ((drawn.real, 1.0), (drawn.synthetic, 0.5)):
        assert set(cloud.labels.tolist()) == {-1, 1}
        signed = cloud.labels[:, None] * cloud.points
        np.testing.assert_allclose(signed.mean(axis=0), right * cloud.mean, atol=0.06)
        second = cloud.noise**2 * np.eye(2) + np.outer(cloud.mean, cloud.mean)
        np.testing.assert_allclose(cloud.points.T @ cloud.points / 40_000, second, atol=0.2)


def test_one_dimension_has_no_picture() -> None:
    with pytest.raises(InputError, match="dim: one dimension"):
        picture(TheoryConfig(dim=1, nonzero=1))


def test_coordinates_are_sorted_and_angles_are_theirs() -> None:
    config = TheoryConfig(angle=35, n=100_000)
    drawn = coordinates(config)
    assert (np.diff(np.abs(drawn.mu)) <= 0).all()
    assert sorted(drawn.order.tolist()) == list(range(config.dim))
    np.testing.assert_allclose(drawn.optimum, soft_threshold(drawn.mu, config.epsilon))
    assert drawn.dropped == int(((drawn.mu > 0) & (drawn.mu <= config.epsilon)).sum()) > 0
    assert drawn.synthetic_to_optimum == pytest.approx(35)
    # mu and the synthetic mean are turned the same way.
    away = degrees_between(drawn.mu, drawn.optimum)
    assert drawn.synthetic_to_mu == pytest.approx(35 - away, abs=1e-6)
    assert abs(drawn.learned_to_optimum - 35) < 3


@pytest.mark.parametrize("change", [{}, L2, {"label_noise": 0.1}, {"learner": "linf-threshold"}])
def test_guidance_moves_the_mean_from_mu_to_the_optimum(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    problem = problem_of(config)
    moved = guided(config, STRENGTHS)
    best = optimal_direction(problem.mu, epsilon=config.epsilon, norm=config.norm)
    assert moved.angles[0] == pytest.approx(degrees_between(problem.mu, best))
    assert STRENGTHS[4] == 1 and moved.angles[4] == pytest.approx(0, abs=1e-6)
    assert moved.value is not None
    real = config.model_copy(update={"angle": float(moved.angles[0])})
    assert moved.value[0] == pytest.approx(value(real, config.n), abs=1e-6)
    assert moved.value[4] == pytest.approx(value(config, config.n), abs=1e-6)
    lengths = np.linalg.norm(moved.means, axis=1)
    np.testing.assert_allclose(lengths, config.separation * config.size, rtol=1e-9)
    assert near(guided_points(config, draws=100), moved.value)
    if config.norm == "linf" and config.learner == "averaging":
        assert moved.limit[4] > moved.limit[0] + 0.01


def test_a_learner_that_thresholds_itself_wants_mu_and_not_the_optimum() -> None:
    """What the optimum leaves out it would leave out by itself; the rest it then shrinks twice."""
    for learner in ("linf-threshold", "adversarial-logistic"):
        moved = guided(TheoryConfig(learner=learner), [0.0, 1.0])  # type: ignore[arg-type]
        assert moved.limit[0] == pytest.approx(moved.best) and moved.limit[1] < moved.best - 0.003


def test_under_l2_guidance_towards_the_optimum_moves_nothing() -> None:
    moved = guided(TheoryConfig(**L2), [0.0, 1.0, 2.0])
    np.testing.assert_allclose(moved.angles, 0, atol=1e-6)
    assert moved.value is not None and np.ptp(moved.value) < 1e-9


@pytest.mark.parametrize("strengths", [[], [-1.0], [math.nan], [[1.0]]])
def test_strengths_that_are_none_are_refused(strengths: list[float]) -> None:
    with pytest.raises(InputError, match="strengths"):
        guided(TheoryConfig(), strengths)


def test_a_trained_learner_is_one_of_the_learned_boundaries() -> None:
    config = TheoryConfig(learner="adversarial-logistic", dim=30, nonzero=10, n=400)
    w, mu = coordinates(config).learned, problem_of(config).mu
    accuracy = robust_accuracy(w, mu, sigma=1, epsilon=config.epsilon, norm="linf")
    assert accuracy == pytest.approx(picture(config).learned.accuracy)


def test_the_best_strength_grows_with_the_samples() -> None:
    """Few samples are served by a mean between mu and the optimum, many by the optimum; simulation
    says the same."""
    best = []
    for n in (10, 100, 1000, 100_000):
        moved = guided(TheoryConfig(n=n), list(np.linspace(0, 1.5, 31)))
        assert moved.value is not None
        best.append(float(moved.strengths[moved.value.argmax()]))
    assert best == sorted(best) and best[0] < 0.5 and best[-1] == pytest.approx(1, abs=0.051)
    points = guided_points(TheoryConfig(n=100), draws=300)
    before, at = STRENGTHS.index(0.5), STRENGTHS.index(1.0)
    assert points.low[before] > points.high[at]


@pytest.mark.parametrize("change", [{"epsilon": 5}, {"norm": "l2", "epsilon": 4}])
def test_where_no_direction_beats_guessing_no_view_names_one(change: dict[str, Any]) -> None:
    config = TheoryConfig(**change)
    assert picture(config).optimal is None and np.isnan(guided(config).angles).all()


def test_limits_that_have_no_exact_form_are_not_called_exact() -> None:
    lost, plain = TheoryConfig(label_noise=0.5), TheoryConfig()
    assert {line.limit_kind for line in curves(lost)} == {guided(lost).limit_kind} == {"asymptotic"}
    assert {line.limit_kind for line in curves(plain)} == {guided(plain).limit_kind} == {"exact"}


def test_the_settings_own_strength_is_among_those_shown() -> None:
    assert 0.37 in guided(TheoryConfig(strength=0.37)).strengths
