"""Searches: optuna asks for arms and learns from what they came to. Its journal lies in the run's
folder, so that optuna-dashboard opens it and a stop loses nothing."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from cdp.config.experiment import LOWER_IS_BETTER, MAX_ARMS, ArmConfig, ExperimentConfig, Range
from cdp.errors import InputError, MissingError
from cdp.experiments.cells import States, selection_value
from cdp.experiments.plan import Cell, cell_of, cells, searched_arm
from cdp.files.reading import reason_of
from cdp.results.reached import steps_of
from cdp.values.experiment import CellState
from cdp.work.journal import JOURNAL, read_journal
from cdp.work.records import get_run

STUDY = "optuna.log"
"""Optuna's journal beside the experiment."""
_DAMAGED = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(AssertionError, RecursionError),
)
"""What optuna raises for a journal that is not its own."""
AHEAD = 2
"""Trials that are open at a time: each learns from those before it."""
LEAST_CURVES = 4
"""Trainings that have to be over before one under way is compared with them."""


class Search:
    """Optuna asks for arms; explicit ones, such as the control, run as well. A trial takes its seeds
    one after another and ends early where optuna's Wilcoxon pruner gives it up; with ``prune`` the
    training under the first seed does, where its validation falls behind."""

    def __init__(self, config: ExperimentConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.explicit = list(config.all_arms())

    @cached_property
    def study(self) -> Any:
        """One trial an arm; the intermediate values are those of its seeds, by their place."""
        pruners = _optuna().pruners
        one = len(self.config.objective) == 1
        pruner = pruners.WilcoxonPruner() if one else pruners.NopPruner()
        return self._study("experiment", pruner, sampler=_sampler(self.config, 0))

    @cached_property
    def curves(self) -> Any:
        """The training under the first seed of the trial of the same number; the intermediate
        values are those of its validation, by optimiser step. No training is compared before a third
        of its steps."""
        pruners = _optuna().pruners
        first = next(cells(self.config, self.explicit, self.config.seeds[:1]))
        steps = first.training().steps or 0
        pruner = pruners.MedianPruner(LEAST_CURVES, steps // 3, n_min_trials=LEAST_CURVES)
        return self._study("validation", pruner)

    def _study(self, name: str, pruner: Any, **more: Any) -> Any:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        self.folder.mkdir(parents=True, exist_ok=True)
        directions: list[Literal["minimize", "maximize"]] = [
            "minimize" if objective in LOWER_IS_BETTER else "maximize"
            for objective in self.config.objective
        ]
        try:
            return _optuna().create_study(
                storage=JournalStorage(JournalFileBackend(str(self.folder / STUDY))),
                study_name=name,
                load_if_exists=True,
                directions=directions,
                pruner=pruner,
                **more,
            )
        except _DAMAGED as error:
            raise InputError(
                f"{self.folder / STUDY} cannot be read ({reason_of(error)}): restore it, or delete it"
                " and the search asks anew"
            ) from error

    def wanted(self, states: States) -> list[Cell]:
        wanted = list(cells(self.config, self.explicit, self.config.seeds))
        for trial in self._trials():
            wanted += self._cells_of(trial, states)
        return wanted

    def finished(self, states: States) -> bool:
        trials = self.study.get_trials(deepcopy=False)
        return len(trials) >= trial_count(self.config) and all(
            trial.state.is_finished() for trial in trials
        )

    def _point(self, place: int) -> dict[str, Any]:
        """The values of a cell of the grid. Raises InputError where they are not written out."""
        lists = [c for c in self.config.search.values() if isinstance(c, list)]
        if len(lists) < len(self.config.search):
            raise InputError("search: the grid sampler needs lists of values: write them out")
        values = next(itertools.islice(itertools.product(*lists), place, None))
        return dict(zip(self.config.search, values, strict=True))

    def _trials(self) -> list[Any]:
        """All trials, with new ones asked for while some are left and few are open."""
        trials = self.study.get_trials(deepcopy=False)
        open_trials = sum(not trial.state.is_finished() for trial in trials)
        while len(trials) < trial_count(self.config) and open_trials < AHEAD:
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
            if place == 0 and self.config.prune and state is not None:
                why = self._hopeless(frozen, state)
                if why:
                    for later in planned:
                        states[name, later.seed] = CellState(name, later.seed, stage="dropped")
                    states[name, cell.seed] = replace(state, stage="dropped", error=why)
                    return planned[:1]
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

    def _hopeless(self, frozen: Any, state: CellState) -> str:
        """Why the training under a trial's first seed is given up on the way, "" where it is not.
        Whatever is given up gets no verdict, so all arms that do are of equal compute."""
        from optuna.trial import Trial, TrialState

        run_id = state.train or (state.run if state.stage == "train" else "")
        if frozen.state.is_finished() or not run_id:
            return ""
        while len(self.curves.get_trials(deepcopy=False)) <= frozen.number:
            self.curves.ask()
        curve = self.curves.get_trials(deepcopy=False)[frozen.number]
        if curve.state.is_finished():
            return ""
        trial, figure = Trial(self.curves, curve._trial_id), f"{self.config.objective[0]}_accuracy"
        try:
            points = read_journal(get_run(run_id).folder / JOURNAL)
        except MissingError:
            return ""
        values = {
            steps_of(point) or point.step: point.values[figure]
            for point in points
            if figure in point.values
        }
        for step in sorted(values.keys() - curve.intermediate_values.keys()):
            trial.report(values[step], step)
        if state.train and values:
            self.curves.tell(curve.number, max(values.values()))
        elif values and trial.should_prune():
            self.curves.tell(curve.number, state=TrialState.PRUNED)
            Trial(self.study, frozen._trial_id).report(max(values.values()), 0)
            self.study.tell(frozen.number, state=TrialState.PRUNED)
            return (
                f"ended after step {max(values):,}: its validation stays below the median of earlier"
                " trials"
            )
        return ""

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


def trial_count(config: ExperimentConfig) -> int:
    """Trials in all: a grid has no more than its cells."""
    lists = [c for c in config.search.values() if isinstance(c, list)]
    return min(config.trials, math.prod(map(len, lists)) if config.sampler == "grid" else MAX_ARMS)


def _optuna() -> Any:
    """The library, without what it says to people."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


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
