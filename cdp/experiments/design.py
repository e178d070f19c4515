"""Which cells an experiment wants next: all of them, as many seeds as settle the question, or what
a search asks for. Decisions follow from finished cells alone, so that they are the same after a
stop."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from cdp.config.experiment import LOWER_IS_BETTER, ArmConfig, ExperimentConfig, Range
from cdp.errors import InputError
from cdp.experiments.cells import Key
from cdp.experiments.plan import Cell, cell_of, cells, searched_arm
from cdp.experiments.racing import behind
from cdp.experiments.values import reported_value, selection_value
from cdp.statistics.sequential import enough
from cdp.values.experiment import CellState

STUDY = "optuna.log"
"""Optuna's journal beside the experiment; optuna-dashboard opens it."""
States = dict[Key, CellState]


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


class Search:
    """Optuna asks for arms; explicit ones, such as the control, run as well. A trial takes its seeds
    one after another and ends early where optuna's Wilcoxon pruner gives it up."""

    def __init__(self, config: ExperimentConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.explicit = list(config.all_arms())

    @cached_property
    def study(self) -> Any:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self.folder.mkdir(parents=True, exist_ok=True)
        one = len(self.config.objective) == 1
        directions: list[Literal["minimize", "maximize"]] = [
            "minimize" if name in LOWER_IS_BETTER else "maximize" for name in self.config.objective
        ]
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(self.folder / STUDY))),
            study_name="experiment",
            load_if_exists=True,
            directions=directions,
            sampler=_sampler(self.config, 0),
            pruner=optuna.pruners.WilcoxonPruner() if one else optuna.pruners.NopPruner(),
        )

    def wanted(self, states: States) -> list[Cell]:
        wanted = list(cells(self.config, self.explicit, self.config.seeds))
        for trial in self._trials():
            wanted += self._cells_of(trial, states)
        return wanted

    def finished(self, states: States) -> bool:
        trials = self.study.get_trials(deepcopy=False)
        return len(trials) >= self._count and all(trial.state.is_finished() for trial in trials)

    def _point(self, place: int) -> dict[str, Any]:
        """The values of a cell of the grid. Raises InputError where they are not written out."""
        lists = [c for c in self.config.search.values() if isinstance(c, list)]
        if len(lists) < len(self.config.search):
            raise InputError("search: the grid sampler needs lists of values: write them out")
        values = next(itertools.islice(itertools.product(*lists), place, None))
        return dict(zip(self.config.search, values, strict=True))

    @property
    def _count(self) -> int:
        """Trials in all: a grid has no more than its cells."""
        lists = [c for c in self.config.search.values() if isinstance(c, list)]
        cells = math.prod(map(len, lists))
        return (
            min(self.config.trials, cells) if self.config.sampler == "grid" else self.config.trials
        )

    def _trials(self) -> list[Any]:
        """All trials, with new ones asked for while some are left and few are open."""
        trials = self.study.get_trials(deepcopy=False)
        open_trials = sum(not trial.state.is_finished() for trial in trials)
        while len(trials) < self._count and open_trials < AHEAD:
            # By the place of the trial, so that a stop neither repeats nor changes what is asked.
            self.study.sampler = _sampler(self.config, len(trials))
            if self.config.sampler == "grid":
                self.study.enqueue_trial(self._point(len(trials)))
            trial = self.study.ask()
            for name, choices in self.config.search.items():
                _suggest(trial, name, choices)
            trials, open_trials = self.study.get_trials(deepcopy=False), open_trials + 1
        return list(trials)

    def arm_of(self, trial: Any) -> tuple[str, ArmConfig]:
        """The arm that a trial stands for."""
        return searched_arm(self.config, dict(trial.params))

    def _cells_of(self, frozen: Any, states: States) -> list[Cell]:
        """The cells of a trial up to the first that is not over; tells optuna what they came to."""
        name, arm = self.arm_of(frozen)
        try:
            planned = [cell_of(self.config, name, arm, seed) for seed in self.config.seeds]
        except InputError as error:
            # Values that do not go together, such as a loss and its negatives: nothing to compute.
            self._tell(frozen, None)
            states[name, self.config.seeds[0]] = CellState(
                name, self.config.seeds[0], stage="dropped", error=str(error)
            )
            return []
        values: list[tuple[float, ...]] = []
        for place, cell in enumerate(planned):
            state = states.get((name, cell.seed))
            if state is None or not state.over or state.stage == "dropped":
                return planned[: place + 1]
            value = self._value(state)
            if value is None:
                self._tell(frozen, None)
                return planned[: place + 1]
            values.append(value)
            if self._gives_up(frozen, place, value):
                for later in planned[place + 1 :]:
                    states[name, later.seed] = CellState(name, later.seed, stage="dropped")
                break
        # Of a trial that was given up its mean so far, which tells optuna more than a refusal.
        self._tell(frozen, [sum(column) / len(column) for column in zip(*values, strict=True)])
        return planned

    def _value(self, state: CellState) -> tuple[float, ...] | None:
        """What a cell that is over came to, by objective; None where it failed."""
        if state.stage != "done":
            return None
        values = [selection_value(state, objective) for objective in self.config.objective]
        known = tuple(value for value in values if value is not None)
        return known if len(known) == len(values) else None

    def _tell(self, frozen: Any, values: list[float] | None) -> None:
        """End a trial, once. values: None where it failed."""
        from optuna.trial import TrialState

        if frozen.state.is_finished():
            return
        state = TrialState.FAIL if values is None else None
        self.study.tell(frozen.number, values, state=state)

    def _gives_up(self, frozen: Any, place: int, value: tuple[float, ...]) -> bool:
        if len(self.config.objective) > 1 or frozen.state.is_finished():
            return False
        import optuna

        trial = optuna.trial.Trial(self.study, frozen._trial_id)
        if place not in frozen.intermediate_values:
            trial.report(value[0], place)
        return place + 1 < len(self.config.seeds) and bool(trial.should_prune())


AHEAD = 2
"""Trials that are open at a time: each learns from those before it."""


def _suggest(trial: Any, name: str, choices: Range | list[Any]) -> None:
    if isinstance(choices, list):
        trial.suggest_categorical(name, choices)
    elif _whole(name):
        trial.suggest_int(name, round(choices.low), round(choices.high), log=choices.log)
    else:
        trial.suggest_float(name, choices.low, choices.high, log=choices.log)


def _whole(name: str) -> bool:
    from cdp.config.experiment import STAGES
    from cdp.config.fields import fields_of

    stage, _, setting = name.partition(".")
    field = fields_of(STAGES[stage]).get(setting)
    return field is not None and field.kind == "integer"


def _sampler(config: ExperimentConfig, trial: int) -> Any:
    from optuna import samplers

    first = config.seeds[0]
    if config.sampler == "grid":
        return samplers.RandomSampler(seed=first)  # what it tries is put in its queue
    kinds = {
        "tpe": samplers.TPESampler,
        "gp": samplers.GPSampler,
        "nsga2": samplers.NSGAIISampler,
    }
    return kinds[config.sampler](seed=1000 * first + trial)
