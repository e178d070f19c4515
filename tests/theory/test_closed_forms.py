"""The Gaussian model: closed forms against Monte Carlo over x, against numerical optimisation, and in the limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import cdp.theory as theory
from cdp.errors import InputError
from cdp.theory.from_features import estimate_from_features
from cdp.theory.logistic import fit

DRAWS = 1_000_000
LARGE = math.inf


def problem(d: int = 12, *, epsilon: float = 0.2, norm: str = "linf", sigma: float = 1.2) -> theory.Problem:
    mu = np.random.default_rng(d).normal(0.3, 0.4, d)
    return theory.Problem(mu, sigma, epsilon, norm)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("d", "epsilon", "sigma"), [(1, 0.3, 1.0), (3, 0.0, 0.7), (12, 0.1, 1.5), (12, 0.6, 1.0), (40, 0.05, 3.0)])
def test_robust_accuracy_is_that_of_a_million_attacked_points(norm: str, d: int, epsilon: float, sigma: float) -> None:
    rng = np.random.default_rng([d, int(100 * epsilon)])
    mu, w = rng.normal(0.3, 0.4, d), rng.normal(0.2, 0.5, d)
    exact = theory.robust_accuracy(w, mu, sigma=sigma, epsilon=epsilon, norm=norm)
    reach = epsilon * (np.abs(w).sum() if norm == "linf" else np.linalg.norm(w))
    hits = sum(int((w @ mu + sigma * rng.normal(size=(DRAWS // 20, d)) @ w > reach).sum()) for _ in range(20))
    error = math.sqrt(max(exact * (1 - exact), 1e-7) / DRAWS)
    assert abs(exact - hits / DRAWS) < 3 * error


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_direction_that_an_optimiser_finds_beats_the_optimal_one(norm: str) -> None:
    case = problem(epsilon=0.25, norm=norm)
    best = theory.optimal_direction(case.mu, epsilon=case.epsilon, norm=norm)
    value = theory.robust_accuracy(best, case.mu, sigma=case.sigma, epsilon=case.epsilon, norm=norm)

    def loss(w: np.ndarray) -> float:
        return -float(theory.robust_accuracy(w, case.mu, sigma=case.sigma, epsilon=case.epsilon, norm=norm))

    starts = [best + 0.3 * np.random.default_rng(seed).normal(size=case.dim) for seed in range(4)]
    found = [-minimize(loss, start, method="Powell", options={"xtol": 1e-8, "ftol": 1e-12}).fun for start in starts]
    assert max(found) <= value + 1e-9
    assert max(found) == pytest.approx(value, abs=2e-4)
    assert theory.best_accuracy(case.mu, sigma=case.sigma, epsilon=case.epsilon, norm=norm) == pytest.approx(value)


def test_the_linf_optimum_is_the_soft_threshold_and_reaches_its_length_over_sigma() -> None:
    case = problem(epsilon=0.25)
    kept = np.sign(case.mu) * np.maximum(np.abs(case.mu) - 0.25, 0)
    assert np.allclose(theory.optimal_direction(case.mu, epsilon=0.25, norm="linf"), kept)
    accuracy = theory.robust_accuracy(kept, case.mu, sigma=case.sigma, epsilon=0.25, norm="linf")
    assert accuracy == pytest.approx(0.5 * math.erfc(-np.linalg.norm(kept) / case.sigma / math.sqrt(2)))


@given(st.integers(0, 2**16), st.floats(0.01, 100))
def test_only_the_direction_of_w_counts_and_rotating_an_l2_problem_changes_nothing(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    mu, w = rng.normal(size=5), rng.normal(size=5)
    turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    given_ = {"sigma": 1.1, "epsilon": 0.3}
    assert theory.robust_accuracy(scale * w, mu, norm="linf", **given_) == pytest.approx(
        theory.robust_accuracy(w, mu, norm="linf", **given_)
    )
    assert theory.robust_accuracy(turn @ w, turn @ mu, norm="l2", **given_) == pytest.approx(
        theory.robust_accuracy(w, mu, norm="l2", **given_)
    )


@pytest.mark.parametrize(("norm", "learner"), [("l2", "averaging"), ("linf", "averaging"), ("linf", "linf-threshold")])
@pytest.mark.parametrize("n", [5, 80, 2000])
def test_expected_accuracy_is_what_simulated_learners_have(norm: str, learner: str, n: int) -> None:
    case = problem(400, epsilon=0.1, norm=norm, sigma=4.0)
    synthetic = theory.Synthetic(0.8 * case.mu, 4.0)
    expected = theory.expected(case, synthetic, n, learner)
    assert expected is not None and expected.kind == ("exact" if norm == "l2" else "asymptotic")
    simulated = theory.simulate(case, synthetic, n, learner, draws=4000, seed=n)
    room = 2 * (simulated.high - simulated.low) + (0 if norm == "l2" else 0.004)
    assert abs(expected.value - simulated.value) < room


def test_with_endless_samples_a_learner_reaches_what_its_mean_gives() -> None:
    case = problem(norm="l2", epsilon=0.3)
    limit = theory.expected(case, theory.Synthetic(case.mu, 1.0), LARGE, "averaging")
    assert limit is not None
    assert limit.value == pytest.approx(theory.best_accuracy(case.mu, sigma=case.sigma, epsilon=0.3, norm="l2"))
    plenty = theory.expected(case, theory.Synthetic(case.mu, 1.0), 10_000_000, "averaging")
    assert plenty is not None and plenty.value == pytest.approx(limit.value, abs=1e-5)


@given(st.floats(0.2, 3.0), st.floats(1.05, 3.0))
def test_more_separation_at_the_same_direction_never_hurts(separation: float, factor: float) -> None:
    case = problem(60, norm="l2", epsilon=0.2, sigma=2.0)
    values = [theory.expected(case, theory.Synthetic(s * case.mu, 2.0), 40, "averaging") for s in (separation, factor * separation)]
    assert values[0] is not None and values[1] is not None
    assert values[1].value >= values[0].value - 1e-9


def test_classes_twice_as_separable_need_a_quarter_of_the_samples() -> None:
    case = problem(300, norm="l2", epsilon=0.1, sigma=3.0)
    once, twice = (theory.samples_needed(case, theory.Synthetic(c * case.mu, 3.0), 0.8, "averaging") for c in (1.0, 2.0))
    assert once is not None and twice is not None
    assert once / twice == pytest.approx(4.0, rel=0.02)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"w": [1.0, math.nan]}, "w"),
        ({"w": [1.0]}, "w"),
        ({"sigma": 0.0}, "sigma"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"norm": "l1"}, "norm"),
    ],
)
def test_what_makes_no_sense_is_named(change: dict[str, object], word: str) -> None:
    given_ = {"w": [1.0, 2.0], "mu": [1.0, 1.0], "sigma": 1.0, "epsilon": 0.1, "norm": "linf"} | change
    with pytest.raises(InputError, match=word):
        theory.robust_accuracy(given_.pop("w"), given_.pop("mu"), **given_)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_optimiser_finds_a_lower_adversarial_loss_than_the_trained_learner(norm: str) -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(60, 4)) + np.array([0.9, 0.5, 0.1, 0.0])
    found = fit(z, epsilon=0.2, norm=norm, ridge=0.01)

    def loss(w: np.ndarray) -> float:
        size = np.abs(w).sum() if norm == "linf" else np.linalg.norm(w)
        return float(np.logaddexp(0, -(z @ w - 0.2 * size)).mean() + 0.005 * w @ w)

    others = [minimize(loss, start, method="Nelder-Mead", options={"maxiter": 8000, "xatol": 1e-9, "fatol": 1e-13}).fun
              for start in (found.weights, rng.normal(size=4), np.zeros(4))]  # fmt: skip
    assert found.objective == pytest.approx(loss(found.weights))
    assert found.objective <= min(others) + 1e-8


def test_features_of_known_gaussians_give_back_their_separation() -> None:
    rng = np.random.default_rng(0)
    mean, label = rng.normal(size=(3, 20)), np.arange(1200) % 3
    features = mean[label] + rng.normal(size=(1200, 20))
    found = estimate_from_features(features, label)
    truth = np.mean([np.linalg.norm(mean[a] - mean[b]) / 2 for a in range(3) for b in range(a)])
    assert found.separation.low < truth < found.separation.high
