"""Simulated points of the Gaussian model that take long, because each is many trainings. They lie
in the cache by their settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

import numpy as np

from cdp.config.theory import TheoryConfig
from cdp.files import cache
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
    known = simulated_cached(config, what)
    if known is not None:
        return known
    made = []
    for number, one in enumerate(_made(config, what)):
        made.append(one)
        report((number + 1) / count_of(config, what), f"Training classifiers, {TRAININGS} a point")
    cache.keep(
        KIND, _key(config, what), {"points": [None if one is None else _plain(one) for one in made]}
    )
    return made


def simulated_cached(config: TheoryConfig, what: What) -> list[Points | None] | None:
    """What ``simulated`` gives where it has to compute nothing, else None."""
    try:
        found = (cache.load_json(KIND, _key(config, what)) or {})["points"]
        points = [None if one is None else _points(one) for one in found]
    except (KeyError, TypeError, ValueError):
        return None  # not there, or damaged: what can be computed again is not worth an error
    return points if len(points) == count_of(config, what) else None


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


def _key(config: TheoryConfig, what: What) -> str:
    return cache.digest(VERSION, what, config.model_dump_json(), TRAININGS, MARKS, STRENGTHS)


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
