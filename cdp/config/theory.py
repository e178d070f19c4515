"""Every knob of the Gaussian model, once. The Theory page, its URL and ``theory`` read these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from cdp.config.fields import written
from cdp.config.knobs import Frozen, knob

Norm = Literal["linf", "l2"]
Learner = Literal["averaging", "linf-threshold", "adversarial-logistic"]
TRAINED = "adversarial-logistic"
"""The learner whose weights come from a training, so that it has no formula for few samples."""
LEARNERS: dict[str, tuple[Learner, ...]] = {
    "linf": ("averaging", "linf-threshold", "adversarial-logistic"),
    "l2": ("averaging", "adversarial-logistic"),
}
"""Those that go with each norm. Under l2 the average is already the optimum for its samples."""
MOST_DIMS, MOST_SAMPLES = 10_000, 10_000_000
MOST_APART = 40.0
"""|mu| over sigma: real classes so far apart that nothing is left to learn."""


class TheoryConfig(Frozen):
    """One setting of the Gaussian model: real classes N(y mu, sigma^2 I), synthetic classes N(y m,
    s^2 I), a budget and a learner."""

    norm: Norm = knob("linf", "Norm")
    """Of the attack budget: linf moves every coordinate by at most epsilon, l2 the whole
    point."""
    epsilon: float = knob(0.25, "Attack budget", ge=0, le=100)
    """Radius of the attack, in the units of mu and sigma."""
    dim: int = knob(500, "Dimension", unit="coordinates", ge=2, le=MOST_DIMS)
    """Coordinates of x."""
    nonzero: int = knob(50, "Informative coordinates", unit="coordinates", ge=1, le=MOST_DIMS)
    """How many coordinates of the real mean mu are not 0."""
    size: float = knob(3.0, "Size of mu", ge=0.01, le=20)
    """Euclidean length of the real mean; the classes are 2|mu| apart."""
    profile: Literal["equal", "decaying"] = knob("decaying", "Profile of mu")
    """Equal: the informative coordinates are alike, and the l_inf optimum points along mu.
    Decaying: the i-th is proportional to 1/sqrt(i), and the optimum drops the small ones."""
    sigma: float = knob(1.0, "Real noise", ge=0.1, le=100)
    """Standard deviation of every coordinate of real x."""
    separation: float = knob(1.0, "Separation c", gt=0, le=20)
    """|m|/s of the synthetic classes over |mu|/sigma of the real ones: 1 is as separable as real
    data."""
    angle: float = knob(0.0, "Angle to the optimum", unit="degrees", ge=0, le=180)
    """Between the synthetic mean m and the robust optimum, turned towards mu and past it."""
    noise: float = knob(1.0, "Synthetic noise", ge=0.01, le=100, advanced=True)
    """Standard deviation s of every coordinate of synthetic x; the separation is kept, so m grows
    with it."""
    learner: Learner = knob("averaging", "Learner")
    """What is learned from n synthetic samples. linf-threshold soft-thresholds the average at the
    budget; adversarial-logistic is adversarially trained logistic regression, simulated only."""
    ridge: float = knob(0.001, "Ridge", ge=1e-6, le=1, advanced=True)
    """Weight of |w|^2/2 in adversarially trained logistic regression; without it separable
    samples have no minimum."""
    n: int = knob(1000, "Synthetic samples", unit="samples", ge=1, le=MOST_SAMPLES)
    """How many the learner sees."""
    target: float = knob(0.9, "Target", gt=0, lt=1)
    """Robust accuracy to reach."""
    strength: float = knob(0.5, "Way to the optimum", ge=0, le=2)
    """How far the synthetic mean is moved from mu (0) towards the robust optimum (1) and past it,
    at the same separation. Not the strength of Generate, which is relative to the denoiser."""
    draws: int = knob(200, "Draws", unit="draws", ge=20, le=10_000, advanced=True)
    """Trainings behind each simulated value."""
    seed: int = knob(0, "Seed", ge=0, le=2**31 - 1, advanced=True)
    """Of the simulation."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        for name, _, problem, remedy in _misfits(self.model_dump()):
            raise ValueError(f"{name}: {problem}: {remedy}")
        return self


def _misfits(values: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, str]]:
    """Settings that do not fit the others: name, a value that does, what is wrong, the remedy."""
    dim, nonzero = values["dim"], values["nonzero"]
    if nonzero > dim:
        problem = f"{nonzero:,} informative coordinates do not fit into dim {dim:,}"
        yield "nonzero", dim, problem, "lower nonzero or raise dim"
    if values["size"] > MOST_APART * values["sigma"]:
        problem = f"|mu| is at most {MOST_APART:g} times sigma"
        yield "size", MOST_APART * values["sigma"], problem, "lower size or raise sigma"
    if values["learner"] not in LEARNERS[values["norm"]]:
        problem = f"{values['learner']} thresholds at an l_inf budget"
        yield "learner", "averaging", problem, "choose norm linf or the learner averaging"


def fitted(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values with those put right that do not fit the others, and a sentence for each."""
    misfits = list(_misfits(values))
    right = {name: value for name, value, _, _ in misfits}
    notes = [
        f"{name}: {wrong}, so it became {written(value)}." for name, value, wrong, _ in misfits
    ]
    return dict(values) | right, notes


def matters(name: str, values: Mapping[str, Any], view: str | None) -> bool:
    """Whether a setting changes anything in a view under the others; view None: in any of them."""
    averaging, trained = values["learner"] == "averaging", values["learner"] == TRAINED
    rules = {
        "profile": values["nonzero"] > 1,
        "ridge": trained,
        # An average at the same separation has the same direction whatever its scale.
        "noise": not averaging or view in (None, "picture", "coordinates"),
    }
    if view is not None:
        rules |= {
            "separation": view != "images",
            "angle": view not in ("guided", "images"),
            "strength": view == "guided",
            "target": view == "needed",
            "n": view != "needed",
            "draws": view in ("curves", "guided") and not trained,
            "seed": view not in ("map", "needed", "images"),
        }
    return rules.get(name, True)
