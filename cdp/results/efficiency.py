"""Robust accuracy per synthetic image: arms that differ in nothing but how many they were given, as
lines, and where lines are equal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cdp.results.differences import pairs_of
from cdp.results.fairness import few_images
from cdp.results.measured import MeasuredGroup, TrainedOn
from cdp.statistics.efficiency import equal_count, equality_sentence
from cdp.statistics.verdicts import FEW
from cdp.values.comparison import (
    EfficiencyLine,
    EfficiencyPoint,
    Equal,
    compute_text,
    equal_compute,
)
from cdp.values.naming import common_name, told_apart

CEILING = "more real images (the ceiling)"
MAX_COUNTS = 3
"""Counts of a line at which another one is asked to equal it."""
MAX_EQUAL = 12
"""Such questions in all; each takes two thousand resamples."""
_NEAR = 0.05
"""A number in a name means the images where it is no further from them than this share of them:
"5k" for 4,980."""
_COUNT = re.compile(
    r"[\s_.,(-]*(?<![\d.])n?(\d+(?:\.\d+)?)([km]?)(?![A-Za-z0-9])\)?", re.IGNORECASE
)
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True)
class _Line:
    """Arms by number of synthetic images, rising."""

    name: str
    arms: Mapping[int, MeasuredGroup]

    def values(self) -> dict[int, list[float]]:
        """Robust accuracies by count, in the order of the seeds."""
        return {
            count: [value for _, value in sorted(arm.values("robust").items())]
            for count, arm in self.arms.items()
        }


def efficiency(
    arms: Sequence[MeasuredGroup], trained: Mapping[str, TrainedOn]
) -> tuple[list[EfficiencyLine], list[Equal], list[str]]:
    """Lines in the order of their first arm, where any has two points; where they are equal; and
    notes. trained: by name of the arm. One line: the same settings but for the synthetic sets,
    whose names differ in their count only ("guided-1k", "guided-5k"), or those of the runs do. Arms
    without synthetic images are the point at 0 of every line with their settings; those with
    further real ones in their place are a line of their own, the ceiling."""
    measured = [arm for arm in arms if arm.values("robust")]
    unknown = [arm.name for arm in measured if trained[arm.name].images is None]
    notes = [
        f"How many synthetic images {name} was trained on is not known, as its sets are gone, so it"
        " has no place in sample efficiency."
        for name in unknown
    ]
    lines = _lines([arm for arm in measured if arm.name not in unknown], trained)
    if all(len(line.arms) < 2 for line in lines):
        return [], [], notes
    equal, unsaid = _equals(lines)
    points = [
        EfficiencyLine(line.name, _points(line), list(line.arms.values())[-1].name)
        for line in lines
    ]
    return points, equal, [*notes, *_uneven(lines), *unsaid]


def _uneven(lines: Sequence[_Line]) -> list[str]:
    """Lines whose points took different compute: their rise is not of images alone."""
    notes = []
    for line in lines:
        if not equal_compute(spent for arm in line.arms.values() for spent in arm.spent):
            parts = (
                f"{count:,} images: {compute_text(arm.spent)}" for count, arm in line.arms.items()
            )
            notes.append(
                f"Points of {line.name} took different compute ({'; '.join(parts)}), so its rise is"
                " not of synthetic images alone."
            )
    return notes


def _points(line: _Line) -> tuple[EfficiencyPoint, ...]:
    return tuple(
        EfficiencyPoint(count, interval, len(arm.values("robust")))
        for count, arm in line.arms.items()
        if (interval := arm.interval("robust")) is not None
    )


def _lines(arms: Sequence[MeasuredGroup], trained: Mapping[str, TrainedOn]) -> list[_Line]:
    counts = {arm.name: _further(arm) or trained[arm.name].images or 0 for arm in arms}
    stems = _stems([arm for arm in arms if counts[arm.name]], trained)
    parts: dict[tuple[str, str, str], dict[int, MeasuredGroup]] = {}
    for arm in (arm for arm in arms if counts[arm.name]):
        count, key = counts[arm.name], (_base(arm, "synthetic"), stems[arm.name], "")
        if count in parts.get(key, {}):
            key = (*key[:2], arm.name)  # another set of as many images: a line of its own
        parts.setdefault(key, {})[count] = arm
    names = _names([(key[1], list(part.values())) for key, part in parts.items()])
    without = ("synthetic", "fraction")
    zeros = {_base(arm, *without): arm for arm in reversed(arms) if not counts[arm.name]}
    lines = []
    for name, part in zip(names, parts.values(), strict=True):
        zero = zeros.get(_base(next(iter(part.values())), *without))
        lines.append(_Line(name, dict(sorted((part | ({0: zero} if zero else {})).items()))))
    return lines


def _further(arm: MeasuredGroup) -> int:
    """Further real images in place of synthetic ones."""
    return arm.config.further_real if arm.config.synthetic_per_batch else 0


def _base(arm: MeasuredGroup, *without: str) -> str:
    others = {name: value for name, value in arm.settings.items() if name not in without}
    return json.dumps([others, str(arm.setting)], sort_keys=True)


def _stems(arms: Sequence[MeasuredGroup], trained: Mapping[str, TrainedOn]) -> dict[str, str]:
    """For each arm what its sets are called without their counts; where no other arm has that, what
    it is called itself without its count."""
    by_set = {}
    for arm in arms:
        counts = trained[arm.name].counts
        stems = dict.fromkeys(without_count(name, counts.get(name)) for name in arm.config.sets)
        by_set[arm.name] = " + ".join(stems) or CEILING
    sets, alone = list(by_set.values()), {}
    for arm in arms:
        if by_set[arm.name] != CEILING and sets.count(by_set[arm.name]) == 1:
            alone[arm.name] = without_count(arm.name, trained[arm.name].images)
    names = list(alone.values())
    return by_set | {name: stem for name, stem in alone.items() if names.count(stem) > 1}


def without_count(name: str, count: int | None) -> str:
    """``name`` without the number that says its ``count`` images ("guided-5k" is "guided" where
    there are about 5,000)."""

    def replaced(match: re.Match[str]) -> str:
        number = float(match[1]) * _TIMES[match[2].lower()]
        return "" if count and abs(number - count) <= _NEAR * count else match[0]

    return _COUNT.sub(replaced, name).strip(" _.,-()") or name


def _names(parts: Sequence[tuple[str, Sequence[MeasuredGroup]]]) -> list[str]:
    """Each line by its stem; where other settings have that too, with what its arms are called."""
    stems = [stem for stem, _ in parts]
    called = [common_name([arm.name for arm in arms]) for _, arms in parts]
    names = [
        f"{stem}, {arm}" if stems.count(stem) > 1 and arm != stem else stem
        for stem, arm in zip(stems, called, strict=True)
    ]
    return told_apart(names, [arms[0].name for _, arms in parts])


def _equals(lines: Sequence[_Line]) -> tuple[list[Equal], list[str]]:
    """Each pair at a few counts, fewer where there are many pairs; and of which nothing is said. A
    count is asked for among the points of the second line that took as much compute as the first
    line's point."""
    pairs = [
        (first, second)
        for first, second in pairs_of(lines)
        if _setting(first) == _setting(second) and len(second.arms) > 1
    ]
    each = min(MAX_COUNTS, max(1, MAX_EQUAL // max(1, len(pairs))))
    answers, unsaid = [], []
    for first, second in pairs[:MAX_EQUAL]:
        question = f"How many images {second.name} takes to equal {first.name}"
        if any(map(few_images, (*first.arms.values(), *second.arms.values()))):
            unsaid.append(f"{question} is not said: {FEW}.")
            continue
        before, after = first.values(), second.values()
        for count in _asked(before, after, each):
            spent = first.arms[count].spent
            fair = {k for k, arm in second.arms.items() if equal_compute((*spent, *arm.spent))}
            if len(fair) < 2:
                unsaid.append(
                    f"{question} with {count:,} is not said, as fewer than two of its points took"
                    " as much compute: train all with the same --steps and --batch."
                )
                continue
            equality = equal_count(before, {k: after[k] for k in after if k in fair}, count)
            what = "further real images" if second.name.startswith(CEILING) else "synthetic images"
            said = equality_sentence(first.name, second.name, count, equality, what)
            bounds = (equality.estimate, equality.low, equality.high)
            answers.append(Equal(first.name, second.name, count, *bounds, said))
    return answers, unsaid


def _setting(line: _Line) -> object:
    return next(iter(line.arms.values())).setting


def _asked(
    first: Mapping[int, Sequence[float]], second: Mapping[int, Sequence[float]], most: int
) -> list[int]:
    """Counts of the first line that lie in the second's range of accuracies, at most so many from
    the largest to the smallest, rising; the largest of all where none does."""
    means = [float(np.mean(values)) for values in second.values()]
    counts = [count for count in first if count]
    inside = [count for count in counts if min(means) <= float(np.mean(first[count])) <= max(means)]
    if not inside:
        return counts[-1:]
    places = np.linspace(len(inside) - 1, 0, min(most, len(inside)))
    return [inside[place] for place in sorted({round(place) for place in places})]
