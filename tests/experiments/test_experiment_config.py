"""The file of an experiment: what it means, and one clear sentence for whatever is wrong with it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from cdp.config.experiment import ExperimentConfig
from cdp.config.generate import GenerateConfig
from cdp.config.knobs import parse
from cdp.data.sets import save_set
from cdp.errors import CdpError, InputError, MissingError
from cdp.experiments.begin import more
from cdp.experiments.estimate import estimate
from cdp.experiments.files import experiment_of, read_experiment, yaml_of
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


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "there are no arms"),
    ({"arms": {"a": {"generate": {"strengh": 1}}}}, "generate.strengh is not a setting"),
    ({"arms": {"a": {"generate": {}, "set": "x"}}}, "generate and set contradict each other"),
    ({"arms": {"a": {"train": {"steps": 3}}}}, "train.steps has to be the same for all arms"),
    ({"arms": {"a": {"train": {"seed": 3}}}}, "train.seed is set by the experiment itself"),
    ({"arms": {"a": {"select": {"keep": 5}}}}, "select and pseudo_label need images"),
    ({"arms": {"a": {}}, "control": "b"}, "'b' is none of the arms"),
    ({"arms": {"a": {}}, "seeds": [1, 1]}, "a seed is there twice"),
    ({"arms": {"a": {}}, "seeds": []}, "at least 1 item"),
    ({"arms": {"a": {}}, "hours": 0}, "greater than 0"),
    ({"arms": {"a": {}}, "trials": 0}, "greater than or equal to 1"),
    ({"arms": {"a": {}}, "precision": 0}, "greater than 0"),
    ({"arms": {"a": {}}, "seeds": 1, "precision": 1}, "precision needs two seeds"),
    ({"arms": {"a": {}}, "format": 3, "later": 1}, "format 3 is of a later version"),
    ({"arms": {" ": {}}}, "is no name"),
    ({"grid": {"strength": [1]}}, "is no setting of a stage"),
    ({"grid": {"generate.strength": []}}, "has no values"),
    ({"grid": {"generate.strength": [1, 1]}}, "has a value twice"),
    ({"grid": {"train.steps": [1, 2]}}, "has to be the same for all arms"),
    ({"grid": {"evaluate.epsilon": [0.1, 0.2]}}, "all arms are measured alike"),
    ({"arms": {"a": {"learner": "a"}}}, "add generate"),
    ({"arms": {"a": {"generate": {}, "learner": "b"}}}, "none of the arms"),
    ({"arms": {"a": {"generate": {}, "learner": "a"}}}, "waits for itself"),
    ({"arms": {"a": {"generate": {"encoder": "x"}, "learner": "a"}}}, "contradict each other"),
    ({"arms": {"a": {"generate": {}, "learner": "b"}, "b": {}}, "stage": "samples"}, "is samples"),
    ({"arms": {"a": {}}, "prune": True}, "prune compares the validation"),
    (
        {"grid": {f"generate.{name}": list(range(100)) for name in ("strength", "eta", "beta")}},
        "this asks for 1,000,000 arms",
    ),
    ({"search": {"generate.strength": {"low": 1, "high": 0}}}, "must be below high"),
    (
        {"search": {"generate.strength": {"low": 0, "high": 1, "log": True}}},
        "must be above 0 where log",
    ),
    (
        {"grid": {"generate.beta": [1]}, "search": {"generate.strength": [1]}},
        "grid and search contradict each other",
    ),
    ({"arms": {"a": {}}, "stage": "samples", "objective": ["clean"]}, "needs a training"),
]


@pytest.mark.parametrize(("settings", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_cannot_be_is_said_in_a_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parsed(**settings)


def test_settings_that_a_stage_refuses_name_the_arm() -> None:
    arms = {"odd": {"generate": {"strength": 99}}}
    with pytest.raises(InputError, match=r"arm 'odd': .*strength"):
        list(cells(parsed(arms=arms)))


def test_what_is_not_here_is_said_before_anything_is_queued(cdp_home: Path) -> None:
    with pytest.raises(MissingError, match=r"arm 'mine': .*no-such-set"):
        require_ready(parsed(arms={"mine": {"set": "no-such-set"}}))
    import numpy as np

    card = {"kind": "imported", "dataset": None, "class_names": ["ant", "bee"]}
    save_set("insects", np.zeros((20, 28, 28, 1), np.uint8), np.arange(20) % 2, card)
    with pytest.raises(InputError, match=r"arm 'insects': .*insects does not fit"):
        require_ready(parsed(arms={"insects": {"set": "insects"}}))
    with pytest.raises(CdpError, match="no-such-model"):
        require_ready(parsed(arms={"a": {"generate": {"model": "no-such-model"}}}))
    with pytest.raises(InputError, match=r"search: generate\.loss is no number"):
        require_ready(parsed(search={"generate.loss": {"low": 0, "high": 1}}, generate={}))


def test_files_of_strangers(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with pytest.raises(MissingError, match=r"x\.yaml"):
        read_experiment(path)
    for text, said in (
        ("arms: [", "is not YAML"),
        ("- a", "holds no mapping"),
        ("arms: {a: {}}\narms: {b: {}}", "set twice"),
        ("a: &a [1]\nb: *a", "aliases"),
        ("arms: {a: {}}\nfoo: 1", "foo"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            read_experiment(path)


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
    assert estimate(more(parsed(arms={"a": {}}, seeds=[0]))).visible is None


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
