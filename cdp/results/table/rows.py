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
from cdp.config.train import TrainConfig, attack_steps_of, step_size_of
from cdp.data.catalog import CATALOG
from cdp.results.table.labels import Labels
from cdp.results.table.reached import Reached, positive, share, whole
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
    unknown. epoch, clean, robust: of the last validation, accuracies in 0..1 on ``n`` images, an
    estimate; best_*: of the best validation. seconds: of training, over all starts. group: equal
    for runs that differ in their seed only. steps, images_seen: optimiser steps taken and images
    seen in them, None unknown. evaluated: by the strongest attack, then most images, then newest,
    at the budget trained for; None without one.
    """

    id: str
    folder: Path
    name: str
    state: State
    created: float
    started: float | None
    ended: float | None
    seed: int | None
    settings: Mapping[str, Any]
    resolved: Mapping[str, Any]
    synthetic_images: int | None
    epoch: int
    clean: float | None
    robust: float | None
    best_epoch: int
    best_clean: float | None
    best_robust: float | None
    n: int
    seconds: float | None
    labels: Labels
    group: str
    steps: int | None
    images_seen: int | None
    evaluated: Evaluated | None
    error: str | None
    notice: str | None

    @cached_property
    def words(self) -> str:
        """What a search for words looks through, in lower case."""
        names = [self.settings.get(name) or "" for name in ("method", "architecture", "dataset")]
        data = [Path(name).name for name in (names.pop(), *self.settings.get("synthetic", ()))]
        told = [
            self.name,
            self.id,
            self.state,
            *self.labels.tags,
            self.labels.note,
            *names,
            *data,
            f"seed {self.seed}",
        ]
        return " ".join(told).lower()


def row_of(run: Run, labels: Labels, reached: Reached, card: Mapping[str, Any]) -> Row:
    """The line of one training, not evaluated yet. card: of its best weights, {} where there is
    none or it was not needed (``wants_card``)."""
    config = run.config if isinstance(run.config, TrainConfig) else None
    settings: dict[str, Any] = config.model_dump(mode="json") if config else {}
    resolved = settings | _automatic(config, _budget(config, reached, card)) if config else {}
    return Row(
        run.id,
        run.folder,
        run.name,
        run.state,
        run.created,
        run.started,
        run.ended,
        config.seed if config else None,
        settings,
        resolved,
        _synthetic_images(config, card),
        reached.epoch,
        reached.clean,
        reached.robust,
        reached.best_epoch,
        reached.best_clean,
        reached.best_robust,
        reached.n,
        reached.seconds,
        labels,
        _group(settings, run.id),
        reached.steps,
        reached.images_seen,
        None,
        run.error,
        run.notice,
    )


def with_evaluation(row: Row, evaluations: Sequence[Evaluated]) -> Row:
    """The row with the strongest of its evaluations under the threat trained for: figures of
    another would look like those of another run."""
    fitting = [one for one in evaluations if _same_threat(row, one.config)]
    return replace(row, evaluated=max(fitting, key=lambda one: one.strength)) if fitting else row


def wants_card(run: Run, reached: Reached) -> bool:
    """Whether the card of the best weights says something that is known from nowhere else."""
    config = run.config
    return isinstance(config, TrainConfig) and (
        bool(config.synthetic) or _budget(config, reached, {}) is None
    )


def evaluated_of(run: Run) -> Evaluated | None:
    """What an evaluation says of a training as a whole; None where it is not finished, or is of
    other weights or images."""
    config, result = run.config, run.result
    if (
        run.state != "finished"
        or result is None
        or not isinstance(config, EvaluateConfig)
        or not config.model.startswith(RUN)
    ):
        return None
    robust, label = share(result.get("robust_accuracy")), result.get("label")
    if robust is None or not isinstance(label, str) or config.weights == "last" or config.part:
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


def _budget(config: TrainConfig, reached: Reached, card: Mapping[str, Any]) -> float | None:
    """The radius trained for; None where it was left to a data set that is not built in, and no
    epoch is finished."""
    training = card.get("training")
    told = training.get("epsilon") if isinstance(training, dict) else None
    info = CATALOG.get(config.dataset)
    found = (
        config.epsilon,
        reached.epsilon,
        positive(told),
        info.conventional(config.norm) if info else None,
    )
    return next((value for value in found if value is not None), None)


def _automatic(config: TrainConfig, budget: float | None) -> dict[str, Any]:
    step = config.step_size if budget is None else step_size_of(config, budget)
    return {"epsilon": budget, "attack_steps": attack_steps_of(config), "step_size": step}


def _synthetic_images(config: TrainConfig | None, card: Mapping[str, Any]) -> int | None:
    if config is not None and not config.sets:
        return 0
    training = card.get("training")
    told = training.get("synthetic_images") if isinstance(training, dict) else None
    return whole(told) if type(told) is int else None


def _group(settings: Mapping[str, Any], run_id: str) -> str:
    """A short name for all settings but the seed; a run without settings is alone."""
    same = (
        json.dumps({name: value for name, value in settings.items() if name != "seed"})
        if settings
        else run_id
    )
    return hashlib.blake2b(same.encode(), digest_size=6).hexdigest()
