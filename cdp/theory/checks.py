"""What the model asks of its numbers; each refusal names the argument and the remedy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cdp.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NORMS = ("linf", "l2")


def vector(name: str, value: object) -> Floats:
    """A (d,) vector of d >= 1 finite numbers -> the same as float64."""
    array = numbers(name, value)
    if array.ndim != 1 or not array.size:
        raise InputError(f"{name} has shape {array.shape}: pass a vector (d,) with d of 1 or more")
    return array


def numbers(name: str, value: object) -> Floats:
    """Finite numbers in any shape -> the same as float64."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(
            f"{name} has rows of different lengths: pass an array of numbers"
        ) from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} is no array of real numbers (type {array.dtype}): pass floats")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinity: pass finite numbers")
    return array


def number(name: str, value: object) -> float:
    """One finite number."""
    array = numbers(name, value)
    if array.ndim:
        raise InputError(f"{name} has shape {array.shape}: pass one number")
    return float(array)


def positive(name: str, value: object) -> float:
    """One number above 0."""
    found = number(name, value)
    if found <= 0:
        raise InputError(f"{name} is {found:g}: pass a number above 0")
    return found


def budget(value: object) -> float:
    """An attack budget: 0 or more."""
    found = number("epsilon", value)
    if found < 0:
        raise InputError(f"epsilon is {found:g}: pass a budget of 0 or more")
    return found


def share(name: str, value: object, *, most: float) -> float:
    """A number from 0 to ``most``."""
    found = number(name, value)
    if not 0 <= found <= most:
        raise InputError(f"{name} is {found:g}: pass a number from 0 to {most:g}")
    return found


def norm_name(value: object) -> str:
    """ "linf" or "l2"."""
    if not isinstance(value, str) or value not in NORMS:
        raise InputError(f"norm {value!r} is unknown: choose linf or l2")
    return value


def sample_count(value: object) -> float:
    """A number of samples: whole and 1 or more, or infinity for the limit."""
    if isinstance(value, float) and math.isinf(value) and value > 0:
        return math.inf
    found = number("n", value)
    if found < 1 or found != math.floor(found):
        raise InputError(
            f"n is {found:g}: pass a whole number of samples of 1 or more, or math.inf for the"
            " limit"
        )
    return found
