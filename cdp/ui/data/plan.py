"""What to train for a data set, at which size, under which names, and about how long that takes.
Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from cdp.config.knobs import Frozen, parse
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.catalog import mirrored
from cdp.data.facts import Facts
from cdp.errors import InputError
from cdp.models.encoders import JUDGE
from cdp.values.types import usual_budget
from cdp.work.records import Run

QUICK, FULL = "quick", "full"
SIZES = {QUICK: "Quick try", FULL: "Full size"}
MODEL = "model"
ENCODER, DIFFUSION = "pretrain-encoder", "pretrain"
"""Kinds of run."""


@dataclass(frozen=True)
class Role:
    """Something to train. key: the name that encoders get."""

    key: str
    title: str
    use: str


ROLES = (
    Role(
        JUDGE,
        "Judge",
        "Scores every image and never guides. Generate and Explore take their figures from it.",
    ),
    Role(
        "robust",
        "Robust encoder",
        "Guides. Trained against attacks, so its gradients change what an image shows rather than"
        " its noise.",
    ),
    Role(
        "standard",
        "Standard encoder",
        "Guides. Trained on plain images: what the robust one is compared with.",
    ),
    Role(
        "noise-aware",
        "Noise-aware encoder",
        "Guides at the noisy image itself. Needed for that setting only.",
    ),
    Role(MODEL, "Diffusion model", "Makes the images."),
)
"""In the order they are trained: encoders first, as they take minutes."""
OPTIONAL = ("noise-aware",)

# Images that an encoder sees in all; shipped ones saw 550,000.
_SEEN = {QUICK: 40_000, FULL: 550_000}
_PASSES = {QUICK: (3, 40), FULL: (10, 150)}
_MOST_PASSES = 1000
"""Of a diffusion model over few images, after which it only learns them by heart."""


def encoder_defaults(seen: Facts, size: str) -> dict[str, Any]:
    """Values of the settings that all encoders share, scaled to the data."""
    least, most = _PASSES[size]
    return {
        "dataset": seen.name,
        "epochs": max(least, min(most, round(_SEEN[size] / seen.images))),
        "batch": 128 if seen.images >= 4000 else 32,
        "shift": 2 if min(seen.shape[1:]) >= 16 else 1,
        "flip": mirrored(seen.name),
        "epsilon": None if seen.epsilon else usual_budget(seen.shape[0]),
    }


def model_defaults(seen: Facts, size: str) -> dict[str, Any]:
    """Values of the diffusion model's settings, scaled to the data."""
    patch = 4 if min(seen.shape[1:]) >= 48 else 2
    if size == QUICK:
        return {
            "dataset": seen.name,
            "patch": patch,
            "steps": 2000,
            "batch": 64,
            "widths": (32, 64),
            "ema_decay": 0.998,
            "save_every": 100,
        }
    steps = min(40_000, max(4000, _MOST_PASSES * seen.images // 128))
    return {"dataset": seen.name, "patch": patch, "steps": steps}


def encoder_config(role: str, values: Mapping[str, Any]) -> EncoderConfig:
    """One encoder's settings. The judge is of another seed, width and weight decay than those that
    guide, as the shipped one is, so that they do not share their mistakes. Raises InputError."""
    plain = parse(
        EncoderConfig, dict(values) | {"name": role, "kind": "standard" if role == JUDGE else role}
    )
    own: dict[str, Any] = {} if plain.kind == "robust" else {"epsilon": None}
    if role == JUDGE:
        wider = tuple(min(1024, width * 3 // 2) for width in plain.widths)
        own |= {"seed": (plain.seed + 1004) % 2**31, "weight_decay": 0.05, "widths": wider}
    return parse(EncoderConfig, plain.model_dump() | own)


def model_config(name: str, values: Mapping[str, Any]) -> PretrainConfig:
    """Raises InputError."""
    return parse(PretrainConfig, dict(values) | {"name": name})


def model_name(dataset: str, taken: Collection[str]) -> str:
    """The data set's name where no model has it, else with a number behind."""
    stem = dataset.replace(".", "-")[:90]
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


@dataclass(frozen=True)
class Order:
    """One run to launch."""

    kind: str
    name: str
    config: Frozen


def orders(
    roles: Iterable[str], encoder: Mapping[str, Any], model: Mapping[str, Any], name: str
) -> list[Order]:
    """The runs to launch, encoders first. name: of the diffusion model. Raises InputError where a
    setting cannot be used."""
    wanted = set(roles)
    made = []
    for role in ROLES:
        if role.key not in wanted or role.key == MODEL:
            continue
        try:
            made.append(Order(ENCODER, role.key, encoder_config(role.key, encoder)))
        except InputError as error:
            raise InputError(f"{role.title.lower()}: {error}") from error
    if MODEL in wanted:
        made.append(Order(DIFFUSION, name, model_config(name, model)))
    return made


def seconds(config: Frozen, seen: Facts) -> float:
    """About how long a training takes on two processor cores, from timings of the small networks
    (28 x 28 and 16 x 16 px)."""
    return _steps(config, seen) * step_seconds(config, seen.shape)


def step_seconds(config: Frozen, shape: tuple[int, int, int]) -> float:
    """One optimiser step on two cores."""
    pixels = prod(shape[1:])
    if isinstance(config, PretrainConfig):
        cells = pixels / config.patch**2
        # Attention on the coarse grid grows with its square.
        return (
            2.1e-5
            * config.batch
            * cells
            * (sum(config.widths) / 160)
            * config.layers**0.8
            * (1 + cells / 1500)
        )
    assert isinstance(config, EncoderConfig)
    attack = 1 + 0.8 * config.attack_steps if config.kind == "robust" else 1.0
    return (
        0.006
        + 1.3e-6
        * config.batch
        * pixels
        / 4
        * (config.widths[0] / 32) ** 1.6
        * max(1, config.blocks)
    ) * attack


def pace(runs: Iterable[Run], seen: Facts) -> float | None:
    """How many times longer a step took here than ``step_seconds`` says, by the newest training of
    this data set that told its rate."""
    for run in runs:
        rate = run.progress.rate if run.progress and run.progress.unit == "steps" else None
        if (
            rate
            and isinstance(run.config, EncoderConfig | PretrainConfig)
            and run.config.dataset == seen.name
        ):
            return 1 / rate / step_seconds(run.config, seen.shape)
    return None


def _steps(config: Frozen, seen: Facts) -> int:
    if isinstance(config, PretrainConfig):
        return config.steps
    assert isinstance(config, EncoderConfig)
    images = seen.images - min(config.held_out, seen.images // 10)
    return config.epochs * max(1, images // min(config.batch, images))
