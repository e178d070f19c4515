"""Simulation: the right distribution of averages, honest intervals, the same numbers for the same
seed, and memory that n does not touch."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from cdp.errors import InputError
from cdp.theory.expectation import expected
from cdp.theory.model import Problem, Synthetic, robust_accuracy
from cdp.theory.simulation import simulate, weights
from tests.theory.gaussians import accuracy, averages_of_samples, mean_at, problem


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_simulation_agrees_with_accuracy_of_real_averages(norm: str) -> None:
    asked = problem(6, norm=norm, epsilon=0.3)
    made = Synthetic(mean_at(asked, 0.6, 1.0), 1.0)
    result = simulate(asked, made, 7, "averaging", draws=50_000, seed=3)
    real = accuracy(averages_of_samples(made, 7, 50_000, np.random.default_rng(4)), asked)
    error = (result.high - result.low) / 3.92
    assert abs(result.value - real.mean()) < 3.5 * math.hypot(error, real.std() / 50_000**0.5)
    drawn = np.concatenate(list(weights(asked, made, 7, "averaging", draws=50_000, seed=1)))
    np.testing.assert_allclose(drawn.mean(axis=0), made.mean, atol=0.01)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(6) / 7, atol=0.005)


def test_flipped_labels_turn_no_mean_and_cost_samples() -> None:
    """A share rho of flipped labels shortens the mean by 1 - 2 rho, which for many samples costs
    1/(1 - 2 rho)^2 in n."""
    asked = problem(20, size=3, epsilon=1)
    rng, made = np.random.default_rng(0), Synthetic(mean_at(asked, 0.8, 0.2), 1.0)
    n, rho = 2000, 0.2
    flips = 1 - 2 * rng.binomial(n, rho, (20_000, 1)) / n
    noisy = accuracy(flips * made.mean + rng.standard_normal((20_000, 20)) / math.sqrt(n), asked)
    fewer = expected(asked, made, round(n * (1 - 2 * rho) ** 2), "averaging")
    assert fewer is not None and noisy.mean() == pytest.approx(fewer.value, abs=1e-3)


def test_intervals_hold_the_exact_value_nearly_always() -> None:
    asked = problem(40, size=3, epsilon=1)
    made = Synthetic(mean_at(asked, 0.8, 1.0), 1.0)
    exact = expected(asked, made, 30, "averaging")
    assert exact is not None
    results = [simulate(asked, made, 30, "averaging", draws=30, seed=seed) for seed in range(400)]
    right = sum(each.low <= exact.value <= each.high for each in results)
    assert 0.92 * 400 <= right <= 0.98 * 400
    assert {(each.n, each.level) for each in results} == {(30, 0.95)}


@pytest.mark.parametrize("draws", [20, 200])
def test_intervals_hold_the_exact_value_where_nearly_all_draws_are_tied(draws: int) -> None:
    """A threshold leaves one coordinate now and then, and mostly nothing: 1/2."""
    asked = Problem(np.array([2.0, 0.0]), 1.0, 1.5, "linf")
    made = Synthetic(np.array([0.2, 0.0]), 1.0)
    exact = simulate(asked, made, 3, "linf-threshold", draws=400_000, seed=9).value
    results = [simulate(asked, made, 3, "linf-threshold", draws=draws, seed=s) for s in range(200)]
    assert sum(each.low <= exact <= each.high for each in results) >= 0.9 * 200
    assert all(0 <= each.low <= each.value <= each.high <= 1 for each in results)
    assert all(each.low < each.high for each in results)


@pytest.mark.parametrize("draws", [2, 20, 200])
@pytest.mark.parametrize("epsilon", [0.5, 10.0])
def test_intervals_without_ties_are_t_intervals(draws: int, epsilon: float) -> None:
    """Accuracies near 0, which rounding makes alike, count as different."""
    asked = problem(10, epsilon=epsilon)
    made = Synthetic(asked.mu, 1.0)
    w = np.concatenate(list(weights(asked, made, 10, "averaging", draws=draws, seed=0)))
    values, result = robust_accuracy(w, asked), simulate(asked, made, 10, "averaging", draws=draws)
    error = values.std(ddof=1) / math.sqrt(draws)
    low, high = student.interval(0.95, draws - 1, values.mean(), error)
    wanted = (max(0, low), min(1, high))
    assert (result.low, result.high) == pytest.approx(wanted, rel=1e-9, abs=1e-300)


def test_the_limit_is_simulated_as_the_mean_and_has_no_width() -> None:
    asked = problem(30)
    made = Synthetic(mean_at(asked, 0.9, 1.0), 1.0)
    result = simulate(asked, made, math.inf, "averaging", draws=20)
    assert result.value == pytest.approx(float(robust_accuracy(made.mean, asked)), abs=1e-6)
    assert result.high - result.low < 1e-6


@pytest.mark.parametrize(("learner", "dim", "steps"), [("adversarial-logistic", 3, 4)])
def test_the_share_of_trainings_done_is_reported_and_a_seed_gives_the_same_numbers(
    learner: Any, dim: int, steps: int
) -> None:
    asked, shares = problem(dim), list[float]()
    made = Synthetic(asked.mu, 1.0)
    watched = simulate(asked, made, 10, learner, draws=4, report=shares.append)
    assert shares == sorted(set(shares)) and len(shares) == steps and shares[-1] == 1
    assert watched == simulate(asked, made, 10, learner, draws=4)
    assert watched != simulate(asked, made, 10, learner, draws=4, seed=1)


def test_memory_does_not_grow_with_samples_or_draws() -> None:
    asked = Problem(np.full(10_000, 0.03), 1.0, 0.01, "linf")
    tracemalloc.start()
    simulate(asked, Synthetic(asked.mu, 1.0), 10_000_000, "linf-threshold", draws=400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # all classifiers would be 32 MB in several arrays; the samples 800 GB


TRAINED = {"learner": "adversarial-logistic"}
BAD: list[tuple[str, dict[str, Any]]] = [
    ("n is 0", {"n": 0}),
    ("n is 2.5", {"n": 2.5}),
    ("n has NaN", {"n": math.nan}),
    ("n is no array", {"n": "many"}),
    ("draws is 1", {"draws": 1}),
    ("learner: magic is none under l2: choose averaging", {"learner": "magic"}),
    ("learner: linf-threshold", {"learner": "linf-threshold"}),
    ("ridge is 0", TRAINED | {"ridge": 0}),
    ("n: adversarial-logistic takes at most 10,000,000 numbers", TRAINED | {"n": 10_000_000}),
    ("draws: 100000 trainings", TRAINED | {"n": 100_000, "draws": 100_000}),
    ("mean has 2 coordinates where mu has 3", {"made": Synthetic(np.ones(2), 1.0)}),
]


@pytest.mark.parametrize(("message", "change"), BAD)
def test_bad_settings_of_a_simulation_are_named(message: str, change: dict[str, Any]) -> None:
    good = {"made": Synthetic(np.ones(3), 1.0), "n": 10, "learner": "averaging", "draws": 20}
    asked: dict[str, Any] = good | change
    with pytest.raises(InputError, match=message):
        simulate(problem(3), asked.pop("made"), asked.pop("n"), asked.pop("learner"), **asked)


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("mean has NaN", {"mean": [math.nan, 0.0]}),
        ("mean has shape", {"mean": [[1.0]]}),
        ("mean is 0", {"mean": [0.0, 0.0]}),
        ("noise is 0", {"noise": 0}),
    ],
)
def test_a_synthetic_distribution_that_makes_no_sense_is_refused(
    message: str, change: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=message):
        Synthetic(**({"mean": np.ones(2), "noise": 1.0} | change))
