"""What changed between sets, in sentences that never claim more than their corrected intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdp.embedding.intervals import difference, log_ratio, p_value
from cdp.embedding.measure import METRICS, Claim
from cdp.statistics.significance import holm
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.tasks.measured import UNLABELLED, Measured, SetComparison, changes, figures_json, set_json
from cdp.values.text import counted, joined
from cdp.values.types import Interval

LEVEL = 0.95
"""Of all claims of one family together: two sets that do not differ get any claim in at most 5 of
100 families."""


def claimed() -> dict[str, Claim]:
    """How a change of each figure is put that anything is ever claimed of."""
    return {key: metric.claim for key, metric in METRICS.items() if metric.claim is not None}


COLLAPSE = (
    "Classes are further apart while less of the real data is reached: this can be collapse, a few"
    " easy images over and over, so look at the images before calling it better."
)


BASIS = "These claims are"
"""How the sentence begins that says how the others were corrected."""


def sentences(compared: SetComparison, beside: Sequence[SetComparison] = ()) -> list[str]:
    """What ``first`` is compared with ``second``. A figure gets a claim where its change is clear
    after correction.

    Every figure of ``compared`` and those ``beside`` it is one family under Holm's correction, so
    that two sets of one distribution get any claim in at most 5 of 100 families. Separability never
    stands without fidelity and coverage; where it rose and recall or coverage fell, a warning
    follows. Nothing is claimed of sets of unequal size, of fewer than ten images a class, or, of
    separability, of sets with different classes.
    """
    first, second = compared.first, compared.second
    if reason := too_few(compared):
        return [reason]
    families = _family([compared, *beside])
    groups = [
        {key: change for key, change in families[0].items() if METRICS[key].group == name}
        for name in ("separability", "fidelity", "distance")
    ]
    separability, fidelity, others = groups
    tried = sum(change.p is not None for each in families for change in each.values())
    if not families[0]:
        return ["The two sets have no figure in common to compare.", *_unlike(first, second)]
    if _same(first, second):
        return [
            f"Every figure is the same to the last digit: the {compared.n:,} images that were"
            " measured of each are the same ones."
        ]
    at = f"At {compared.n:,} images each"
    together = (
        f"corrected together for the {tried} figures that were tried (Holm,"
        f" {100 * (1 - LEVEL):.0f} %)"
    )
    if all(change.sign == 0 for change in families[0].values()):
        untried = _untried(families[0])
        clear = (
            []
            if all(change.p is None for change in families[0].values())
            else [f"no change is clear, {together}"]
        )
        alone = (
            []
            if fidelity or not separability
            else ["fidelity and coverage were not measured of both"]
        )
        why = "; ".join([*clear, *([untried] if untried else []), *alone])
        return [f"{at}, nothing can be told apart: {why}.", *_unlike(first, second)]
    texts = []
    if separability:
        beside_it = (
            _changes_text(fidelity, "fidelity and coverage")
            if fidelity
            else "fidelity and coverage were not measured of both sets"
        )
        texts.append(
            f"{at}: {_changes_text(separability, 'separability')}; at the same time {beside_it}"
        )
    elif fidelity:
        texts.append(f"{at}: {_changes_text(fidelity, 'fidelity and coverage')}")
    if others:
        texts.append(f"{at}: {_changes_text(others, 'distance to real')}")
    texts = [f"{text}." for text in texts] + _unlike(first, second)
    gone = any(fidelity[key].sign < 0 for key in ("recall", "coverage") if key in fidelity)
    apart = any(change.sign > 0 for change in separability.values())
    return [
        *texts,
        *([COLLAPSE] if gone and apart else []),
        f"{BASIS} {together}; each interval is of its figure alone.",
    ]


def comparisons_json(
    sets: Sequence[Measured], compared: Sequence[SetComparison], *, encoder: str
) -> dict[str, Any]:
    """Sets, and the first minus each of the others: what ``python -m cdp measure --json`` prints.

    corrected: p of each figure that sentences are about, of all of them together; claims: those of
    which one is made.
    """
    family = _family(compared)
    return {
        "encoder": encoder,
        "sets": [set_json(item) for item in sets],
        "differences": [
            {
                "first": item.first.name,
                "second": item.second.name,
                "images": item.n,
                "figures": figures_json(changes(item)),
                "corrected": {key: change.p for key, change in found_of.items()},
                "claims": (
                    []
                    if too_few(item)
                    else [key for key, change in found_of.items() if change.sign]
                ),
                "sentences": sentences(item, [other for other in compared if other is not item]),
            }
            for item, found_of in zip(compared, family, strict=True)
        ],
    }


def corrected(
    compared: SetComparison, beside: Sequence[SetComparison] = ()
) -> dict[str, float | None]:
    """p of each figure that sentences are about, corrected; None for one without an interval."""
    return {key: change.p for key, change in _family([compared, *beside])[0].items()}


def relative_change(first: Interval, second: Interval) -> Interval | None:
    """``first`` over ``second``, minus 1, in percent, by logarithms; None unless both are above
    0."""
    change = log_ratio(first, second)
    return None if change is None else _percent(change)


def _percent(logarithm: Interval) -> Interval:
    value, low, high = (
        100 * math.expm1(bound) if bound < math.inf else bound
        for bound in (logarithm.value, logarithm.low, logarithm.high)
    )
    return Interval(value, low, high, logarithm.n, logarithm.level)


@dataclass(frozen=True)
class _Change:
    """p: corrected for all that are tried, None where the figure has no interval, which is no
    trial; sign: 1 up, -1 down, 0 where neither can be told; claim: in words, "" for the latter."""

    name: str
    p: float | None
    sign: int
    claim: str = ""


def _family(compared: Sequence[SetComparison]) -> list[dict[str, _Change]]:
    """Every figure of every comparison, corrected together."""
    tried = [
        (place, key, words, *_measured_change(words, pair, key))
        for place, pair in enumerate(compared)
        for key, words in claimed().items()
        if key in pair.first.result.figures
        and key in pair.second.result.figures
        and not too_few(pair)
        if METRICS[key].group != "separability" or not _unlike(pair.first, pair.second)
    ]
    adjusted = holm([p for *_, p in tried])
    families: list[dict[str, _Change]] = [{} for _ in compared]
    for (place, key, words, change, unit, _), p in zip(tried, adjusted, strict=True):
        families[place][key] = _worded(
            words if unit == words.unit else Claim(words.name), change, p
        )
    return families


def _measured_change(
    words: Claim, compared: SetComparison, key: str
) -> tuple[Interval, str, float | None]:
    """The change, its unit, and its p before correction, None without an interval."""
    first, second = compared.first.result.figures[key], compared.second.result.figures[key]
    if words.unit == "%" and (logarithm := log_ratio(first, second)) is not None:
        return _percent(logarithm), "%", None if logarithm.note else p_value(logarithm)
    change = difference(first, second)  # a ratio about 0 has no percent
    untried = first.note or second.note or change.note
    return change, "" if words.unit == "%" else words.unit, None if untried else p_value(change)


def _worded(words: Claim, change: Interval, p: float | None) -> _Change:
    if p is None or p > 1 - LEVEL:
        return _Change(words.name, p, 0)
    sign = 1 if change.value > 0 else -1
    scale = sign * (100 if words.unit == "points" else 1)
    value, *bounds = (_number(scale * bound) for bound in (change.value, change.low, change.high))
    low, high = bounds[::sign]
    much = f"{value} {words.unit}".rstrip()
    claim = (
        (words.up or f"{words.name} rose by {{}}")
        if sign > 0
        else (words.down or f"{words.name} fell by {{}}")
    ).format(much)
    return _Change(
        words.name, p, sign, f"{claim}, {100 * change.level:g} % interval {low} to {high}"
    )


def too_few(compared: SetComparison) -> str:
    """Why nothing is claimed; "" where something may be."""
    for side in (compared.first, compared.second):
        if few := {value: count for value, count in side.sizes.items() if count < LEAST_A_CLASS}:
            value, count = min(few.items(), key=lambda item: item[1])
            images = counted(count, "image")
            return (
                f"Nothing is claimed from {FEW}: {side.name} has {images}"
                f"{'' if value == UNLABELLED else f' of {side.class_name(value)}'} to"
                " compare, so generate more."
            )
    if not compared.equal:
        counts = " and ".join(
            f"{side.result.n:,} of {side.name}" for side in (compared.first, compared.second)
        )
        return (
            f"Nothing is claimed from {counts}: many figures move with the number of images alone,"
            " so measure both at the same."
        )
    return ""


def _unlike(first: Measured, second: Measured) -> list[str]:
    """That sets of other classes are not compared in how far these are apart; empty for the
    same."""
    if first.named_sizes.keys() == second.named_sizes.keys():
        return []
    for side in (first, second):
        if UNLABELLED in side.sizes:
            return [
                f"How far classes are apart is not compared, because {side.name} has no labels."
            ]
    alone = [
        f"{joined(missing[:5])} only in {side.name}"
        for side, other in ((first, second), (second, first))
        if (missing := [name for name in side.named_sizes if name not in other.named_sizes])
    ]
    return [
        "How far classes are apart is not compared, because these are not the same classes:"
        f" {', '.join(alone)}."
    ]


def _same(first: Measured, second: Measured) -> bool:
    ours, theirs = first.result.figures, second.result.figures
    return set(ours) == set(theirs) and all(
        figure.value == theirs[key].value for key, figure in ours.items()
    )


def _changes_text(group: Mapping[str, _Change], what: str) -> str:
    """Claims, then the figures that were tried in vain, and last those that were not tried."""
    claims = [change.claim for change in group.values() if change.sign]
    silent = [change.name for change in group.values() if change.p is not None and not change.sign]
    untried = _untried(group)
    if silent:
        claims.append(
            f"no difference can be told in {joined(silent)}"
            if claims or untried
            else f"no difference in {what} can be told"
        )
    return "; ".join([*claims, *([untried] if untried else [])])


def _untried(group: Mapping[str, _Change]) -> str:
    """That nothing is claimed of figures without an interval, by name; "" where all have one."""
    names = [change.name for change in group.values() if change.p is None]
    if not names:
        return ""
    has, them = ("has", "it") if len(names) == 1 else ("have", "them")
    return f"{joined(names)} {has} no interval, so nothing is claimed of {them}"


def _number(value: float) -> str:
    """Two digits that count, and no exponent where a person would write none."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}"
