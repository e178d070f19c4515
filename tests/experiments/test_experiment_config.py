"""The file of an experiment: what it means, and one clear sentence for whatever is wrong with it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from cdp.config.experiment import ExperimentConfig
from cdp.config.generate import GenerateConfig
from cdp.config.knobs import parse
from cdp.errors import MissingError
from cdp.experiments.begin import more
from cdp.experiments.estimate import estimate
from cdp.experiments.files import experiment_of, yaml_of
from cdp.experiments.plan import cells, require_ready
from cdp.experiments.search import Search
from tests.ui.train_runs import write_folder

TINY = """
name: tiny
dataset: fashion-mnist
real: 300
seeds: [0, 1]
arms:
  real only: {}
  unguided: {generate: {preset: unguided, count: 200, steps: 5}}
  guided: {generate: {preset: default, count: 200, steps: 5}}
train: {preset: quick, steps: 40, attack_steps: 2}
evaluate: {attack: quick, count: 200}
control: unguided
"""


def parsed(**settings: Any) -> ExperimentConfig:
    return parse(ExperimentConfig, settings)


def test_a_file_says_what_each_arm_does_under_each_seed() -> None:
    experiment = experiment_of(TINY, "tiny.yaml")
    planned = {(cell.arm, cell.seed): cell for cell in cells(experiment)}
    assert list(planned) == [
        (arm, seed) for seed in (0, 1) for arm in ("unguided", "real only", "guided")
    ]
    guided, plain = planned["guided", 1], planned["unguided", 1]
    assert guided.generate is not None
    assert plain.generate is not None
    assert guided.generate.guidance.loss == "supcon"
    assert plain.generate.guidance.loss == "none"
    assert guided.generate.seed == plain.generate.seed == 1
    for cell in planned.values():
        training = cell.training("a-set" if cell.synthetic else "")
        assert (training.steps, training.attack_steps, training.real) == (40, 2, 300)
        assert training.seed == training.subset_seed == cell.seed
        assert cell.evaluate.count == 200
    assert planned["real only", 0].training().synthetic == ()


def test_what_is_written_reads_back_the_same() -> None:
    experiment = experiment_of(TINY, "tiny.yaml")
    assert experiment_of(yaml_of(experiment), "again") == experiment
    grid = parsed(
        grid={"generate.strength": [0, 0.1], "generate.loss": ["supcon", "fisher"]},
        generate={"count": 50},
        objective="clean",
    )
    assert experiment_of(yaml_of(grid), "again") == grid


def test_a_grid_shares_what_is_the_same_and_has_an_unguided_control() -> None:
    grid = {"generate.strength": [0, 0.1], "generate.temperature": [0.05, 0.1]}
    experiment = parsed(grid=grid, generate={"count": 50}, seeds=[4])
    assert experiment.control_name == "unguided"
    made = {cell.arm: cell.generate for cell in cells(experiment)}
    assert len(made) == 5
    # Without strength there is no guidance, whatever the temperature.
    assert made["unguided"] == made["strength 0, temperature 0.05"]
    assert made["unguided"] == made["strength 0, temperature 0.1"]
    assert made["strength 0.1, temperature 0.05"] != made["strength 0.1, temperature 0.1"]


def test_a_grid_may_be_over_weak_models_and_an_arm_over_autoguidance(cdp_home: Path) -> None:
    experiment = parsed(
        arms={"auto": {"generate": {"preset": "unguided", "weak_model": "w"}}},
        grid={"generate.weak_model": ["", "w"], "generate.autoguidance_scale": [1.5]},
    )
    planned = {cell.arm: cell.generate for cell in cells(experiment, seeds=[0])}
    with_weak = "weak_model w, autoguidance_scale 1.5"
    assert list(planned) == [
        "unguided",
        "auto",
        "weak_model none, autoguidance_scale 1.5",
        with_weak,
    ]
    asked = {name for name, made in planned.items() if made and made.sampler.autoguided}
    assert asked == {"auto", with_weak}
    with pytest.raises(MissingError, match=r"arm 'auto': weak_model: .* named 'w'"):
        require_ready(experiment)


def test_an_experiment_of_before_keeps_the_solver_of_then() -> None:
    arms = {
        "plain": {"generate": {}},
        "unguided": {"generate": {"preset": "unguided", "steps": 7}},
        "paper": {"generate": {"preset": "paper-mnist"}},
        "other": {"generate": {"solver": "unipc"}},
    }

    def solvers(number: int) -> dict[str, tuple[str, int]]:
        experiment = parsed(arms=arms, format=number, seeds=[0])
        samplers = {cell.arm: cell.generate.sampler for cell in cells(experiment) if cell.generate}
        return {arm: (sampler.solver, sampler.steps) for arm, sampler in samplers.items()}

    assert solvers(1) == {
        "plain": ("ddim", 20),
        "unguided": ("ddim", 7),
        "paper": ("ddpm", 250),
        "other": ("unipc", 20),
    }
    today = GenerateConfig().sampler
    assert solvers(2) == {
        "plain": (today.solver, today.steps),
        "unguided": (today.solver, 7),
        "paper": ("ddpm", 250),
        "other": ("unipc", today.steps),
    }


def test_an_unguided_arm_stays_unguided_whatever_the_others_share() -> None:
    shared = {"loss": "fisher", "strength": 0.3, "count": 30, "steps": 7}
    experiment = parsed(generate=shared, arms={"unguided": {"generate": {"preset": "unguided"}}})
    (cell,) = cells(experiment, seeds=[0])
    assert cell.generate is not None
    assert cell.generate.guidance.loss == "none"
    assert (cell.generate.count, cell.generate.sampler.steps) == (30, 7)


def test_what_it_will_take_is_a_range_with_its_basis(cdp_home: Path) -> None:
    experiment = experiment_of(TINY, "tiny")
    found = estimate(experiment)
    assert (found.pieces, found.here) == (16, 0)
    assert 0 < found.seconds[0] < found.seconds[1]
    assert "nothing was measured here yet" in found.cost_sentence
    assert "2 seeds and 200 images" in found.power_sentence
    wider = estimate(more(experiment, seeds=4))
    assert found.visible is not None
    assert wider.visible is not None
    assert wider.visible < found.visible
    assert wider.pieces == 48
    assert estimate(more(parsed(arms={"a": {}, "b": {}}, seeds=[0]))).visible is None
    alone = estimate(parsed(arms={"a": {}}))
    assert "Nothing will be compared" in alone.power_sentence
    few = estimate(parsed(arms={"a": {}, "b": {}}, evaluate={"count": 99}))
    assert "No verdict will be given: it takes 100 test images" in few.power_sentence


def test_what_it_will_take_counts_every_arm_and_shared_work_once(cdp_home: Path) -> None:
    arms = {
        f"{k} {size}": {"generate": {"count": count, "strength": 0.1 * k}}
        for k in range(1, 5)
        for size, count in (("few", 10), ("many", 1000))
    }
    uneven = estimate(parsed(arms=arms, seeds=50, stage="samples"))
    assert (uneven.pieces, uneven.disk) == (400, 4 * 50 * 1010 * (28 * 28 + 8))
    shared = {"grid": {"train.fraction": [0.2, 0.5, 0.8]}, "generate": {"count": 10}, "seeds": [0]}
    # Three trainings and one unguided on two sets: those of the three are the same.
    assert estimate(parsed(**shared)).pieces == 2 + 2 * 4


def test_what_it_will_take_follows_from_runs_that_did_real_work(cdp_home: Path) -> None:
    experiment = experiment_of(TINY, "tiny")
    config = next(iter(cells(experiment))).training()
    begun = time.time() - 1000
    for number, (steps, seconds) in enumerate([(2, 3.0), (1, 0.1), (100_000, 200), (50_000, 100)]):
        sized = config.model_copy(update={"steps": steps, "real": 200})
        progress = {"done": steps, "count": steps, "seconds": seconds, "resumed_from": 0}
        progress |= {"seconds_left": 0.0, "rate": 1.0, "unit": "steps"}
        ended = {"started": begun, "ended": begun + 99 + seconds, "progress": progress}
        write_folder(f"r{number}", "train", sized, **ended)
    alone = parsed(arms={"a": {}}, seeds=[0], stage="train", train={"steps": 100_000})
    low, high = estimate(alone).seconds
    factor = (next(iter(cells(alone))).training().pgd_steps + 2) / (config.pgd_steps + 2)
    assert 100 * factor < low < 200 * factor < high < 300 * factor


@pytest.mark.parametrize(
    ("sampler", "search", "objective", "different"),
    [
        ("tpe", {"generate.strength": {"low": 0.01, "high": 1, "log": True}}, ["robust"], 6),
        ("gp", {"generate.strength": {"low": 0.01, "high": 1, "log": True}}, ["robust"], 6),
        ("nsga2", {"generate.strength": {"low": 0.01, "high": 1}}, ["robust", "clean"], 6),
        (
            "grid",
            {"generate.strength": [0.1, 0.2], "generate.loss": ["supcon", "fisher"]},
            ["robust"],
            4,
        ),
    ],
)
def test_every_sampler_asks_for_new_arms_also_when_it_is_taken_up_again(
    tmp_path: Path, sampler: str, search: dict[str, Any], objective: list[str], different: int
) -> None:
    experiment = parsed(
        search=search, sampler=sampler, objective=objective, trials=6, generate={"count": 10}
    )
    seen = []
    for _ in range(6):
        asking = Search(experiment, tmp_path)  # as after a stop
        for trial in asking._trials():
            if not trial.state.is_finished():
                value = 1 - abs(trial.params["generate.strength"] - 0.2)
                asking.study.tell(trial.number, [value] * len(objective))
                seen.append(tuple(trial.params.values()))
    assert len(seen) == len(set(seen)) == different
    assert asking.finished({})
