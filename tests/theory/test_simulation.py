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
from cdp.theory import Problem, Synthetic, expected, robust_accuracy, simulate
from cdp.theory.simulation import samples, weights
from tests.theory.gaussians import accuracy, averages_of_samples, mean_at, problem


def test_simulated_averages_have_the_distribution_of_averages_of_samples() -> None:
    asked = problem(3)
    made = Synthetic(np.array([0.6, -0.2, 0.3]), 0.9, 0.3)
    drawn = np.concatenate(list(weights(asked, made, 5, "averaging", draws=200_000, seed=1)))
    real = averages_of_samples(made, 5, 200_000, np.random.default_rng(2))
    np.testing.assert_allclose(
        drawn.mean(axis=0), real.mean(axis=0), atol=5 * 0.5 / math.sqrt(200_000)
    )
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(real.T), atol=0.005)
    # Flips make them no Gaussian: the fourth moment along the mean tells.
    for power in (3, 4):
        first, second = (
            ((part - part.mean(axis=0)) @ made.mean) ** power for part in (drawn, real)
        )
        assert abs(first.mean() - second.mean()) < 4 * math.hypot(
            first.std(), second.std()
        ) / math.sqrt(200_000)


def test_drawn_samples_have_the_stated_moments() -> None:
    made = Synthetic(np.array([0.6, -0.2, 0.3]), 0.9, 0.2)
    z = samples(made, 400_000, np.random.default_rng(0))
    right = 1 - 2 * made.label_noise
    covariance = 0.81 * np.eye(3) + (1 - right**2) * np.outer(made.mean, made.mean)
    np.testing.assert_allclose(z.mean(axis=0), right * made.mean, atol=0.006)
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.01)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_simulation_agrees_with_accuracy_of_real_averages(norm: str) -> None:
    asked = problem(6, norm=norm, epsilon=0.3)
    made = Synthetic(mean_at(asked, 0.6, 1.0), 1.0, 0.1)
    found = simulate(asked, made, 7, "averaging", draws=50_000, seed=3)
    real = accuracy(averages_of_samples(made, 7, 50_000, np.random.default_rng(4)), asked)
    error = (found.high - found.low) / 3.92
    assert abs(found.value - real.mean()) < 3.5 * math.hypot(error, real.std() / math.sqrt(50_000))


def test_intervals_hold_the_exact_value_nearly_always() -> None:
    asked = problem(40, size=3, epsilon=1)
    made = Synthetic(mean_at(asked, 0.8, 1.0), 1.0)
    exact = expected(asked, made, 30, "averaging")
    assert exact is not None
    found = [simulate(asked, made, 30, "averaging", draws=30, seed=seed) for seed in range(400)]
    held = sum(one.low <= exact.value <= one.high for one in found)
    assert 0.92 * 400 <= held <= 0.98 * 400
    assert {(one.n, one.level) for one in found} == {(30, 0.95)}


LINE = Problem(np.array([2.0]), 1.0, 0.5, "l2")
"""One dimension: only the sign of w counts, so nearly all draws have the same accuracy."""


@pytest.mark.parametrize("draws", [20, 50, 200])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_intervals_hold_the_exact_value_where_nearly_all_draws_are_tied(n: int, draws: int) -> None:
    made = Synthetic(np.array([2.0]), 1.0)
    exact = expected(LINE, made, n, "averaging")
    assert exact is not None
    found = [simulate(LINE, made, n, "averaging", draws=draws, seed=seed) for seed in range(200)]
    assert sum(one.low <= exact.value <= one.high for one in found) >= 0.9 * 200
    assert all(0 <= one.low < one.value <= one.high <= 1 for one in found)


def drawn_scores(asked: Problem, made: Synthetic, *, draws: int, seed: int) -> np.ndarray:
    """Exact robust accuracy of every drawn average of 10 samples."""
    w = np.concatenate(list(weights(asked, made, 10, "averaging", draws=draws, seed=seed)))
    return np.asarray(
        robust_accuracy(w, asked.mu, sigma=asked.sigma, epsilon=asked.epsilon, norm=asked.norm)
    )


@pytest.mark.parametrize("draws", [2, 3, 20, 200])
@pytest.mark.parametrize("epsilon", [0.5, 10.0])
def test_intervals_without_ties_are_t_intervals(draws: int, epsilon: float) -> None:
    """Accuracies near 0, which rounding makes alike, count as different."""
    asked = problem(10, epsilon=epsilon)
    made = Synthetic(asked.mu, 1.0)
    values = drawn_scores(asked, made, draws=draws, seed=0)
    found = simulate(asked, made, 10, "averaging", draws=draws)
    low, high = student.interval(
        0.95, draws - 1, values.mean(), values.std(ddof=1) / math.sqrt(draws)
    )
    assert (found.low, found.high) == pytest.approx(
        (max(0, low), min(1, high)), rel=1e-9, abs=1e-300
    )


def test_the_limit_of_one_dimension_has_no_width() -> None:
    found = simulate(LINE, Synthetic(np.array([2.0]), 1.0), math.inf, "averaging", draws=20)
    assert found.high - found.low < 1e-12


@pytest.mark.parametrize(
    ("learner", "dim", "steps"), [("adversarial-logistic", 3, 4), ("averaging", 400_000, 2)]
)
def test_the_share_of_trainings_done_is_reported_and_changes_no_number(
    learner: Any, dim: int, steps: int
) -> None:
    asked, told = problem(dim), list[float]()
    made = Synthetic(asked.mu, 1.0)
    watched = simulate(asked, made, 10, learner, draws=4, report=told.append)
    assert told == sorted(set(told)) and len(told) == steps and told[-1] == 1
    assert watched == simulate(asked, made, 10, learner, draws=4)


def test_the_limit_is_simulated_as_the_mean() -> None:
    asked = problem(30)
    made = Synthetic(mean_at(asked, 0.9, 1.0), 1.0, 0.2)
    found = simulate(asked, made, math.inf, "averaging", draws=20)
    assert found.value == pytest.approx(
        robust_accuracy(made.mean, asked.mu, sigma=1, epsilon=0.5, norm="l2"), abs=1e-6
    )
    assert found.high - found.low < 1e-6


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    asked, made = problem(10), Synthetic(np.ones(10), 1.0, 0.1)
    first, again, other = (drawn_scores(asked, made, draws=50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()


def test_memory_does_not_grow_with_samples_or_draws() -> None:
    asked = Problem(np.full(10_000, 0.03), 1.0, 0.01, "linf")
    made = Synthetic(asked.mu, 1.0, 0.1)
    tracemalloc.start()
    simulate(asked, made, 10_000_000, "linf-threshold", draws=1_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (
        peak < 120e6
    )  # all 1,000 classifiers would be 80 MB in each of several arrays; the samples 800 GB


BAD: list[tuple[str, dict[str, Any]]] = [
    ("n is 0", {"n": 0}),
    ("n is 2.5", {"n": 2.5}),
    ("n has NaN", {"n": math.nan}),
    ("n has NaN", {"n": -math.inf}),
    ("n is no array", {"n": "many"}),
    ("seed is -1: pass a whole number of 0 or more, or a tuple of them", {"seed": -1}),
    ("seed is 1.5", {"seed": 1.5}),
    (r"seed is \(1, -2\)", {"seed": (1, -2)}),
    (r"seed is \(\)", {"seed": ()}),
    ("seed is None", {"seed": None}),
    ("draws is 1", {"draws": 1}),
    ("draws is 10.0", {"draws": 10.0}),
    ("learner 'magic' is unknown: choose averaging", {"learner": "magic"}),
    ("learner: linf-threshold", {"learner": "linf-threshold"}),
    ("ridge is 0", {"learner": "adversarial-logistic", "ridge": 0}),
    (
        "n: adversarial-logistic holds at most 10,000,000 numbers",
        {"learner": "adversarial-logistic", "n": 10_000_000},
    ),
    (
        "draws: 100000 trainings",
        {"learner": "adversarial-logistic", "n": 100_000, "draws": 100_000},
    ),
    ("mean has 2 coordinates where mu has 3", {"made": Synthetic(np.ones(2), 1.0)}),
]


@pytest.mark.parametrize(("message", "change"), BAD)
def test_bad_settings_of_a_simulation_are_named(message: str, change: dict[str, Any]) -> None:
    asked: dict[str, Any] = {
        "made": Synthetic(np.ones(3), 1.0),
        "n": 10,
        "learner": "averaging",
        "draws": 20,
    } | change
    with pytest.raises(InputError, match=message):
        simulate(problem(3), asked.pop("made"), asked.pop("n"), asked.pop("learner"), **asked)


@pytest.mark.filterwarnings("error")
def test_margins_of_enormous_means_are_0_or_without_bound_and_no_warning() -> None:
    for w, share in (([1, -1], 0.5), ([1, 1], 1.0), ([-1, -1], 0.0), ([0, 0], 0.5)):
        assert robust_accuracy(w, [1e300, 1e300], sigma=1e-300, epsilon=0, norm="l2") == share


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("mean has NaN", {"mean": [math.nan]}),
        ("mean has shape", {"mean": [[1.0]]}),
        ("noise is 0", {"noise": 0}),
        ("label_noise is 0.6", {"label_noise": 0.6}),
        ("label_noise is -0.1", {"label_noise": -0.1}),
    ],
)
def test_a_synthetic_distribution_that_makes_no_sense_is_refused(
    message: str, change: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=message):
        Synthetic(**({"mean": np.ones(2), "noise": 1.0} | change))


def test_values_of_the_model_cannot_be_changed_and_do_not_follow_their_source() -> None:
    source = np.ones(3)
    asked, made = Problem(source, 1.0, 0.1, "linf"), Synthetic(source, 1.0)
    source[0] = 9
    assert asked.mu[0] == made.mean[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        asked.mu[0] = 2
