"""Sample efficiency: how many synthetic images one arm takes to equal another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cdp.errors import InputError, MissingError
from cdp.statistics.shares import Values, finite, proper

Arm = Mapping[int, Values]
LEAST_SEEDS = 3
"""Seeds at every count from which on there is an interval: of nominal 95 % intervals of two, 90 %
cover."""
_DIGITS = 12
"""Accuracies that agree up to here are equal: the rest is rounding."""


@dataclass(frozen=True)
class Equality:
    """At how many synthetic images an arm equals another one's accuracy.

    estimate: None outside the counts it was trained with, ``fewest`` to ``most``; side: where it
    lies. low, high: bounds of the interval, None where that bound lies outside those counts, or
    where there is no interval. reached: share of bootstrap draws that lie inside; above: share of
    those that ask for more than ``most`` images; without an interval both are 1 or 0, as the
    estimate has it. seeds: the fewest at any count used; with fewer than ``LEAST_SEEDS`` somewhere
    there is no interval, nor without ``spread``, where all seeds of every count agree.
    """

    estimate: float | None
    low: float | None
    high: float | None
    reached: float
    side: Literal["inside", "fewer", "more"]
    above: float
    fewest: int
    most: int
    seeds: int
    level: float
    spread: bool = True


def equal_count(
    first: Arm, second: Arm, count: int, *, level: float = 0.95, n_boot: int = 2000, seed: int = 0
) -> Equality:
    """The fewest synthetic images with which ``second`` equals the mean accuracy of ``first`` at
    ``count`` images.

    first, second: robust accuracies, one a seed, by number of synthetic images (0 allowed: none);
    ``second`` at two counts or more. Its means become a curve that never falls (isotonic
    regression, weighted by seeds), straight in the logarithm of the count between trained counts,
    and straight in the count itself between 0 and the smallest other. Nothing is extrapolated.

    Interval: percentile bootstrap over seeds, within each count. Where all lists are as long as
    each other they are taken to name the same seeds in the same order and are resampled together,
    which is also valid where they are not. A resample of n seeds varies less than n new seeds, so
    its deviation from the mean is widened by sqrt(n / (n - 1)) and by Student's over the normal
    quantile, the factor of Hesterberg's (2015) expanded percentile interval, put on the deviation
    because resamples of three seeds have no finer levels. Of nominal 95 % intervals of normal seeds
    93 to 97 % cover from 3 seeds a count on, and more where lists differ in length. Fewer seeds at
    any count used leave the interval unknown, and so do seeds that all agree.
    """
    proper("level", level)
    if n_boot < 2:
        raise InputError(f"n_boot is {n_boot}: draw at least 2 resamples, better 2,000")
    if count not in first:
        raise MissingError(
            f"the first arm has no runs with {count} synthetic images: choose one of"
            f" {sorted(first)}"
        )
    if len(second) < 2 or min(second) < 0:
        raise InputError(
            f"the second arm was trained with {sorted(second)} synthetic images: pass two counts or"
            " more, from 0 up"
        )
    counts = sorted(second)
    goal = finite(f"first at {count} images", first[count])
    parts = [goal, *(finite(f"second at {k} images", second[k]) for k in counts)]
    seeds = [len(part) for part in parts]
    estimate = _equal(np.array([part.mean() for part in parts]), counts, seeds[1:])
    draws, low, high = np.array([estimate]), -np.inf, np.inf
    spread = any(float(np.ptp(part)) > 0 for part in parts)
    if min(seeds) >= LEAST_SEEDS and spread:
        means = _resampled(parts, level, n_boot, seed)
        draws = np.array([_equal(row, counts, seeds[1:]) for row in means])
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return Equality(
        estimate=_inside(estimate),
        low=_inside(low),
        high=_inside(high),
        reached=float(np.isfinite(draws).mean()),
        side="more" if estimate == np.inf else "fewer" if estimate == -np.inf else "inside",
        above=float((draws == np.inf).mean()),
        fewest=counts[0],
        most=counts[-1],
        seeds=min(seeds),
        level=level,
        spread=spread,
    )


def equality_sentence(
    first_name: str,
    second_name: str,
    count: int,
    equality: Equality,
    what: str = "synthetic images",
) -> str:
    """``equal_count``'s answer in one sentence: the estimate, its interval, and what lies outside
    the trained counts. what: the second counts."""
    goal = f"{first_name} {f'with {count:,}' if count else 'without any'}"
    average = "it was trained with, is on average"
    if equality.estimate is not None:
        said = f"with about {_about(equality.estimate)} {what} equals {goal}"
    elif equality.side == "more":
        said = f"with {equality.most:,} {what}, the most {average} still below {goal}"
    elif equality.fewest:
        said = f"with {equality.fewest:,} {what}, the fewest {average} already above {goal}"
    else:
        said = f"without synthetic images is on average already above {goal}"
    return f"{second_name} {said}; {_bounds(equality)}."


def _bounds(equality: Equality) -> str:
    """The interval in words, or why there is none."""
    fewest, most, seeds = equality.fewest, equality.most, equality.seeds
    if seeds < LEAST_SEEDS:
        few = "a single seed" if seeds < 2 else f"{seeds} seeds"
        return f"{few} at one of the counts gives no interval: it takes {LEAST_SEEDS}"
    if not equality.spread:
        return "seeds agree at every count, so there is no interval"
    outside = (1 + equality.level) / 2
    if equality.above > outside:
        where = f"wholly above {most:,}"
    elif 1 - equality.reached - equality.above >= outside:
        where = f"wholly below {fewest:,}" if fewest else "wholly at 0"
    else:
        low = _about(equality.low, f"below {fewest:,}" if fewest else "0")
        where = f"{low} to {_about(equality.high, f'above {most:,}')}"
    return f"{100 * equality.level:g} % interval {where}, at least {seeds} seeds a count"


def _about(count: float | None, outside: str = "") -> str:
    """Three leading digits: no interval supports more. outside: where the count is unknown."""
    return outside if count is None else f"{round(float(f'{count:.3g}')):,}"


def _inside(count: float) -> float | None:
    return float(count) if np.isfinite(count) else None


def _equal(means: np.ndarray, counts: Sequence[int], seeds: Sequence[int]) -> float:
    """means: goal, then those of the curve at ``counts`` -> the first count where the curve, made
    never to fall, equals the goal. -inf where it starts above the goal, inf where it ends below."""
    from scipy.optimize import isotonic_regression

    goal = round(means[0], _DIGITS)
    curve = isotonic_regression(means[1:], weights=np.array(seeds, float)).x.round(_DIGITS)
    if goal < curve[0]:
        return -np.inf
    if goal > curve[-1]:
        return np.inf
    after = int(np.searchsorted(curve, goal, side="left"))
    if after == 0:
        return float(counts[0])
    before, share = counts[after - 1], (goal - curve[after - 1]) / (curve[after] - curve[after - 1])
    if before == 0:
        return float(counts[after] * share)
    return float(before * (counts[after] / before) ** share)


def _resampled(parts: Sequence[np.ndarray], level: float, n_boot: int, seed: int) -> np.ndarray:
    """(n_boot, len(parts)) means of resampled seeds, with their deviations widened."""
    from scipy.stats import norm, t

    rng, sizes = np.random.default_rng(seed), [len(part) for part in parts]
    together = rng.integers(0, sizes[0], (n_boot, sizes[0])) if len(set(sizes)) == 1 else None
    columns = []
    for n, part in zip(sizes, parts, strict=True):
        rows = rng.integers(0, n, (n_boot, n)) if together is None else together
        wider = (n / (n - 1)) ** 0.5 * t.ppf((1 + level) / 2, n - 1) / norm.ppf((1 + level) / 2)
        columns.append(part.mean() + wider * (part[rows].mean(1) - part.mean()))
    return np.stack(columns, 1)
