"""The exact expectation over averaged weights under an l2 budget: against a million draws, against
its own limits, and by its symmetries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from scipy.stats import norm as normal

from cdp.config.theory import TheoryConfig
from cdp.theory import Problem, Synthetic, expected, problem_of, robust_accuracy, synthetic_of
from cdp.theory.angles import angle_density, direction_expectation, log_radial, window
from tests.theory.gaussians import accuracy, averages_of_samples, mean_at, problem

DRAWS = 1_000_000
TABLE = [
    # dim, |mu|/sigma, epsilon/sigma, |m|/s, cosine, n
    (1, 1.0, 0.3, 0.4, 1.0, 3),
    (2, 2.0, 0.5, 0.5, 1.0, 1),
    (2, 2.0, 0.5, 1.0, 0.3, 4),
    (3, 4.0, 2.0, 0.2, 0.9, 50),
    (3, 0.5, 0.0, 3.0, -0.5, 2),
    (8, 3.0, 1.0, 0.5, 0.8, 20),
    (8, 10.0, 4.0, 1.5, 0.6, 5),
    (100, 3.0, 1.0, 1.0, 1.0, 30),
    (1_000, 3.0, 1.5, 2.0, 0.7, 100),
    (10_000, 5.0, 2.0, 1.0, 0.9, 100_000),
]


def reduced_draws(dim: int, delta: float, cosine: float, rng: np.random.Generator) -> np.ndarray:
    """Cosines of w ~ N(delta a, I) with u, from the part of w in the plane of a and u and the chi
    length of the rest. (DRAWS,)"""
    first, second = delta * cosine + rng.standard_normal(DRAWS), delta * math.sqrt(1 - cosine**2)
    rest = np.zeros(DRAWS)
    if dim > 1:
        rest = (second + rng.standard_normal(DRAWS)) ** 2
    if dim > 2:
        rest = rest + rng.chisquare(dim - 2, DRAWS)
    return first / np.sqrt(first**2 + rest)


@pytest.mark.parametrize(("dim", "gain", "toll", "separation", "cosine", "n"), TABLE)
def test_quadrature_agrees_with_a_million_draws(
    dim: int, gain: float, toll: float, separation: float, cosine: float, n: int
) -> None:
    asked = problem(dim, size=gain, epsilon=toll)
    made = Synthetic(mean_at(asked, cosine, separation * 0.7), 0.7)
    found = expected(asked, made, n, "averaging")
    assert found is not None and found.kind == "exact"
    scores = normal.cdf(
        gain
        * reduced_draws(dim, separation * math.sqrt(n), cosine, np.random.default_rng((dim, n)))
        - toll
    )
    assert abs(scores.mean() - found.value) < 3 * scores.std() / math.sqrt(DRAWS) + 1e-7


@pytest.mark.parametrize(
    ("dim", "n", "rho"), [(1, 4, 0.3), (2, 3, 0.2), (3, 6, 0.5), (3, 5, 0.0), (5, 100, 0.4)]
)
def test_quadrature_agrees_with_averages_of_real_samples(dim: int, n: int, rho: float) -> None:
    asked = problem(dim, size=2.5, epsilon=0.6)
    made = Synthetic(mean_at(asked, 0.8 if dim > 1 else 1.0, 1.1), 1.3, rho)
    found = expected(asked, made, n, "averaging")
    assert found is not None and found.kind == "exact"
    scores = accuracy(averages_of_samples(made, n, 150_000, np.random.default_rng((dim, n))), asked)
    assert abs(scores.mean() - found.value) < 3 * scores.std() / math.sqrt(len(scores))


def test_infinitely_many_samples_give_the_mean_itself() -> None:
    asked = problem(50, size=3, epsilon=1)
    made = Synthetic(mean_at(asked, 0.7, 2.0), 1.0, 0.2)
    limit = expected(asked, made, math.inf, "averaging")
    assert limit is not None and limit.kind == "exact"
    assert limit.value == pytest.approx(
        robust_accuracy(made.mean, asked.mu, sigma=1, epsilon=1, norm="l2"), abs=1e-12
    )
    many = expected(asked, made, 10**9, "averaging")
    assert many is not None and many.value == pytest.approx(limit.value, abs=1e-5)


def test_averages_that_stay_random_have_the_limit_of_many_samples() -> None:
    """A mean of 0, and labels of which half are flipped: no number of samples settles the
    direction."""
    asked = problem(6, size=2, epsilon=0.4)
    nowhere = Synthetic(np.zeros(6), 1.0)
    first, last = (expected(asked, nowhere, n, "averaging") for n in (1, math.inf))
    assert (
        first is not None
        and last is not None
        and first.value == pytest.approx(last.value, abs=1e-9)
    )
    muddled = Synthetic(asked.mu, 1.0, 0.5)
    many, limit = (expected(asked, muddled, n, "averaging") for n in (10**6, math.inf))
    assert (
        many is not None
        and limit is not None
        and many.value == pytest.approx(limit.value, abs=1e-5)
    )


@settings(max_examples=15, deadline=None)
@given(
    st.integers(2, 30),
    st.floats(-1, 1),
    st.floats(0.05, 4),
    st.integers(1, 1000),
    st.floats(0, 3),
    st.integers(0, 100),
)
def test_rotating_mean_and_optimum_together_changes_nothing(
    dim: int, cosine: float, length: float, n: int, epsilon: float, seed: int
) -> None:
    asked = problem(dim, epsilon=epsilon)
    mean = mean_at(asked, cosine, length)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))
    turned = Problem(turn @ asked.mu, 1.0, epsilon, "l2")
    first, second = (
        expected(asked, Synthetic(mean, 1.0), n, "averaging"),
        expected(turned, Synthetic(turn @ mean, 1.0), n, "averaging"),
    )
    assert (
        first is not None
        and second is not None
        and first.value == pytest.approx(second.value, abs=1e-7)
    )


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 300),
    st.floats(0.01, 5),
    st.floats(1, 4),
    st.integers(1, 10_000),
    st.floats(0, 3),
    st.floats(0.3, 6),
)
def test_more_separation_never_hurts_at_the_optimum(
    dim: int, length: float, factor: float, n: int, epsilon: float, size: float
) -> None:
    asked = problem(dim, epsilon=epsilon, size=size)
    less, more = (
        expected(asked, Synthetic(mean_at(asked, 1.0, scale), 1.0), n, "averaging")
        for scale in (length, factor * length)
    )
    assert less is not None and more is not None and more.value >= less.value - 1e-7


def test_more_separation_can_hurt_beside_the_optimum() -> None:
    """A mean at right angles to mu: sure of the wrong direction, the learner loses what chance gave
    it."""
    asked = problem(20, epsilon=1.0)
    less, more = (
        expected(asked, Synthetic(mean_at(asked, 0.0, scale), 1.0), 50, "averaging")
        for scale in (0.1, 3.0)
    )
    assert less is not None and more is not None and more.value < less.value - 0.005


@settings(max_examples=20, deadline=None)
@given(
    st.integers(2, 300),
    st.floats(-1, 1),
    st.integers(1, 8),
    st.integers(1, 1000),
)
def test_c_times_the_separation_is_worth_c_squared_times_the_samples(
    dim: int, cosine: float, c: int, n: int
) -> None:
    asked = problem(dim)
    mean = mean_at(asked, cosine, 0.3)
    separable, numerous = (
        expected(asked, Synthetic(c * mean, 1.0), n, "averaging"),
        expected(asked, Synthetic(mean, 1.0), n * c**2, "averaging"),
    )
    assert (
        separable is not None
        and numerous is not None
        and separable.value == pytest.approx(numerous.value, abs=1e-9)
    )


@pytest.mark.parametrize("dim", [2, 3, 5, 20, 200, 10_000])
@pytest.mark.parametrize("delta", [0.0, 0.3, 2.0, 30.0, 1e3, 1e6])
def test_the_density_of_the_angle_has_mass_one(dim: int, delta: float) -> None:
    low, high = window(dim, np.array([delta]))
    _, mass = angle_density(dim, np.array([delta]), low, high, 120)
    assert mass.sum() == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize(("dim", "c"), [(2, 0.0), (2, -6.0), (3, 4.0), (10, -2.0), (40, 7.0)])
def test_the_radial_integral_agrees_with_adaptive_quadrature(dim: int, c: float) -> None:
    from scipy.integrate import quad

    found = quad(
        lambda rho: rho ** (dim - 1) * math.exp(-((rho - c) ** 2) / 2),
        0,
        abs(c) + 10 + 4 * math.sqrt(dim),
        epsabs=0,
        epsrel=1e-11,
    )[0]
    assert float(log_radial(dim, np.array([c]))[0]) == pytest.approx(math.log(found), abs=1e-9)


LABELS: list[dict[str, Any]] = [
    {"dim": 10_000, "nonzero": 1, "size": 20, "separation": 0.9, "label_noise": 0.45, "n": 125},
    {"size": 10, "epsilon": 3, "label_noise": 0.3, "n": 40},
    {"size": 10, "epsilon": 3, "label_noise": 0.3, "n": 2000, "separation": 0.1},
    {"size": 20, "dim": 3, "nonzero": 2, "epsilon": 3, "label_noise": 0.3, "n": 2000},
    {"epsilon": 1, "label_noise": 0.1, "n": 300, "angle": 30},
]


@pytest.mark.parametrize("change", LABELS)
def test_flipped_labels_are_the_whole_binomial_sum(change: dict[str, Any]) -> None:
    config = TheoryConfig(norm="l2", **change)
    asked, made = problem_of(config), synthetic_of(config)
    flipped = np.arange(config.n + 1)
    size, right = np.linalg.norm(asked.mu), 1 - 2 * flipped / config.n
    cosine = float(made.mean @ asked.mu / size / np.linalg.norm(made.mean))
    each = direction_expectation(
        config.dim,
        np.abs(right) * np.linalg.norm(made.mean) * math.sqrt(config.n) / made.noise,
        np.clip(cosine * np.where(right < 0, -1.0, 1.0), -1, 1),
        gain=float(size) / asked.sigma,
        toll=asked.epsilon / asked.sigma,
    )
    whole = float(each @ binom.pmf(flipped, config.n, config.label_noise))
    estimate = expected(asked, made, config.n, "averaging")
    assert estimate is not None and estimate.kind == "exact"
    assert estimate.value == pytest.approx(whole, abs=1e-6)


def test_a_steep_accuracy_is_still_resolved() -> None:
    """|mu|/sigma = 100: nearly a step, so the expectation is the chance to be within the
    angle that the budget leaves."""
    rng = np.random.default_rng(0)
    scores = normal.cdf(100 * reduced_draws(20, 6.0, 0.8, rng) - 30)
    value = direction_expectation(20, np.array([6.0]), np.array([0.8]), gain=100.0, toll=30.0)[0]
    assert abs(scores.mean() - value) < 3 * scores.std() / math.sqrt(DRAWS) + 1e-6
