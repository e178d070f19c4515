"""Looking at paired differences again after every seed without more false findings: the level of
each look at which all looks together err as seldom as asked.

The smallest p value of paired t tests over n = first..last pairs has a distribution that depends on
neither mean 0's scale nor the metric, for normal differences; its quantile is the level of each
look (Pocock's rule, for t tests: Jennison and Turnbull, Group Sequential Methods, 2000, sections
2.4 and 11). Intervals at that level hold at all looks at once (repeated confidence intervals).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from cdp.errors import InputError
from cdp.statistics.shares import finite, proper
from cdp.statistics.significance import mean_interval
from cdp.values.types import Interval

_DRAWS = 40_000
"""Simulated sequences: the error rate of all looks is then within 0.3 points of the one asked
for."""


@lru_cache(maxsize=64)
def look_level(first: int, last: int, *, level: float = 0.95) -> float:
    """Confidence level of the interval at each of the looks after ``first``, ..., ``last`` pairs, so
    that all of them hold together with probability ``level``. One look has ``level`` itself."""
    proper("level", level)
    if not 2 <= first <= last:
        raise InputError(f"looks after {first} to {last} pairs: begin with 2 or more")
    if first == last:
        return level
    from scipy.stats import t

    rng = np.random.default_rng(0)
    draws = rng.standard_normal((_DRAWS, last))
    count = np.arange(1, last + 1)
    mean = np.cumsum(draws, 1) / count
    square = np.cumsum(draws**2, 1) - count * mean**2
    n = count[first - 1 :]
    error = np.sqrt(square[:, first - 1 :] / (n - 1) / n)
    p = 2 * t.sf(np.abs(mean[:, first - 1 :] / error), n - 1)
    return 1 - float(np.quantile(p.min(1), 1 - level))


def enough(
    differences: Sequence[float], precision: float, *, first: int, last: int, level: float = 0.95
) -> bool:
    """Whether paired differences of the seeds so far settle the question: their interval at this
    look is within +/- ``precision`` of the mean, or leaves out 0. first, last: when it is looked
    for the first and the last time."""
    interval = look_interval(differences, first=first, last=last, level=level)
    if interval is None:
        return False
    half = (interval.high - interval.low) / 2
    return half <= precision or interval.low > 0 or interval.high < 0


def look_interval(
    differences: Sequence[float], *, first: int, last: int, level: float = 0.95
) -> Interval | None:
    """Mean difference with the interval of this look; None before the first one."""
    row = finite("differences", differences, least=0)
    if len(row) < first:
        return None
    return mean_interval(row, level=look_level(first, max(first, last), level=level))
