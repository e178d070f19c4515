"""Which encoders and diffusion models a data set has: finished ones from their cards, unfinished
ones from the runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cdp.models.encoders import JUDGE, TRAINED, list_encoders
from cdp.models.pipelines import list_models
from cdp.ui.data.plan import DIFFUSION, ENCODER, MODEL, ROLES
from cdp.values.text import share_text
from cdp.work.records import Run, list_runs


@dataclass(frozen=True)
class Made:
    """A finished encoder or model. role: of ``data_plan.ROLES``, "" for an encoder of another name;
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
        return frozenset(made.role for made in (*self.encoders, *self.models) if made.role)

    @property
    def pending(self) -> frozenset[str]:
        """In training, or stopped and not taken away: their names are taken."""
        return frozenset(role_of(run) for run in self.runs if run.state != "finished")

    @property
    def guide(self) -> str:
        """The encoder to guide with: the robust one, else the first that is no judge; "" where
        there is none."""
        names = [made.name for made in self.encoders if made.name != JUDGE]
        return "robust" if "robust" in names else next(iter(names), "")

    @property
    def budget(self) -> float | None:
        """What was chosen for this data before."""
        return next((made.budget for made in self.encoders if made.budget), None)

    @property
    def missing(self) -> frozenset[str]:
        """What neither exists nor is in training."""
        return frozenset(role.key for role in ROLES) - self.roles - self.pending


def stock(dataset: str) -> Stock:
    """Reads cards and run folders."""
    encoders = tuple(
        Made(
            entry.name if entry.name in {role.key for role in ROLES} else "",
            entry.name,
            _of_encoder(entry.card),
            _budget(entry.card),
        )
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


def _budget(card: Mapping[str, Any]) -> float | None:
    training = card.get("training")
    value = training.get("epsilon") if isinstance(training, dict) else None
    return value if isinstance(value, float) and 0 < value <= 1 else None


def _of_encoder(card: Mapping[str, Any]) -> str:
    """Accuracies with their n, the test images' where they were measured."""
    accuracy, training = card.get("accuracy"), card.get("training")
    parts = []
    names = {"clean": "", "pgd": " under attack", "noised": " on noised images"}
    for key, what in names.items():
        found = accuracy.get(key) if isinstance(accuracy, dict) else None
        if isinstance(found, dict) and isinstance(found.get("value"), int | float):
            parts.append(f"test {share_text(found['value'])}{what} (n = {found.get('n', '?')})")
    if (
        not parts
        and isinstance(training, dict)
        and isinstance(training.get("held_out_score"), list)
        and training["held_out_score"]
    ):
        parts.append(
            f"held out {share_text(max(training['held_out_score']))} (n = {training.get('held_out', '?')})"
        )
    return ", ".join(parts)


def _of_model(card: Mapping[str, Any]) -> str:
    training, parameters = card.get("training"), card.get("parameters")
    parts = [f"{parameters / 1e6:.1f} M parameters"] if isinstance(parameters, int) else []
    if isinstance(training, dict) and isinstance(training.get("steps"), int):
        parts.append(f"{training['steps']:,} steps")
    return ", ".join(parts)
