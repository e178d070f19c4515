"""Robust accuracy of a given classifier and the best one: against a million draws under attack,
numerical search, what must not change it, and bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.stats import norm as normal

from cdp.errors import InputError
from cdp.theory.model import (
    Problem,
    best_accuracy,
    optimal_direction,
    robust_accuracy,
    soft_threshold,
)

DRAWS = 1_000_000
TABLE = [
    ("linf", (1.0, -0.5, 0.2), (0.9, -0.4, 0.1), 1.0, 0.1),
    ("linf", (0.3, 0.3, 0.3, 0.3), (1.0, 0.2, 0.0, 0.0), 0.5, 0.15),
    ("linf", (5.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.7, 1.2),
    ("l2", (1.0, -0.5, 0.2), (0.9, -0.4, 0.1), 1.0, 0.4),
    ("l2", (-1.0, 0.5), (0.8, 0.3), 2.0, 0.5),
    ("l2", (5.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.7, 2.0),
]
numbers = st.floats(-4, 4).map(lambda value: round(value, 3))
pairs = st.integers(2, 6).flatmap(lambda d: arrays(float, (2, d), elements=numbers))
norms = st.sampled_from(["linf", "l2"])
budgets = st.floats(0, 3).map(lambda value: round(value, 3))


def worst(x: np.ndarray, y: np.ndarray, w: np.ndarray, epsilon: float, norm: str) -> np.ndarray:
    """x moved by the attack that lowers y w.x the most: to a corner of the cube, or along w."""
    step = np.sign(w) if norm == "linf" else w / np.linalg.norm(w)
    return x - epsilon * y[:, None] * step


@pytest.mark.parametrize(("norm", "w", "mu", "sigma", "epsilon"), TABLE)
def test_closed_form_agrees_with_a_million_attacked_draws(
    norm: str, w: tuple[float, ...], mu: tuple[float, ...], sigma: float, epsilon: float
) -> None:
    rng = np.random.default_rng(7)
    y = np.where(rng.random(DRAWS) < 0.5, -1.0, 1.0)
    x = y[:, None] * np.array(mu) + sigma * rng.standard_normal((DRAWS, len(mu)))
    right = np.sign(worst(x, y, np.array(w), epsilon, norm) @ np.array(w)) == y
    value = float(robust_accuracy(w, Problem(np.array(mu), sigma, epsilon, norm)))
    assert abs(right.mean() - value) < 3 * math.sqrt(value * (1 - value) / DRAWS)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_perturbation_in_the_budget_does_more_than_the_closed_forms_attack(norm: str) -> None:
    rng = np.random.default_rng(3)
    w, epsilon = rng.standard_normal(5), 0.4
    moves = rng.standard_normal((20_000, 5))
    size = np.abs(moves).max(axis=1) if norm == "linf" else np.linalg.norm(moves, axis=1)
    moves *= (epsilon / size)[:, None]
    x = rng.standard_normal((1, 5))
    attacked = float((worst(x, np.ones(1), w, epsilon, norm) @ w)[0])
    assert ((x + moves) @ w).min() >= attacked - 1e-12


def test_many_classifiers_at_once_are_each_alone_and_nothing_learned_is_one_half() -> None:
    w = np.array([[1.0, 2.0], [0.0, 0.0], [-1.0, 1.0]])
    for norm in ("linf", "l2"):
        asked = Problem(np.array([0.4, 0.3]), 1.0, 0.1, norm)
        values = robust_accuracy(w, asked)
        assert values.shape == (3,) and values[1] == 0.5
        np.testing.assert_allclose(values, [robust_accuracy(row, asked) for row in w], rtol=1e-14)


@settings(max_examples=50)
@given(pairs, norms, budgets, budgets, st.floats(-100, 100), st.sampled_from([1e-3, 1e5]))
def test_what_must_not_change_accuracy_does_not(
    pair: np.ndarray, norm: str, first: float, second: float, exponent: float, unit: float
) -> None:
    """Only the direction of w counts; units do not; more budget never helps."""
    w, mu = pair
    low, high = sorted((first, second))
    plain = robust_accuracy(w, Problem(mu, 1.0, low, norm))
    scaled = robust_accuracy(w * 10.0**exponent, Problem(mu, 1.0, low, norm))
    other = robust_accuracy(w, Problem(mu * unit, unit, low * unit, norm))
    assert scaled == pytest.approx(plain, abs=1e-9) and other == pytest.approx(plain, abs=1e-9)
    assert robust_accuracy(w, Problem(mu, 1.0, high, norm)) <= plain + 1e-12
    without = [robust_accuracy(w, Problem(mu, 1.0, 0.0, each)) for each in ("linf", "l2")]
    assert without[0] == pytest.approx(without[1], abs=1e-14)


@settings(max_examples=33)
@given(pairs, budgets, st.integers(0, 1000))
def test_rotating_an_l2_problem_changes_nothing(
    pair: np.ndarray, epsilon: float, seed: int
) -> None:
    w, mu = pair
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(w), len(w))))
    plain = robust_accuracy(w, Problem(mu, 1.0, epsilon, "l2"))
    turned = robust_accuracy(turn @ w, Problem(turn @ mu, 1.0, epsilon, "l2"))
    assert turned == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_search_finds_a_better_direction(norm: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mu = rng.standard_normal(4)
    asked = Problem(mu, 0.8, float(0.5 * np.abs(mu).max()), norm)
    options = {"xatol": 1e-7, "fatol": 1e-12, "maxiter": 6000, "maxfev": 6000}
    best = -min(
        minimize(
            lambda w: -float(robust_accuracy(w, asked)), w, method="Nelder-Mead", options=options
        ).fun
        for w in [*rng.standard_normal((4, 4)), mu]
    )
    assert best <= best_accuracy(asked) + 1e-12
    assert best == pytest.approx(best_accuracy(asked), abs=1e-4)
    assert robust_accuracy(optimal_direction(asked), asked) == best_accuracy(asked)


@settings(max_examples=33)
@given(pairs, budgets, norms, st.integers(0, 1000))
def test_no_random_classifier_beats_the_optimum(
    pair: np.ndarray, epsilon: float, norm: str, seed: int
) -> None:
    asked = Problem(pair[0], 0.5, epsilon, norm)
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((200, asked.dim))
    w[::2] *= rng.random(w[::2].shape) < 0.5  # sparse ones too
    assert robust_accuracy(w, asked).max() <= best_accuracy(asked) + 1e-12


@settings(max_examples=33)
@given(pairs, budgets)
def test_the_linf_optimum_reaches_the_length_of_the_soft_threshold(
    pair: np.ndarray, epsilon: float
) -> None:
    mu = pair[0]
    wanted = [np.sign(v) * (abs(v) - epsilon) if abs(v) > epsilon else 0.0 for v in mu]
    np.testing.assert_allclose(soft_threshold(mu, epsilon), wanted, atol=1e-15)
    best = best_accuracy(Problem(mu, 0.9, epsilon, "linf"))
    assert best == pytest.approx(normal.cdf(np.linalg.norm(wanted) / 0.9), abs=1e-12)


def test_a_budget_that_covers_every_coordinate_leaves_answering_with_one_class() -> None:
    mu = np.array([0.3, -0.5, 0.1])
    assert not optimal_direction(Problem(mu, 1, 0.5, "linf")).any()
    assert (
        best_accuracy(Problem(mu, 1, 0.5, "linf")) == best_accuracy(Problem(mu, 1, 9, "l2")) == 0.5
    )
    assert robust_accuracy(mu, Problem(mu, 1, 9, "l2")) < 0.5


BAD: list[tuple[str, dict[str, Any]]] = [
    ("w has NaN", {"w": [math.nan, 1.0]}),
    ("mu has NaN", {"mu": [1.0, math.inf]}),
    ("w has shape", {"w": [1.0, 2.0, 3.0]}),
    ("w has shape", {"w": 1.0}),
    ("mu has shape", {"mu": [1.0]}),
    ("mu has shape", {"mu": [[1.0, 2.0]]}),
    ("w is no array", {"w": ["a", "b"]}),
    ("w is no array", {"w": [None, 2.0]}),
    ("w has rows of different lengths", {"w": [[1.0], [1.0, 2.0]]}),
    ("sigma is 0", {"sigma": 0}),
    ("sigma has NaN", {"sigma": math.nan}),
    ("sigma has shape", {"sigma": [1.0]}),
    ("epsilon is -0.1", {"epsilon": -0.1}),
    ("norm 'l1' is unknown: choose linf or l2", {"norm": "l1"}),
]


@pytest.mark.parametrize(("message", "change"), BAD)
def test_bad_input_is_named_with_a_remedy(message: str, change: dict[str, Any]) -> None:
    good: dict[str, Any] = {"w": [1.0, 2.0], "mu": [0.5, 0.5], "sigma": 1.0, "epsilon": 0.1}
    asked = good | {"norm": "linf"} | change
    with pytest.raises(InputError, match=message) as caught:
        robust_accuracy(asked.pop("w"), Problem(**asked))
    assert ": " in str(caught.value)
