"""Whether the lowest of several shares, or the highest of several counts, is more than the luck of
having looked at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from cdp.statistics.holm import holm
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.values.text import listed

ALPHA = 0.05


def weakest(hits: Sequence[int], images: Sequence[int]) -> tuple[int, list[int]]:
    """The place of the lowest share hits/images, and those of the shares that cannot be told from
    it: Fisher's exact test against each other one, two-sided, adjusted by Holm over all of them.
    images: at least 1 each."""
    from scipy.stats import fisher_exact

    low = min(range(len(hits)), key=lambda place: hits[place] / images[place])
    others = [place for place in range(len(hits)) if place != low]
    mine = [hits[low], images[low] - hits[low]]
    p = [
        min(1.0, float(fisher_exact([mine, [hits[place], images[place] - hits[place]]])[1]))
        for place in others
    ]
    return low, [
        place
        for place, adjusted in zip(others, holm(p), strict=True)
        if adjusted is not None and adjusted > ALPHA
    ]


def weakest_words(
    names: Sequence[str], hits: Sequence[int], images: Sequence[int], *, most: int = 3
) -> tuple[int, str]:
    """The place of the weakest class, and what has to be known with it: that it rests on too few
    images, or which classes cannot be told from it; "" where it stands alone."""
    low, rivals = weakest(hits, images)
    if images[low] < LEAST_A_CLASS:
        return low, f"{FEW}, so no class is called weaker than another"
    if not rivals:
        return low, ""
    named = sorted(rivals, key=lambda place: hits[place] / images[place])
    return (
        low,
        (
            f"{listed((names[place] for place in named), most)} cannot be told from it (Fisher, corrected by Holm for {len(names) - 1}"
            " classes)"
        ),
    )


def most_frequent(counts: np.ndarray) -> tuple[int, int]:
    """The place of the highest of m counts, and how many of the others cannot be told from it:
    given their sum, either is as likely (binomial test, two-sided), adjusted by Holm over all of
    them."""
    flat = counts.ravel()
    top = int(flat.argmax())
    others = np.delete(flat, top)
    from scipy.stats import binomtest

    @cache
    def against(other: int) -> float:
        total = int(flat[top]) + other
        return float(binomtest(int(flat[top]), total).pvalue) if total else 1.0

    adjusted = holm([against(int(other)) for other in others])
    return top, sum(p is not None and p > ALPHA for p in adjusted)
