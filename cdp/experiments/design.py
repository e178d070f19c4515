"""Which cells an experiment wants next: all of them, as many seeds as settle the question, or what
a search asks for. Decisions follow from finished cells alone, so that they are the same after a
stop; only ``prune`` looks at trainings under way.

Racing: an arm is given up where a Wilcoxon signed-rank test over the seeds that both have calls it
worse than the best one at 0.1, one-sided, as optuna's WilcoxonPruner does. That takes four shared
seeds. An arm that is given up is never called better, so that races find no more false winners than
running everything does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from cdp.config.experiment import LOWER_IS_BETTER, ExperimentConfig
from cdp.experiments.cells import States, reported_value, selection_value
from cdp.experiments.plan import Cell, cells
from cdp.experiments.search import Search
from cdp.statistics.sequential import enough
from cdp.values.experiment import CellState

BEHIND = 0.1
"""Level of the test that gives an arm up."""


class Design(Protocol):
    """wanted: the cells to compute, in order, as far as they are known; marks arms in ``states``
    that are given up. finished: whether none will follow once those are over."""

    def wanted(self, states: States) -> list[Cell]: ...

    def finished(self, states: States) -> bool: ...


def design_of(config: ExperimentConfig, folder: Path) -> Design:
    """What decides for this experiment."""
    return Search(config, folder) if config.search else Arms(config)


class Arms:
    """The arms that are written out or made by a grid; with ``precision`` as many seeds as it
    takes, with ``race`` fewer for arms that are behind."""

    def __init__(self, config: ExperimentConfig) -> None:
        self.config = config
        self.arms = list(config.all_arms())

    def wanted(self, states: States) -> list[Cell]:
        seeds = self.seeds(states)
        wanted = list(cells(self.config, self.arms, seeds))
        if self.config.race:
            drop_behind(self.config, [name for name, _ in self.arms], seeds, states)
        return wanted

    def finished(self, states: States) -> bool:
        return True

    def seeds(self, states: States) -> list[int]:
        """Those to run: the ones written out, and with ``precision`` one more whenever all arms are
        done and the question is still open."""
        seeds = list(self.config.seeds)
        if self.config.precision is None:
            return seeds
        while len(seeds) < self.config.max_seeds and self._round_over(seeds, states):
            if self._settled(seeds, states):
                break
            seeds.append(max(seeds) + 1)
        return seeds

    def _round_over(self, seeds: list[int], states: States) -> bool:
        return all(
            (state := states.get((name, seed))) is not None and state.over
            for name, _ in self.arms
            for seed in seeds
        )

    def _settled(self, seeds: list[int], states: States) -> bool:
        assert self.config.precision is not None
        control = self.config.control_name
        others = [name for name, arm in self.arms if name != control and arm.more_real is None]
        level = 1 - 0.05 / max(1, len(others))
        for name in others:
            pairs = [
                [
                    reported_value(states[arm, seed], self.config.objective[0])
                    for arm in (name, control)
                ]
                for seed in seeds
                if all(states[arm, seed].stage == "done" for arm in (name, control))
            ]
            paired = [a - b for a, b in pairs if a is not None and b is not None]
            first, last = len(self.config.seeds), self.config.max_seeds
            scale = self.config.precision / 100
            if not enough(paired, scale, first=first, last=last, level=level):
                return False
        return True


def drop_behind(
    config: ExperimentConfig, arms: list[str], seeds: list[int], states: States
) -> None:
    """Give up the open cells of arms that are behind the best one, of all but the control."""
    values = {
        name: {
            seed: value
            for seed in seeds
            if (value := _value(config, states, name, seed)) is not None
        }
        for name in arms
    }
    for name in behind(values, spared={config.control_name}):
        for seed in seeds:
            state = states.get((name, seed)) or CellState(name, seed)
            if state.stage == "waiting":
                states[name, seed] = replace(state, stage="dropped")


def _value(config: ExperimentConfig, states: States, name: str, seed: int) -> float | None:
    """Of the first objective, turned so that more is better."""
    state = states.get((name, seed))
    if state is None or state.stage != "done":
        return None
    value = selection_value(state, config.objective[0])
    return -value if value is not None and config.objective[0] in LOWER_IS_BETTER else value


def behind(
    values: Mapping[str, Mapping[int, float]], *, spared: frozenset[str] | set[str] = frozenset()
) -> list[str]:
    """The arms that are given up. values: by arm and seed, more is better; spared: never given
    up."""
    means = {name: sum(v.values()) / len(v) for name, v in values.items() if v}
    if len(means) < 2:
        return []
    best = max(means, key=lambda name: (len(values[name]) > 1, means[name]))
    return [
        name
        for name in means
        if name != best and name not in spared and _worse(values[name], values[best])
    ]


def _worse(first: Mapping[int, float], best: Mapping[int, float]) -> bool:
    from scipy.stats import wilcoxon

    differences = [first[seed] - best[seed] for seed in sorted(first.keys() & best.keys())]
    if len(differences) < 2 or not any(differences):
        return False
    return bool(wilcoxon(differences, alternative="less").pvalue < BEHIND)
