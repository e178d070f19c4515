"""The Gaussian model: closed forms, asymptotics and simulation of robust accuracy, and what a
sample set says of its quantities.

numpy only at import; scipy is imported where it is used. The derivation: docs/theory.md.
"""

from cdp.theory.expectation import Expectation, expected, samples_needed
from cdp.theory.model import (
    Problem,
    Synthetic,
    best_accuracy,
    optimal_direction,
    problem_of,
    robust_accuracy,
    soft_threshold,
    synthetic_of,
)
from cdp.theory.simulation import simulate

__all__ = [
    "Expectation",
    "Problem",
    "Synthetic",
    "best_accuracy",
    "expected",
    "optimal_direction",
    "problem_of",
    "robust_accuracy",
    "samples_needed",
    "simulate",
    "soft_threshold",
    "synthetic_of",
]
