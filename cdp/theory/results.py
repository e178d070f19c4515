"""What the views of the model give: numbers for figures and tables, each with the word for how it
was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cdp.config.theory import Learner
from cdp.theory.checks import Floats, Ints
from cdp.theory.expectation import Kind
from cdp.values.types import Interval


@dataclass(frozen=True, eq=False)
class Points:
    """Simulated robust accuracies with 95 % intervals. n: (P,) samples; value, low, high: (P,);
    draws: trainings behind each."""

    n: Floats
    value: Floats
    low: Floats
    high: Floats
    draws: int
    kind: Literal["simulated"] = "simulated"


def points_of(n: Floats, found: Sequence[Interval]) -> Points:
    """n: (P,); found: P simulated values of the same number of draws."""
    value, low, high = np.array([(one.value, one.low, one.high) for one in found]).T
    return Points(n, value, low, high, found[0].n)


@dataclass(frozen=True, eq=False)
class Curve:
    """Robust accuracy against n at one separation. n: (N,) samples; value: (N,), None with kind
    None where there is no formula; limit: at infinitely many samples with its kind, None where
    unknown; simulated: None where there was no room for any."""

    separation: float
    learner: Learner
    n: Floats
    value: Floats | None
    kind: Kind | None
    limit: float | None
    limit_kind: Kind | None
    simulated: Points | None
    best: float
    """What the best classifier of the real problem has."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Robust accuracy over separation and angle at n samples. separations: (S,); angles: (A,)
    degrees; values: (A, S).

    here, real: (separation, angle) of the settings and of real data themselves; best: what the best
    classifier has.
    """

    separations: Floats
    angles: Floats
    values: Floats
    kind: Kind
    n: int
    here: tuple[float, float]
    real: tuple[float, float]
    best: float


@dataclass(frozen=True)
class Needed:
    """Samples for the target at one separation. n: real, None where no n reaches it; law: what the
    c-squared law says from the settings' own separation, None where that has no n. kind: of n."""

    separation: float
    n: float | None
    law: float | None
    kind: Kind


@dataclass(frozen=True)
class NeededTable:
    """rows by separation; limit: robust accuracy at infinitely many samples, which a target has to
    stay below; lawful: whether the law is exact for this learner ("exact"), approached for many
    samples ("asymptotic"), or does not hold (None)."""

    rows: tuple[Needed, ...]
    target: float
    limit: float
    best: float
    lawful: Kind | None


@dataclass(frozen=True, eq=False)
class Boundary:
    """Where the plane of the picture meets the boundary w.x = 0, and the points that an attack
    carries across it.

    normal: (2,) unit normal in the plane; half_width: of the tube |w.x| <= epsilon |w|_dual,
    measured in the plane, infinite where w is at right angles to it; in_plane: |w| in the plane
    over |w|, 0 to 1; accuracy: robust accuracy of w in all dimensions, exact.
    """

    name: str
    normal: Floats
    half_width: float
    in_plane: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Picture:
    """The plane of the real mean (first axis) and of what the optimum adds to it (second axis), in
    the units of x.

    means: (2,), of class +1; covariances: (2, 2); points: (P, 2) draws with their labels (P,) of -1
    and 1, flipped ones included. optimal: None where no classifier that looks at x beats answering
    with one class. Projections are exact, the draws simulated.
    """

    real_mean: Floats
    real_covariance: Floats
    synthetic_mean: Floats
    synthetic_covariance: Floats
    optimal: Boundary | None
    learned: Boundary
    real_points: Floats
    real_labels: Ints
    synthetic_points: Floats
    synthetic_labels: Ints
    epsilon: float
    norm: str


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Coordinate by coordinate, largest |mu_i| first. order: (d,) coordinate numbers from 0; mu,
    optimum (soft threshold, in the units of mu), synthetic, learned (one training on n samples):
    (d,). Angles in degrees; nan where one of the two is 0."""

    order: Ints
    mu: Floats
    optimum: Floats
    synthetic: Floats
    learned: Floats
    mu_to_optimum: float
    synthetic_to_optimum: float
    synthetic_to_mu: float
    learned_to_optimum: float
    dropped: int
    """Coordinates that mu has and the optimum does not."""


@dataclass(frozen=True, eq=False)
class Guided:
    """The synthetic mean moved from mu (strength 0) to the optimum's direction (1) and past it, at
    the same separation.

    strengths, angles (degrees to the optimum; nan where no direction beats guessing), limit
    (infinitely many samples; nan where unknown, of kind limit_kind): (S,); value: (S,) at n
    samples, None with kind
    None where there is no formula; simulated: its n is the same n at every strength; means: (S, 2)
    in the plane of the picture.
    """

    strengths: Floats
    angles: Floats
    value: Floats | None
    kind: Kind | None
    limit: Floats
    limit_kind: Kind | None
    simulated: Points | None
    means: Floats
    n: int
    best: float
