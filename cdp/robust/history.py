"""The validations of a robust training so far: their metrics, and what its health is read from
beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from cdp.robust.validation import Validation
from cdp.values.types import EpochMetrics

_FIELDS = tuple((field.name, field.type == "int") for field in fields(EpochMetrics))
_EVERY_EPOCH = 18
"""Fields of the states of before, when every epoch was validated and told nothing of points and
steps in all."""


@dataclass(frozen=True)
class Checked:
    """One validation. top_share: of the clean predictions on validation images that name the most
    named class, in 0..1; drop: by how many standard errors fewer of these images are robust than at
    the best so far (paired by image, McNemar), 0 at it."""

    metrics: EpochMetrics
    top_share: float
    drop: float


class History(Sequence[Checked]):
    """The validations so far, and which images were robust at the best of them."""

    def __init__(self) -> None:
        self._points: list[Checked] = []
        self._right = np.empty(0, bool)

    def __len__(self) -> int:
        return len(self._points)

    @overload
    def __getitem__(self, index: int) -> Checked: ...
    @overload
    def __getitem__(self, index: slice) -> list[Checked]: ...
    def __getitem__(self, index: int | slice) -> Checked | list[Checked]:
        return self._points[index]

    def __iter__(self) -> Iterator[Checked]:
        return iter(self._points)

    @property
    def best(self) -> EpochMetrics | None:
        """That of highest robust accuracy; of equal ones that of higher clean accuracy, then the
        later."""
        return (
            self._points[self._points[-1].metrics.best_point - 1].metrics if self._points else None
        )

    def add(self, checked: Validation, classes: int, **known: Any) -> EpochMetrics:
        """Complete the metrics of the next point by its validation. known: all other fields of
        EpochMetrics."""
        robust, clean, point = (
            float(checked.robust.mean()),
            float(checked.clean.mean()),
            len(self) + 1,
        )
        best = self.best
        if best is None or (robust, clean) >= (best.robust_accuracy, best.clean_accuracy):
            self._right = checked.robust
            at = {
                "best_point": point,
                "best_epoch": known["epoch"],
                "best_step": known["step"],
                "best_robust": robust,
                "best_clean": clean,
            }
        else:
            at = {
                name: getattr(self[-1].metrics, name)
                for name in ("best_point", "best_epoch", "best_step", "best_robust", "best_clean")
            }
        metrics = EpochMetrics(
            **known,
            **at,
            clean_accuracy=clean,
            robust_accuracy=robust,
            n=len(checked.robust),
            point=point,
        )
        top = np.bincount(checked.predicted_clean, minlength=classes).max() / len(
            checked.predicted_clean
        )
        self._points.append(Checked(metrics, float(top), paired_drop(self._right, checked.robust)))
        return metrics

    def state(self) -> dict[str, Tensor]:
        """As flat tensors, exactly."""
        rows = [
            [*(float(getattr(e.metrics, name)) for name, _ in _FIELDS), e.top_share, e.drop]
            for e in self._points
        ]
        table = torch.tensor(rows, dtype=torch.float64).view(len(rows), len(_FIELDS) + 2)
        return {"history": table, "right": torch.from_numpy(self._right.astype(np.uint8))}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what ``state`` gave."""
        self._points = []
        for *row, top_share, drop in state["history"].tolist():
            values = {
                name: int(value) if whole else value
                for (name, whole), value in zip(_FIELDS, row, strict=False)
            }
            if len(row) == _EVERY_EPOCH:
                values |= self._of_epoch(values)
            self._points.append(Checked(EpochMetrics(**values), top_share, drop))
        self._right = state["right"].numpy().astype(bool)

    def _of_epoch(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What a state of before leaves out of an epoch."""
        best, per_epoch = values["best_epoch"], values["step"] // values["epoch"]
        clean = (
            self[best - 1].metrics.clean_accuracy
            if best < values["epoch"]
            else values["clean_accuracy"]
        )
        return {
            "point": values["epoch"],
            "steps": values["epochs"] * per_epoch,
            "best_point": best,
            "best_step": best * per_epoch,
            "best_clean": clean,
        }


def paired_drop(before: np.ndarray, now: np.ndarray) -> float:
    """Standard errors by which fewer images are right now: (lost - won) / sqrt(lost + won) (McNemar
    1947). Both (n,) bool."""
    lost, won = int((before & ~now).sum()), int((now & ~before).sum())
    return (lost - won) / float(np.sqrt(lost + won)) if lost + won else 0.0
