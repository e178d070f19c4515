"""What every metric asks of its input; each refusal names the argument and the remedy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cdp.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class UndefinedError(InputError):
    """The input is sound, but the figure does not exist for it: one class, one image a class,
    features that never vary."""


def feature_rows(
    name: str, features: np.ndarray, *, at_least: int = 1, width: int | None = None
) -> Floats:
    """features: (n, d) finite numbers, n >= at_least, d = width where given -> the same as
    float64."""
    rows = np.asarray(features)
    if rows.ndim != 2 or rows.shape[1] == 0 or rows.dtype.kind not in "fiu":
        raise InputError(
            f"{name} has shape {rows.shape} and type {rows.dtype}: pass rows of numbers (n, d)"
        )
    if width is not None and rows.shape[1] != width:
        raise InputError(
            f"{name} has {rows.shape[1]} features a row where {width} are expected: take both from"
            " the same encoder"
        )
    if len(rows) < at_least:
        raise UndefinedError(f"{name} has {len(rows)} rows: at least {at_least} are needed")
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows)).any(axis=1).argmax())
        raise InputError(
            f"{name} has NaN or infinity in row {bad}: the encoder failed on that image, so leave"
            " it out"
        )
    return rows.astype(np.float64, copy=False)


def class_numbers(name: str, labels: np.ndarray, count: int) -> Ints:
    """labels: (count,) integers -> the same as int64."""
    numbers = np.asarray(labels)
    if numbers.shape != (count,) or numbers.dtype.kind not in "iu":
        raise InputError(
            f"{name} has shape {numbers.shape} and type {numbers.dtype}: pass {count} integer class"
            " numbers"
        )
    return numbers.astype(np.int64, copy=False)
