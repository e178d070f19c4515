"""Two networks on the same images: McNemar's test."""

from __future__ import annotations

import numpy as np

from cdp.errors import InputError
from cdp.statistics.seeds import Test
from cdp.statistics.shares import share_difference


def mcnemar(first: np.ndarray, second: np.ndarray, *, level: float = 0.95) -> Test:
    """McNemar's test (1947) of ``second`` minus ``first``, exact and two-sided: right or not (n,)
    bool, the same n >= 1 images in one order.

    Among images that one of the two gets right and the other does not, either is as likely where
    the two are equally good; without any such image p is 1. The interval is that of
    ``share_difference``, whose level is approximate, so that near the border it and p can disagree.
    It speaks of these two networks: other seeds of the same method vary too.
    """
    for name, part in (("first", first), ("second", second)):
        if part.dtype != np.bool_:
            raise InputError(
                f"{name} holds {part.dtype}: pass True for an image that is right and False for one"
                " that is not"
            )
    from scipy.stats import binomtest

    difference = share_difference(second, first, level=level)
    gains, losses = int((second & ~first).sum()), int((first & ~second).sum())
    p = float(binomtest(gains, gains + losses).pvalue) if gains + losses else 1.0
    return Test(difference, p, f"McNemar, {len(first):,} shared images", len(first))
