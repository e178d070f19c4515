"""Every knob of robust training, once. Published values: SCIENCE.md section 5, told in
docs/training.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from cdp.config.choices import ARCHITECTURES
from cdp.config.knobs import Frozen, knob
from cdp.errors import InputError

Method = Literal["pgd-at", "trades", "mart"]
Norm = Literal["linf", "l2"]
if TYPE_CHECKING:
    Architecture = str
else:
    Architecture = Literal[tuple(ARCHITECTURES)]
Augmentation = Literal["auto", "none", "crop", "crop-flip", "cutout"]

MAX_SETS = 16
MAX_STEPS = 10_000_000
STANDARD_STEPS = 14_000
"""Optimiser steps where nothing else is said: about 30 epochs of MNIST or Fashion-MNIST in batches
of 128."""
FURTHER_REAL = "real:"
"""``real:N`` in place of a synthetic set: N real images more, which is the most that a set of N
synthetic ones could be worth."""
AUTO, EVERY_EPOCH = "auto", "1 epoch"
LENGTH = ("steps", "epochs")
"""The units of a training's length, one of which is set."""
_ATTACK_STEPS = {"mnist": 40}
_STORED = {"subset_seed", "validation_steps", "overfitting", "compile"}
"""Settings that nobody writes by hand all together: the files of runs and exported ones hold every
setting."""
_EVERY = re.compile(r"([1-9]\d{0,7})\s*(steps?|epochs?)?")


def _every(value: object) -> object:
    """ "50", 50, "50 steps", "1 epoch" in their one spelling. Raises ValueError for anything that
    is no such text."""
    text = (
        str(value).strip().lower()
        if isinstance(value, int | str) and not isinstance(value, bool)
        else ""
    )
    if text == AUTO:
        return AUTO
    match = _EVERY.fullmatch(text)
    if not match:
        raise ValueError(
            "write auto, a number of optimiser steps such as '50 steps', or of epochs such as '2"
            " epochs'"
        )
    count, unit = int(match[1]), "epoch" if (match[2] or "").startswith("epoch") else "step"
    return f"{count} {unit}{'s' if count > 1 else ''}"


Every = Annotated[str, BeforeValidator(_every)]


class TrainConfig(Frozen):
    """One robust training, complete: the same config gives the same numbers on the same machine,
    also after a stop and resume."""

    dataset: str = knob("fashion-mnist", "Data set", min_length=1, max_length=400)
    """Real images, validation images and the attack budget are its own."""
    real: int | None = knob(None, "Real images", empty="all", unit="images", ge=0, le=10_000_000)
    """How many training images to use, after the validation split was held out; empty takes all,
    0 none."""
    subset_seed: int = knob(0, "Subset seed", ge=0, le=2**31 - 1, advanced=True)
    """Which real images: a larger subset of the same seed contains the smaller one."""
    balanced: bool = knob(True, "Per class", advanced=True)
    """Take the same number of every class, as far as there are enough."""
    synthetic: tuple[str, ...] = knob((), "Synthetic sets", max_length=MAX_SETS)
    """Saved sample sets, mixed in proportion to their sizes; none trains on real images alone.
    real:N stands for N further real images in their place: the ceiling that a set of N images is
    measured by."""
    fraction: float = knob(0.7, "Synthetic fraction", unit="of the batch", paper="0.7", ge=0, le=1)
    """Share of every batch that is synthetic; 1 trains on synthetic images alone. Only with
    synthetic sets."""
    held_out: int = knob(1000, "Held out", unit="images", ge=10, le=100_000, advanced=True)
    """Real training images kept apart for validation, the same for every seed; at most a fifth of
    the set."""
    method: Method = knob("trades", "Method", paper="trades")
    """TRADES weighs clean accuracy against robustness with beta; PGD-AT trains on attacked images
    alone; MART weighs the images that are misclassified."""
    beta: float = knob(6.0, "Beta", paper="6 (5 in later work)", ge=0, le=100)
    """Weight of the robust term in TRADES and MART: more is more robust and less accurate."""
    norm: Norm = knob("linf", "Norm", paper="linf")
    """Of the attack budget."""
    epsilon: float | None = knob(
        None, "Attack budget", unit="of the pixel range", paper="8/255 (CIFAR-10)", gt=0, le=100
    )
    """Radius of the attack; empty takes the data set's conventional one."""
    attack_steps: int | None = knob(
        None, "Attack steps", unit="steps", paper="10 (CIFAR-10)", ge=1, le=200
    )
    """PGD steps of the inner attack; cost grows in proportion. Empty takes the data set's
    conventional number."""
    step_size: float | None = knob(
        None, "Step size", unit="of the pixel range", paper="2/255", gt=0, le=100, advanced=True
    )
    """Of one PGD step; empty takes 2.5 x budget / steps, which is 2/255 at 8/255 and ten steps."""
    attack_start: Literal["uniform", "noise"] = knob(
        "uniform", "Attack starts from", paper="noise: 0.001 N(0,1)", advanced=True
    )
    """A uniform draw from the budget, or normal noise of 0.001 in every pixel."""
    warm_up: float = knob(
        0.2, "Budget warm-up", unit="of training", paper="0 (none)", ge=0, le=1, advanced=True
    )
    """Share of training over which the budget grows from 0: small networks stay at chance without
    it."""
    label_smoothing: float = knob(0.0, "Label smoothing", ge=0, lt=1, advanced=True)
    """Share of the target spread over all classes."""
    architecture: Architecture = knob("small-cnn", "Network", paper="wrn-28-10-swish")
    """Small CNN: 0.3 M parameters, minutes on two cores. PreActResNet-18 (11 M) and
    WRN-28-10-Swish (36 M) want a GPU."""
    steps: int | None = knob(
        STANDARD_STEPS, "Steps", empty="set in epochs", unit="steps", ge=1, le=MAX_STEPS
    )
    """Optimiser steps in all. Arms with the same steps and batch see as many images, whatever
    they are trained on; empty where the length is set in epochs."""
    epochs: int | None = knob(
        None, "Epochs", empty="set in steps", unit="epochs", paper="400", ge=1, le=10_000
    )
    """Passes over the real images (over the synthetic ones where the fraction is 1), in place of
    steps: an epoch of an arm with synthetic images has more steps, so epochs are no common
    measure."""
    batch: int = knob(128, "Batch", unit="images", paper="1024", ge=2, le=8192)
    """Images an optimiser step, real and synthetic together."""
    learning_rate: float = knob(0.1, "Learning rate", paper="0.4 (0.2 in later work)", gt=0, le=10)
    """Peak of the one-cycle schedule (SGD with Nesterov momentum 0.9, or cycled)."""
    momentum_cycle: bool = knob(False, "Cycled momentum", paper="on", advanced=True)
    """Momentum goes against the learning rate, from 0.95 to 0.85 at its peak and back, as torch's
    one-cycle schedule does by itself; off keeps it at 0.9."""
    weight_decay: float = knob(5e-4, "Weight decay", paper="5e-4", ge=0, le=1, advanced=True)
    """SGD's."""
    ema_decay: float = knob(
        0.995, "Weight average", unit="per step", paper="0.995", ge=0, lt=1, advanced=True
    )
    """Decay of the moving average of the weights, which is what is evaluated and kept."""
    ema_warm_up: float = knob(
        0.0, "Average starts after", unit="of training", paper="0.025", ge=0, lt=1, advanced=True
    )
    """Share of training in which the average is a copy of the weights, with the full decay from
    then on. At 0 it decays from the first step, less at first: (1 + step)/(10 + step) until that
    is the decay set."""
    augmentation: Augmentation = knob("auto", "Augmentation", paper="crop-flip", advanced=True)
    """Auto takes the data set's own: crop and flip for CIFAR-10 and Fashion-MNIST, crop for
    digits, letters and signs, which a mirror would change. Cutout is crop and flip with a square
    left out."""
    seed: int = knob(0, "Seed", ge=0, le=2**31 - 1)
    """Of weights, order, augmentation and attack."""
    validation_steps: int = knob(10, "Validation attack", unit="steps", ge=1, le=200, advanced=True)
    """PGD steps of the robust accuracy measured on the validation images: a quick estimate, in
    fp32."""
    validate_every: Every = knob(AUTO, "Validate every", advanced=True)
    """After how many steps ('50 steps') or epochs ('2 epochs') the validation images are
    attacked, and always after the last step; the best weights are the best of these. Auto takes
    at most a tenth of training time."""
    overfitting: Literal["stop", "notice"] = knob("stop", "Robust overfitting", advanced=True)
    """Stop where robust accuracy has fallen from its best beyond chance and stays there, or only
    say so."""
    precision: Literal["auto", "fp32", "bf16"] = knob("auto", "Precision", advanced=True)
    """Of training; accuracies are always measured in fp32. Auto takes bf16 where it is faster
    here."""
    compile: bool = knob(False, "Compile", advanced=True)
    """Compile the network first (torch.compile): a minute or more at the start, then faster on a
    GPU; seldom worth it on a CPU."""

    @model_validator(mode="before")
    @classmethod
    def _one_length(cls, data: Any) -> Any:
        """Epochs take the place of the default steps. Settings that were stored before there were
        steps mean what they meant."""
        if not isinstance(data, Mapping) or data.get("epochs") is None:
            return data
        stored = data.keys() >= _STORED and not data.keys() & {"steps", "validate_every"}
        return {"steps": None} | ({"validate_every": EVERY_EPOCH} if stored else {}) | dict(data)

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            given = (
                "are both empty"
                if self.steps is None
                else f"both say how long to train ({self.steps:,} and {self.epochs:,})"
            )
            raise ValueError(f"steps and epochs {given}: set one of them")
        if self.real == 0 and not self.synthetic:
            raise ValueError(
                "real is 0 and there are no synthetic sets, so there is nothing to train on: add"
                " synthetic sets or real images"
            )
        if self.real == 0 and self.fraction < 1:
            raise ValueError(
                f"real is 0 but fraction {self.fraction:g} wants real images in every batch: set"
                " fraction to 1, or raise real"
            )
        if (
            self.synthetic
            and 0 < self.fraction < 1
            and not 0 < self.synthetic_per_batch < self.batch
        ):
            raise ValueError(
                f"a batch of {self.batch} cannot hold fraction {self.fraction:g} of synthetic"
                " images: raise batch"
            )
        if len(set(self.synthetic)) != len(self.synthetic):
            raise ValueError(
                "synthetic names a set twice: name each once (sets are mixed in proportion to their"
                " sizes)"
            )
        if self.further_real:
            self._require_ceiling()
        return self

    def _require_ceiling(self) -> None:
        """Raises ValueError where further real images make no arm to compare with."""
        name = f"{FURTHER_REAL}{self.further_real}"
        if len(self.synthetic) > 1:
            raise ValueError(
                f"synthetic: {name} is the ceiling that sets are measured by, so it stands alone:"
                " take the other sets out"
            )
        if self.real is None:
            raise ValueError(
                f"synthetic: {name} asks for real images besides the real ones, but real is empty"
                " and takes all: set real, such as 2000"
            )

    @property
    def further_real(self) -> int:
        """N of ``real:N``: real images trained on in place of synthetic ones; 0 without. Raises
        ValueError where N is none."""
        names = [name for name in self.synthetic if name.startswith(FURTHER_REAL)]
        if not names:
            return 0
        number = names[0].removeprefix(FURTHER_REAL)
        if not number.isascii() or not number.isdecimal() or not 1 <= int(number[:9]) <= 10_000_000:
            raise ValueError(
                f"synthetic: {names[0][:40]!r} does not say how many further real images: write a"
                " number, such as real:2000"
            )
        return int(number)

    @property
    def sets(self) -> tuple[str, ...]:
        """The synthetic sets by name, without ``real:N``."""
        return tuple(name for name in self.synthetic if not name.startswith(FURTHER_REAL))

    def budget(self, conventional: float | None) -> float:
        """The radius trained for. conventional: the data set's, in this norm. Raises InputError
        where there is neither."""
        for value in (self.epsilon, conventional):
            if value is not None:
                return value
        suggested = ", such as 0.1 for small grey images or 8/255 = 0.0314 for colour photographs"
        raise InputError(
            f"epsilon: {self.dataset} has no conventional {self.norm} budget: set"
            f" one{'' if self.norm == 'l2' else suggested}"
        )

    @property
    def pgd_steps(self) -> int:
        """The PGD steps trained with: those set, else 40 for MNIST, whose budget is large (Madry
        2018, TRADES), and 10 for all others."""
        return self.attack_steps or _ATTACK_STEPS.get(self.dataset, 10)

    def pgd_step_size(self, epsilon: float) -> float:
        """The PGD step trained with at budget ``epsilon`` (Madry's rule of 2.5 budgets over all
        steps where none is set)."""
        return self.step_size or 2.5 * epsilon / self.pgd_steps

    def total_steps(self, steps_per_epoch: int) -> int:
        """Optimiser steps in all."""
        return self.steps if self.steps is not None else (self.epochs or 0) * steps_per_epoch

    @property
    def synthetic_per_batch(self) -> int:
        """Synthetic images in every batch: exactly this many."""
        return round(self.fraction * self.batch) if self.synthetic else 0


def set_title(name: str) -> str:
    """How a synthetic set is called in front of a person: its name, or "2,000 more real images"."""
    count = name.removeprefix(FURTHER_REAL)
    return (
        f"{int(count):,} more real images"
        if count != name and count.isascii() and count.isdecimal()
        else name
    )


def overlaid(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings ``given`` over those of a preset, file or form: a length in one unit takes the place
    of one in the other."""
    units = {"steps": "epochs", "epochs": "steps"}
    freed = {
        other: None
        for unit, other in units.items()
        if given.get(unit) is not None and given.get(other) is None
    }
    return {**base, **given, **freed}


def automatic_name(config: TrainConfig) -> str:
    """A name that tells a run's method, network, data and seed: ``trades-small-cnn-r2000-f0.7-s0``,
    ``-more5000`` for further real images."""
    real = "all" if config.real is None else str(config.real)
    mixed = f"-f{config.fraction:g}" if config.synthetic else ""
    mixed += f"-more{config.further_real}" if config.further_real else ""
    return f"{config.method}-{config.architecture}-r{real}{mixed}-s{config.seed}"
