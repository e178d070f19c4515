"""The large-d formula: its moments against integration, its values against brute force, and that it
gets better as the dimension grows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm as normal

from cdp.config.theory import Learner, TheoryConfig
from cdp.theory import (
    Problem,
    Synthetic,
    expected,
    problem_of,
    robust_accuracy,
    soft_threshold,
    synthetic_of,
)
from cdp.theory.large_d import moments
from tests.theory.gaussians import accuracy, averages_of_samples


@pytest.mark.parametrize(
    ("m", "spread", "t"),
    [
        (0.0, 1.0, 0.0),
        (0.7, 0.4, 0.0),
        (-2.0, 0.3, 0.0),
        (0.3, 0.5, 0.4),
        (-0.1, 0.2, 0.3),
        (1.5, 0.6, 1.0),
    ],
)
def test_moments_of_the_thresholded_normal_are_those_of_integration(
    m: float, spread: float, t: float
) -> None:
    def mean(value: Callable[[float], float]) -> float:
        def integrand(x: float) -> float:
            return value(math.copysign(max(abs(x) - t, 0.0), x)) * float(normal.pdf(x, m, spread))

        return float(
            quad(
                integrand,
                m - 12 * spread,
                m + 12 * spread,
                points=sorted({-t, 0.0, t}),
                epsabs=1e-13,
                limit=200,
            )[0]
        )

    found = moments(np.array([m]), np.array([spread]), t)
    oracle = [
        mean(lambda s: s),
        mean(abs),
        mean(lambda s: s**2),
        mean(lambda s: s * abs(s)),
        mean(lambda s: s**3),
        mean(lambda s: abs(s) ** 3),
        mean(lambda s: s**4),
    ]
    ours = [
        found.first,
        found.size,
        found.square,
        found.signed,
        found.cube,
        found.size_cube,
        found.fourth,
    ]
    np.testing.assert_allclose(
        [float(np.broadcast_to(value, (1,))[0]) for value in ours], oracle, atol=1e-10
    )
    nothing = normal.cdf(t, m, spread) - normal.cdf(-t, m, spread)
    assert float(found.nothing[0]) == pytest.approx(nothing, abs=1e-12)


TABLE: list[tuple[Learner, dict[str, float | str], int]] = [
    ("averaging", {}, 1000),
    ("averaging", {"separation": 0.5, "angle": 40}, 3000),
    ("averaging", {"profile": "equal", "epsilon": 0.1}, 50),
    ("averaging", {"label_noise": 0.2}, 2000),
    ("averaging", {"label_noise": 0.4}, 30),
    ("linf-threshold", {}, 100),
    ("linf-threshold", {"separation": 2, "angle": 22.5}, 30),
    ("linf-threshold", {"noise": 0.3}, 300),
    ("linf-threshold", {"profile": "equal", "label_noise": 0.1}, 100),
]


@pytest.mark.parametrize(("learner", "change", "n"), TABLE)
def test_the_formula_agrees_with_drawn_weights_where_coordinates_are_many(
    learner: Learner, change: dict[str, float | str], n: int
) -> None:
    config = TheoryConfig(dim=400, nonzero=80, learner=learner, **change)  # type: ignore[arg-type]
    asked, made = problem_of(config), synthetic_of(config)
    rng = np.random.default_rng(5)
    draws = 10_000
    right = 1 - 2 * rng.binomial(n, made.label_noise, (draws, 1)) / n
    w = right * made.mean + made.noise / math.sqrt(n) * rng.standard_normal((draws, 400))
    scores = accuracy(soft_threshold(w, asked.epsilon) if learner == "linf-threshold" else w, asked)
    found = expected(asked, made, n, learner)
    assert found is not None and found.kind == "asymptotic"
    assert abs(scores.mean() - found.value) < 3 * scores.std() / math.sqrt(draws) + 5e-4


def test_the_formula_gets_better_with_the_dimension() -> None:
    errors = []
    for dim in (2, 20, 200):
        asked = Problem(np.full(dim, 2 / math.sqrt(dim)), 1.0, 0.5 / math.sqrt(dim), "linf")
        made = Synthetic(asked.mu, 1.0)
        w = made.mean + np.random.default_rng(dim).standard_normal((4_000_000 // (dim + 20), dim))
        found = expected(asked, made, 1, "averaging")
        assert found is not None
        errors.append(abs(float(accuracy(w, asked).mean()) - found.value))
    assert errors[0] > 3 * errors[1] > 0 and errors[2] < 1e-3


def test_in_one_dimension_and_without_a_budget_the_linf_expectation_is_exact() -> None:
    rng = np.random.default_rng(1)
    for asked in (
        Problem(np.array([0.8]), 1.0, 0.3, "linf"),
        Problem(np.array([0.8, 0.1, -0.4]), 1.0, 0.0, "linf"),
    ):
        made = Synthetic(asked.mu / 2, 1.0, 0.1)
        found = expected(asked, made, 4, "averaging")
        assert found is not None and found.kind == "exact"
        scores = accuracy(averages_of_samples(made, 4, 100_000, rng), asked)
        assert abs(scores.mean() - found.value) < 3 * scores.std() / math.sqrt(len(scores))


@pytest.mark.parametrize("learner", ["averaging", "linf-threshold"])
def test_infinitely_many_samples_give_the_weights_of_the_mean(learner: Learner) -> None:
    config = TheoryConfig(learner=learner, angle=30, label_noise=0.1, separation=2)
    asked, made = problem_of(config), synthetic_of(config)
    w = made.mean * 0.8
    w = soft_threshold(w, asked.epsilon) if learner == "linf-threshold" else w
    limit, many = (expected(asked, made, n, learner) for n in (math.inf, 10**9))
    assert limit is not None and limit.kind == "exact" and many is not None
    assert limit.value == pytest.approx(
        robust_accuracy(w, asked.mu, sigma=1, epsilon=config.epsilon, norm="linf"), abs=1e-12
    )
    assert many.value == pytest.approx(limit.value, abs=1e-4)


def test_a_threshold_that_leaves_nothing_answers_with_one_class() -> None:
    asked = Problem(np.full(100, 0.5), 1.0, 0.4, "linf")
    made = Synthetic(np.full(100, 0.01), 0.1)
    for n in (10_000, math.inf):
        found = expected(asked, made, n, "linf-threshold")
        assert found is not None and found.value == pytest.approx(0.5, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(
    st.floats(0.05, 4),
    st.floats(1, 4),
    st.integers(1, 100_000),
    st.floats(0, 0.4),
    st.sampled_from(["equal", "decaying"]),
)
def test_more_separation_never_hurts_at_the_linf_optimum(
    c: float, factor: float, n: int, epsilon: float, profile: str
) -> None:
    values = []
    for separation in (c, c * factor):
        config = TheoryConfig(separation=separation, n=n, epsilon=epsilon, profile=profile)  # type: ignore[arg-type]
        found = expected(problem_of(config), synthetic_of(config), n, "averaging")
        assert found is not None
        values.append(found.value)
    assert values[1] >= values[0] - 1e-6


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 2), st.integers(1, 5), st.integers(1, 10_000), st.floats(0, 90))
def test_c_times_the_separation_is_worth_c_squared_times_the_samples_under_linf(
    separation: float, c: int, n: int, angle: float
) -> None:
    values = []
    for scale, count in ((c * separation, n), (separation, n * c**2)):
        config = TheoryConfig(separation=scale, angle=angle)
        found = expected(problem_of(config), synthetic_of(config), count, "averaging")
        assert found is not None
        values.append(found.value)
    assert values[0] == pytest.approx(values[1], abs=1e-9)
