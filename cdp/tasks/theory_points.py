"""Simulated points of the Gaussian model that take long, because each is many trainings. They lie
in the cache by their settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np

from cdp.config.theory import TheoryConfig
from cdp.files import cache
from cdp.files.cache import Cached
from cdp.tasks.watching import Report, ignore
from cdp.theory.results import Points
from cdp.theory.views import MARKS as EVERY_DECADE
from cdp.theory.views import SEPARATIONS, guided, simulated_points

What = Literal["curves", "guided"]
KIND, VERSION = "theory-points", 2
"""Where results lie in the cache, and what to raise where the same settings come to other results.
"""
TRAININGS = 20
"""Behind a point whose classifiers have to be trained."""
MARKS = (1, 10, 30, 100, 300, 1_000, 3_000)
"""Numbers of samples at which such classifiers are trained."""
MOST_NUMBERS = 2_000_000
"""Samples times coordinates of the largest of these trainings, so that each takes seconds at most.
"""
LEAST, QUICK = 20, 6_000_000
"""Draws behind a point of any other learner at least, and random numbers of all points together at
most: a fraction of a second."""
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)


def trained(config: TheoryConfig) -> bool:
    """Whether every draw is a training, which takes long."""
    return config.learner == "adversarial-logistic"


def count_of(config: TheoryConfig, what: What) -> int:
    """How many lists of points there are: one a separation, or one over strengths."""
    return len(SEPARATIONS) if what == "curves" else 1


def simulated(config: TheoryConfig, what: What, report: Report = ignore) -> list[Points | None]:
    """Points at each separation of ``SEPARATIONS`` (curves), or one list over ``STRENGTHS``
    (guided). None where nothing had room.

    Raises InputError for settings that no training has room for.
    """
    return simulated_of(config, what).get(report)


def simulated_of(config: TheoryConfig, what: What) -> Cached[list[Points | None]]:
    """The same where it is known."""
    total = count_of(config, what)

    def make(report: Report) -> list[Points | None]:
        result = []
        for number, points in enumerate(_made(config, what)):
            result.append(points)
            report((number + 1) / total, f"Training classifiers, {TRAININGS} a point")
        return result

    def decode(stored: Mapping[str, Any]) -> list[Points | None]:
        points = [None if one is None else _points(one) for one in stored["points"]]
        if len(points) != total:
            raise ValueError("points of another view")
        return points

    return cache.cached_json(
        KIND,
        cache.digest(VERSION, what, config.model_dump_json(), TRAININGS, MARKS, STRENGTHS),
        make,
        encode=lambda points: {"points": [None if one is None else _plain(one) for one in points]},
        decode=decode,
    )


def quick(config: TheoryConfig, what: What) -> list[Points | None]:
    """The same for a learner that is no training, in a fraction of a second."""
    return list(_made(config, what))


def _made(config: TheoryConfig, what: What) -> Iterator[Points | None]:
    if what == "guided":
        room = not trained(config) or config.n * config.dim <= MOST_NUMBERS
        yield (
            guided(config, STRENGTHS, draws=_draws(config, len(STRENGTHS))).simulated
            if room
            else None
        )
        return
    draws = _draws(config, len(SEPARATIONS) * len(EVERY_DECADE))
    marks = (
        [n for n in MARKS if n * config.dim <= MOST_NUMBERS] if trained(config) else EVERY_DECADE
    )
    for number, factor in enumerate(SEPARATIONS):
        c = config.separation * factor
        yield simulated_points(config, c, marks, draws=draws, stream=number) if marks else None


def _draws(config: TheoryConfig, points: int) -> int:
    """As many as set, but fewer where they would take long."""
    return (
        TRAININGS
        if trained(config)
        else max(LEAST, min(config.draws, QUICK // (points * config.dim)))
    )


def _plain(points: Points) -> dict[str, Any]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in asdict(points).items()
    }


def _points(data: dict[str, Any]) -> Points:
    """Raises KeyError, TypeError or ValueError for anything but what ``_plain`` gave."""
    arrays = [np.asarray(data[name], np.float64) for name in ("n", "value", "low", "high")]
    if any(
        one.shape != arrays[0].shape or one.ndim != 1 or not np.isfinite(one).all()
        for one in arrays
    ):
        raise ValueError("points of different shapes")
    return Points(arrays[0], arrays[1], arrays[2], arrays[3], int(data["draws"]))
