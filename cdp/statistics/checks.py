"""What every function here asks of numbers and levels before it computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdp.errors import InputError

Values = Sequence[float] | np.ndarray


def finite(name: str, values: Values, *, least: int = 1) -> np.ndarray:
    """values as (n,) float64. Raises InputError where they are fewer than ``least``, not in one
    row, or not finite."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) < least:
        raise InputError(f"{name} has shape {found.shape}: pass a row of at least {least}")
    if not np.isfinite(found).all():
        raise InputError(
            f"{name} holds values that are not finite: leave out seeds without a result"
        )
    return found


def share_of(name: str, value: float) -> float:
    """value, a number strictly between 0 and 1. Raises InputError otherwise."""
    if not 0 < value < 1:
        raise InputError(f"{name} is {value}: choose a number between 0 and 1, such as 0.95")
    return value
