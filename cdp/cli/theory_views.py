"""The numbers behind each view of the Theory page, computed as there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cdp.cli.output import say
from cdp.config.theory import TheoryConfig
from cdp.figures.theory_curves import curve_rows, needed_rows
from cdp.figures.theory_guided import guided_rows
from cdp.figures.theory_map import map_rows
from cdp.figures.theory_picture import coordinate_rows, plane_rows
from cdp.tasks.theory_points import STRENGTHS, What, quick, simulated, trained
from cdp.theory.results import Points
from cdp.theory.views import coordinates, curves, guided, heat_map, needed_table, picture

Rows = Sequence[Mapping[str, Any]]


def _curves(config: TheoryConfig) -> Rows:
    return curve_rows(
        [
            replace(line, simulated=one)
            for line, one in zip(curves(config, draws=0), _points(config, "curves"), strict=True)
        ]
    )


def _guided(config: TheoryConfig) -> Rows:
    return guided_rows(guided(config), _points(config, "guided")[0], STRENGTHS)


def _points(config: TheoryConfig, what: What) -> list[Points | None]:
    if not trained(config):
        return quick(config, what)
    return simulated(config, what, lambda share, words: say(f"{words}: {share:.0%}"))


ROWS: Mapping[str, Callable[[TheoryConfig], Rows]] = {
    "curves": _curves,
    "map": lambda config: map_rows(heat_map(config)),
    "needed": lambda config: needed_rows(needed_table(config)),
    "picture": lambda config: plane_rows(picture(config)),
    "coordinates": lambda config: coordinate_rows(coordinates(config)),
    "guided": _guided,
}
"""From the settings to rows of equal keys, by the name of the view. Raise InputError where a
learner has no formula for it or no room."""
