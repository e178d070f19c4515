"""What to train for a data set, at which size, under which names, and about how long that takes;
and what it has already, by cards and runs. Pure."""

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
from cdp.models.encoders import JUDGE, TRAINED, list_encoders
from cdp.models.pipelines import list_models
from cdp.values.text import share_text
from cdp.values.types import usual_budget
from cdp.work.records import Run, list_runs

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


_ROBUST = (
    "Guides. Trained against attacks: its gradients change what an image shows, not its noise."
)
ROLES = (
    Role(JUDGE, "Judge", "Never guides. Gives Generate and Explore the figures of every image."),
    Role("robust", "Robust encoder", _ROBUST),
    Role("standard", "Standard encoder", "Guides. Trained without attacks, for comparison."),
    Role("noise-aware", "Noise-aware encoder", "Guides at the noisy image; for that setting only."),
    Role(MODEL, "Diffusion model", "Makes the images."),
)
"""In the order they are trained: encoders first, as they take minutes."""
TITLES = {role.key: role.title for role in ROLES}
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
    values: dict[str, Any] = {
        "dataset": seen.name,
        "patch": 4 if min(seen.shape[1:]) >= 48 else 2,
        "steps": min(40_000, max(4000, _MOST_PASSES * seen.images // 128)),
    }
    if size == QUICK:
        values |= {"steps": 2000, "batch": 64, "widths": (32, 64)}
        values |= {"ema_decay": 0.998, "save_every": 100}
    return values


def encoder_config(role: str, values: Mapping[str, Any]) -> EncoderConfig:
    """One encoder's settings. The judge has another seed, width and weight decay than those that
    guide, so that they do not share their mistakes. Raises InputError."""
    kind = "standard" if role == JUDGE else role
    plain = parse(EncoderConfig, dict(values) | {"name": role, "kind": kind})
    own: dict[str, Any] = {} if plain.kind == "robust" else {"epsilon": None}
    if role == JUDGE:
        wider = tuple(min(1024, width * 3 // 2) for width in plain.widths)
        own |= {"seed": (plain.seed + 1004) % 2**31, "weight_decay": 0.05, "widths": wider}
    return parse(EncoderConfig, plain.model_dump() | own)


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
    planned = []
    for role in ROLES:
        if role.key not in wanted or role.key == MODEL:
            continue
        try:
            planned.append(Order(ENCODER, role.key, encoder_config(role.key, encoder)))
        except InputError as error:
            raise InputError(f"{role.title.lower()}: {error}") from error
    if MODEL in wanted:
        planned.append(Order(DIFFUSION, name, parse(PretrainConfig, dict(model) | {"name": name})))
    return planned


def seconds(config: Frozen, seen: Facts) -> float:
    """About how long a training takes on two processor cores, from timings of the small networks
    (28 x 28 and 16 x 16 px)."""
    return _steps(config, seen) * step_seconds(config, seen.shape)


def step_seconds(config: Frozen, shape: tuple[int, int, int]) -> float:
    """One optimiser step on two cores."""
    pixels = prod(shape[1:])
    if isinstance(config, PretrainConfig):
        cells = pixels / config.patch**2
        size = sum(config.widths) / 160 * config.layers**0.8
        # Attention on the coarse grid grows with its square.
        return 2.1e-5 * config.batch * cells * size * (1 + cells / 1500)
    assert isinstance(config, EncoderConfig)
    attack = 1 + 0.8 * config.attack_steps if config.kind == "robust" else 1.0
    size = (config.widths[0] / 32) ** 1.6 * max(1, config.blocks)
    return (0.006 + 1.3e-6 * config.batch * pixels / 4 * size) * attack


def pace(runs: Iterable[Run], seen: Facts) -> float | None:
    """How many times longer a step took here than ``step_seconds`` says, by the newest training of
    this data set that told its rate."""
    for run in of_dataset(runs, seen.name):
        rate = run.progress.rate if run.progress and run.progress.unit == "steps" else None
        if rate and run.config is not None:
            return 1 / rate / step_seconds(run.config, seen.shape)
    return None


def _steps(config: Frozen, seen: Facts) -> int:
    if isinstance(config, PretrainConfig):
        return config.steps
    assert isinstance(config, EncoderConfig)
    images = seen.images - min(config.held_out, seen.images // 10)
    return config.epochs * max(1, images // min(config.batch, images))


@dataclass(frozen=True)
class Made:
    """A finished encoder or model. role: of ``ROLES``, "" for an encoder of another name;
    detail: what its card tells; budget: that a robust encoder was trained for."""

    role: str
    name: str
    detail: str
    budget: float | None = None


@dataclass(frozen=True)
class Stock:
    """All that there is for a data set. runs: its trainings, newest first."""

    encoders: tuple[Made, ...]
    models: tuple[Made, ...]
    runs: tuple[Run, ...]

    @property
    def roles(self) -> frozenset[str]:
        """Finished."""
        return frozenset(entry.role for entry in (*self.encoders, *self.models) if entry.role)

    @property
    def pending(self) -> frozenset[str]:
        """In training, or stopped and not taken away: their names are taken."""
        return frozenset(role_of(run) for run in self.runs if run.state != "finished")

    def note(self, role: str) -> str:
        """Where a role stands, in words; "" where it is still to be trained."""
        if any(role_of(run) == role and not run.over for run in self.runs):
            return "in training"
        return "stopped" if role in self.pending else "here already" if role in self.roles else ""

    @property
    def guide(self) -> str:
        """The encoder to guide with: the robust one, else the first that is no judge; "" where
        there is none."""
        names = [entry.name for entry in self.encoders if entry.name != JUDGE]
        return "robust" if "robust" in names else next(iter(names), "")

    @property
    def budget(self) -> float | None:
        """What was chosen for this data before."""
        return next((entry.budget for entry in self.encoders if entry.budget), None)

    @property
    def missing(self) -> frozenset[str]:
        """What neither exists nor is in training."""
        return frozenset(role.key for role in ROLES) - self.roles - self.pending


def stock(dataset: str) -> Stock:
    """Reads cards and run folders."""

    def encoder(name: str, card: Mapping[str, Any]) -> Made:
        return Made(name if name in TITLES else "", name, _of_encoder(card), _budget(card))

    encoders = tuple(
        encoder(entry.name, entry.card)
        for entry in list_encoders(dataset)
        if not entry.problem and not entry.name.startswith(TRAINED)
    )
    models = tuple(
        Made(MODEL, entry.name, _of_model(entry.card))
        for entry in list_models()
        if not entry.problem and entry.card.get("dataset") == dataset
    )
    return Stock(encoders, models, tuple(of_dataset(list_runs(), dataset)))


def of_dataset(runs: Iterable[Run], dataset: str) -> list[Run]:
    """The trainings of encoders and diffusion models on this data set."""
    return [
        run
        for run in runs
        if run.kind in (ENCODER, DIFFUSION) and getattr(run.config, "dataset", None) == dataset
    ]


def role_of(run: Run) -> str:
    """Of a training."""
    return MODEL if run.kind == DIFFUSION else run.name


def _part(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = card.get(name)
    return part if isinstance(part, dict) else {}


def _budget(card: Mapping[str, Any]) -> float | None:
    value = _part(card, "training").get("epsilon")
    return value if isinstance(value, float) and 0 < value <= 1 else None


def _of_encoder(card: Mapping[str, Any]) -> str:
    """Accuracies with their n, the test images' where they were measured."""
    parts, training = [], _part(card, "training")
    names = {"clean": "", "pgd": " under attack", "noised": " on noised images"}
    for key, what in names.items():
        accuracy = _part(_part(card, "accuracy"), key)
        if isinstance(value := accuracy.get("value"), int | float):
            parts.append(f"test {share_text(value)}{what} (n = {accuracy.get('n', '?')})")
    scores = training.get("held_out_score")
    if not parts and isinstance(scores, list) and scores:
        n = training.get("held_out", "?")
        parts.append(f"held out {share_text(max(scores))} (n = {n})")
    return ", ".join(parts)


def _of_model(card: Mapping[str, Any]) -> str:
    parameters, steps = card.get("parameters"), _part(card, "training").get("steps")
    parts = [f"{parameters / 1e6:.1f} M parameters"] if isinstance(parameters, int) else []
    return ", ".join(parts + ([f"{steps:,} steps"] if isinstance(steps, int) else []))
