"""Learned weights by brute force, written apart from the package: what formulas and simulation are
checked against."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm as normal

from cdp.theory.model import Problem, Synthetic


def problem(
    dim: int,
    *,
    size: float = 2.0,
    epsilon: float = 0.5,
    norm: str = "l2",
    seed: int = 0,
    sigma: float = 1.0,
) -> Problem:
    """A real mean of this length in a random direction."""
    mu = np.random.default_rng((seed, dim)).standard_normal(dim)
    return Problem(mu * size / np.linalg.norm(mu), sigma, epsilon, norm)


def mean_at(problem: Problem, cosine: float, length: float, seed: int = 1) -> np.ndarray:
    """A synthetic mean of this length whose angle with mu has this cosine. (d,)"""
    u = problem.mu / np.linalg.norm(problem.mu)
    other = np.random.default_rng((seed, problem.dim)).standard_normal(problem.dim)
    other -= (other @ u) * u
    size = np.linalg.norm(other)
    side = other / size if size > 1e-9 else np.zeros_like(u)
    return length * (cosine * u + math.sqrt(1 - cosine**2) * side)


def averages_of_samples(
    made: Synthetic, n: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Averages of n samples times their labels, every sample drawn: (draws, d)."""
    d = len(made.mean)
    y = np.where(rng.random((draws, n, 1)) < 0.5, -1.0, 1.0)
    x = y * made.mean + made.noise * rng.standard_normal((draws, n, d))
    return (y * x).mean(axis=1)


def accuracy(w: np.ndarray, problem: Problem) -> np.ndarray:
    """Robust accuracy of rows w (m, d), by the formula as it stands in the derivation."""
    length = np.linalg.norm(w, axis=1)
    dual = np.abs(w).sum(axis=1) if problem.norm == "linf" else length
    return normal.cdf((w @ problem.mu - problem.epsilon * dual) / (problem.sigma * length))
