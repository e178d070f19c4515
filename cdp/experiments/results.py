"""What an experiment has come to, read from its cells and the runs that they name: for the page, the
report and the command line alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cdp.config.choices import SUITES
from cdp.config.experiment import LOWER_IS_BETTER, SAMPLES_ONLY, ArmConfig, ExperimentConfig
from cdp.experiments.cells import Key, read_cells, selection_value
from cdp.experiments.measures import ROWS, TITLES
from cdp.experiments.plan import ALONE, cell_of, is_alone, searched_arm
from cdp.experiments.proxies import proxies_of
from cdp.experiments.search import Search
from cdp.results.compare import choose
from cdp.results.differences import against_control
from cdp.results.fairness import never_learned
from cdp.results.measured import (
    VALIDATION,
    MeasuredGroup,
    Number,
    Numbers,
    OutcomeReader,
    RunGroup,
    Setting,
    config_of,
    numbers_of,
    select_runs,
)
from cdp.results.reached import reached_of
from cdp.results.signs import role_of_set
from cdp.statistics.sequential import look_level
from cdp.statistics.significance import holm, mean_interval, more_seeds, paired_test
from cdp.statistics.verdicts import Scale, verdict
from cdp.tasks.evaluate_data import TEST
from cdp.values.comparison import Compute, Difference, Metric
from cdp.values.experiment import SHARES, ArmResult, CellState, ExperimentResult
from cdp.values.text import counted, listed, points_text
from cdp.values.types import Interval, Role
from cdp.work.cost import is_guided


def result_of(config: ExperimentConfig, folder: Path, name: str) -> ExperimentResult:
    """The result so far. folder: of its run. Raises InputError where the record of its cells is
    damaged."""
    # In the order of their seeds, whichever was done first: sums come out the same to the last bit.
    states = dict(sorted(read_cells(folder).items(), key=lambda item: item[0][1]))
    arms = _arms(config, states, folder)
    level = _level(config)
    values = {name: _values(config, name, states) for name in arms}
    notes: list[str] = []
    measured = {key for key, state in states.items() if state.stage == "done"}
    groups: list[MeasuredGroup] = []
    steps: Mapping[str, int | None] = {}
    unlearned: set[str] = set()
    if config.stage == "samples":
        figures = {name: _means(of) for name, of in values.items()}
        differences = _sample_differences(config, values, level)
    else:
        groups, notes, measured = _groups(config, arms, states)
        figures = {group.name: _accuracies(group, values[group.name]) for group in groups}
        if config.objective[0] in SAMPLES_ONLY:
            differences = _sample_differences(config, values, level)
        else:
            differences = _tested(config, groups, level)
        unlearned = {group.name for group in groups if never_learned(group, "robust")}
        steps = {group.name: _steps(group) for group in groups}
        for group in groups:
            for metric in ("robust", "clean"):
                values[group.name][metric] = group.values(metric)
    settings = _differing(arms)
    front = _front(config, figures) if len(config.objective) > 1 else frozenset()
    results = tuple(
        ArmResult(
            name=arm,
            settings=settings[arm],
            seeds=tuple(seed for own, seed in states if own == arm and (own, seed) in measured),
            steps=steps.get(arm),
            figures=figures.get(arm, {}),
            values=values[arm],
            difference=differences.get(arm),
            front=arm in front,
            role=_role(config, arm, arms[arm]),
        )
        for arm in arms
    )
    best = _best(config, arms, {key: states[key] for key in sorted(measured)}, unlearned)
    objective = config.objective[0]
    own, base = (values.get(name, {}).get(objective, {}) for name in (best, config.control_name))
    shared = [seed for seed in own if {(best, seed), (config.control_name, seed)} <= measured]
    pairs = len(shared)
    gaps = [own[seed] - base[seed] for seed in shared if seed in base and objective in SHARES]
    gap = sum(gaps) / len(gaps) if gaps else None
    proxies = () if config.stage == "samples" else proxies_of(results)
    notes += [
        f"{state.arm}, seed {state.seed}: {state.error}" for state in states.values() if state.error
    ]
    return ExperimentResult(
        name=name,
        control=config.control_name,
        objective=config.objective,
        verdict=_verdict(config, best, differences, states, front, pairs, gap),
        basis=_basis(config, groups, states, measured, pairs),
        best=best,
        arms=results,
        cells=tuple(states.values()),
        proxies=proxies,
        notes=tuple(dict.fromkeys(notes)),
        level=level,
    )


def _arms(
    config: ExperimentConfig, states: Mapping[Key, CellState], folder: Path
) -> dict[str, ArmConfig]:
    """Every arm by its name, those of a search as far as they were asked for."""
    arms = dict(config.all_arms())
    if config.search and any(name not in arms for name, _ in states):
        for trial in Search(config, folder).study.get_trials(deepcopy=False):
            name, arm = searched_arm(config, dict(trial.params))
            if any(own == name for own, _ in states):
                arms.setdefault(name, arm)
    return arms


def _level(config: ExperimentConfig) -> float:
    """Of each interval: with looks after every seed, that at which all looks hold together; Holm
    corrects for the number of arms besides."""
    if config.precision is None:
        return 0.95
    return look_level(len(config.seeds), config.max_seeds)


def _values(
    config: ExperimentConfig, arm: str, states: Mapping[Key, CellState]
) -> dict[str, dict[int, float]]:
    """Of each seed, by figure of the images."""
    return {
        key: {
            seed: state.measured[key]
            for (own, seed), state in sorted(states.items())
            if own == arm and key in state.measured
        }
        for key in TITLES
    }


def _groups(
    config: ExperimentConfig, arms: Mapping[str, ArmConfig], states: Mapping[Key, CellState]
) -> tuple[list[MeasuredGroup], list[str], set[Key]]:
    """The trainings of each arm with the numbers that they are compared by, notes, and which cells
    have such numbers."""
    trained = {key: s.train for key, s in states.items() if key[0] in arms and s.train}
    runs, missing = select_runs(trained.values())
    reached = {run.id: reached_of(run) for run in runs}
    numbers, unread = numbers_of(runs, reached)
    if config.stage == "evaluate":
        asked = {state.evaluate for state in states.values()}
        numbers = _by_one_evaluation(trained.values(), numbers, asked)
        runs = [run for run in runs if numbers[run.id]]
    by_id = {run.id: run for run in runs}
    spent = {
        run_id: Compute(each.steps, each.images_seen) if each.steps and each.images_seen else None
        for run_id, each in reached.items()
    }
    groups = []
    for name in arms:
        own = [by_id[r] for (arm, _), r in trained.items() if arm == name and r in by_id]
        if own:
            first = config_of(own[0])
            groups.append(RunGroup(name, tuple(own), first, first.model_dump(mode="json")))
    compared, notes = choose(groups, numbers, spent)
    measured = {
        key
        for key, run_id in trained.items()
        if run_id in by_id and (config.stage == "evaluate" or states[key].stage == "done")
    }
    return compared, [*missing, *unread, *notes], measured


def _by_one_evaluation(
    trained: Collection[str], numbers: Mapping[str, Numbers], asked: Collection[str]
) -> dict[str, Numbers]:
    """Of each training the number of the evaluation that most cells have, of several the one asked
    for: while a stronger attack is at work, all are compared by the one before. What is stronger
    than all that was asked for is another's. trained: run ids, one a cell; asked: of evaluations.
    """
    having: dict[Setting, list[Number]] = {}
    for run_id in trained:
        for setting, number in numbers.get(run_id, {}).items():
            if number.evaluation:
                having.setdefault(setting, []).append(number)
    ours = {s for s, of in having.items() if any(n.evaluation in asked for n in of)}
    if ours:
        most = max(setting.strength for setting in ours)
        having = {s: of for s, of in having.items() if s.strength <= most}

    def rank(setting: Setting) -> tuple[object, ...]:
        newest = max(number.created for number in having[setting])
        return len(having[setting]), setting in ours, *setting.strength, newest, str(setting)

    chosen = max(having, key=rank, default=None)
    return {
        run_id: {setting: number for setting, number in own.items() if setting == chosen}
        for run_id, own in numbers.items()
    }


def _basis(
    config: ExperimentConfig,
    groups: Sequence[MeasuredGroup],
    states: Mapping[Key, CellState],
    measured: Collection[Key],
    pairs: int,
) -> str:
    """What the verdict was measured by: "Robust accuracy under PGD-10, l_inf 0.1, 400 test images,
    3 paired seeds."; and how far a further evaluation is that was asked for since."""
    objective = config.objective[0]
    setting = next((group.setting for group in groups if group.setting is not None), None)
    seeds = f", {counted(pairs, 'paired seed')}" * (pairs > 0)
    if objective in SAMPLES_ONLY:
        return f"{TITLES[objective]} of at most {ROWS:,} images a set{seeds}."
    if setting is None:
        return ""
    validation = setting.suite == VALIDATION
    of = "" if setting.part == TEST or validation else f" of {setting.part}"
    kind = "validation " * validation or "test " * (not of)
    images = f"{counted(setting.n, f'{kind}image')}{of}"
    norm = {"linf": "l_inf", "l2": "l_2"}.get(setting.norm, setting.norm)
    budget = "" if setting.epsilon is None else f" {setting.epsilon:.4g}"
    how = f" under {setting.attack}, {norm}{budget}, " if objective == "robust" else " on "
    said = f"{objective.capitalize()} accuracy{how}{images}{seeds}."
    since = sum(states[key].stage != "done" for key in measured)
    if since:
        asked = SUITES[str(config.evaluate.get("attack", "quick"))].title
        done = sum(state.stage == "done" for state in states.values())
        said += f" {asked} is done for {done} of {counted(len(states), 'cell')}."
    return said


def _accuracies(
    group: MeasuredGroup, values: Mapping[str, Mapping[int, float]]
) -> dict[str, Interval]:
    metrics: tuple[Metric, ...] = ("robust", "clean")
    known = {metric: group.interval(metric) for metric in metrics}
    figures: dict[str, Interval] = {name: f for name, f in known.items() if f is not None}
    return figures | _means(values)


def _means(values: Mapping[str, Mapping[int, float]]) -> dict[str, Interval]:
    means = {}
    for key, of in values.items():
        if len(of) > 1:
            mean = mean_interval(list(of.values()))
            low = max(0.0, mean.low)  # none of them is below 0
            high = min(1.0, mean.high) if key in SHARES else mean.high
            means[key] = replace(mean, low=low, high=high)
        elif of:
            value = next(iter(of.values()))
            means[key] = Interval(value, value, value, 1, 0.95)
    return means


def _sample_differences(
    config: ExperimentConfig, values: Mapping[str, Mapping[str, Mapping[int, float]]], level: float
) -> dict[str, Difference]:
    """Each arm against the control in the first objective, paired over seeds."""
    objective, control = config.objective[0], config.control_name
    base = values.get(control, {}).get(objective, {})
    tests = {}
    for arm, of in values.items():
        own = of.get(objective, {})
        shared = sorted(own.keys() & base.keys())
        if arm != control and len(shared) >= 2:
            tests[arm] = (
                paired_test([base[s] for s in shared], [own[s] for s in shared], level=level),
                [own[s] - base[s] for s in shared],
            )
    adjusted = holm([test.p for test, _ in tests.values()])
    differences = {}
    for (arm, (test, paired)), p in zip(tests.items(), adjusted, strict=True):
        more = more_seeds(paired, level=1 - (1 - level) / len(tests))
        sentence = verdict(
            control,
            arm,
            test.difference,
            p,
            count=test.count,
            unit="paired seeds",
            more=more,
            level=level,
            corrected=len(tests) > 1,
            scale=Scale(TITLES[objective], objective in SHARES, objective in LOWER_IS_BETTER),
        )
        metric: Any = objective
        differences[arm] = Difference(
            metric,
            control,
            arm,
            test.difference,
            test.p,
            p,
            test.method,
            test.count,
            more,
            sentence,
        )
    return differences


def _tested(
    config: ExperimentConfig, groups: Sequence[MeasuredGroup], level: float
) -> dict[str, Difference]:
    control = next((group for group in groups if group.name == config.control_name), None)
    if control is None:
        return {}
    metric: Metric = "clean" if config.objective[0] == "clean" else "robust"
    others = [group for group in groups if group is not control]
    tested = against_control(control, others, metric, OutcomeReader(), level=level)
    return {difference.second: difference for difference in tested}


def _steps(group: MeasuredGroup) -> int | None:
    counts = {spent.steps if spent is not None else None for spent in group.spent}
    return counts.pop() if len(counts) == 1 else None


def _role(config: ExperimentConfig, name: str, arm: ArmConfig) -> Role:
    """What an arm trains on."""
    if arm.set:
        return role_of_set(arm.set) or "other"
    if arm.more_real is not None:
        return "ceiling"
    made = cell_of(config, name, arm, config.seeds[0]).generate
    return "real" if made is None else "guided" if is_guided(made) else "unguided"


def _differing(arms: Mapping[str, ArmConfig]) -> dict[str, dict[str, Any]]:
    """In which settings arms differ, by ``stage.setting``."""
    flat = {name: _flat(arm) for name, arm in arms.items()}
    keys = dict.fromkeys(key for own in flat.values() for key in own)
    different = [key for key in keys if len({str(own.get(key)) for own in flat.values()}) > 1]
    return {name: {key: own[key] for key in different if key in own} for name, own in flat.items()}


def _flat(arm: ArmConfig) -> dict[str, Any]:
    flat = {f"generate.{name}": value for name, value in (arm.generate or {}).items()}
    flat |= {f"train.{name}": value for name, value in arm.train.items()}
    flat |= {"set": arm.set} if arm.set else {}
    flat |= {"learner": arm.learner} if arm.learner else {}
    flat |= {"more_real": arm.more_real} if arm.more_real else {}
    flat |= {"select": f"{arm.select.by}, {arm.select.keep}"} if arm.select else {}
    return flat


def _best(
    config: ExperimentConfig,
    arms: Mapping[str, ArmConfig],
    states: Mapping[Key, CellState],
    unlearned: set[str],
) -> str:
    """The arm that the verdict is about: of those with synthetic images, the control aside, the one
    that is best by what chooses; where none of them is done, the best of the others. One that never
    learned only where there is no other."""
    others = [name for name in arms if name != config.control_name]
    made = [name for name in others if arms[name].generate is not None or arms[name].set]
    for names in (made, others):
        for left_out in (unlearned, set[str]()):
            if best := _highest(config, [name for name in names if name not in left_out], states):
                return best
    return ""


def _highest(
    config: ExperimentConfig, names: Sequence[str], states: Mapping[Key, CellState]
) -> str:
    """Of arms with as many seeds as any the one that is best by what chooses; "" where none is
    done. states: of the cells that are measured."""
    objective, sign = config.objective[0], -1 if config.objective[0] in LOWER_IS_BETTER else 1
    means = {}
    for name in names:
        own = [s for (arm, _), s in states.items() if arm == name]
        values = [v for s in own if (v := selection_value(s, objective)) is not None]
        if values:
            means[name] = (len(values), sign * sum(values) / len(values))
    most = max((count for count, _ in means.values()), default=0)
    full = {name: mean for name, (count, mean) in means.items() if count == most}
    return max(full, key=lambda name: full[name], default="")


def _verdict(
    config: ExperimentConfig,
    best: str,
    differences: Mapping[str, Difference],
    states: Mapping[Key, CellState],
    front: frozenset[str],
    pairs: int,
    gap: float | None,
) -> str:
    """What is said of the best arm first, and then how it was chosen and how far it is. pairs: seeds
    under which it and the control are measured; gap: between them there, None where that is no
    share."""
    if is_alone(config) and any(state.stage == "done" for state in states.values()):
        return ALONE
    if not best:
        return ""
    control, difference = config.control_name, differences.get(best)
    seeds = {*config.seeds, *(seed for _, seed in states)}
    if pairs == 0:
        done = sum(s.stage == "done" for s in states.values())
        return f"No pair with {control} is finished yet ({counted(done, 'cell')} done)."
    known = None if difference is None else difference.difference
    if pairs == 1 and (known is None or len(config.seeds) > 1):
        early = f"one of {len(seeds)} seeds: too early to tell"
        alone = "one seed says nothing of others: add seeds"
        return f"{_first_pair(best, control, gap)}, {early if len(seeds) > 1 else alone}."
    if difference is None:
        return f"{best} and {control} cannot be compared in {config.objective[0]}."
    sentences = [difference.verdict]
    if len(differences) > 1 and len(config.arms) != len(differences) + 1:
        by = config.objective[0] if config.objective[0] in SAMPLES_ONLY else "validation"
        others = counted(len(differences), "arm")
        sentences.append(f"Of {others} beside {control} {best} is the best by {by}.")
    if front:
        first, second = config.objective
        sentences.append(f"On the front of {first} and {second}: {listed(sorted(front), 6)}.")
    if pairs < len(seeds):
        sentences.append(f"So far {pairs} of {len(seeds)} seeds.")
    return " ".join(sentences)


def _first_pair(best: str, control: str, gap: float | None) -> str:
    """Two arms under the one seed that both have. gap: between them, a share; None where it is
    none."""
    if gap is None:
        return f"{best} and {control} are measured"
    distance = points_text(abs(gap)).lstrip("+")
    if distance == points_text(0).lstrip("+"):
        return f"{best} stands level with {control}"
    return f"{best} stands {distance} {'below' if gap < 0 else 'above'} {control}"


def _front(
    config: ExperimentConfig, figures: Mapping[str, Mapping[str, Interval]]
) -> frozenset[str]:
    """Arms that no other one beats in both objectives."""
    points = {
        name: [own[key].value * (-1 if key in LOWER_IS_BETTER else 1) for key in config.objective]
        for name, own in figures.items()
        if all(key in own for key in config.objective)
    }
    return frozenset(
        name
        for name, point in points.items()
        if not any(
            all(a >= b for a, b in zip(other, point, strict=True)) and other != point
            for other in points.values()
        )
    )
