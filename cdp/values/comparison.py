"""What a comparison of training runs comes to: arms of several seeds, differences with intervals,
and verdicts in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cdp.values.evaluation import Curve
from cdp.values.text import no_width, span_text
from cdp.values.types import Interval

Metric = Literal["robust", "clean"]

COMPUTE_TOLERANCE = 0.02
"""Optimiser steps, and images seen, may differ by this share before a comparison is one of compute.
"""


@dataclass(frozen=True)
class Compute:
    """What a training took. steps: optimiser steps; images: seen in them, real and synthetic, each
    as often as it came."""

    steps: int
    images: int

    def __str__(self) -> str:
        return f"{self.steps:,} optimiser steps, {self.images:,} images seen"


def equal_compute(spent: Iterable[Compute | None]) -> bool:
    """Whether all took the same number of steps and of images, ``COMPUTE_TOLERANCE`` allowed. What
    is not known is not equal."""
    counts = [None if each is None else (each.steps, each.images) for each in spent]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return False
    return all(
        max(part) <= (1 + COMPUTE_TOLERANCE) * min(part) for part in zip(*known, strict=True)
    )


def compute_text(spent: Sequence[Compute | None]) -> str:
    """Of one arm or several in words: "156 optimiser steps, 19,968 images seen", with ranges where
    they differ."""
    known = [each for each in spent if each is not None]
    if not known:
        return "unknown"
    more = "" if len(known) == len(spent) else ", of some unknown"
    return (
        f"{span_text([each.steps for each in known])} optimiser steps,"
        f" {span_text([each.images for each in known])} images seen{more}"
    )


@dataclass(frozen=True)
class Seed:
    """One run of an arm. robust, clean: shares in 0..1, None where not measured; n: images they
    rest on. label: how the number must be called ("AutoAttack (standard), n = 1,000", "validation,
    PGD-10, n = 1,000: an estimate"); evaluation: id of the evaluation they come from, "" for the
    run's own validation images. steps, images_seen: what the training took, None unknown."""

    id: str
    name: str
    seed: int | None
    state: str
    robust: float | None
    clean: float | None
    n: int
    label: str
    evaluation: str
    steps: int | None = None
    images_seen: int | None = None

    @property
    def compute(self) -> Compute | None:
        """What the training took, None unknown."""
        if self.steps is None or self.images_seen is None:
            return None
        return Compute(self.steps, self.images_seen)


@dataclass(frozen=True)
class Arm:
    """Runs that differ in their seed only, or one run. robust, clean: mean over seeds with a t
    interval (two seeds or more), Wilson's of the one run's images otherwise; None where not
    measured. interval: which of the two, in words. classes: robust accuracy by class name, shares
    of all seeds' images together. curve: of its first evaluated seed, None without one.
    synthetic_images: in the sets trained on; sets: those. setting: attack, budget and images of its
    numbers in words, equal for arms that can be ranked; few: whether these are too few images for a
    verdict.
    """

    name: str
    seeds: tuple[Seed, ...]
    robust: Interval | None
    clean: Interval | None
    interval: str
    classes: Mapping[str, Interval]
    curve: Curve | None
    sets: tuple[str, ...]
    synthetic_images: int
    settings: Mapping[str, Any]
    setting: str = ""
    few: bool = False

    @property
    def compute(self) -> tuple[Compute | None, ...]:
        """What each of its seeds took."""
        return tuple(seed.compute for seed in self.seeds)


def interval_words(arm: Arm, metric: Metric) -> str:
    """What the interval of an arm's accuracy is; where its seeds agree, that there is none."""
    result = arm.robust if metric == "robust" else arm.clean
    return arm.interval if result is None or result.wide else no_width(result)


@dataclass(frozen=True)
class Difference:
    """``second`` minus ``first`` in one metric, as shares. p: two-sided, None where nothing can be
    tested; adjusted: by Holm over all pairs of this metric; method: in words ("paired t, 5 shared
    seeds", "Welch t", "McNemar, 1,000 shared images"); count: seeds or images it rests on;
    more_seeds: further paired seeds with which a difference of this size would be found in 80 of
    100 cases, None unknown or settled; verdict: one sentence that never overclaims; withheld: why
    neither may be called better whatever the figures say, "" where nothing stands against it.
    """

    metric: Metric
    first: str
    second: str
    difference: Interval | None
    p: float | None
    adjusted: float | None
    method: str
    count: int
    more_seeds: int | None
    verdict: str
    withheld: str = ""


@dataclass(frozen=True)
class ClassDifference:
    """``second`` minus ``first`` in one class's robust accuracy, as shares. p: two-sided, adjusted:
    by Holm over all classes of all pairs, both None where nothing is claimed of the class, because
    it has too few images or because the pair is not compared fairly."""

    name: str
    first: str
    second: str
    difference: Interval
    p: float | None = None
    adjusted: float | None = None


@dataclass(frozen=True)
class EfficiencyPoint:
    """An arm's robust accuracy at a number of synthetic images: mean over seeds, t interval (None
    bounds are not possible: one seed has Wilson's)."""

    count: int
    robust: Interval
    seeds: int


@dataclass(frozen=True)
class EfficiencyLine:
    """Arms that differ in their number of synthetic images only, as one line. name: what they
    share; arm: the one of most images, whose sign the line has."""

    name: str
    points: tuple[EfficiencyPoint, ...]
    arm: str = ""


@dataclass(frozen=True)
class Equal:
    """How many synthetic images ``second`` needs to equal ``first`` at ``count``. low, high: 95 %
    interval by bootstrap over seeds, None where a bound lies outside the counts that were trained;
    estimate: None where it is never reached; sentence: all of that in words."""

    first: str
    second: str
    count: int
    estimate: float | None
    low: float | None
    high: float | None
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """arms: in the order asked for; missing: what was asked for and is not here, one sentence each;
    differs: settings in which the arms differ, by knob name, a value an arm; notes: what has to be
    known to read the numbers, such as that arms were measured differently."""

    arms: tuple[Arm, ...]
    missing: tuple[str, ...]
    differs: Mapping[str, tuple[str, ...]]
    differences: tuple[Difference, ...]
    classes: tuple[ClassDifference, ...]
    efficiency: tuple[EfficiencyLine, ...]
    equal: tuple[Equal, ...]
    notes: tuple[str, ...]
