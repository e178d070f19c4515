"""Intervals of what is measured on images: by independent parts of the images, and closed forms for
independent answers.

Scores of images in one set depend on each other: the silhouette of one moves with every other
image, and a ball around one is as large as its neighbours allow. So nothing is resampled, which
would make duplicates, and single images are not left out, which counts what several images do
together several times over. The images are dealt at random into parts, generated and real ones
alike; the figure is taken again in each part; and as parts are independent, the scatter of those
values is that of the figure, at the size of a part. (Random groups: Mahalanobis 1946; Wolter 2007,
Ch. 2.) Figures that are smooth in sums over images leave groups of images out instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cdp.embedding.rows import Floats, UndefinedError, class_numbers
from cdp.errors import InputError
from cdp.statistics.shares import quantile_of, share_difference, wilson, wilson_bounds
from cdp.values.types import Interval

Scale = Literal["plain", "share", "ratio"]
"""How a figure varies, and how its interval lies about it: the same everywhere; as a share in [0,
1] does, by Wilson's score; in proportion to itself, evenly on logarithms."""
SAME = "it is the same in every part of the images, so they do not say how much it varies"


USUAL_RATE, LEAST_RATE = 0.6, 0.3
"""The variance of a mean of nearest distances falls with the number n of images as n to the power
of minus a rate: 1 where images are independent, 0.5 where a few at the edges of well separated
classes decide. Half of the rate is measured, and half is the usual one, as two variances of parts
say it badly."""


@dataclass(frozen=True)
class Estimate(Interval):
    """A figure with what its interval was made from, so that a difference can be made from it as
    well.

    moves: how far the figure of each part, or without each group, is from their mean, scaled so
    that squares sum to the variance of the figure of the whole; freedom: degrees of freedom of that
    variance; extra: further variance.
    """

    scale: Scale = "plain"
    moves: tuple[float, ...] = ()
    freedom: float = math.inf
    extra: float = 0.0

    @property
    def error(self) -> float:
        """Standard error; infinite where there is no interval."""
        return math.inf if self.note else math.sqrt(_squares(self.moves) + self.extra)


def estimate(
    value: float,
    parts: np.ndarray,
    n: int,
    *,
    scale: Scale = "plain",
    finer: np.ndarray | None = None,
    single: float = 0.0,
) -> Estimate:
    """A figure with its interval. parts: (times, G) the figure in each part; n: images of the set.

    The variance of the whole is that of a part over G. A share p varies as p (1 - p), and a ratio
    as its square. A share of 0 or 1 in every part has the variance of n independent answers. finer:
    (times, 2 G) the figure in parts of half the size, where its variance does not fall as 1 / n
    (Bertail, Politis and Romano 1999). single: variance of the scores of single images, where the
    figure's cannot be smaller. Raises UndefinedError where it does not exist in some part.
    """
    values = np.asarray(parts, np.float64)
    halves = values if finer is None else np.asarray(finer, np.float64)
    if not (np.isfinite(value) and np.isfinite(values).all() and np.isfinite(halves).all()):
        raise UndefinedError(
            f"{n} images are too few for an interval of this figure: generate more a class"
        )
    times, count = values.shape
    moves = (values - values.mean(axis=1, keepdims=True)) / math.sqrt(count * (count - 1) * times)
    middle, extra = float(values.mean()), 0.0
    if scale == "share":
        inner, outer = value * (1 - value), middle * (1 - middle)
        moves = moves * (math.sqrt(inner / outer) if outer > 0 else 1.0)
        if inner <= 0:
            around = (2 + value * n) / (n + 4)  # Agresti and Coull 1998
            extra = around * (1 - around) / n
    elif scale == "ratio" and value * middle > 0:
        moves = moves * (value / middle)
    elif finer is not None and min(variances := _variances(values, halves)) > 0:
        rate = (math.log2(variances[1] / variances[0]) + USUAL_RATE) / 2
        moves = moves * count ** ((1 - min(max(rate, LEAST_RATE), 1.0)) / 2)
    if 0 < (variance := _squares(moves.ravel())) < single / n:
        moves = moves * math.sqrt(single / n / variance)
    return _with_interval(float(value), n, moves.ravel(), times * (count - 1), scale, extra)


def or_value(make: Callable[[], Estimate], value: float, n: int) -> Estimate:
    """What ``made`` gives; the value without an interval, and why, where it is undefined."""
    try:
        return make()
    except UndefinedError as error:
        return without_interval(value, n, str(error))


def jackknife(
    value: float,
    without: Sequence[np.ndarray],
    n: int,
    *,
    together: np.ndarray | None = None,
    sizes: tuple[int, int] = (1, 1),
    scale: Scale = "plain",
) -> Estimate:
    """A smooth figure with the delete-a-group interval (Shao and Tu 1995, Sec. 2.3).

    without: for the set's images, and for the real ones, (G,) the figure without each group.
    together: (G, H) without a group of each side, of which there are sizes images: where two sets
    are alike, what two images do together is most of the variance, and leaving out counts it twice
    (Efron and Stein 1981).
    """
    sides = [np.asarray(side, np.float64) for side in without]
    if not (np.isfinite(value) and all(np.isfinite(side).all() for side in sides)):
        raise UndefinedError(
            f"{n} images are too few for an interval of this figure: generate more a class"
        )
    moves = np.concatenate(
        [math.sqrt((len(side) - 1) / len(side)) * (side - side.mean()) for side in sides]
    )
    variance = float(np.square(moves).sum())
    if together is not None and variance > 0:
        rows, columns = together.shape
        own = together - together.mean(axis=0) - together.mean(axis=1)[:, None] + together.mean()
        between = float(np.square(own).sum()) * (rows - 1) * (columns - 1) / (rows * columns)
        pairs = between * (sizes[0] + sizes[1]) ** 2 / (2 * sizes[0] * sizes[1])
        # Half of it: without all of it the error is right on average, but too small whenever the
        # value happens to lie low.
        moves = moves * math.sqrt(max(variance - pairs / 2, variance / 2) / variance)
    freedom = sum(len(side) - 1 for side in sides)
    return _with_interval(float(value), n, moves, freedom, scale)


def without_interval(value: float, n: int, note: str) -> Estimate:
    """A value whose interval would not hold what it promises; note: why."""
    return Estimate(float(value), -math.inf, math.inf, n, note=note)


def _with_interval(
    value: float,
    n: int,
    moves: Iterable[float],
    freedom: float,
    scale: Scale = "plain",
    extra: float = 0.0,
) -> Estimate:
    figure = Estimate(value, value, value, n, scale=scale, freedom=freedom, extra=extra)
    return at_level(replace(figure, moves=tuple(map(float, moves))))


def at_level(figure: Estimate, level: float = 0.95) -> Estimate:
    """The same figure with its interval at this level."""
    quantile_of(level)
    if figure.note or figure.error < 1e-12 * max(abs(figure.value), 1e-300):
        return replace(figure, low=-math.inf, high=math.inf, level=level, note=figure.note or SAME)
    reach = _t_quantile(level, figure.freedom)
    if figure.scale == "share" and 0 <= figure.value <= 1:
        answers = (
            figure.value * (1 - figure.value) / figure.error**2
            if 0 < figure.value < 1
            else figure.n
        )
        low, high = wilson_bounds(figure.value, answers, reach)
    elif (
        figure.scale == "ratio" and figure.value > 4 * figure.error
    ):  # about 0, where logarithms end, evenly as well
        factor = math.exp(min(reach * figure.error / figure.value, 700.0))
        low, high = figure.value / factor, figure.value * factor
    else:
        low, high = figure.value - reach * figure.error, figure.value + reach * figure.error
    return replace(figure, low=low, high=high, level=level)


def difference(first: Interval, second: Interval) -> Interval:
    """``first`` minus ``second``. Of two estimates from the difference part by part: sets of equal
    labels are dealt alike, so that images from the same noise are in the same part of both; sets of
    other sizes are taken as independent. Of other intervals from their bounds (MOVER, Zou and
    Donner 2008). Raises InputError for intervals of different levels."""
    if first.level != second.level:
        raise InputError(
            f"intervals of levels {first.level} and {second.level} have no common difference: use"
            " one level"
        )
    value, n = first.value - second.value, min(first.n, second.n)
    if not (isinstance(first, Estimate) and isinstance(second, Estimate)):
        low = value - math.hypot(first.value - first.low, second.high - second.value)
        high = value + math.hypot(first.high - first.value, second.value - second.low)
        return Interval(value, low, high, n, first.level)
    if first.note or second.note:
        return without_interval(value, n, _no_difference(first.note, second.note))
    moves, freedom = _apart(first, second)
    change = _with_interval(value, n, moves, freedom, extra=first.extra + second.extra)
    if first.scale == second.scale == "share" and not change.note:
        return replace(change, low=max(change.low, -1.0), high=min(change.high, 1.0))
    return change


def log_ratio(first: Interval, second: Interval) -> Interval | None:
    """Logarithm of ``first`` over ``second``; None unless both intervals are above 0."""
    if min(first.low, second.low) <= 0:
        return None
    return difference(_logarithm(first), _logarithm(second))


def p_value(change: Interval) -> float:
    """Two-sided p of no change: below 1 - level exactly where the interval of a difference leaves 0
    out; 1 without interval. Of an interval that is no estimate, as of a normal figure with the half
    width towards 0 as its error."""
    from scipy.special import stdtr

    off = change.value
    if isinstance(change, Estimate):
        if change.note:
            return 1.0
        return (
            float(2 * stdtr(change.freedom, -abs(off) / change.error))
            if math.isfinite(change.freedom)
            else _normal_p(off / change.error)
        )
    half = change.value - change.low if off > 0 else change.high - change.value
    return (
        _normal_p(off / half * quantile_of(change.level)) if half > 0 and off else float(off == 0)
    )


def agreement(predicted: np.ndarray, labels: np.ndarray) -> Interval:
    """Share of images predicted as labelled, with Wilson's interval. predicted, labels: (n,)."""
    labels = class_numbers("labels", labels, len(labels))
    predicted = class_numbers("predicted", predicted, len(labels))
    if not len(labels):
        raise UndefinedError("agreement of no images: pass at least 1")
    return wilson(int((predicted == labels).sum()), len(labels))


def agreement_difference(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> Interval:
    """Agreement of ``first`` minus that of ``second`` on the same n images."""
    labels = class_numbers("labels", labels, len(labels))
    if not len(labels):
        raise UndefinedError("agreement of no images: pass at least 1")
    right, other = (
        class_numbers("predicted", part, len(labels)) == labels for part in (first, second)
    )
    return share_difference(right, other)


def _variances(*parts: Floats) -> list[float]:
    """Of a figure in parts of each size, (times, how many parts) each."""
    return [float(values.var(axis=1, ddof=1).mean()) for values in parts]


def _apart(first: Estimate, second: Estimate) -> tuple[tuple[float, ...], float]:
    """Moves and degrees of freedom of a difference (Satterthwaite 1946 where the variances add)."""
    if len(first.moves) == len(second.moves) and first.freedom == second.freedom:
        return tuple(a - b for a, b in zip(first.moves, second.moves, strict=True)), first.freedom
    variances = [(_squares(figure.moves), figure.freedom) for figure in (first, second)]
    weighed = sum(variance**2 / freedom for variance, freedom in variances)
    freedom = sum(variance for variance, _ in variances) ** 2 / weighed if weighed > 0 else math.inf
    return (*first.moves, *(-b for b in second.moves)), freedom


def _no_difference(first: str, second: str) -> str:
    """Why a difference has no interval, from why its figures have none; "" for one that has."""
    if first == second:
        return first
    if not (first and second):
        return f"the {'first' if first else 'second'} has none: {first or second}"
    return f"the first has none: {first}; nor has the second: {second}"


def _logarithm(figure: Interval) -> Interval:
    value, low, high = (
        math.log(bound) if bound < math.inf else math.inf
        for bound in (figure.value, figure.low, figure.high)
    )
    if not isinstance(figure, Estimate):
        return Interval(value, low, high, figure.n, figure.level)
    moves = tuple(move / figure.value for move in figure.moves)
    return replace(
        figure,
        value=value,
        low=low,
        high=high,
        scale="plain",
        moves=moves,
        extra=figure.extra / figure.value**2,
    )


def _squares(side: Iterable[float]) -> float:
    return math.fsum(part * part for part in side)


def _t_quantile(level: float, freedom: float) -> float:
    from scipy.special import stdtrit

    return (
        float(stdtrit(freedom, (1 + level) / 2)) if math.isfinite(freedom) else quantile_of(level)
    )


def _normal_p(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))
