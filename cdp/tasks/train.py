"""Robust training as a task: data, checkpoints, resume, classifiers, and an end with a reason."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import Any, cast

from torch import Tensor

from cdp.config.train import TrainConfig
from cdp.errors import Cancelled, Halted
from cdp.models.classifiers import Classifier, build_classifier
from cdp.models.encoders import save_encoder
from cdp.models.precision import lay_out, pick_device
from cdp.robust.training import RobustTrainer
from cdp.robust.validation import Checked, Diverged, TrainingProblem, guesses, problem
from cdp.tasks.estimate import learn
from cdp.tasks.train_data import TrainingInputs, prepare
from cdp.tasks.train_keep import (
    BEST,
    LAST,
    checkpoint_of,
    classifier_card,
    save_examples,
)
from cdp.values.types import NEVER_ROBUST, EpochMetrics
from cdp.work.checkpoint import Checkpoint
from cdp.work.cost import time_left
from cdp.work.session import Session

SAVE_SECONDS = 60.0
ENOUGH_STEPS = 50
"""Optimiser steps in one sitting from which their mean says what one costs."""

logger = logging.getLogger(__name__)


def train_run(config: TrainConfig, session: Session) -> dict[str, Any]:
    """Train to the end in the session's folder; returns the final record. Started again there, it
    goes on as if it had never stopped.

    A validation is a point of the session's journal, by number, once its files are in place. Raises
    Cancelled once stopped, with a checkpoint saved; Halted, with the record so far, where training
    diverged, labels collapsed or, if the config says so, robust overfitting set in; OSError where
    the disk does not take a file.
    """
    prepared = prepare(config)
    # Before the network: a run whose files cannot go on should say so at once.
    checkpoint = checkpoint_of(session.folder, config, prepared)

    def load(state: dict[str, Tensor]) -> RobustTrainer:
        trainer = _trainer(config, prepared)
        trainer.load(state)
        return trainer

    trainer = checkpoint.restore(load) or _trainer(config, prepared)
    if checkpoint.begun:
        session.cut(len(trainer.history))
    return _TrainingSitting(config, prepared, trainer, checkpoint, session).run()


def _trainer(config: TrainConfig, prepared: TrainingInputs) -> RobustTrainer:
    info = prepared.info
    net = build_classifier(
        config.architecture, classes=len(info.classes), shape=info.shape, seed=config.seed
    )
    return RobustTrainer(
        lay_out(net, pick_device()), prepared.data, config, epsilon=prepared.epsilon
    )


class _TrainingSitting:
    """One sitting of a training, from a start or resume to its end or stop."""

    def __init__(
        self,
        config: TrainConfig,
        prepared: TrainingInputs,
        trainer: RobustTrainer,
        checkpoint: Checkpoint,
        session: Session,
    ) -> None:
        self.config, self.prepared, self.trainer = config, prepared, trainer
        self.checkpoint, self.session = checkpoint, session
        self._noticed = False
        self._saved = self._began = time.monotonic()
        self._first, self._validating = trainer.step, 0.0

    def run(self) -> dict[str, Any]:
        """Train to the end; the final record."""
        self._progress(None)
        try:
            self._act()
            for metrics in self.trainer.run(self._on_step):
                self._finish(metrics)
        except Diverged as error:
            raise Halted(self._ended(str(error)), self._record(self._good())) from error
        self._learn()
        last = self.trainer.history[-1]
        if self._good() is not last:
            self._write(LAST, last.metrics)
        return self._record(last)

    def _progress(self, seconds_left: float | None) -> None:
        self.session.progress(
            self.trainer.step, self.trainer.total, unit="steps", seconds_left=seconds_left
        )

    def _learn(self) -> None:
        """What this sitting did cost is the estimate for the next one of its kind."""
        done, images = self.trainer.step - self._first, len(self.prepared.data.label)
        if done >= ENOUGH_STEPS:
            learn(
                self.config,
                self.prepared,
                step_seconds=self._pace(done),
                image_seconds=self.trainer.validation_seconds / images,
            )

    def _pace(self, done: int) -> float:
        """Seconds a step of this sitting, without validation."""
        return (time.monotonic() - self._began - self._validating) / done

    def _on_step(self, trainer: RobustTrainer) -> None:
        self._progress(self._seconds_left())
        if self.session.stop_requested():
            self._save()
            raise Cancelled(
                f"stopped at step {trainer.step} of {trainer.total}: resume it to go on"
            )
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._save()

    def _save(self) -> None:
        self.checkpoint.save(self.trainer.state())
        self._saved = time.monotonic()

    def _finish(self, metrics: EpochMetrics) -> None:
        """Files, then the journal, then the checkpoint: a kill costs one more validation."""
        self._validating += self.trainer.validation_seconds
        if metrics.best_point == metrics.point:
            self._write(BEST, metrics)
        if self._good() is self.trainer.history[-1]:
            self._write(LAST, metrics)
        save_examples(self.session.folder, self.trainer)
        self._point(metrics)
        self._save()
        self._act()

    def _point(self, metrics: EpochMetrics) -> None:
        values = dataclasses.asdict(metrics)
        self.session.point(values.pop("point"), values)
        logger.info(
            "step %d of %d, epoch %d of %d: loss %.4f, clean %.1f %%, robust %.1f %% of %d"
            " validation images",
            metrics.step,
            metrics.steps,
            metrics.epoch,
            metrics.epochs,
            metrics.loss,
            100 * metrics.clean_accuracy,
            100 * metrics.robust_accuracy,
            metrics.n,
        )

    def _act(self) -> None:
        """End or say what is wrong, or that it no longer is. Raises Halted."""
        history = self.trainer.history
        trouble = problem(
            history, classes=self.prepared.data.classes, epsilon=self.prepared.epsilon
        )
        if trouble and (trouble.kind == "collapse" or self.config.overfitting == "stop"):
            # Overfitted weights are sound, so the last ones are the last.
            last = self._good() if trouble.kind == "collapse" else history[-1]
            raise Halted(self._ended(trouble.sentence), self._record(last))
        self._tell(trouble)

    def _tell(self, trouble: TrainingProblem | None) -> None:
        if trouble:
            self.session.notice(trouble.sentence)
        elif self._noticed:
            self.session.notice(None)
        self._noticed = trouble is not None

    def _good(self) -> Checked | None:
        """The last validation that did more than guess; the last one where none did."""
        history = self.trainer.history
        good = (
            point for point in reversed(history) if not guesses(point, self.prepared.data.classes)
        )
        return next(good, history[-1] if len(history) else None)

    def _write(self, name: str, metrics: EpochMetrics) -> None:
        card = classifier_card(
            self.config, self.prepared, metrics, run_name=self.session.name, kept_as=name
        )
        save_encoder(self.session.folder / name, cast(Classifier, self.trainer.average), card)

    def _ended(self, reason: str) -> str:
        """The reason with what is left of the run."""
        best = self.trainer.history.best
        if best is None:
            return f"{reason} (nothing was validated yet)"
        if best.robust_accuracy == 0:
            return f"{reason} ({NEVER_ROBUST}: epoch {best.epoch}, which is kept)"
        return f"{reason} (the best epoch, {best.epoch}, is kept)"

    def _record(self, last: Checked | None) -> dict[str, Any]:
        """What the run has come to. last: the validation that ``last/`` holds."""
        history, config, trainer = self.trainer.history, self.config, self.trainer
        newest, best = history[-1].metrics if len(history) else None, history.best
        return {
            **_accuracies(newest),
            "epochs": -(-trainer.total // trainer.mixture.steps_per_epoch),
            "steps": trainer.step,
            "images_seen": trainer.step * config.batch,
            "best": _accuracies(best) | _remark(best),
            "last": _accuracies(last.metrics if last else None),
            "n": len(self.prepared.data.label),
            "epsilon": self.prepared.epsilon,
            "norm": config.norm,
            "attack": f"PGD-{config.validation_steps}",
            "seconds": round(self.trainer.seconds, 3),
        }

    def _seconds_left(self) -> float | None:
        """At the pace of this sitting; None before it has one."""
        trainer = self.trainer
        steps = time_left(
            time.monotonic() - self._began - self._validating,
            trainer.step - self._first,
            trainer.total - trainer.step,
        )
        return (
            None if steps is None else steps + trainer.validation_seconds * trainer.validations_left
        )


def _accuracies(metrics: EpochMetrics | None) -> dict[str, Any]:
    """Epoch and step 0 without accuracies where there is none."""
    if metrics is None:
        return {"epoch": 0, "step": 0, "clean_accuracy": None, "robust_accuracy": None}
    return {
        "epoch": metrics.epoch,
        "step": metrics.step,
        "clean_accuracy": metrics.clean_accuracy,
        "robust_accuracy": metrics.robust_accuracy,
    }


def _remark(best: EpochMetrics | None) -> dict[str, str]:
    """What has to be known of a best that withstood nothing."""
    return {"remark": NEVER_ROBUST} if best is not None and best.robust_accuracy == 0 else {}
