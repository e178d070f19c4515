"""The best classifier: soft thresholding against numerical optimisation, and where it stops looking
at x."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.stats import norm as normal

from cdp.errors import InputError
from cdp.theory import Problem, best_accuracy, optimal_direction, robust_accuracy, soft_threshold

MEANS = st.integers(1, 8).flatmap(
    lambda d: arrays(float, d, elements=st.floats(-3, 3).map(lambda value: round(value, 2)))
)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_search_finds_a_better_direction(norm: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mu = rng.standard_normal(5)
    epsilon = float(0.5 * np.abs(mu).max())

    def loss(w: np.ndarray) -> float:
        return -float(robust_accuracy(w, mu, sigma=0.8, epsilon=epsilon, norm=norm))

    found = min(
        (
            minimize(
                loss,
                start,
                method="Nelder-Mead",
                options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 6000, "maxfev": 6000},
            )
            for start in [*rng.standard_normal((4, 5)), mu]
        ),
        key=lambda result: result.fun,
    )
    best = best_accuracy(Problem(mu, 0.8, epsilon, norm))
    assert -found.fun <= best + 1e-12
    assert -found.fun == pytest.approx(best, abs=1e-4)
    assert (
        robust_accuracy(
            optimal_direction(mu, epsilon=epsilon, norm=norm),
            mu,
            sigma=0.8,
            epsilon=epsilon,
            norm=norm,
        )
        == best
    )


@settings(max_examples=33, deadline=None)
@given(MEANS, st.floats(0, 4), st.sampled_from(["linf", "l2"]), st.integers(0, 1000))
def test_no_random_classifier_beats_the_optimum(
    mu: np.ndarray, epsilon: float, norm: str, seed: int
) -> None:
    w = np.random.default_rng(seed).standard_normal((200, len(mu)))
    w[::2] *= np.random.default_rng(seed).random(w[::2].shape) < 0.5  # sparse ones too
    values = robust_accuracy(w, mu, sigma=0.5, epsilon=epsilon, norm=norm)
    assert np.max(values) <= best_accuracy(Problem(mu, 0.5, epsilon, norm)) + 1e-12


@settings(max_examples=33, deadline=None)
@given(MEANS, st.floats(0, 4))
def test_the_linf_optimum_reaches_the_length_of_the_soft_threshold(
    mu: np.ndarray, epsilon: float
) -> None:
    kept = [
        np.sign(value) * (abs(value) - epsilon) if abs(value) > epsilon else 0.0 for value in mu
    ]
    np.testing.assert_allclose(soft_threshold(mu, epsilon), kept, atol=1e-15)
    expected = normal.cdf(np.linalg.norm(kept) / 0.9)
    assert best_accuracy(Problem(mu, 0.9, epsilon, "linf")) == pytest.approx(expected, abs=1e-12)


def test_a_budget_that_covers_every_coordinate_leaves_answering_with_one_class() -> None:
    mu = np.array([0.3, -0.5, 0.1])
    assert not optimal_direction(mu, epsilon=0.5, norm="linf").any()
    assert best_accuracy(Problem(mu, 1, 0.5, "linf")) == 0.5
    assert best_accuracy(Problem(mu, 1, 9, "l2")) == 0.5
    assert robust_accuracy(mu, mu, sigma=1, epsilon=9, norm="l2") < 0.5


def test_without_a_budget_the_optimum_is_the_mean() -> None:
    mu = np.array([0.3, -0.5, 0.0])
    for norm in ("linf", "l2"):
        np.testing.assert_array_equal(optimal_direction(mu, epsilon=0, norm=norm), mu)
    np.testing.assert_array_equal(optimal_direction(mu, epsilon=7, norm="l2"), mu)


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("epsilon is -1", {"epsilon": -1}),
        ("norm 'L2'", {"norm": "L2"}),
        ("mu has NaN", {"mu": [np.nan]}),
        ("mu has shape", {"mu": 3.0}),
    ],
)
def test_bad_input_of_the_optimum_is_named(message: str, change: dict[str, object]) -> None:
    arguments: dict[str, object] = {"mu": [0.5], "epsilon": 0.1, "norm": "linf"} | change
    with pytest.raises(InputError, match=message):
        optimal_direction(arguments.pop("mu"), **arguments)  # type: ignore[arg-type]
