"""Every knob of training a diffusion model or an encoder, once. See ``cdp.config.knobs`` for the field
metadata."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from cdp.config.knobs import Frozen, knob

NAME = r"^([A-Za-z0-9][A-Za-z0-9_-]{0,99})?$"
Kind = Literal["standard", "robust", "noise-aware"]


class PretrainConfig(Frozen):
    """Training a class-conditional diffusion model. The defaults are those of the shipped
    Fashion-MNIST model."""

    dataset: str = knob(
        "fashion-mnist",
        "Data set",
        "Its training split is what the model learns.",
        min_length=1,
        max_length=400,
    )
    name: str = knob(
        "", "Name", "Under this name the model is listed; empty takes the data set's.", pattern=NAME
    )
    start: str = knob(
        "",
        "Start from",
        "A model of the same build (name or folder) whose weights training goes on from; empty"
        " begins with random ones.",
        max_length=400,
    )
    steps: int = knob(
        40_000,
        "Steps",
        "Optimiser steps; the learning rate falls over the last fifth.",
        unit="steps",
        ge=1,
        le=10_000_000,
    )
    batch: int = knob(128, "Batch", "Images an optimiser step.", unit="images", ge=1, le=8192)
    seed: int = knob(0, "Seed", "Of weights, order, noise and timesteps.", ge=0, le=2**31 - 1)
    learning_rate: float = knob(
        8e-4, "Learning rate", "AdamW's, after 200 steps of warm-up.", gt=0, le=1
    )
    class_dropout: float = knob(
        0.1,
        "Class dropout",
        "Share of images shown without their class, which classifier-free guidance needs.",
        ge=0,
        le=1,
        advanced=True,
    )
    ema_decay: float = knob(
        0.9995,
        "Weight average",
        "Decay of the moving average that is saved.",
        unit="per step",
        ge=0,
        lt=1,
        advanced=True,
    )
    patch: Literal[1, 2, 4] = knob(
        2,
        "Patch",
        "Sides of the pixel blocks folded into channels: 2 is about three times faster than 1.",
        unit="pixels",
        advanced=True,
    )
    widths: tuple[int, ...] = knob(
        (64, 96),
        "Widths",
        "Channels a resolution level, each a multiple of 32.",
        min_length=1,
        max_length=6,
        advanced=True,
    )
    layers: int = knob(1, "Layers", "Residual blocks a level.", ge=1, le=8, advanced=True)
    precision: Literal["auto", "fp32", "bf16"] = knob(
        "auto",
        "Precision",
        "Auto takes bf16 where it is faster on this machine, which is measured once.",
        advanced=True,
    )
    distil_scale: float = knob(
        1.0,
        "Distil scale",
        "Teach the model to predict as it would with classifier-free guidance of this scale, at no"
        " cost when sampling: the guidance of the model it starts from is added to what it learns"
        " (Meng et al. 2023). 1 is off.",
        ge=1,
        le=10,
        advanced=True,
    )
    distil_window: tuple[float, float] = knob(
        (0.0, 1.0),
        "Distil window",
        "Noise levels, from and up to, at which it does (Kynkaanniemi et al. 2024: the middle ones"
        " gain).",
        unit="t/T",
        advanced=True,
    )
    save_every: int = knob(
        250,
        "Save every",
        "Steps between checkpoints: what a kill can cost.",
        unit="steps",
        ge=1,
        le=100_000,
        advanced=True,
    )

    anyway: bool = knob(
        False,
        "Train anyway",
        "Also on a data set of which something says that nothing good can come of it, such as a"
        " single class.",
        advanced=True,
    )

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

    dataset: str = knob(
        "fashion-mnist",
        "Data set",
        "Its training split is what the encoder learns.",
        min_length=1,
        max_length=400,
    )
    name: str = knob(
        "", "Name", "Under this name it is listed; empty takes the kind.", pattern=NAME
    )
    kind: Kind = knob(
        "standard",
        "Kind",
        "Standard: plain images. Robust: PGD adversarial training. Noise-aware: images at every"
        " noise level, for guidance at x_t.",
    )
    epochs: int = knob(
        10,
        "Epochs",
        "Passes over the training images; the best by held-out training images is kept.",
        ge=1,
        le=10_000,
    )
    batch: int = knob(128, "Batch", "Images an optimiser step.", unit="images", ge=1, le=8192)
    seed: int = knob(
        0, "Seed", "Of weights, order, augmentation, attack and noise.", ge=0, le=2**31 - 1
    )
    learning_rate: float = knob(2e-3, "Learning rate", "AdamW's peak.", gt=0, le=1)
    weight_decay: float = knob(0.02, "Weight decay", "AdamW's.", ge=0, le=1, advanced=True)
    label_smoothing: float = knob(
        0.0,
        "Label smoothing",
        "Share of the target spread over all classes.",
        ge=0,
        lt=1,
        advanced=True,
    )
    widths: tuple[int, ...] = knob(
        (32, 64, 128), "Widths", "Channels a stage.", min_length=1, max_length=5, advanced=True
    )
    blocks: int = knob(1, "Blocks", "Residual convolutions a stage.", ge=0, le=16, advanced=True)
    shift: int = knob(
        2,
        "Shift",
        "Training images are moved by up to this many pixels.",
        unit="pixels",
        ge=0,
        le=8,
        advanced=True,
    )
    flip: bool | None = knob(
        None,
        "Mirror",
        "Half of the training images are mirrored, which makes digits, letters and signs others;"
        " left out, those of Fashion-MNIST and CIFAR-10 are and no others.",
        advanced=True,
    )
    epsilon: float | None = knob(
        None,
        "Attack budget",
        "l_inf radius of adversarial training; empty takes the data set's conventional one, else"
        " 0.1 for grey and 8/255 for colour images.",
        unit="of the pixel range",
        gt=0,
        le=1,
        advanced=True,
    )
    attack_steps: int = knob(
        4,
        "Attack steps",
        "PGD steps of adversarial training.",
        unit="steps",
        ge=1,
        le=100,
        advanced=True,
    )
    held_out: int = knob(
        5000,
        "Held out",
        "Training images kept apart to choose the epoch by; at most a tenth of the set.",
        unit="images",
        ge=1,
        le=100_000,
        advanced=True,
    )
    precision: Literal["auto", "fp32", "bf16"] = knob(
        "auto", "Precision", "Of training; accuracies are always measured in fp32.", advanced=True
    )

    anyway: bool = knob(
        False,
        "Train anyway",
        "Also on a data set of which something says that nothing good can come of it, such as a"
        " single class.",
        advanced=True,
    )

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        if any(not 1 <= width <= 1024 for width in self.widths):
            raise ValueError(
                f"widths must be from 1 to 1024 (given: {', '.join(map(str, self.widths))})"
            )
        return self
