"""How fine a view may be, so that a slider is answered at once: what one value of the formulas
takes differs by a factor of ten thousand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cdp.config.theory import TheoryConfig
from cdp.theory import large_d, quadrature
from cdp.theory.cases import cases
from cdp.theory.expectation import kind_of
from cdp.theory.mixture import affordable
from cdp.theory.settings import problem_of, synthetic_of

_WORK = 800_000
"""Coordinates that the moments of one view may be computed for; some 0.1 s."""
_MOST = 10_000_000
"""Nor is it begun where it would be more than this; a few seconds."""
_SPLINE, _THRESHOLD = 8, 2
"""What a value of the l2 table takes, and a soft-thresholded coordinate, in units of a plain one.
"""


def fitting(config: TheoryConfig, choices: Sequence[int], values: Callable[[int], int]) -> int:
    """The first of ``choices`` for which so many values take no more than one view may, else the
    last.

    Raises InputError where even that would take long: flipped labels and correlated noise, both of
    which have to be integrated over, of classes so far apart that the integrands are steep.
    """
    work = _each(config)
    affordable(values(choices[-1]) * work, _MOST)
    return next((choice for choice in choices if values(choice) * work <= _WORK), choices[-1])


def _each(config: TheoryConfig) -> int:
    """What one value takes, about."""
    made = synthetic_of(config)
    one = cases(
        problem_of(config),
        [made.mean],
        np.ones((1, 1)),
        float(config.n),
        noise=made.noise,
        label_noise=made.label_noise,
        correlation=made.correlation,
    )
    if kind_of(one.problem, 1, config.learner, plain=True) == "exact":
        return _SPLINE * quadrature.nodes(one)
    return (
        large_d.nodes(one) * len(one.mu) * (_THRESHOLD if config.learner == "linf-threshold" else 1)
    )
