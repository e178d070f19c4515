"""Every knob of training a diffusion model or an encoder, once. See ``cdp.config.knobs`` for the
field metadata."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from cdp.config.knobs import Frozen, knob
from cdp.values.types import DatasetInfo

NAME = r"^([A-Za-z0-9][A-Za-z0-9_-]{0,99})?$"
Kind = Literal["standard", "robust", "noise-aware"]


class PretrainConfig(Frozen):
    """Training a class-conditional diffusion model. The defaults are those of the shipped
    Fashion-MNIST model."""

    dataset: str = knob("fashion-mnist", "Data set", min_length=1, max_length=400)
    """Its training split is what the model learns."""
    name: str = knob("", "Name", pattern=NAME)
    """Under this name the model is listed; empty takes the data set's."""
    real: int | None = knob(None, "Real images", empty="all", unit="images", ge=1, le=10_000_000)
    """How many training images the model learns from, the same number of every class; empty takes
    all."""
    subset_seed: int = knob(0, "Subset seed", ge=0, le=2**31 - 1, advanced=True)
    """Which images: those of a robust training with the same real images, subset seed and held
    out."""
    held_out: int = knob(0, "Held out", unit="images", ge=0, le=100_000, advanced=True)
    """Training images that are left out first, as a robust training validates on them; only with
    a number of real images."""
    start: str = knob("", "Start from", max_length=400)
    """A model of the same build (name or folder) whose weights training goes on from; empty
    begins with random ones."""
    steps: int = knob(40_000, "Steps", unit="steps", ge=1, le=10_000_000)
    """Optimiser steps; the learning rate falls over the last fifth."""
    batch: int = knob(128, "Batch", unit="images", ge=1, le=8192)
    """Images an optimiser step."""
    seed: int = knob(0, "Seed", ge=0, le=2**31 - 1)
    """Of weights, order, noise and timesteps."""
    learning_rate: float = knob(8e-4, "Learning rate", gt=0, le=1)
    """AdamW's, after 200 steps of warm-up."""
    class_dropout: float = knob(0.1, "Class dropout", ge=0, le=1, advanced=True)
    """Share of images shown without their class, which classifier-free guidance needs."""
    ema_decay: float = knob(0.9995, "Weight average", unit="per step", ge=0, lt=1, advanced=True)
    """Decay of the moving average that is saved."""
    patch: Literal[1, 2, 4] = knob(2, "Patch", unit="pixels", advanced=True)
    """Sides of the pixel blocks folded into channels: 2 is about three times faster than 1."""
    widths: tuple[int, ...] = knob((64, 96), "Widths", min_length=1, max_length=6, advanced=True)
    """Channels a resolution level, each a multiple of 32."""
    layers: int = knob(1, "Layers", ge=1, le=8, advanced=True)
    """Residual blocks a level."""
    precision: Literal["auto", "fp32", "bf16"] = knob("auto", "Precision", advanced=True)
    """Auto takes bf16 where it is faster on this machine, which is measured once."""
    distil_scale: float = knob(1.0, "Distil scale", ge=1, le=10, advanced=True)
    """Teach the model to predict as it would with classifier-free guidance of this scale, at no
    cost when sampling: the guidance of the model it starts from is added to what it learns (Meng
    et al. 2023). 1 is off."""
    distil_window: tuple[float, float] = knob(
        (0.0, 1.0), "Distil window", unit="t/T", advanced=True
    )
    """Noise levels, from and up to, at which it does (Kynkaanniemi et al. 2024: the middle ones
    gain)."""
    save_every: int = knob(250, "Save every", unit="steps", ge=1, le=100_000, advanced=True)
    """Steps between checkpoints: what a kill can cost."""

    anyway: bool = knob(False, "Train anyway", advanced=True)
    """Also on a data set of which something says that nothing good can come of it, such as a
    single class."""

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        if any(width % 32 or not 32 <= width <= 2048 for width in self.widths):
            raise ValueError(
                "widths must be multiples of 32 up to 2048 (given:"
                f" {', '.join(map(str, self.widths))})"
            )
        low, high = self.distil_window
        if not 0 <= low < high <= 1:
            raise ValueError(
                f"distil_window must be two rising numbers from 0 to 1 (given: {low:g}, {high:g})"
            )
        if self.distil_scale > 1 and not self.start:
            raise ValueError(
                "distil_scale takes the guidance of a finished model: name it with start, or leave"
                " distil_scale at 1"
            )
        return self


class EncoderConfig(Frozen):
    """Training a small classifier that serves as an encoder or as the judge."""

    dataset: str = knob("fashion-mnist", "Data set", min_length=1, max_length=400)
    """Its training split is what the encoder learns."""
    name: str = knob("", "Name", pattern=NAME)
    """Under this name it is listed; empty takes the kind."""
    kind: Kind = knob("standard", "Kind")
    """Standard: plain images. Robust: PGD adversarial training. Noise-aware: images at every
    noise level, for guidance at x_t."""
    epochs: int = knob(10, "Epochs", ge=1, le=10_000)
    """Passes over the training images; the best by held-out training images is kept."""
    batch: int = knob(128, "Batch", unit="images", ge=1, le=8192)
    """Images an optimiser step."""
    seed: int = knob(0, "Seed", ge=0, le=2**31 - 1)
    """Of weights, order, augmentation, attack and noise."""
    learning_rate: float = knob(2e-3, "Learning rate", gt=0, le=1)
    """AdamW's peak."""
    weight_decay: float = knob(0.02, "Weight decay", ge=0, le=1, advanced=True)
    """AdamW's."""
    label_smoothing: float = knob(0.0, "Label smoothing", ge=0, lt=1, advanced=True)
    """Share of the target spread over all classes."""
    widths: tuple[int, ...] = knob(
        (32, 64, 128), "Widths", min_length=1, max_length=5, advanced=True
    )
    """Channels a stage."""
    blocks: int = knob(1, "Blocks", ge=0, le=16, advanced=True)
    """Residual convolutions a stage."""
    shift: int = knob(2, "Shift", unit="pixels", ge=0, le=8, advanced=True)
    """Training images are moved by up to this many pixels."""
    flip: bool | None = knob(None, "Mirror", advanced=True)
    """Half of the training images are mirrored, which makes digits, letters and signs others;
    left out, those of Fashion-MNIST and CIFAR-10 are and no others."""
    epsilon: float | None = knob(
        None, "Attack budget", unit="of the pixel range", gt=0, le=1, advanced=True
    )
    """l_inf radius of adversarial training; empty takes the data set's conventional one, else 0.1
    for grey and 8/255 for colour images."""
    attack_steps: int = knob(4, "Attack steps", unit="steps", ge=1, le=100, advanced=True)
    """PGD steps of adversarial training."""
    held_out: int = knob(5000, "Held out", unit="images", ge=1, le=100_000, advanced=True)
    """Training images kept apart to choose the epoch by; at most a tenth of the set."""
    precision: Literal["auto", "fp32", "bf16"] = knob("auto", "Precision", advanced=True)
    """Of training; accuracies are always measured in fp32."""

    anyway: bool = knob(False, "Train anyway", advanced=True)
    """Also on a data set of which something says that nothing good can come of it, such as a
    single class."""

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        if any(not 1 <= width <= 1024 for width in self.widths):
            raise ValueError(
                f"widths must be from 1 to 1024 (given: {', '.join(map(str, self.widths))})"
            )
        return self

    def budget(self, info: DatasetInfo) -> float:
        """The l_inf radius of adversarial training."""
        return self.epsilon or info.usual_linf
