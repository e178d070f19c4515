"""Expected robust accuracy and the samples that a target takes: against a million draws, other
quadratures, limits, and the c-squared law."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import nct
from scipy.stats import norm as normal

from cdp.config.theory import Learner, TheoryConfig
from cdp.errors import InputError
from cdp.theory.expectation import angles, by_angle, expected, powers, samples_needed
from cdp.theory.model import (
    Problem,
    Synthetic,
    problem_of,
    robust_accuracy,
    soft_threshold,
    synthetic_of,
)
from cdp.theory.views import needed_table
from tests.theory.gaussians import accuracy, averages_of_samples, mean_at, problem

DRAWS = 1_000_000
L2: dict[str, Any] = {"norm": "l2", "epsilon": 1.0}
TABLE = [
    # dim, |mu|/sigma, epsilon/sigma, |m|/s, cosine, n
    (2, 2.0, 0.5, 0.5, 1.0, 1),
    (2, 2.0, 0.5, 1.0, 0.3, 4),
    (3, 4.0, 2.0, 0.2, 0.9, 50),
    (3, 0.5, 0.0, 3.0, -0.5, 2),
    (8, 10.0, 4.0, 1.5, 0.6, 5),
    (1_000, 3.0, 1.5, 2.0, 0.7, 100),
    (10_000, 5.0, 2.0, 1.0, 0.9, 100_000),
]


def reduced_draws(dim: int, delta: float, cosine: float, rng: np.random.Generator) -> np.ndarray:
    """Cosines of w ~ N(delta a, I) with u, from the part of w in the plane of a and u and the chi
    length of the rest. (DRAWS,)"""
    first = delta * cosine + rng.standard_normal(DRAWS)
    rest = (delta * math.sqrt(1 - cosine**2) + rng.standard_normal(DRAWS)) ** 2
    if dim > 2:
        rest = rest + rng.chisquare(dim - 2, DRAWS)
    return first / np.sqrt(first**2 + rest)


def value(config: TheoryConfig, n: float) -> float:
    estimate = expected(problem_of(config), synthetic_of(config), n, config.learner)
    assert estimate is not None
    return estimate.value


def averaged(asked: Problem, made: Synthetic, n: float) -> float:
    estimate = expected(asked, made, n, "averaging")
    assert estimate is not None
    return estimate.value


@pytest.mark.parametrize(("dim", "gain", "toll", "separation", "cosine", "n"), TABLE)
def test_quadrature_agrees_with_a_million_draws(
    dim: int, gain: float, toll: float, separation: float, cosine: float, n: int
) -> None:
    asked = problem(dim, size=gain, epsilon=toll)
    made = Synthetic(mean_at(asked, cosine, separation * 0.7), 0.7)
    rng = np.random.default_rng((dim, n))
    scores = normal.cdf(gain * reduced_draws(dim, separation * math.sqrt(n), cosine, rng) - toll)
    error = 3 * scores.std() / math.sqrt(DRAWS) + 1e-7
    assert abs(scores.mean() - averaged(asked, made, n)) < error


def test_quadrature_agrees_with_averages_of_real_samples() -> None:
    asked = problem(3, size=2.5, epsilon=0.6)
    made = Synthetic(mean_at(asked, 0.8, 1.1), 1.3)
    scores = accuracy(averages_of_samples(made, 5, 150_000, np.random.default_rng(5)), asked)
    error = 3 * scores.std() / math.sqrt(len(scores))
    assert abs(scores.mean() - averaged(asked, made, 5)) < error


@pytest.mark.parametrize("dim", [2, 3, 20, 1000])
@pytest.mark.parametrize("delta", [0.0, 0.3, 5.0, 30.0])
def test_the_angle_has_the_distribution_of_a_noncentral_t(dim: int, delta: float) -> None:
    """The cotangent of the angle times sqrt(d - 1) is noncentral t by its definition."""
    phi, mass = angles(dim, np.array([delta]), 400)
    cut = np.quantile(phi[0], [0.3, 0.5, 0.7])
    for limit in cut:
        share = mass[0] @ normal.cdf(
            (limit - phi[0]) / 0.02
        )  # a soft step, which quadrature can do
        steps = np.linspace(-6, 6, 241)
        at = np.clip(limit + 0.02 * steps, 1e-9, math.pi - 1e-9)
        below = nct.sf(math.sqrt(dim - 1) / np.tan(at), dim - 1, delta)
        assert share == pytest.approx(np.average(below, weights=normal.pdf(steps)), abs=2e-4)


def test_a_steep_accuracy_is_still_resolved() -> None:
    """|mu|/sigma = 100: nearly a step."""
    scores = normal.cdf(100 * reduced_draws(20, 6.0, 0.8, np.random.default_rng(0)) - 30)
    exact = by_angle(20, np.array([6.0]), np.array([0.8]), gain=100.0, toll=30.0)[0]
    assert abs(scores.mean() - exact) < 3 * scores.std() / math.sqrt(DRAWS) + 1e-6


@settings(max_examples=15)
@given(st.integers(2, 30), st.floats(-1, 1), st.integers(1, 1000), st.integers(0, 100))
def test_rotating_mean_and_optimum_together_changes_nothing(
    dim: int, cosine: float, n: int, seed: int
) -> None:
    asked = problem(dim, epsilon=0.7)
    mean = mean_at(asked, cosine, 0.8)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))
    turned = Problem(turn @ asked.mu, 1.0, 0.7, "l2")
    first, second = averaged(asked, Synthetic(mean, 1.0), n), Synthetic(turn @ mean, 1.0)
    assert averaged(turned, second, n) == pytest.approx(first, abs=1e-7)


@settings(max_examples=25)
@given(
    st.sampled_from(["linf", "l2"]),
    st.floats(0.05, 4),
    st.floats(1, 4),
    st.integers(1, 100_000),
    st.floats(0, 0.4),
)
def test_more_separation_never_hurts_at_the_optimum(
    norm: str, c: float, factor: float, n: int, epsilon: float
) -> None:
    less, more = (
        value(TheoryConfig(norm=norm, separation=s, epsilon=epsilon), n)  # type: ignore[arg-type]
        for s in (c, c * factor)
    )
    assert more >= less - 1e-6


def test_more_separation_can_hurt_beside_the_optimum() -> None:
    """A mean at right angles to mu: sure of the wrong direction, the learner loses what chance gave
    it."""
    asked = problem(20, epsilon=1.0)
    less, more = (
        averaged(asked, Synthetic(mean_at(asked, 0.0, size), 1.0), 50) for size in (0.1, 3.0)
    )
    assert more < less - 0.005


@settings(max_examples=25)
@given(
    st.sampled_from(["linf", "l2"]),
    st.floats(0.1, 2),
    st.integers(1, 5),
    st.integers(1, 10_000),
    st.floats(0, 90),
)
def test_c_times_the_separation_is_worth_c_squared_times_the_samples(
    norm: str, separation: float, c: int, n: int, angle: float
) -> None:
    first = TheoryConfig(norm=norm, separation=c * separation, angle=angle)  # type: ignore[arg-type]
    second = first.model_copy(update={"separation": separation})
    assert value(first, n) == pytest.approx(value(second, n * c**2), abs=1e-9)


def _power(w: float, k: int, t: float, mean: float, spread: float) -> float:
    return float((w - t) ** k * normal.pdf(w, mean, spread))


@pytest.mark.parametrize(("m", "spread", "t"), [(0.3, 0.5, 0.0), (-0.4, 1.3, 0.6), (2.0, 0.2, 0.6)])
def test_moments_of_the_thresholded_normal_are_those_of_integration(
    m: float, spread: float, t: float
) -> None:
    size, signed = powers(np.array([m]), np.array([spread]), t)
    for k in range(1, 5):
        for ours, sign in ((size[k], 1.0), (signed[k], -1.0)):
            oracle = sum(
                side * quad(_power, t, abs(m) + t + 12, args=(k, t, mean, spread))[0]
                for side, mean in ((1.0, m), (sign, -m))
            )
            assert float(ours[0]) == pytest.approx(oracle, abs=1e-8)
    nothing = normal.cdf(t, m, spread) - normal.cdf(-t, m, spread)
    assert 1 - float(size[0][0]) == pytest.approx(nothing, abs=1e-12)


LARGE_D: list[tuple[Learner, dict[str, Any], int]] = [
    ("averaging", {}, 1000),
    ("averaging", {"separation": 0.5, "angle": 40}, 3000),
    ("averaging", {"profile": "equal", "epsilon": 0.1}, 50),
    ("linf-threshold", {}, 100),
    ("linf-threshold", {"separation": 2, "angle": 22.5}, 30),
    ("linf-threshold", {"noise": 0.3}, 300),
]


@pytest.mark.parametrize(("learner", "change", "n"), LARGE_D)
def test_the_formula_agrees_with_drawn_weights_where_coordinates_are_many(
    learner: Learner, change: dict[str, Any], n: int
) -> None:
    config = TheoryConfig(dim=400, nonzero=80, learner=learner, **change)
    asked, made = problem_of(config), synthetic_of(config)
    noise = np.random.default_rng(5).standard_normal((10_000, 400))
    w = made.mean + made.noise / math.sqrt(n) * noise
    scores = accuracy(soft_threshold(w, asked.epsilon) if learner == "linf-threshold" else w, asked)
    estimate = expected(asked, made, n, learner)
    assert estimate is not None and estimate.kind == "asymptotic"
    assert abs(scores.mean() - estimate.value) < 3 * scores.std() / 100 + 5e-4


def test_the_formula_gets_better_with_the_dimension() -> None:
    errors = []
    for dim in (2, 20, 200):
        asked = Problem(np.full(dim, 2 / math.sqrt(dim)), 1.0, 0.5 / math.sqrt(dim), "linf")
        made = Synthetic(asked.mu, 1.0)
        w = made.mean + np.random.default_rng(dim).standard_normal((4_000_000 // (dim + 20), dim))
        errors.append(abs(float(accuracy(w, asked).mean()) - averaged(asked, made, 1)))
    assert errors[0] > 3 * errors[1] > 0 and errors[2] < 1e-3


def test_without_a_budget_the_linf_expectation_is_exact() -> None:
    asked = Problem(np.array([0.8, 0.1, -0.4]), 1.0, 0.0, "linf")
    estimate = expected(asked, Synthetic(asked.mu / 2, 1.0), 4, "averaging")
    assert estimate is not None and estimate.kind == "exact"
    under_l2 = Problem(asked.mu, 1.0, 0.0, "l2")
    assert estimate == expected(under_l2, Synthetic(asked.mu / 2, 1.0), 4, "averaging")


@pytest.mark.parametrize("change", [L2, {}, {"learner": "linf-threshold"}])
def test_infinitely_many_samples_give_the_weights_of_the_mean(change: dict[str, Any]) -> None:
    config = TheoryConfig(angle=30, separation=2, **change)
    w, asked = synthetic_of(config).mean, problem_of(config)
    w = soft_threshold(w, asked.epsilon) if config.learner == "linf-threshold" else w
    limit = value(config, math.inf)
    assert limit == pytest.approx(float(robust_accuracy(w, asked)), abs=1e-12)
    assert value(config, 10**9) == pytest.approx(limit, abs=1e-4)


def test_a_threshold_that_leaves_nothing_answers_with_one_class() -> None:
    asked = Problem(np.full(100, 0.5), 1.0, 0.4, "linf")
    made = Synthetic(np.full(100, 0.01), 0.1)
    for n in (10_000, math.inf):
        estimate = expected(asked, made, n, "linf-threshold")
        assert estimate is not None and estimate.value == pytest.approx(0.5, abs=1e-9)


def needed(config: TheoryConfig) -> float | None:
    return samples_needed(problem_of(config), synthetic_of(config), config.target, config.learner)


@pytest.mark.parametrize(
    "change",
    [
        *({}, {"angle": 30, "separation": 0.4}, {"learner": "linf-threshold"}, L2),
        L2 | {"angle": 20, "dim": 3, "nonzero": 2},
    ],
)
def test_the_answer_is_the_first_number_that_reaches_the_target(change: dict[str, Any]) -> None:
    config = TheoryConfig(target=0.85, **change)
    n = needed(config)
    assert n is not None
    enough = int(n) + 1
    assert value(config, enough) >= 0.85
    assert enough <= 2 or value(config, enough - 2) < 0.85
    if config.learner == "averaging":
        tripled = config.model_copy(update={"separation": 3 * config.separation})
        assert n / (needed(tripled) or 0) == pytest.approx(9, rel=1e-6)


def test_a_peak_is_found_and_may_lie_above_the_limit() -> None:
    config = TheoryConfig(learner="linf-threshold", separation=0.25, angle=29.170839471341807)
    assert value(config, math.inf) < 0.8815 < 0.8878 <= value(config, 1000)
    for target in (0.8815, 0.8878):
        n = needed(config.model_copy(update={"target": target}))
        assert n is not None and value(config, math.ceil(n)) >= target
        assert value(config, math.floor(n) - 1) < target


def test_a_target_above_the_limit_is_never_reached_and_one_of_chance_needs_nothing() -> None:
    assert needed(TheoryConfig(target=0.98)) is None
    rows = needed_table(TheoryConfig(target=0.98))
    assert all(row["samples needed"] is row["by the c-squared law"] is None for row in rows)
    assert (needed(TheoryConfig(target=0.3, epsilon=0)) or 9) < 1


@pytest.mark.parametrize("learner", ["averaging", "linf-threshold"])
def test_the_table_sets_each_answer_beside_the_law(learner: Learner) -> None:
    rows = needed_table(TheoryConfig(separation=2.0, learner=learner))
    assert [row["separation"] for row in rows[::2]] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    for row in rows[::3]:
        own = TheoryConfig(separation=row["separation"], learner=learner)
        assert row["samples needed"] == pytest.approx(needed(own), rel=1e-6)
    agree = [row["samples needed"] == row["by the c-squared law"] for row in rows]
    assert all(agree) if learner == "averaging" else sum(agree) <= 1


@pytest.mark.parametrize(
    ("message", "target", "learner"),
    [
        ("target is 0:", 0, "averaging"),
        ("target is nan", math.nan, "averaging"),
        ("adversarial-logistic has no formula", 0.9, "adversarial-logistic"),
        ("learner: x is none under linf", 0.9, "x"),
    ],
)
def test_questions_without_an_answer_are_refused(
    message: str, target: float, learner: Learner
) -> None:
    with pytest.raises(InputError, match=message):
        samples_needed(problem_of(TheoryConfig()), synthetic_of(TheoryConfig()), target, learner)
