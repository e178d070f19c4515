"""A difference in one sentence that claims no more than its interval, its test and the fairness of
the comparison allow; the same for the weakest of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cdp.errors import InputError
from cdp.statistics.shares import proper
from cdp.statistics.significance import weakest
from cdp.values.evaluation import ClassFigures
from cdp.values.text import counted, listed
from cdp.values.types import Interval

Unit = Literal["paired seeds", "seeds", "shared images"]


@dataclass(frozen=True)
class Scale:
    """How differences of a figure are said. of: the figure in words, "" where that is known; share:
    whether it is said in points; lower: whether less of it is better."""

    of: str = ""
    share: bool = True
    lower: bool = False

    @property
    def words(self) -> str:
        """What follows a value."""
        if self.share:
            return " points" + f" of {self.of}" * bool(self.of)
        return f" in {self.of}"


POINTS = Scale()

LEAST_A_CLASS = 10
"""Images of each class (of several classes, on average) below which nothing is claimed: there, one
image is ten points of its class and more."""
FEW = f"fewer than {LEAST_A_CLASS} images a class"

_TAKES: dict[Unit, tuple[int | None, str]] = {
    "paired seeds": (2, "a paired comparison takes at least 2 seeds that both share"),
    "seeds": (None, "each takes at least 3 seeds"),
    "shared images": (1, "they share no evaluated images"),
}
"""What a comparison takes, and from which count on it is not this that is missing."""
_NOTHING = 1e-8
"""Shares below this are rounding of the computation, not a difference."""
_ONE_SEED = (
    ": this is about these two networks on these images; one seed each says nothing of other seeds"
)
_TWO_SEEDS = ", 1 degree of freedom: two seeds are a hint, more of them decide"


def verdict(
    first: str,
    second: str,
    difference: Interval | None,
    p: float | None,
    *,
    count: int,
    unit: Unit,
    more: int | None,
    level: float = 0.95,
    corrected: bool = True,
    withheld: str = "",
    beside: Sequence[str] = (),
    scale: Scale = POINTS,
) -> str:
    """One sentence on ``second`` minus ``first``, shares that are said in points, or another
    ``scale``.

    One is called better only where the interval leaves out 0 and p is at most 1 - level; p:
    adjusted where several pairs are compared, None where no test is defined. Where the two
    disagree, the arms cannot be told apart "after correction", or with ``corrected`` False, for a
    single pair, "by the test". count: seeds or images, of both arms together for unit "seeds".
    more: further paired seeds that would settle it, None unknown; said only where nothing but the
    number of seeds stands in the way. withheld: why neither may be called better whatever the
    figures, with the remedy, such as unequal compute; beside: what has to be known with the
    verdict. Raises InputError for figures that cannot be.
    """
    _check(difference, p, count, unit, level)
    if difference is None:
        least, takes = _TAKES[unit]
        missing = takes if least is None or count < least else "their difference is not known"
        return f"{first} and {second} cannot be compared: {missing}."
    measured, wide = _measured(difference, count, unit, level, scale), difference.wide
    known = "".join(f"; {clause}" for clause in beside)
    basis = f", {_basis(count, unit)}" if wide else _ONE_SEED * (unit == "shared images")
    if withheld:
        return (
            f"No verdict on {first} and {second}: {withheld}. Measured: {measured}{basis}{known}."
        )
    clear = wide and (difference.low > _NOTHING or difference.high < -_NOTHING)
    rejected = p is not None and p <= 1 - level
    if clear and rejected:
        sign = 1 if difference.low > 0 else -1
        better = second if (sign > 0) != scale.lower else first
        low, high = sorted((sign * difference.low, sign * difference.high))
        value, *bounds = _amounts(scale, sign * difference.value, low, high)
        by = f"{value.lstrip('+')}{scale.words}, {_interval(bounds, level)}"
        return f"{better} is better by {by}{basis}{known}."
    how, doubt = "", ""
    if wide and p is None:
        known += "; no test is defined for them"
    elif clear and corrected:
        how, doubt = " after correction", f" for this pair alone, corrected p = {p:.2g}"
    elif clear:
        how, doubt = " by the test", f" for this pair alone, p = {p:.2g}"
    elif wide and rejected:
        doubt = f", although p = {p:.2g}"
    elif wide:
        known = _outlook(more, unit) + known
    return f"{first} and {second} cannot be told apart{how}: {measured}{doubt}{basis}{known}."


def weakest_class(
    classes: Sequence[ClassFigures], *, most: int = 3
) -> tuple[ClassFigures, Interval, str, str] | None:
    """The weakest class, its robust accuracy, what has to be known with it: that it rests on too
    few images, or which classes cannot be told from it, "" where it stands alone; and the test
    that says so. None where no class was measured."""
    measured = [(figures, figures.robust) for figures in classes if figures.robust is not None]
    if not measured:
        return None
    hits = [round(share.value * figures.n) for figures, share in measured]
    low, rivals = weakest(hits, [figures.n for figures, _ in measured])
    words, test = "", f"Fisher, corrected by Holm for {len(measured) - 1} classes"
    if measured[low][0].n < LEAST_A_CLASS:
        words = f"{FEW}, so no class is called weaker than another"
    elif rivals:
        ascending = sorted(rivals, key=lambda place: hits[place] / measured[place][0].n)
        others = listed((measured[place][0].name for place in ascending), most)
        words = f"{others} cannot be told from it"
    return *measured[low], words, test


def _check(
    difference: Interval | None, p: float | None, count: int, unit: Unit, level: float
) -> None:
    proper("level", level)
    if unit not in _TAKES:
        raise InputError(f"unit is {unit!r}: choose {', '.join(_TAKES)}")
    if count < 0 or (difference is not None and count < 1):
        raise InputError(f"count is {count}: say how many {unit} the difference rests on")
    if p is not None and not 0 <= p <= 1:
        raise InputError(f"p is {p}: pass a number from 0 to 1, or None")
    if difference is None:
        return
    if not difference.low <= difference.value <= difference.high:
        raise InputError(
            f"{difference.value} does not lie in its interval {difference.low} to"
            f" {difference.high}: pass a difference that does"
        )
    if difference.level != level:
        raise InputError(
            f"the interval has level {difference.level} and the verdict {level}: pass one level to"
            " both"
        )


def _measured(
    difference: Interval, count: int, unit: Unit, level: float, scale: Scale = POINTS
) -> str:
    """The difference with its interval; equal values have none, and say that they are equal."""
    value, *bounds = _amounts(scale, difference.value, difference.low, difference.high)
    if difference.wide:
        return f"difference {value}{scale.words}, {_interval(bounds, level)}"
    where = f"in all {count:,} seeds" if unit == "seeds" else f"in all {_number_of(count, unit)}"
    if abs(difference.value) <= _NOTHING:
        return f"identical {where}, so there is no interval"
    return (
        f"the difference is the same {where}, {value}{scale.words}, so there is neither an interval nor a"
        " test"
    )


def _basis(count: int, unit: Unit) -> str:
    two = (count, unit) == (2, "paired seeds")
    return _number_of(count, unit) + _ONE_SEED * (unit == "shared images") + _TWO_SEEDS * two


def _number_of(count: int, unit: Unit) -> str:
    if unit == "seeds":
        return f"{count:,} seeds in all"
    return counted(count, "shared image" if unit == "shared images" else "paired seed")


def _outlook(more: int | None, unit: Unit) -> str:
    if not more or unit == "shared images":
        return ""
    seeds = "paired seeds " * (unit == "seeds")
    return f"; about {more:,} more {seeds}would settle a difference of this size"


def _interval(bounds: list[str], level: float) -> str:
    low, high = (bound.lstrip("+") for bound in bounds)
    return f"{100 * level:g} % interval {low} to {high}"


def _amounts(scale: Scale, *values: float) -> list[str]:
    return _points(*values) if scale.share else [f"{value:+.3g}" for value in values]


def _points(*shares: float) -> list[str]:
    """Shares as signed points, with as many digits as it takes to show none as 0 that is not: a
    bound of 0 says something else."""
    points = [100 * share for share in shares]
    for digits in range(1, 7):
        rounded = [round(point, digits) + 0.0 for point in points]
        if all(
            short or abs(point) <= 100 * _NOTHING
            for short, point in zip(rounded, points, strict=True)
        ):
            break
    return [f"{point:+.{digits}f}" if point else f"{point:.{digits}f}" for point in rounded]
