"""The epochs a robust training has done: their metrics, and what its health is read from beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from cdp.robust.validation import Validation
from cdp.types import EpochMetrics

_FIELDS = tuple((field.name, field.type == "int") for field in fields(EpochMetrics))


@dataclass(frozen=True)
class Epoch:
    """One epoch. top_share: of the clean predictions on validation images that name the most named class, in 0..1; drop: by how
    many standard errors fewer of these images are robust than at the best epoch so far (paired by image, McNemar), 0 at it."""

    metrics: EpochMetrics
    top_share: float
    drop: float


class History(Sequence[Epoch]):
    """The epochs so far, and which validation images were robust at the best of them."""

    def __init__(self) -> None:
        self._epochs: list[Epoch] = []
        self._right = np.empty(0, bool)

    def __len__(self) -> int:
        return len(self._epochs)

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Epoch]: ...
    def __getitem__(self, index: int | slice) -> Epoch | list[Epoch]:
        return self._epochs[index]

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self._epochs)

    @property
    def best(self) -> EpochMetrics | None:
        """The first epoch of highest robust accuracy."""
        return self._epochs[self._epochs[-1].metrics.best_epoch - 1].metrics if self._epochs else None

    def add(self, checked: Validation, classes: int, **known: Any) -> EpochMetrics:
        """Complete the metrics of the next epoch by its validation. known: all other fields of EpochMetrics."""
        robust = float(checked.robust.mean())
        before = self.best
        best = before is None or robust > before.robust_accuracy
        if best:
            self._right = checked.robust
        metrics = EpochMetrics(
            **known, clean_accuracy=float(checked.clean.mean()), robust_accuracy=robust, n=len(checked.robust),
            best_epoch=known["epoch"] if before is None or best else before.epoch,
            best_robust=robust if before is None or best else before.robust_accuracy,
        )  # fmt: skip
        top = np.bincount(checked.predicted_clean, minlength=classes).max() / len(checked.predicted_clean)
        self._epochs.append(Epoch(metrics, float(top), paired_drop(self._right, checked.robust)))
        return metrics

    def state(self) -> dict[str, Tensor]:
        """As flat tensors, exactly."""
        rows = [[*(float(getattr(e.metrics, name)) for name, _ in _FIELDS), e.top_share, e.drop] for e in self._epochs]
        table = torch.tensor(rows, dtype=torch.float64).view(len(rows), len(_FIELDS) + 2)
        return {"history": table, "right": torch.from_numpy(self._right.astype(np.uint8))}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what ``state`` gave."""
        self._epochs = []
        for row in state["history"].tolist():
            values = {name: int(value) if whole else value for (name, whole), value in zip(_FIELDS, row[:-2], strict=True)}
            self._epochs.append(Epoch(EpochMetrics(**values), row[-2], row[-1]))
        self._right = state["right"].numpy().astype(bool)


def paired_drop(before: np.ndarray, now: np.ndarray) -> float:
    """Standard errors by which fewer images are right now: (lost - won) / sqrt(lost + won) (McNemar 1947). Both (n,) bool."""
    lost, won = int((before & ~now).sum()), int((now & ~before).sum())
    return (lost - won) / float(np.sqrt(lost + won)) if lost + won else 0.0
