"""What became of every image under the models that are compared: each file read once, and only
believed where it fits its report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.errors import InputError
from cdp.results.comparing.numbers import Number
from cdp.values.comparison import Metric
from cdp.values.evaluation_files import OUTCOMES, read_outcomes

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Images:
    """Per image, (n,): rows, label int64; clean, robust bool, right without and under every
    attack."""

    rows: np.ndarray
    label: np.ndarray
    clean: np.ndarray
    robust: np.ndarray

    def right(self, metric: Metric) -> np.ndarray:
        """(n,) bool."""
        return self.robust if metric == "robust" else self.clean

    def same_images(self, other: Images) -> bool:
        """Whether image i of both is the same one."""
        return np.array_equal(self.rows, other.rows) and np.array_equal(self.label, other.label)


class OutcomeReader:
    """Outcomes of evaluations. notes: what could not be used, one sentence each."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._read: dict[str, Images | None] = {}

    def of(self, number: Number) -> Images | None:
        """The images behind a number; None for validation, and where they are gone or damaged."""
        if number.folder is None:
            return None
        if number.evaluation not in self._read:
            try:
                self._read[number.evaluation] = _images(number)
            except InputError as error:
                self._read[number.evaluation] = None
                self.notes.append(
                    f"Images of evaluation {number.evaluation} are left out: {error}."
                )
        return self._read[number.evaluation]


def _images(number: Number) -> Images | None:
    """Raises InputError where the file is not that of the report."""
    if number.folder is None or number.report is None:
        return None
    path = number.folder / OUTCOMES
    outcomes, main = read_outcomes(path), number.report.main
    one = outcomes.of.get(main.which)
    if one is None or len(outcomes.rows) != number.setting.n:
        raise InputError(f"{path} does not belong to its report: evaluate again")
    found = Images(outcomes.rows, outcomes.label, one.clean == outcomes.label, one.robust)
    for right, share in ((found.clean, main.clean), (found.robust, main.robust)):
        if not abs(float(right.mean()) - share.value) <= _ROUNDING:
            raise InputError(
                f"{path} does not belong to its report (other accuracies): evaluate again"
            )
    return found
