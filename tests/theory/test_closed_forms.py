"""Robust accuracy of a given classifier: against a million draws under attack, at its limits, under
what must not change it, and on bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm as normal

from cdp.errors import InputError
from cdp.theory import robust_accuracy

DRAWS = 1_000_000
TABLE = [
    ("linf", (1.0,), (0.7,), 1.0, 0.3),
    ("linf", (1.0, -0.5, 0.2), (0.9, -0.4, 0.1), 1.0, 0.1),
    ("linf", (0.3, 0.3, 0.3, 0.3), (1.0, 0.2, 0.0, 0.0), 0.5, 0.15),
    ("linf", (-1.0, 0.5), (0.8, 0.3), 2.0, 0.05),
    ("linf", (5.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.7, 1.2),
    ("l2", (1.0,), (0.7,), 1.0, 0.3),
    ("l2", (1.0, -0.5, 0.2), (0.9, -0.4, 0.1), 1.0, 0.4),
    ("l2", (0.3, 0.3, 0.3, 0.3), (1.0, 0.2, 0.0, 0.0), 0.5, 0.6),
    ("l2", (-1.0, 0.5), (0.8, 0.3), 2.0, 0.5),
    ("l2", (5.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.7, 2.0),
]
numbers = st.floats(-4, 4).map(lambda value: round(value, 3))
vectors = st.integers(1, 6).flatmap(
    lambda d: st.tuples(arrays(float, d, elements=numbers), arrays(float, d, elements=numbers))
)
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
    value = robust_accuracy(w, mu, sigma=sigma, epsilon=epsilon, norm=norm)
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


def test_without_a_budget_both_norms_give_standard_accuracy() -> None:
    w, mu = np.array([1.0, 2.0, -1.0]), np.array([0.5, 0.2, 0.1])
    standard = normal.cdf(w @ mu / (0.8 * np.linalg.norm(w)))
    for norm in ("linf", "l2"):
        assert robust_accuracy(w, mu, sigma=0.8, epsilon=0, norm=norm) == pytest.approx(
            standard, abs=1e-14
        )


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_in_one_dimension_the_norms_agree(sign: float) -> None:
    for norm in ("linf", "l2"):
        value = robust_accuracy([sign * 3.0], [0.9], sigma=0.5, epsilon=0.4, norm=norm)
        assert value == pytest.approx(normal.cdf((sign * 0.9 - 0.4) / 0.5), abs=1e-14)


def test_many_classifiers_at_once_are_each_alone_and_nothing_learned_is_one_half() -> None:
    w = np.array([[1.0, 2.0], [0.0, 0.0], [-1.0, 1.0]])
    for norm in ("linf", "l2"):
        found = robust_accuracy(w, [0.4, 0.3], sigma=1, epsilon=0.1, norm=norm)
        assert isinstance(found, np.ndarray) and found.shape == (3,) and found[1] == 0.5
        alone = [robust_accuracy(row, [0.4, 0.3], sigma=1, epsilon=0.1, norm=norm) for row in w]
        assert all(isinstance(value, float) for value in alone)
        np.testing.assert_allclose(found, alone, rtol=1e-14)


@settings(max_examples=50, deadline=None)
@given(vectors, norms, budgets, st.floats(-250, 250))
def test_only_the_direction_of_w_counts(
    pair: tuple[np.ndarray, np.ndarray], norm: str, epsilon: float, exponent: float
) -> None:
    w, mu = pair
    plain = robust_accuracy(w, mu, sigma=1, epsilon=epsilon, norm=norm)
    assert robust_accuracy(
        w * 10.0**exponent, mu, sigma=1, epsilon=epsilon, norm=norm
    ) == pytest.approx(plain, abs=1e-9)


@settings(max_examples=33, deadline=None)
@given(vectors, norms, budgets, st.sampled_from([1e-200, 1e-3, 1e5, 1e200]))
def test_units_do_not_count(
    pair: tuple[np.ndarray, np.ndarray], norm: str, epsilon: float, unit: float
) -> None:
    w, mu = pair
    plain = robust_accuracy(w, mu, sigma=1, epsilon=epsilon, norm=norm)
    assert robust_accuracy(
        w, mu * unit, sigma=unit, epsilon=epsilon * unit, norm=norm
    ) == pytest.approx(plain, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(vectors, norms, budgets, budgets)
def test_more_budget_never_helps(
    pair: tuple[np.ndarray, np.ndarray], norm: str, first: float, second: float
) -> None:
    w, mu = pair
    low, high = sorted((first, second))
    less, more = (
        robust_accuracy(w, mu, sigma=0.7, epsilon=epsilon, norm=norm) for epsilon in (low, high)
    )
    assert more <= less + 1e-12


@settings(max_examples=33, deadline=None)
@given(vectors, budgets, st.integers(0, 1000))
def test_rotating_an_l2_problem_changes_nothing(
    pair: tuple[np.ndarray, np.ndarray], epsilon: float, seed: int
) -> None:
    w, mu = pair
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(w), len(w))))
    plain = robust_accuracy(w, mu, sigma=1, epsilon=epsilon, norm="l2")
    assert robust_accuracy(
        turn @ w, turn @ mu, sigma=1, epsilon=epsilon, norm="l2"
    ) == pytest.approx(plain, abs=1e-9)


BAD: list[tuple[str, dict[str, Any]]] = [
    ("w has NaN", {"w": [math.nan, 1.0]}),
    ("w has NaN", {"w": [math.inf, 1.0]}),
    ("mu has NaN", {"mu": [1.0, math.nan]}),
    ("w has shape", {"w": [1.0, 2.0, 3.0]}),
    ("w has shape", {"w": 1.0}),
    ("w has shape", {"w": np.zeros((2, 2, 2))}),
    ("mu has shape", {"mu": []}),
    ("mu has shape", {"mu": [[1.0, 2.0]]}),
    ("w is no array", {"w": ["a", "b"]}),
    ("w is no array", {"w": [1j, 2.0]}),
    ("w is no array", {"w": [None, 2.0]}),
    ("w has rows of different lengths", {"w": [[1.0], [1.0, 2.0]]}),
    ("sigma is 0", {"sigma": 0}),
    ("sigma is -1", {"sigma": -1}),
    ("sigma has NaN", {"sigma": math.nan}),
    ("sigma has shape", {"sigma": [1.0]}),
    ("epsilon is -0.1", {"epsilon": -0.1}),
    ("epsilon has NaN", {"epsilon": math.inf}),
    ("norm 'l1' is unknown: choose linf or l2", {"norm": "l1"}),
    ("norm None is unknown", {"norm": None}),
    ("norm", {"norm": ["linf"]}),
]


@pytest.mark.parametrize(("message", "change"), BAD)
def test_bad_input_is_named_with_a_remedy(message: str, change: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {
        "w": [1.0, 2.0],
        "mu": [0.5, 0.5],
        "sigma": 1.0,
        "epsilon": 0.1,
        "norm": "linf",
    } | change
    with pytest.raises(InputError, match=message) as caught:
        robust_accuracy(arguments.pop("w"), arguments.pop("mu"), **arguments)
    assert ": " in str(caught.value)
