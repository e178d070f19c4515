"""What a comparison of training runs comes to: arms of several seeds, differences with intervals, and verdicts in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cdp.evaluation import Curve
from cdp.types import Interval

Metric = Literal["robust", "clean"]


@dataclass(frozen=True)
class Seed:
    """One run of an arm. robust, clean: shares in 0..1, None where not measured; n: images they rest on.

    label: how the number must be called ("AutoAttack (standard), n = 1,000", "validation, PGD-10, n = 1,000: an estimate"); evaluation: id
    of the evaluation they come from, "" for the run's own validation images.
    """

    id: str
    name: str
    seed: int | None
    state: str
    robust: float | None
    clean: float | None
    n: int
    label: str
    evaluation: str


@dataclass(frozen=True)
class Arm:
    """Runs that differ in their seed only, or one run. robust, clean: mean over seeds with a t interval (two seeds or more), Wilson's of the one
    run's images otherwise; None where not measured. interval: which of the two, in words. classes: robust accuracy by class name, shares of
    all seeds' images together. curve: of its first evaluated seed, None without one. synthetic_images: in the sets trained on; sets: those.
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


@dataclass(frozen=True)
class Difference:
    """``second`` minus ``first`` in one metric, as shares. p: two-sided, None where nothing can be tested; adjusted: by Holm over all
    pairs of this metric; method: in words ("paired t, 5 shared seeds", "Welch t", "McNemar, 1,000 shared images"); count: seeds or images
    it rests on; more_seeds: further paired seeds with which a difference of this size would be found in 80 of 100 cases, None unknown
    or settled; verdict: one sentence that never overclaims.
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


@dataclass(frozen=True)
class ClassDifference:
    """``second`` minus ``first`` in one class's robust accuracy, as shares."""

    name: str
    first: str
    second: str
    difference: Interval


@dataclass(frozen=True)
class EfficiencyPoint:
    """An arm's robust accuracy at a number of synthetic images: mean over seeds, t interval (None bounds are not possible: one seed has Wilson's)."""

    count: int
    robust: Interval
    seeds: int


@dataclass(frozen=True)
class EfficiencyLine:
    """Arms that differ in their number of synthetic images only, as one line. name: what they share."""

    name: str
    points: tuple[EfficiencyPoint, ...]


@dataclass(frozen=True)
class Equal:
    """How many synthetic images ``second`` needs to equal ``first`` at ``count``. low, high: 95 % interval by bootstrap over seeds, None where a
    bound lies outside the counts that were trained; estimate: None where it is never reached; sentence: all of that in words."""

    first: str
    second: str
    count: int
    estimate: float | None
    low: float | None
    high: float | None
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """arms: in the order asked for; missing: what was asked for and is not here, one sentence each; differs: settings in which the arms
    differ, by knob name, a value an arm; notes: what has to be known to read the numbers, such as that arms were measured differently."""

    arms: tuple[Arm, ...]
    missing: tuple[str, ...]
    differs: Mapping[str, tuple[str, ...]]
    differences: tuple[Difference, ...]
    classes: tuple[ClassDifference, ...]
    efficiency: tuple[EfficiencyLine, ...]
    equal: tuple[Equal, ...]
    notes: tuple[str, ...]
