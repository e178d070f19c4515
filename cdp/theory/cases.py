"""Many synthetic distributions at once, without their (d,) means: coordinates that are alike in
every mean are counted, not repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cdp.theory.checks import Floats
from cdp.theory.model import Problem


@dataclass(frozen=True, eq=False)
class Cases:
    """M cases of one problem: case j has the synthetic mean ``coefficients[j] @ basis`` and n[j]
    samples.

    mu: (G,) real mean, basis: (B, G), one column for each kind of coordinate, of which there are
    ``counts`` (G,). coefficients: (M, B); n: (M,) real numbers of 1 or more, or infinity. noise,
    label_noise, correlation: as in Synthetic.
    """

    problem: Problem
    mu: Floats
    basis: Floats
    counts: Floats
    coefficients: Floats
    n: Floats
    noise: float
    label_noise: float
    correlation: float

    def __len__(self) -> int:
        return len(self.n)

    @property
    def means(self) -> Floats:
        """(M, G)"""
        return np.asarray(self.coefficients @ self.basis)

    @property
    def spread(self) -> Floats:
        """tau = s / sqrt(n), (M,); 0 in the limit."""
        return np.where(np.isinf(self.n), 0.0, self.noise / np.sqrt(self.n))

    def dot(self, first: Floats, second: Floats) -> Floats:
        """Inner products over all d coordinates: (..., G) and (G,) or (..., G) -> (...)."""
        return np.asarray((first * second * self.counts).sum(axis=-1))


def cases(
    problem: Problem,
    basis: Sequence[Floats],
    coefficients: Floats,
    n: Floats | float,
    *,
    noise: float,
    label_noise: float = 0.0,
    correlation: float = 0.0,
) -> Cases:
    """basis: B vectors (d,); coefficients: (M, B); n: one for all or (M,). See Cases."""
    coefficients = np.atleast_2d(np.asarray(coefficients, np.float64))
    columns, counts = _alike(np.stack([problem.mu, *basis]))
    counted = np.broadcast_to(np.asarray(n, np.float64), (len(coefficients),))
    return Cases(
        problem,
        columns[0],
        columns[1:],
        counts,
        coefficients,
        counted,
        noise,
        label_noise,
        correlation,
    )


def _alike(rows: Floats) -> tuple[Floats, Floats]:
    """rows: (R, d) -> the different columns (R, G) and how many there are of each (G,)."""
    order = np.lexsort(rows)
    ordered = rows[:, order]
    first = np.concatenate([[True], (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)])
    starts = np.flatnonzero(first)
    return ordered[:, starts], np.diff(np.append(starts, rows.shape[1])).astype(np.float64)
