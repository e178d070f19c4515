"""Several tests at once."""

from __future__ import annotations

from collections.abc import Sequence

from cdp.errors import InputError


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p values adjusted by Holm's step-down method (1979): rejecting those up to 0.05 errs anywhere
    in at most 5 of 100 such families.

    The k-th smallest of m is multiplied by m - k + 1, is no smaller than the one before it and at
    most 1. None, a test that could not be made, stays None and is not counted.
    """
    made = [p for p in p_values if p is not None]
    if not all(0 <= p <= 1 for p in made):
        raise InputError(f"p values {made} cannot be adjusted: pass numbers from 0 to 1, or None")
    adjusted, floor = list(p_values), 0.0
    ascending = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    for rank, (p, place) in enumerate(ascending):
        floor = max(floor, min(1.0, p * (len(made) - rank)))
        adjusted[place] = floor
    return adjusted
