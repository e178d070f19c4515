"""Experiments with work of a fraction of a second: pairing, reuse by content, stops, kills, what is
added later, seeds as they are needed, searches. One with real work is in tests/cli."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp.config.experiment import ExperimentConfig
from cdp.config.generate import GenerateConfig, flatten
from cdp.config.knobs import parse
from cdp.data.sets import delete_set, open_set, save_set
from cdp.errors import InputError
from cdp.experiments.begin import more
from cdp.experiments.cells import read_cells
from cdp.experiments.record import line_of
from cdp.experiments.results import result_of
from cdp.results.compare import compare
from cdp.results.rows import run_rows
from cdp.values.experiment import ExperimentResult
from cdp.work import launch
from cdp.work.records import Run, get_run, list_runs
from cdp.work.registry import TASKS
from tests.experiments.quick_worker import tasks
from tests.work.inprocess import here as here

WORKER = (sys.executable, str(Path(__file__).with_name("quick_worker.py")))
MADE = {"count": 20, "steps": 2}
ARMS: dict[str, Any] = {
    "real only": {},
    "unguided": {"generate": {"preset": "unguided", **MADE}},
    "guided": {"generate": {**MADE, "strength": 0.2}},
}
PAIR = {name: ARMS[name] for name in ("unguided", "guided")}
TASK = TASKS["experiment"]


def config(**settings: Any) -> ExperimentConfig:
    given = {"arms": ARMS, "real": 100, "seeds": [0, 1, 2], "train": {"steps": 10}} | settings
    return parse(ExperimentConfig, given)


def begin(experiment: ExperimentConfig, name: str = "trial") -> str:
    return launch.launch(TASK, experiment, name, command=WORKER)


def over(run_id: str, seconds: float = 90) -> Run:
    end = time.monotonic() + seconds
    while not (run := get_run(run_id)).over:
        assert time.monotonic() < end, f"{run} after {seconds} s"
        time.sleep(0.05)
    return run


def done(run_id: str) -> Run:
    run = over(run_id)
    assert run.state == "finished", (run.error, (run.folder / "log.txt").read_text()[-2000:])
    return run


def result(run: Run) -> ExperimentResult:
    assert isinstance(run.config, ExperimentConfig)
    return result_of(run.config, run.folder, run.name)


def computed(home: Path) -> list[str]:
    path = home / "computed.txt"
    return path.read_text().splitlines() if path.exists() else []


def kinds(home: Path) -> list[str]:
    return sorted(line.split()[0] for line in computed(home))


@pytest.fixture
def home(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.delenv("CDP_SLOTS", raising=False)
    return cdp_home


@pytest.fixture
def fast(home: Path, here: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything in threads of this process."""
    monkeypatch.setenv("CDP_SLOTS", "2")
    monkeypatch.setattr("cdp.experiments.coordinate.POLL_SECONDS", 0.05)
    monkeypatch.setattr("cdp.experiments.chores._measured", lambda name: {"agreement": 0.9})
    monkeypatch.setattr("cdp.work.slots._POLL_SECONDS", 0.05)
    for name, task in tasks().items():
        monkeypatch.setitem(TASKS, name, task)
    return home


def test_arms_are_paired_by_seed_and_nothing_is_computed_twice(fast: Path) -> None:
    run = done(begin(config()))
    assert kinds(fast) == ["evaluate"] * 9 + ["generate"] * 6 + ["train"] * 9
    found = result(run)
    assert run.result is not None
    assert run.result["verdict"] == found.verdict
    assert found.best == "guided"
    assert "guided is better by" in found.verdict
    arms = {arm.name: arm for arm in found.arms}
    guided, control = arms["guided"], arms["unguided"]
    assert guided.difference is not None
    assert guided.difference.method.startswith("paired t, 3 shared seeds")
    tested = guided.difference.difference
    assert tested is not None
    assert tested.value == pytest.approx(
        sum(guided.values["robust"][s] - control.values["robust"][s] for s in (0, 1, 2)) / 3
    )
    assert {arm.steps for arm in found.arms} == {10}
    # A seed draws subset, noise and training together.
    for cell in found.cells:
        trained = get_run(cell.train).config
        assert (trained.seed, trained.subset_seed) == (cell.seed, cell.seed)
    # Another experiment asks for the same: nothing is left to do.
    again = done(begin(config(), "second"))
    assert len(computed(fast)) == 24
    assert all(set(cell.reused) >= {"train", "evaluate"} for cell in result(again).cells)
    assert line_of(result(again)) | {"name": "trial"} == line_of(found)


def test_what_is_asked_for_later_is_all_that_is_computed_then(fast: Path) -> None:
    experiment = config(seeds=[0, 1])
    run = done(begin(experiment))
    before = len(computed(fast))
    launch.extend(TASK, run.id, more(experiment, seeds=1), command=WORKER)
    assert [arm.seeds for arm in result(done(run.id)).arms] == [(0, 1, 2)] * 3
    assert kinds(fast) == ["evaluate"] * 9 + ["generate"] * 6 + ["train"] * 9
    assert len(computed(fast)) == before + 8
    # A stronger attack: evaluations alone.
    now = get_run(run.id).config
    assert isinstance(now, ExperimentConfig)
    launch.extend(TASK, run.id, more(now, attack="pgd"), command=WORKER)
    done(run.id)
    assert len(computed(fast)) == before + 8 + 9
    assert (run.folder / "config-2.json").exists()


def test_one_at_work_takes_up_what_is_asked_for_meanwhile(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUICK_SECONDS", "0.2")
    experiment = config(arms=PAIR, seeds=[0])
    run_id = begin(experiment)
    while "train" not in kinds(fast):
        time.sleep(0.02)
    longer = more(experiment, seeds=1, attack="pgd")
    launch.extend(TASK, run_id, longer, command=WORKER)
    assert not get_run(run_id).over
    found = result(done(run_id))
    assert {cell.seed for cell in found.cells} == {0, 1}
    assert kinds(fast).count("train") == kinds(fast).count("generate") == 4
    evaluated = {get_run(cell.evaluate).config.attack for cell in found.cells}  # type: ignore[union-attr]
    assert evaluated == {"pgd"}
    # At its very end it is closed: whoever comes then waits for it, and starts it again.
    seeds = 2
    for delay in (0.0, 0.02, 0.05, 0.1):
        launch.extend(TASK, run_id, more(longer, seeds=1), command=WORKER)
        longer, seeds = more(longer, seeds=1), seeds + 1
        while kinds(fast).count("evaluate") < 2 * seeds:
            time.sleep(0.005)
        time.sleep(delay)
    assert {cell.seed for cell in result(done(run_id)).cells} == set(range(seeds))


def test_what_was_deleted_by_hand_is_made_again(fast: Path) -> None:
    run = done(begin(config(seeds=[0, 1])))
    cell = next(iter(read_cells(run.folder).values()))
    launch.delete(cell.train)
    launch.extend(TASK, run.id, run.config, command=WORKER)
    after = done(run.id)
    assert kinds(fast).count("train") == 7
    assert kinds(fast).count("evaluate") == 7
    assert all(c.stage == "done" for c in result(after).cells)
    # A set that is gone takes nothing with it: its training is here.
    delete_set(next(c.set for c in result(after).cells if c.set))
    launch.extend(TASK, run.id, run.config, command=WORKER)
    done(run.id)
    assert kinds(fast).count("generate") == 4


def test_a_stop_stops_the_children_and_a_resume_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUICK_SECONDS", "1")
    run_id = begin(config(arms=PAIR, seeds=[0]))
    while not any(run.kind == "train" and run.state == "running" for run in list_runs()):
        time.sleep(0.05)
    launch.stop(run_id)
    assert over(run_id).state == "stopped"
    deadline = time.monotonic() + 8
    while any(not run.over for run in list_runs()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    monkeypatch.setenv("QUICK_SECONDS", "0.02")
    launch.resume(run_id, command=WORKER)
    done(run_id)
    assert kinds(home) == ["evaluate"] * 2 + ["generate"] * 2 + ["train"] * 2


def test_twenty_kills_at_random_leave_the_numbers_of_an_unbroken_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("QUICK_SECONDS", "0.2")
    run_id, chance = begin(config(arms=PAIR, seeds=[0])), random.Random(0)
    for _ in range(20):
        time.sleep(chance.uniform(0.02, 0.3))
        alive = [run for run in list_runs() if run.pid]
        if alive:
            os.kill(chance.choice(alive).pid or 0, signal.SIGKILL)
        if get_run(run_id).state == "interrupted":
            launch.resume(run_id, command=WORKER)
    while (state := over(run_id).state) != "finished":
        assert state == "interrupted"
        launch.resume(run_id, command=WORKER)
    broken = [(arm.name, arm.values) for arm in result(get_run(run_id)).arms]
    monkeypatch.setenv("CDP_HOME", str(tmp_path_factory.mktemp("other")))
    monkeypatch.setenv("QUICK_SECONDS", "0.02")
    unbroken = result(done(begin(config(arms=PAIR, seeds=[0]))))
    assert broken == [(arm.name, arm.values) for arm in unbroken.arms]


def test_two_experiments_at_once_share_their_work(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUICK_SECONDS", "0.3")
    first, second = begin(config(seeds=[0, 1]), "one"), begin(config(seeds=[0, 1]), "two")
    lines = [line_of(result(done(run_id))) for run_id in (first, second)]
    assert lines[0]["arms"] == lines[1]["arms"]
    # Both may begin the same piece within the same look; most are shared.
    assert len(computed(fast)) <= 20


def test_a_cell_that_fails_is_named_and_the_others_are_done(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUICK_HALT", "1")
    run = over(begin(config()))
    assert run.state == "failed"
    assert run.error is not None
    assert "3 cells of 9 failed" in run.error
    assert "training diverged" in run.error
    states = [cell.stage for cell in result(run).cells]
    assert states.count("done") == 6
    # Seed 1 has no pair: what is said is said of the others.
    assert result(run).verdict.startswith("guided is better by")
    assert result(run).verdict.endswith("So far 2 of 3 seeds.")


def test_with_precision_seeds_are_added_until_the_question_is_settled(fast: Path) -> None:
    arms = {name: ARMS[name] for name in ("unguided", "guided")}
    run = done(begin(config(arms=arms, seeds=[0, 1, 2], precision=0.5, max_seeds=8)))
    found = result(run)
    seeds = {cell.seed for cell in found.cells}
    assert 3 <= len(seeds) < 8
    assert found.level > 0.95
    assert found.best == "guided"
    assert "is better" in found.verdict
    # Two arms that are alike are told apart by no number of seeds.
    arms = {"unguided": ARMS["unguided"], "weak": {"generate": {**MADE, "strength": 0.01}}}
    asked = {"arms": arms, "seeds": [0, 1], "precision": 0.01, "max_seeds": 5}
    open_ = result(done(begin(config(**asked), "open")))
    assert {cell.seed for cell in open_.cells} == {0, 1, 2, 3, 4}


def test_a_race_gives_up_arms_that_are_behind_and_names_the_same_winner(fast: Path) -> None:
    grid = {"generate.strength": [0.01, 0.1, 0.2, 0.35]}
    asked = {"arms": {}, "grid": grid, "generate": MADE, "seeds": 6, "race": True}
    found = result(done(begin(config(**asked))))
    dropped = {cell.arm for cell in found.cells if cell.stage == "dropped"}
    assert found.best == "strength 0.2"
    assert "strength 0.2" not in dropped
    assert "unguided" not in dropped
    assert len(dropped) >= 2
    assert kinds(fast).count("train") < 30


def test_a_search_finds_the_good_setting_and_goes_on_after_a_stop(fast: Path) -> None:
    search = {"generate.strength": {"low": 0.01, "high": 1.0, "log": True}}
    asked = {"arms": {}, "search": search, "generate": MADE, "seeds": 1, "trials": 10}
    run_id = begin(config(**asked))
    while len([run for run in list_runs() if run.kind == "train"]) < 5:
        time.sleep(0.05)
    launch.stop(run_id)
    over(run_id)
    launch.resume(run_id, command=WORKER)
    run = done(run_id)
    found = result(run)
    tried = [
        float(arm.settings["generate.strength"]) for arm in found.arms if arm.name != "unguided"
    ]
    assert len(tried) == 10
    best = next(arm for arm in found.arms if arm.name == found.best)
    assert 0.1 < float(best.settings["generate.strength"]) < 0.4
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(run.folder / "optuna.log")))
    study = optuna.load_study(study_name="experiment", storage=storage)
    assert study.best_params["generate.strength"] == pytest.approx(
        float(best.settings["generate.strength"])
    )


@pytest.mark.parametrize("sampler", ["gp", "nsga2"])
def test_other_samplers_search_as_well(fast: Path, sampler: str) -> None:
    search = {"generate.strength": [0.1, 0.2, 0.4], "generate.temperature": [0.05, 0.1]}
    asked = {"arms": {}, "search": search, "generate": MADE, "seeds": 1, "trials": 6}
    found = result(done(begin(config(**asked, sampler=sampler))))
    assert 0.1 <= float(found.arms[-1].settings["generate.strength"]) <= 0.4
    assert found.best != "unguided"


def test_a_search_ends_trainings_that_fall_behind_on_the_way(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUICK_SECONDS", "0.5")
    search = {"generate.strength": [0.2, 0.22, 0.18, 0.21, 0.9, 0.8]}
    asked = {"arms": {}, "search": search, "generate": MADE, "seeds": 2, "trials": 6}
    run = done(begin(config(**asked, sampler="grid", prune=True)))
    found = result(run)
    dropped = [cell for cell in found.cells if cell.stage == "dropped"]
    assert {cell.arm for cell in dropped} <= {"strength 0.9", "strength 0.8", "strength 0.18"}
    ended = [cell for cell in dropped if cell.error]
    assert ended
    assert all("below the median" in cell.error for cell in ended), ended
    assert not any(cell.run for cell in ended), ended
    assert any("below the median" in note for note in found.notes)
    # Neither its second seed nor an evaluation follows, and there is no verdict on it.
    left = [arm for arm in found.arms if arm.name in {cell.arm for cell in ended}]
    assert all(arm.difference is None or arm.difference.difference is None for arm in left)
    stopped = [each for each in list_runs() if each.kind == "train" and each.state == "stopped"]
    assert len(stopped) == len(ended)
    # Resumed, it stays ended.
    before = len(computed(fast))
    launch.extend(TASK, run.id, config(**asked, sampler="grid", prune=True), command=WORKER)
    done(run.id)
    assert len(computed(fast)) == before


def test_an_arm_of_images_without_labels_is_labelled_by_a_classifier(fast: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 28, 28, 1), np.uint8)
    card = {"kind": "generated", "dataset": "fashion-mnist", "config": flatten(GenerateConfig())}
    save_set("raw", image, None, card | {"created": "2026-01-01T00:00:00+00:00"})
    labelled = {"set": "raw", "pseudo_label": {"min_confidence": 0.0}}
    found = result(done(begin(config(arms={"real only": {}, "labelled": labelled}, seeds=[0, 1]))))
    sets = {cell.set for cell in found.cells if cell.arm == "labelled"}
    (name,) = sets  # labels do not depend on the seed
    assert open_set(name).card["pseudo_labels"]["encoder"]["sha256"]
    assert len(open_set(name)) == 30
    with pytest.raises(InputError, match=r"arm 'raw'.*has no labels.*pseudo-label raw"):
        begin(config(arms={"real only": {}, "raw": {"set": "raw"}}, seeds=[0]), "bare")


def test_each_seed_has_a_diffusion_model_of_the_images_that_its_classifiers_train_on(
    fast: Path,
) -> None:
    named = {"generate": {**MADE, "preset": "unguided", "model": "fashion-mnist"}}
    experiment = config(
        pretrain={"steps": 5},
        arms=ARMS | {"shipped model": named},
        seeds=[0, 1],
        train={"steps": 10},
    )
    found = result(done(begin(experiment)))
    assert [line for line in computed(fast) if line.startswith("pretrain")] == [
        f"pretrain {seed} {seed} 100 500 5" for seed in (0, 1)
    ]
    models = {run.config.seed: run.name for run in list_runs() if run.kind == "pretrain"}
    for cell in found.cells:
        if cell.arm != "real only":
            used = open_set(cell.set).card["config"]["model"]
            assert used == ("fashion-mnist" if cell.arm == "shipped model" else models[cell.seed])
    assert not any("pretrain" in cell.reused for cell in found.cells)
    # Another experiment has them already; one that lost a model trains it again.
    more_arms = {"stronger": {"generate": {**MADE, "strength": 0.4}}}
    done(begin(config(pretrain={"steps": 5}, arms=more_arms, seeds=[0, 1]), "second"))
    assert kinds(fast).count("pretrain") == 2
    shutil.rmtree(fast / "models" / models[1])
    other = {"weaker": {"generate": {**MADE, "strength": 0.1}}}
    done(begin(config(pretrain={"steps": 5}, arms=other, seeds=[0, 1]), "third"))
    assert kinds(fast).count("pretrain") == 3


def test_rounds_of_feedback_are_guided_by_the_network_of_the_round_before(fast: Path) -> None:
    made = {"generate": {**MADE, "loss": "uncertainty", "strength": 0.2}}
    arms = {
        "second": {**made, "learner": "first"},
        "real only": {},
        "first": {**made, "learner": "real only"},
    }
    asked = {"arms": arms, "seeds": [0, 1], "control": "real only"}
    found = result(done(begin(config(**asked))))
    trained = {(cell.arm, cell.seed): cell.train for cell in found.cells}
    encoders = {line.split()[-2] for line in computed(fast) if line.startswith("generate")}
    learners = {f"run:{trained[arm, s]}" for arm in ("real only", "first") for s in (0, 1)}
    assert encoders == learners
    assert kinds(fast) == ["evaluate"] * 6 + ["generate"] * 4 + ["train"] * 6
    done(begin(config(**asked), "second-time"))
    assert len(computed(fast)) == 16


def test_an_arm_may_keep_a_part_of_its_images_before_training(fast: Path) -> None:
    part = {"by": "random", "keep": 10}
    arms = {**PAIR, "part": {"generate": {**MADE, "strength": 0.2}, "select": part}}
    run = done(begin(config(arms=arms, seeds=[0, 1])))
    parts = {cell.seed: cell.set for cell in result(run).cells if cell.arm == "part"}
    assert len({*parts.values()}) == 2
    for seed, name in parts.items():
        card = open_set(name).card
        assert len(open_set(name)) == 10
        assert card["selection"]["seed"] == seed
    # Its parent is the set of the guided arm, which is made once.
    assert kinds(fast).count("generate") == 4
    again = result(done(begin(config(arms=arms, seeds=[0, 1]), "second")))
    assert {cell.set for cell in again.cells if cell.arm == "part"} == {*parts.values()}


def test_a_full_disk_ends_it_with_a_sentence_and_a_resume_goes_on(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("cdp.experiments.children.launch", full)
        run = over(begin(config(arms=PAIR, seeds=[0])))
        assert run.state == "failed"
        assert run.error is not None
        assert "space" in run.error.lower()
    launch.resume(run.id, command=WORKER)
    assert done(run.id).state == "finished"


def test_the_seeds_of_an_arm_are_one_group_though_their_sets_and_real_images_differ(
    fast: Path,
) -> None:
    run = done(begin(config(seeds=[0, 1])))
    groups: dict[str, set[str]] = {}
    for cell in result(run).cells:
        row = next(row for row in run_rows() if row.id == cell.train)
        groups.setdefault(cell.arm, set()).add(row.group)
    assert all(len(group) == 1 for group in groups.values())
    assert len({group for of in groups.values() for group in of}) == len(groups)
    arms = compare([cell.train for cell in result(run).cells]).arms
    assert sorted(len(arm.seeds) for arm in arms) == [2] * len(groups)
