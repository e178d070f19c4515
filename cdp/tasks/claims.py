"""What changed between two sets, in plain sentences that never claim more than their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cdp.embedding.measure import difference
from cdp.tasks.measured import Measured
from cdp.types import Interval


@dataclass(frozen=True)
class _Words:
    """name: of the figure; up, down: the claim, {} being how much. unit: "points" for shares, "" for other differences, and "%" for
    a change relative to the second set."""

    name: str
    up: str
    down: str
    unit: str = ""


def _risen(name: str, unit: str = "") -> _Words:
    return _Words(name, f"{name} rose by {{}}", f"{name} fell by {{}}", unit)


SEPARABILITY: Mapping[str, _Words] = {
    "separation": _Words("between / within scatter", "classes are {} further apart", "classes are {} closer together", "%"),
    "silhouette": _risen("silhouette"),
    "knn_accuracy": _risen("10-nearest-neighbour accuracy", "points"),
    "probe_accuracy": _risen("linear-probe accuracy", "points"),
}
FIDELITY: Mapping[str, _Words] = {
    "precision": _risen("precision", "points"), "density": _risen("density"), "recall": _risen("recall", "points"),
    "coverage": _risen("coverage", "points"),
}  # fmt: skip
OTHERS: Mapping[str, _Words] = {
    "frechet": _risen("Frechet distance to real"),
    "real_auc": _Words("AUC of telling it from real", "it is easier to tell from real, by {} of AUC", "it is harder to tell from real, by {} of AUC", "points"),
    "nearest": _risen("nearest-training-image ratio"),
}  # fmt: skip
COLLAPSE = (
    "Classes are further apart while less of the real data is reached: this can be collapse, a few easy images over and over, so look at "
    "the images before calling it better."
)


def sentences(first: Measured, second: Measured) -> list[str]:
    """What ``first`` is compared with ``second``. A figure gets a claim where the interval of its change leaves 0 out.

    Separability never stands without fidelity and coverage; where it rose and recall or coverage fell, a warning follows.
    Scatter is relative to the second set, shares are in points. Intervals: ``difference``, and ``relative_change`` for the relative.
    """
    mine, theirs = first.result.figures, second.result.figures
    groups = [{key: _changed(words, mine[key], theirs[key]) for key, words in group.items() if key in mine and key in theirs}
              for group in (SEPARABILITY, FIDELITY, OTHERS)]  # fmt: skip
    separability, fidelity, others = groups
    every = separability | fidelity | others
    if not every:
        return ["The two sets have no figure in common to compare."]
    if all(change.sign == 0 for change in every.values()):
        beside = "" if fidelity else "; fidelity and coverage were not measured of both"
        return [f"Nothing can be told apart: every {_level(mine)} interval of a change holds 0{beside}."]
    found = [
        f"{_told(separability, 'separability')}; at the same time "
        + (_told(fidelity, "fidelity and coverage") if fidelity else "fidelity and coverage were not measured of both sets")
    ]
    if others:
        found.append(_told(others, "distance to real"))
    texts = [f"{text[0].upper()}{text[1:]}." for text in found]
    gone = any(fidelity[key].sign < 0 for key in ("recall", "coverage") if key in fidelity)
    apart = any(change.sign > 0 for change in separability.values())
    return [*texts, COLLAPSE] if gone and apart else texts


def relative_change(first: Interval, second: Interval) -> Interval | None:
    """``first`` over ``second``, minus 1, in percent; None unless both intervals are above 0.

    The interval is MOVER's on logarithms (Zou and Donner 2008, Sec. 3): log intervals keep their level, so does their difference,
    and so does what the increasing exp makes of it.
    """
    if min(first.low, second.low) <= 0:
        return None
    logs = [Interval(math.log(f.value), math.log(f.low), math.log(f.high), f.n, f.level) for f in (first, second)]
    change = difference(logs[0], logs[1])
    value, low, high = (100 * math.expm1(bound) for bound in (change.value, change.low, change.high))
    return Interval(value, low, high, change.n, change.level)


@dataclass(frozen=True)
class _Change:
    """sign: 1 up, -1 down, 0 where neither can be told; claim: in words, "" for the latter."""

    name: str
    sign: int
    claim: str = ""


def _changed(words: _Words, first: Interval, second: Interval) -> _Change:
    change = relative_change(first, second) if words.unit == "%" else difference(first, second)
    if change is None:  # a ratio about 0 has no percent
        words, change = _risen(words.name), difference(first, second)
    if change.low <= 0 <= change.high:
        return _Change(words.name, 0)
    sign = 1 if change.low > 0 else -1
    scale = sign * (100 if words.unit == "points" else 1)
    value, *bounds = (_number(scale * bound) for bound in (change.value, change.low, change.high))
    low, high = bounds[::sign]
    much = f"{value} {words.unit}".rstrip()
    claim = (words.up if sign > 0 else words.down).format(much)
    return _Change(words.name, sign, f"{claim}, {100 * change.level:g} % interval {low} to {high}")


def _told(changes: Mapping[str, _Change], what: str) -> str:
    """Claims, and last the names of the figures for which there is none."""
    claims = [change.claim for change in changes.values() if change.sign]
    silent = [change.name for change in changes.values() if not change.sign]
    if not claims:
        return f"no difference in {what} can be told"
    return "; ".join(claims + ([f"no difference can be told in {_listed(silent)}"] if silent else []))


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _number(value: float) -> str:
    """Two digits that count, and no exponent where a person would write none."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}"


def _level(figures: Mapping[str, Interval]) -> str:
    return f"{100 * next(iter(figures.values())).level:g} %"
