"""Every knob of the attack lab, once: one image, one model, one attack. The Attack lab page, its
URL and its helper read these."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import model_validator

from cdp.config.knobs import Frozen, knob
from cdp.values.types import DatasetInfo

Attack = Literal["cross-entropy", "margin", "targeted"]
Norm = Literal["linf", "l2"]

REACH = 3
"""Budgets are looked at up to so many times the conventional one."""
GRID = 300
"""Steps from 0 to the largest budget: those of the slider, and those that the smallest budget is
searched on."""
IMAGE = r"[0-9a-f]{24}"
"""The form of an uploaded image's hash."""


class LabConfig(Frozen):
    """One attack on one image, complete: the same config and weights give the same result on the
    same machine."""

    model: str = knob("robust", "Model", min_length=1, max_length=400)
    """A classifier of the data set: a training (its best epoch) or a shipped encoder."""
    dataset: str = knob("fashion-mnist", "Data set", min_length=1, max_length=400)
    """Whose test images and classifiers."""
    row: int = knob(0, "Row", ge=0, le=100_000_000)
    """Of the test images, counted from 0."""
    image: str = knob("", "Uploaded image", pattern=rf"^({IMAGE})?$")
    """Its hash; empty takes the test image."""
    label: int | None = knob(None, "True class", ge=0, le=999)
    """Of an uploaded image; empty takes what each model says of it before the attack."""
    norm: Norm = knob("linf", "Norm")
    """Of the budget: linf bounds the change of every pixel, l2 the length of the whole change."""
    epsilon: float | None = knob(None, "Attack budget", unit="of the pixel range", ge=0, le=100)
    """Radius of the attack; empty takes the conventional one."""
    attack: Attack = knob("cross-entropy", "Attack")
    """PGD up the cross-entropy of the true class; up the margin of the best other class over it
    (Carlini and Wagner 2017), which does not fade where the model is sure; or towards a class of
    your choice."""
    target: int | None = knob(None, "Towards", ge=0, le=999)
    """The class that a targeted attack aims at; empty takes the likeliest other one."""
    steps: int = knob(40, "Steps", unit="steps", ge=1, le=500, advanced=True)
    """PGD steps; the step is 2.5 x budget / steps."""
    seed: int = knob(0, "Seed", ge=0, le=2**31 - 1, advanced=True)
    """Of the random starts."""
    largest: float | None = knob(
        None, "Largest budget", unit="of the pixel range", gt=0, le=300, advanced=True
    )
    """Up to where the smallest budget that fools is searched; empty takes three times the
    conventional budget."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.attack == "targeted" and self.target is not None and self.target == self.label:
            raise ValueError(
                "target is the true class, which needs no attack: choose another class"
            )
        return self

    def budget(self, info: DatasetInfo) -> float:
        """The budget attacked with."""
        return self.epsilon if self.epsilon is not None else conventional_budget(info, self.norm)

    def reach(self, info: DatasetInfo) -> float:
        """The largest budget searched."""
        return self.largest or rounded(REACH * conventional_budget(info, self.norm))


def conventional_budget(info: DatasetInfo, norm: str) -> float:
    """The conventional budget of a data set in this norm; where it has none, the usual one: in linf
    as it is, in l2 as many times the linf budget times the square root of the number of pixel
    values as there, in two digits."""
    known = info.conventional(norm)
    if known is not None:
        return rounded(known)
    linf = info.usual_linf
    if norm == "linf":
        return rounded(linf)
    return float(f"{16 * linf * math.sqrt(math.prod(info.shape) / (3 * 32 * 32)):.2g}")


def budgets(largest: float) -> tuple[float, ...]:
    """The budgets of the slider and the search, from 0 to ``largest``, in a form that survives a
    link."""
    return tuple(rounded(largest * k / GRID) for k in range(GRID + 1))


def rounded(value: float) -> float:
    """Six digits, as an address and a person write it."""
    return float(f"{value:.6g}")
