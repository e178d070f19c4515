"""What can be evaluated: trainings that have weights, and encoders as classifiers. Reads cards;
weights are never opened here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdp.config.evaluate import CODE, RUN, EvaluateConfig
from cdp.errors import InputError, MissingError
from cdp.models.checkpoints import given_path, read_json
from cdp.models.encoders import BEST, CARD
from cdp.tasks.evaluate_data import weights_of
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.runlist import WORDS, of_kind
from cdp.values.text import share_text
from cdp.values.types import DatasetInfo
from cdp.work.records import Run

CODE_COMMAND = "python -m cdp evaluate --model package.module:function --dataset NAME"
CODE_REMEDY = f"a model of your own code is evaluated from the command line only: {CODE_COMMAND}"


@dataclass(frozen=True)
class Evaluable:
    """One model on offer. source: as ``EvaluateConfig.model`` has it; title: in the list."""

    source: str
    title: str


@dataclass(frozen=True)
class Facts:
    """What the card of a model tells. name: for people; dataset: name or path of what it was
    trained on, "" unknown; norm, epsilon: trained for, "" and None unknown; epoch: of the best
    weights of a training, 0 unknown."""

    name: str
    dataset: str = ""
    dataset_title: str = ""
    norm: str = ""
    epsilon: float | None = None
    epoch: int = 0

    def norm_of(self, config_norm: str) -> str:
        """The norm attacked in: the one set, else the one trained for, else linf."""
        if config_norm != "trained":
            return config_norm
        return "l2" if self.norm == "l2" else "linf"


def read_evaluable(runs: Sequence[Run], choices: Choices) -> tuple[Evaluable, ...]:
    """Trainings with weights, newest first, then encoders, shipped ones before own."""
    return (
        *(_of_run(run) for run in of_kind(runs, "train") if (run.folder / BEST / CARD).is_file()),
        *(Evaluable(source, title) for source, title in choices.shipped_and_own().items()),
    )


def _of_run(run: Run) -> Evaluable:
    best = _best(run)
    parts = [
        run.name,
        *([f"{share_text(best)} robust on validation"] if best is not None else []),
        *([] if run.over else [WORDS[run.state]]),
    ]
    return Evaluable(f"{RUN}{run.id}", " · ".join(parts))


def _best(run: Run) -> float | None:
    """Best robust validation accuracy: of the record of a run that has one, else of the card of its
    best epoch."""
    record = (run.result or {}).get("best")
    value = record.get("robust_accuracy") if isinstance(record, dict) else None
    if value is None:
        value = _section(_section(_card(run.folder / BEST), "accuracy"), "pgd").get("value")
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def facts_of(source: str, architecture: str = "") -> Facts:
    """What is known of a model. architecture: set for a bare file. Raises InputError or
    MissingError that says why it cannot be evaluated here."""
    if source.startswith(CODE):
        raise InputError(f"model: {CODE_REMEDY}")
    if not source:
        raise MissingError(
            "model: nothing is chosen: choose a training, an encoder, or type the path of a folder"
            " with weights"
        )
    (weights,) = weights_of(source, architecture=architecture)
    if source.startswith(RUN):
        return _facts(weights.card, source.removeprefix(RUN))
    path = given_path(source)
    return _facts(weights.card, path.name if path.is_dir() else path.stem)


def _facts(card: Mapping[str, Any], name: str) -> Facts:
    training = _section(card, "training")
    norm, epsilon, epoch = (
        training.get("norm", "linf" if "epsilon" in training else None),
        training.get("epsilon"),
        card.get("epoch"),
    )
    dataset = training.get("dataset") or card.get("dataset")
    known = norm in ("linf", "l2")
    return Facts(
        name=str(card.get("run") or card.get("name") or name)[:200],
        dataset=dataset if isinstance(dataset, str) else "",
        dataset_title=str(card.get("dataset_title") or "")[:200],
        norm=str(norm) if known else "",
        epsilon=float(epsilon) if known and isinstance(epsilon, int | float) else None,
        epoch=epoch if isinstance(epoch, int) else 0,
    )


def budget_here(config: EvaluateConfig, facts: Facts, info: DatasetInfo | None) -> float:
    """The radius that would be attacked with. info: of the data set, None unknown. Raises
    InputError where there is none."""
    norm = facts.norm_of(config.norm)
    trained = facts.epsilon if facts.norm == norm else None
    conventional = info.conventional(norm) if info else None
    return config.budget(norm, trained=trained, conventional=conventional)


def _card(folder: Path) -> Mapping[str, Any]:
    try:
        return read_json(folder / CARD)
    except (InputError, MissingError):
        return {}


def _section(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = card.get(name)
    return found if isinstance(found, dict) else {}
