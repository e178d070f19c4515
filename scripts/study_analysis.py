"""What the study asks beyond the verdict of an experiment: how many images of the control equal an
arm's, and whether the Gaussian model orders arms as their trainings do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cdp.config.experiment import ExperimentConfig
from cdp.config.theory import TheoryConfig
from cdp.data.sets import open_set
from cdp.errors import CdpError
from cdp.experiments.proxies import rank_correlation
from cdp.statistics.efficiency import equal_count, equality_sentence
from cdp.tasks.theory import place_of
from cdp.theory.views import value_at
from cdp.values.experiment import ExperimentResult

LEAST_ARMS = 5
"""For a rank correlation."""
Family = tuple[tuple[str, str], ...]


def equal_counts(config: ExperimentConfig, result: ExperimentResult) -> list[str]:
    """For every arm that differs from a family of counts in more than its count: how many images of
    that family are worth as much. The family is the control's; without one of two counts or more
    there is nothing to say."""
    counts: dict[Family, dict[int, dict[int, float]]] = {}
    named: dict[Family, str] = {}
    values = {arm.name: arm.values.get("robust", {}) for arm in result.arms}
    control: Family = ()
    for name, arm in config.all_arms():
        if arm.generate is None or arm.select or arm.train or not values.get(name):
            continue
        settings = dict(config.generate) | arm.generate
        count = int(settings.pop("count", 0))
        family = tuple(sorted((key, str(value)) for key, value in settings.items()))
        counts.setdefault(family, {})[count] = dict(values[name])
        named.setdefault(family, name.removesuffix(f" {count}"))
        if name == config.control_name:
            control = family
    if len(counts.get(control, {})) < 2:
        return []
    return [
        _sentence(named[family], named[control], of, counts[control], count)
        for family, of in counts.items()
        if family != control
        for count in sorted(of)
    ]


def _sentence(
    first: str,
    second: str,
    arms: dict[int, dict[int, float]],
    control: dict[int, dict[int, float]],
    count: int,
) -> str:
    shared = sorted(set(arms[count]).intersection(*control.values()))
    goal = {count: [arms[count][seed] for seed in shared]}
    curve = {k: [of[seed] for seed in shared] for k, of in control.items()}
    return equality_sentence(first, second, count, equal_count(goal, curve, count))


def places(config: ExperimentConfig, result: ExperimentResult) -> list[dict[str, Any]]:
    """Where the first seed's set of each arm lies on the map of the Gaussian model, in the judge's
    eyes: separation c and angle (degrees), and the robust accuracy that the model's averaging
    learner has there with as many images."""
    rows = []
    for arm in result.arms:
        cell = next((cell for cell in result.cells if cell.arm == arm.name and cell.set), None)
        robust = arm.figures.get("robust")
        if cell is None or robust is None:
            continue
        try:
            figures = place_of(cell.set, dataset=config.dataset).get().figures
        except CdpError:
            continue
        if figures.ratio is None or figures.angle is None:
            continue
        c, angle = figures.ratio.value, figures.angle.value
        model = value_at(TheoryConfig(n=len(open_set(cell.set))), separation=c, angle=angle)
        row = {"arm": arm.name, "separation": c, "angle": angle, "model": model}
        rows.append(row | {"robust": robust.value})
    return rows


def place_sentences(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Whether the model orders the arms as the trainings do."""
    known = [row for row in rows if row["model"] is not None]
    ranked = {name: [row[name] for row in known] for name in ("model", "separation", "robust")}
    if len(known) < LEAST_ARMS or any(np.ptp(column) == 0 for column in ranked.values()):
        return
    for name, what in (("model", "The Gaussian model"), ("separation", "Separation c alone")):
        r = rank_correlation(ranked[name], ranked["robust"])
        yield (
            f"{what} orders the arms with a rank correlation of {r.value:+.2f} with their robust"
            f" accuracy (95 % interval {r.low:+.2f} to {r.high:+.2f}, {r.n} arms)."
        )
