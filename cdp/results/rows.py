"""A training as a line of the run table: its settings, what it has reached, what a person says of
it, and its evaluation that counts."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cdp.config.choices import suite_rank
from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.train import TrainConfig
from cdp.results.labels import Labels
from cdp.results.reached import Reached, share, trained_budget, whole
from cdp.work.records import Run, State

"""From the weakest to the strongest."""
_LONGEST_LABEL = 200


@dataclass(frozen=True)
class Evaluated:
    """A finished evaluation of the best weights of training ``run`` on test images. label: how its
    number has to be called wherever it stands; robust, clean: shares of n images; created: unix
    time; config: its settings."""

    id: str
    run: str
    label: str
    suite: str
    robust: float
    clean: float | None
    n: int
    created: float
    config: EvaluateConfig

    @property
    def strength(self) -> tuple[int, int, float, str]:
        """More is to be preferred: the stronger suite, then more images, then the newer one."""
        return suite_rank(self.suite), self.n, self.created, self.id


@dataclass(frozen=True)
class Row:
    """One training. created, started, ended: unix times, the last two of its last start.

    settings: JSON-ready, flat, as they were given; {} where they cannot be read, and then ``error``
    says why. resolved: the same with those that were left automatic filled in as far as they are
    known (epsilon, attack_steps, step_size). synthetic_images: in the sets trained on, None
    unknown. group: equal for runs that differ in their seed only. evaluated: by the strongest
    attack, then most images, then newest, at the budget trained for; None without one.
    """

    id: str
    folder: Path
    name: str
    state: State
    created: float
    started: float | None
    ended: float | None
    error: str | None
    notice: str | None
    seed: int | None
    settings: Mapping[str, Any]
    resolved: Mapping[str, Any]
    synthetic_images: int | None
    group: str
    reached: Reached
    labels: Labels
    evaluated: Evaluated | None = None

    @cached_property
    def words(self) -> str:
        """What a search for words looks through, in lower case."""
        value = self.settings.get
        parts = [self.name, self.id, self.state, *self.labels.tags, self.labels.note]
        parts += [value("method") or "", value("architecture") or ""]
        parts += [Path(name).name for name in (value("dataset") or "", *value("synthetic", ()))]
        return " ".join([*parts, f"seed {self.seed}"]).lower()


def row_of(run: Run, labels: Labels, reached: Reached, card: Mapping[str, Any]) -> Row:
    """The line of one training, not evaluated yet. card: of its best weights, {} where there is
    none or it was not needed (``wants_card``)."""
    config = run.config if isinstance(run.config, TrainConfig) else None
    settings: dict[str, Any] = config.model_dump(mode="json") if config else {}
    automatic = _automatic(config, trained_budget(config, reached, card)) if config else {}
    return Row(
        run.id,
        run.folder,
        run.name,
        run.state,
        run.created,
        run.started,
        run.ended,
        run.error,
        run.notice,
        config.seed if config else None,
        settings,
        settings | automatic,
        _synthetic_images(config, card),
        group_of(run),
        reached,
        labels,
    )


def with_evaluation(row: Row, evaluations: Sequence[Evaluated]) -> Row:
    """The row with the strongest of its evaluations under the threat trained for: figures of
    another would look like those of another run."""
    fitting = [each for each in evaluations if _same_threat(row, each.config)]
    return replace(row, evaluated=max(fitting, key=lambda each: each.strength)) if fitting else row


def wants_card(run: Run, reached: Reached) -> bool:
    """Whether the card of the best weights says something that is known from nowhere else."""
    config = run.config
    return isinstance(config, TrainConfig) and (
        bool(config.synthetic) or trained_budget(config, reached) is None
    )


def evaluated_of(run: Run) -> Evaluated | None:
    """What an evaluation says of a training as a whole; None where it is not finished, or is of
    other weights or images."""
    config, result = run.config, run.result
    if run.state != "finished" or result is None or not isinstance(config, EvaluateConfig):
        return None
    if not config.model.startswith(RUN) or config.weights == "last" or config.part:
        return None
    robust, label = share(result.get("robust_accuracy")), result.get("label")
    if robust is None or not isinstance(label, str):
        return None
    return Evaluated(
        run.id,
        config.model.removeprefix(RUN),
        label[:_LONGEST_LABEL],
        config.attack,
        robust,
        share(result.get("clean_accuracy")),
        whole(result.get("n")),
        run.created,
        config,
    )


def _same_threat(row: Row, config: EvaluateConfig) -> bool:
    trained, budget = row.resolved.get, row.resolved.get("epsilon")
    same_budget = config.epsilon is None or (
        budget is not None and math.isclose(config.epsilon, budget, rel_tol=1e-6)
    )
    return (
        config.norm in ("trained", trained("norm"))
        and config.dataset in ("", trained("dataset"))
        and same_budget
    )


def _automatic(config: TrainConfig, budget: float | None) -> dict[str, Any]:
    step = config.step_size if budget is None else config.pgd_step_size(budget)
    return {"epsilon": budget, "attack_steps": config.pgd_steps, "step_size": step}


def _synthetic_images(config: TrainConfig | None, card: Mapping[str, Any]) -> int | None:
    if config is not None and not config.sets:
        return 0
    training = card.get("training")
    count = training.get("synthetic_images") if isinstance(training, dict) else None
    return whole(count) if type(count) is int else None


def group_of(run: Run) -> str:
    """A short name for all settings but the seed: equal for trainings that differ in their seed
    only. Any other run, and one without settings, is alone."""
    text = run.id
    if isinstance(run.config, TrainConfig):
        text = json.dumps(run.config.model_dump(mode="json", exclude={"seed"}))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
