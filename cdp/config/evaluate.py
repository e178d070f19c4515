"""Every knob of an evaluation, once. The Evaluate page, its URL, ``evaluate`` and the worker read
these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from cdp.config.choices import ARCHITECTURES, SUITES
from cdp.config.knobs import Frozen, knob
from cdp.errors import InputError

if TYPE_CHECKING:
    Architecture = str
    Suite = str
else:
    Architecture = Literal[("", *ARCHITECTURES)]
    Suite = Literal[tuple(SUITES)]
RUN, CODE = "run:", "code:"
"""``run:ID`` is a training of this workspace; ``code:package.module:function`` is a model of the
user's own, known to the command line only."""


class EvaluateConfig(Frozen):
    """One evaluation, complete: the same config gives the same outcome for every image on the same
    machine, also after a stop and resume."""

    model: str = knob("", "Model", min_length=1, max_length=400)
    """A training, by run:ID; or the path of a folder with weights and card, or of a .safetensors
    file of one of our networks."""
    weights: Literal["best", "last", "both"] = knob("best", "Weights")
    """Of a training: its best epoch, chosen on validation images, its last, or both beside each
    other."""
    architecture: Architecture = knob("", "Network", advanced=True, titles={"": "Not stated"})
    """Of a bare .safetensors file; empty finds the one whose weights they are. Every other model
    says it itself."""
    dataset: str = knob("", "Data set", max_length=400, advanced=True)
    """Whose test images; empty takes what the model was trained on. A model that does not say
    needs one."""
    part: str = knob("", "Images", max_length=400, advanced=True)
    """A saved set to evaluate on in place of the test images, with all or some of the same
    classes; empty takes the test images."""
    count: int | None = knob(1000, "Images", empty="all", unit="images", ge=1, le=10_000_000)
    """How many, drawn at random with the same number of every class as far as there are enough;
    empty takes all."""
    part_seed: int = knob(0, "Image seed", ge=0, le=2**31 - 1, advanced=True)
    """Which images; the same for every model, so that comparisons are paired."""
    attack: Suite = knob("autoattack", "Attack")
    """AutoAttack (standard) is what the field cites. PGD with restarts, on cross-entropy and CW
    margin, is faster. Quick is PGD-10 on at most 512 images: an estimate."""
    norm: Literal["trained", "linf", "l2"] = knob("trained", "Norm")
    """Of the budget; trained takes the one trained for, linf for other models."""
    epsilon: float | None = knob(None, "Attack budget", unit="of the pixel range", gt=0, le=100)
    """Radius of the attack; empty takes the budget trained for, or the data set's conventional
    one."""
    steps: int = knob(40, "PGD steps", unit="steps", ge=1, le=1000, advanced=True)
    """Of the PGD suite."""
    restarts: int = knob(5, "Restarts", ge=1, le=100, advanced=True)
    """Of the PGD suite: random starts for each loss."""
    curve: bool = knob(True, "Accuracy against budget")
    """PGD-20 at nine budgets from 0 to three times this one."""
    unseen: bool = knob(True, "Unseen threats")
    """PGD at twice the budget and in the other norm at its conventional budget."""
    masking: bool = knob(True, "Gradient masking")
    """Five checks of whether the attacks can be trusted."""
    side_count: int = knob(
        200, "Images of the checks", unit="images", ge=10, le=100_000, advanced=True
    )
    """How many of the images the curve, unseen threats and checks use."""
    batch: int = knob(250, "Batch", unit="images", ge=1, le=10_000, advanced=True)
    """Images at a time. Attacks draw their random numbers by batch, so another batch gives
    slightly other numbers."""
    seed: int = knob(0, "Seed", ge=0, le=2**31 - 1, advanced=True)
    """Of the attacks' random starts."""

    @model_validator(mode="after")
    def _evaluable(self) -> Self:
        if self.architecture and not self.model.endswith(".safetensors"):
            raise ValueError(
                "architecture is for bare .safetensors files; this model says its own: leave it"
                " empty"
            )
        return self

    @property
    def images(self) -> int | None:
        """At most so many images; None for all."""
        most = SUITES[self.attack].most
        return self.count if most is None else min(self.count or most, most)

    def budget(self, norm: str, *, trained: float | None, conventional: float | None) -> float:
        """The radius attacked with. trained: what the model was trained for in this norm, None for
        other models; conventional: of the data set. Raises InputError where none of them is
        known."""
        for value in (self.epsilon, trained, conventional):
            if value is not None:
                return value
        raise InputError(
            f"epsilon: neither the model nor its data set has a {norm} budget: set one"
        )


def automatic_name(config: EvaluateConfig, model: str) -> str:
    """A name that tells what is evaluated and how: ``night-s0-autoattack-n1000``. model: the name
    of what is evaluated."""
    count = "all" if config.images is None else f"n{config.images}"
    which = "" if config.weights == "best" else f"-{config.weights}"
    return f"{model}{which}-{config.attack}-{count}"[:90]
