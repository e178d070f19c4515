"""Every knob of a generation, once: name, range, unit, help. The form, the CLI, the URL and the
worker all read these. Leaf names are unique over all groups, so a flat mapping (URL, CLI) loses
nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from cdp.config.choices import LOSSES
from cdp.config.fields import config_of, flat_of
from cdp.config.knobs import Frozen, knob

if TYPE_CHECKING:
    Loss = str
else:
    Loss = Literal[tuple(LOSSES)]
Positives = Literal["auto", "previous", "augmented", "same_class", "real"]
Negatives = Literal["auto", "batch", "real", "memory"]
Point = Literal["x0", "x0_through_network", "x_t"]
Schedule = Literal["constant", "linear", "cosine", "noise_scaled"]
Solver = Literal["ddim", "ddpm", "dpmpp", "unipc"]
Clip = Literal["model", "on", "off"]

CLAMPING = ("ddim", "ddpm")
"""Solvers whose estimate of the image can be clamped; the others have no such setting."""
MAX_COUNT = 1_000_000


class Guidance(Frozen):
    """How the sampler is steered. Source of every default and paper value: docs/guidance.md."""

    loss: Loss = knob(
        "supcon",
        "Loss",
        paper="hard_negative (info_nce in a variant)",
        titles={"none": "None (unguided)"},
    )
    """What the sampler descends. SupCon, class margin, Fisher, classifier, boundary and influence
    know the classes; InfoNCE and hard-negative do not, and so push images of the same class apart
    too; uncertainty asks only how unsure the encoder is."""
    encoder: str = knob(
        "robust",
        "Encoder",
        paper="standard; penultimate features of WRN-28-10 (CIFAR-10, traffic signs), 100 features"
        " (MNIST)",
        min_length=1,
        max_length=400,
    )
    """The network whose features the loss compares. A robust (adversarially trained) encoder has
    gradients that change what a person sees; a standard one mostly gets changes that only it
    sees. A training of one's own can guide as well (run:ID), such as the learner itself."""
    strength: float = knob(0.1, "Strength", unit="|guidance| / |noise|", ge=-2, le=2)
    """Length of the guidance, per image, as a share of the predicted noise: 0 is unguided, below 0
    it climbs the loss."""
    temperature: float = knob(
        0.1, "Temperature", unit="tau", paper="10 (hard_negative), 0.1 (info_nce)", ge=0.01, le=100
    )
    """Softness of the contrast: low values look at the nearest rivals only."""
    strength_mode: Literal["relative", "raw"] = knob(
        "relative", "Strength is", paper="raw", advanced=True
    )
    """Relative: scaled per image to the predicted noise. Raw: lambda times the gradient, as
    published; its meaning changes with batch size and temperature."""
    raw_lambda: float = knob(
        1e5,
        "Raw lambda",
        paper="1e5 (CIFAR-10, MNIST; 2e5 in a variant), 5e3 (traffic signs) with hard_negative; 1e3"
        " with info_nce",
        advanced=True,
        ge=0,
        le=1e10,
    )
    """Factor on the gradient of the loss's mean over all its rows: one an image, in hard_negative
    two, as both views are anchors. Used only where strength is raw."""
    factor: Literal["sqrt_one_minus_alpha_bar", "one"] = knob(
        "sqrt_one_minus_alpha_bar",
        "Noise factor",
        paper="one (the code leaves the factor out)",
        advanced=True,
    )
    """For raw strength: the exact classifier-guidance factor sqrt(1 - alpha_bar), or 1 as in the
    authors' code (it cancels in relative strength)."""
    schedule: Schedule = knob("noise_scaled", "Schedule", paper="constant", advanced=True)
    """How strength changes over the window: constant; linear or cosine, rising from 0 at its
    noisy end; noise-scaled, times sqrt(1 - alpha_bar)."""
    window_start: float = knob(
        0.7,
        "Window starts at",
        unit="t/T",
        paper="1 (CIFAR-10), 0.15 (MNIST, traffic signs)",
        ge=0,
        le=1,
    )
    """Guide only where t/T is below this: 1 is pure noise."""
    window_stop: float = knob(
        0.0,
        "Window stops at",
        unit="t/T",
        paper="0.4 (CIFAR-10), 0.05 (MNIST, traffic signs)",
        ge=0,
        le=1,
    )
    """Guide only where t/T is at or above this: 0 is the finished image."""
    noise_limit: float = knob(
        1.0, "Noise limit", unit="noise/signal", paper="0 (no limit)", advanced=True, ge=0, le=1000
    )
    """Where noise/signal = sqrt(1 - alpha_bar)/sqrt(alpha_bar) exceeds this, strength falls in
    proportion, so that one step never moves the image estimate by more than strength x limit. 0
    switches the limit off."""
    point: Point = knob("x0", "Gradient at", paper="x_t", advanced=True)
    """The denoised estimate x0 (encoders see clean-looking images), x0 differentiated through the
    network (about three times slower), or the noisy x_t (published; wants a noise-aware
    encoder)."""
    positives: Positives = knob("auto", "Positives", paper="previous", advanced=True)
    """What an image is pulled towards: its own previous iterate, an augmented view, images of its
    class in the batch, or real images of its class. Auto: real images where the loss knows
    classes, else the previous iterate."""
    negatives: Negatives = knob("auto", "Negatives", paper="batch", advanced=True)
    """What it is pushed from: the rest of the batch, real images (of other classes where the loss
    knows classes), or a memory bank of the batch's own earlier steps. Auto: real images where the
    loss knows classes, else the batch."""
    bank_size: int = knob(512, "Bank size", unit="images", advanced=True, ge=1, le=16384)
    """Real images or remembered features to contrast with."""
    tau_plus: float = knob(0.1, "Class prior tau+", paper="0.1", advanced=True, ge=0, lt=1)
    """Share of negatives assumed to be of the anchor's own class (hard-negative loss)."""
    beta: float = knob(1.0, "Hardness beta", paper="1", advanced=True, ge=0, le=100)
    """How strongly near negatives count (hard-negative loss)."""
    margin: float = knob(0.5, "Margin", unit="cosine", advanced=True, ge=0, le=2)
    """Cosine margin by which an image should be nearer to its own class's mean than to any other
    (class margin)."""
    spread: float = knob(0.1, "Spread gamma", advanced=True, ge=0, le=100)
    """How strongly images of one class in the batch push each other apart (SupCon with spread)."""
    bandwidth: float = knob(0.5, "Bandwidth", advanced=True, ge=0.05, le=2)
    """Distance in feature space, between unit vectors, over which they do (SupCon with spread)."""
    kappa_low: float = knob(0.0, "Margin from", unit="logits", advanced=True, ge=-20, le=20)
    """Each image is led to a margin of its own over the next class, drawn between this and the
    next setting: 0 is the decision boundary (boundary)."""
    kappa_high: float = knob(2.0, "Margin to", unit="logits", advanced=True, ge=-20, le=20)
    """Other end of these margins (boundary)."""
    unguided_share: float = knob(0.0, "Unguided share", advanced=True, ge=0, le=1)
    """Share of each batch that is left unguided, so that a set holds both kinds."""
    head: bool = knob(False, "Online head", paper="on", advanced=True)
    """A small random projection head on the features, trained while sampling (Adam 1e-2, one step
    a guidance call). Seeded, but images then depend on the call history of their batch."""
    head_hidden: int = knob(
        128, "Head, hidden", unit="features", paper="128; 64 (MNIST)", advanced=True, ge=1, le=4096
    )
    """Width of the online head's hidden layer (ReLU)."""
    head_out: int = knob(
        128, "Head, out", unit="features", paper="128; 64 (MNIST)", advanced=True, ge=1, le=4096
    )
    """Width of what the online head gives, which the loss compares."""

    @model_validator(mode="after")
    def _combination(self) -> Self:
        if self.loss != "none" and self.window_stop >= self.window_start:
            raise ValueError(
                f"window_stop ({self.window_stop}) must be below window_start ({self.window_start})"
            )
        if self.loss == "boundary" and self.kappa_low > self.kappa_high:
            raise ValueError(
                f"kappa_low ({self.kappa_low:g}) must not be above kappa_high ({self.kappa_high:g})"
            )
        reason = refusal(self)
        if reason:
            raise ValueError(reason)
        return self


def positives_of(guidance: Guidance) -> str:
    """The kind of positive that "auto" stands for with this loss."""
    if guidance.positives != "auto":
        return guidance.positives
    return "real" if LOSSES[guidance.loss].knows_classes else "previous"


def negatives_of(guidance: Guidance) -> str:
    """The kind of negative that "auto" stands for with this loss."""
    if guidance.negatives != "auto":
        return guidance.negatives
    return "real" if LOSSES[guidance.loss].knows_classes else "batch"


def looks_back(guidance: Guidance) -> bool:
    """Whether the loss compares with an earlier step of the same batch, so that the very first step
    of all cannot be guided."""
    return LOSSES[guidance.loss].contrasts and (
        positives_of(guidance) == "previous" or negatives_of(guidance) == "memory"
    )


def refusal(guidance: Guidance) -> str:
    """Why this combination makes no sense, or "" where it does."""
    name, loss = guidance.loss, LOSSES[guidance.loss]
    if loss.compares == "views" and positives_of(guidance) == "same_class":
        return (
            f"{name} takes one positive an image and does not know classes, so same-class images"
            " cannot be its positives: choose positives 'previous', 'augmented' or 'real', or the"
            " loss 'supcon'"
        )
    if loss.both_views and negatives_of(guidance) != "batch":
        return (
            f"{name} corrects for negatives drawn from both views of the batch: choose"
            " negatives 'batch'"
        )
    if loss.compares == "logits" and guidance.head:
        return (
            f"{name} guidance uses the encoder's own logits, not features: switch the online"
            " head off"
        )
    return ""


AUTOGUIDANCE = ("weak_model", "autoguidance_scale", "autoguidance_start", "autoguidance_stop")
"""Settings of the sampler that say nothing where it is not ``autoguided``."""


class Sampler(Frozen):
    """How noise becomes images."""

    solver: Solver = knob("dpmpp", "Solver", paper="ddim (CIFAR-10), ddpm (MNIST, traffic signs)")
    """DDIM and DDPM as published; DPM-Solver++ and UniPC need about half as many steps."""
    steps: int = knob(10, "Steps", unit="steps", paper="250 (MNIST, traffic signs)", ge=2, le=1000)
    """Network calls an image; cost grows in proportion. 10 of DPM-Solver++ stand for 20 of DDIM."""
    eta: float = knob(0.0, "Eta", paper="0 (CIFAR-10)", advanced=True, ge=0, le=1)
    """Fresh noise at each DDIM step: 0 is deterministic, 1 is ancestral."""
    clip_sample: Clip = knob(
        "model", "Clamp estimate", paper="off (CIFAR-10), on (MNIST, traffic signs)", advanced=True
    )
    """Whether the estimate of the image is clamped to [-1, 1] at every DDIM or DDPM step, and the
    noise that it implies with it. Model: what the model's own settings say."""
    cfg_scale: float = knob(
        1.0, "Classifier-free scale", paper="1 (none)", advanced=True, ge=0, le=20
    )
    """1 is the conditional model as it is; above 1 trades variety for typicality, at two network
    calls a step."""
    weak_model: str = knob(
        "", "Weak model", paper="none", advanced=True, titles={"": "none"}, max_length=400
    )
    """A worse diffusion model of the same images, such as one trained for fewer steps (name or
    folder): autoguidance moves each prediction away from its, at a second network call a step.
    Empty is off."""
    autoguidance_scale: float = knob(1.5, "Autoguidance scale", advanced=True, ge=1, le=20)
    """Weight w of e_weak + w (e - e_weak), for the noise e predicted by the model and by the weak
    one: 1 is the model as it is. Takes the place of the classifier-free scale, which has to be
    1."""
    autoguidance_start: float = knob(
        0.8, "Autoguidance starts at", unit="t/T", advanced=True, ge=0, le=1
    )
    """The weak model is asked only where t/T is below this: 1 is pure noise."""
    autoguidance_stop: float = knob(
        0.3, "Autoguidance stops at", unit="t/T", advanced=True, ge=0, le=1
    )
    """The weak model is asked only where t/T is at or above this: 0 is the finished image."""
    precision: Literal["auto", "fp32", "bf16"] = knob(
        "auto", "Precision", paper="fp32", advanced=True
    )
    """Auto takes bf16 where it is faster on this machine, which is measured once."""
    compile: bool = knob(False, "Compile", advanced=True)
    """Compile the network first (torch.compile): up to a minute the first time on a machine,
    seconds after that; then a quarter faster. Pays for sets of 10,000 images and more; the last bit
    of a number may differ."""

    @property
    def autoguided(self) -> bool:
        """Whether the weak model changes anything."""
        empty = self.autoguidance_stop >= self.autoguidance_start
        return bool(self.weak_model) and self.autoguidance_scale != 1 and not empty

    @model_validator(mode="after")
    def _one_extrapolation(self) -> Self:
        if not self.weak_model:
            return self
        if self.autoguidance_stop > self.autoguidance_start:
            raise ValueError(
                f"autoguidance_stop ({self.autoguidance_stop:g}) must not be above"
                f" autoguidance_start ({self.autoguidance_start:g})"
            )
        if self.autoguided and self.cfg_scale != 1:
            raise ValueError(
                "weak_model and cfg_scale contradict each other, as autoguidance takes the place of"
                " classifier-free guidance: set cfg_scale to 1, or leave weak_model empty"
            )
        return self


class GenerateConfig(Frozen):
    """One generation, complete: the same config and seed give the same images on the same
    machine."""

    model: str = knob("fashion-mnist", "Diffusion model", min_length=1, max_length=400)
    """A shipped or pretrained checkpoint, or a diffusers pipeline folder."""
    dataset: str = knob("", "Real data", max_length=400)
    """Whose class names, encoders and real images go with the model; empty takes the data set on
    the model's card."""
    count: int = knob(64, "Images", unit="images", ge=1, le=MAX_COUNT)
    """How many; classes take turns, so the set is balanced."""
    seed: int = knob(0, "Seed", ge=0, le=2**31 - 1)
    """Image i of seed s starts from the same noise whatever else is set."""
    classes: tuple[int, ...] = knob((), "Classes", max_length=1000)
    """Only these class numbers; none chosen means all."""
    batch: int = knob(
        64,
        "Batch",
        unit="images",
        paper="512 (CIFAR-10), 128 (MNIST)",
        advanced=True,
        ge=1,
        le=4096,
    )
    """Images sampled together. Losses that compare images compare within a batch, so it is part
    of the result."""
    guidance: Guidance = Guidance()
    sampler: Sampler = Sampler()

    @model_validator(mode="after")
    def _has_rivals(self) -> Self:
        g = self.guidance
        needs = LOSSES[g.loss].contrasts and negatives_of(g) == "batch" and g.strength != 0
        if needs and min(self.batch, self.count) < 2:
            raise ValueError(
                f"{g.loss} has no negatives in a batch of 1: raise batch and count to 2 or more"
            )
        if any(c < 0 for c in self.classes) or len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must be different numbers from 0 up")
        return self


def flatten(config: GenerateConfig) -> dict[str, Any]:
    """All settings by name, JSON-ready; the inverse of ``unflatten``."""
    return flat_of(config)


def automatic_name(config: GenerateConfig) -> str:
    """What tells a set's model, loss, strength, number of images and seed, nearly a name:
    ``fashion-mnist-supcon-0.2-1001-seed0``, ``lambda5`` for a raw strength."""
    g = config.guidance
    strength = f"{g.strength:g}" if g.strength_mode == "relative" else f"lambda{g.raw_lambda:g}"
    how = g.loss if g.loss == "none" else f"{g.loss}-{strength}"
    # A model may be given as a path, of which only the last part is a name.
    return f"{Path(config.model).name[-60:]}-{how}-{config.count}-seed{config.seed}"


FORMER: dict[str, Any] = {"solver": "ddim", "steps": 20}
"""Defaults of before, for what was stored as differences to them: presets of one's own and
experiments."""

_NEWER: dict[str, Any] = {"head_hidden": 128, "head_out": 128, "clip_sample": "model"}
"""Leaves that came when lambda began to multiply the mean over all rows of the loss, with what they
were before."""
_LATER = {"spread", "bandwidth", "kappa_low", "kappa_high", "unguided_share"}
"""Leaves that came after those; their defaults are what was before."""


def upgraded(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Complete settings of the version before in today's terms, anything else as it is. Raw lambda
    used to be divided by the images alone, so hard_negative, which has two rows an image, was
    pushed twice as hard as its lambda said. Twice the lambda is the same push today, to the last
    bit."""
    complete = set(Guidance.model_fields) - {"encoder", *_NEWER, *_LATER}
    if not complete <= flat.keys() or flat.keys() & _NEWER.keys():
        return dict(flat)
    twice = (
        flat["strength_mode"] == "raw"
        and flat["loss"] == "hard_negative"
        and isinstance(flat["raw_lambda"], int | float)
    )
    return _NEWER | dict(flat) | ({"raw_lambda": 2 * flat["raw_lambda"]} if twice else {})


def unflatten(flat: Mapping[str, Any], base: GenerateConfig | None = None) -> GenerateConfig:
    """A config from leaves by name over ``base``; complete settings of an older version are
    ``upgraded``. Raises InputError naming the field, its value and its range."""
    return config_of(GenerateConfig, flatten(base or GenerateConfig()) | upgraded(flat))
