"""What an experiment comes to: what its verdict was measured by, also while something stronger is
under way, and what is said of samples, of two objectives, and of arms that never learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cdp.experiments.begin import begin as begin_experiment
from cdp.experiments.begin import extend_run, more
from cdp.experiments.cells import read_cells, write_cells
from cdp.experiments.plan import ALONE
from cdp.experiments.results import _first_pair
from cdp.work import launch
from cdp.work.records import Run, get_run
from cdp.work.registry import TASKS
from tests.experiments.test_experiments import (
    ARMS,
    MADE,
    PAIR,
    TASK,
    WORKER,
    begin,
    config,
    done,
    kinds,
    result,
)
from tests.experiments.test_experiments import fast as fast
from tests.experiments.test_experiments import home as home
from tests.work.inprocess import here as here


def test_the_last_complete_measure_stands_until_a_stronger_one_is_complete(fast: Path) -> None:
    quick = config(arms=PAIR)
    run = done(begin(quick))
    before = result(run)
    assert before.basis.startswith("Robust accuracy under ") and "3 paired seeds." in before.basis
    assert " is done for " not in before.basis
    # As while the first of six cells has the stronger attack behind it.
    asked = more(quick, attack="pgd")
    (first, *others) = read_cells(run.folder).values()
    stronger = {"attack": "pgd", "model": f"run:{first.train}"}
    config_now = get_run(first.evaluate).config.model_copy(update=stronger)  # type: ignore[union-attr]
    done(launch.launch(TASKS["evaluate"], config_now, "by-hand", command=WORKER))
    open_cells = [replace(cell, stage="waiting", evaluate="") for cell in others]
    write_cells(run.folder, [first, *open_cells], {})
    launch.write_json(
        run.folder / "config.json",
        launch.read_json(run.folder / "config.json") | {"config": asked.model_dump(mode="json")},
    )
    now = result(get_run(run.id))
    assert (now.verdict, now.best) == (before.verdict, before.best)
    assert [arm.seeds for arm in now.arms] == [(0, 1, 2)] * 2
    assert now.basis.startswith(before.basis) and "done for 1 of 6 cells." in now.basis
    launch.extend(TASK, run.id, more(asked), command=WORKER)
    after = result(done(run.id))
    assert " is done for " not in after.basis


def test_a_stronger_attack_that_another_experiment_asked_for_is_no_result_of_this_one(
    fast: Path,
) -> None:
    run = done(begin(config(arms=PAIR)))
    before = result(run)
    other = done(begin(more(config(arms=PAIR), attack="pgd"), "other"))
    assert {cell.train for cell in read_cells(other.folder).values()} == {
        cell.train for cell in read_cells(run.folder).values()
    }
    assert arm(other, "guided") == pytest.approx(arm(run, "guided") + 0.05, abs=0.01)
    assert result(get_run(run.id)) == before


def arm(run: Run, name: str) -> float:
    """Its robust accuracy."""
    return next(a for a in result(run).arms if a.name == name).figures["robust"].value


def test_of_one_arm_it_is_said_that_nothing_is_compared(fast: Path) -> None:
    run = done(begin(config(arms={"real only": {}})))
    assert result(run).verdict == ALONE
    launch.extend(
        TASK, run.id, config(arms={k: ARMS[k] for k in ("real only", "unguided")}), command=WORKER
    )
    assert "Nothing" not in result(done(run.id)).verdict


def test_samples_alone_are_compared_by_what_was_measured(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {"unguided": 0.90, "guided": 0.93}
    monkeypatch.setattr(
        "cdp.experiments.chores._measured",
        lambda name: {
            "agreement": seen[name.split("-")[1]]
            + 0.001 * len(name.split("-s")[1])
            + 0.002 * int(name[-1])
        },
    )
    asked = {"arms": PAIR, "stage": "samples", "objective": ["agreement"]}
    found = result(done(begin(config(**asked))))
    assert kinds(fast) == ["generate"] * 6
    guided = next(arm for arm in found.arms if arm.name == "guided")
    assert guided.difference is not None
    assert guided.difference.difference is not None
    assert guided.difference.difference.value == pytest.approx(0.03)
    assert found.best == "guided"


def test_two_objectives_have_a_front_and_figures_that_rank_as_robustness_does(fast: Path) -> None:
    grid = {"generate.strength": [0.01, 0.1, 0.2, 0.3, 0.35]}
    asked = {
        "arms": {},
        "grid": grid,
        "generate": MADE,
        "seeds": 2,
        "objective": ["robust", "clean"],
    }
    found = result(done(begin(config(**asked))))
    assert [arm.name for arm in found.arms if arm.front]
    assert all(arm.figures["clean"].value == pytest.approx(0.8) for arm in found.arms)
    best = max(found.arms, key=lambda arm: arm.figures["robust"].value)
    assert [arm.name for arm in found.arms if arm.front] == [best.name]
    # Agreement is the same for all here, so it ranks nothing.
    assert found.proxies == ()


def test_what_is_better_low_and_has_no_per_cent_is_said_so(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {"unguided": 44.0, "guided": 80.0}
    monkeypatch.setattr(
        "cdp.experiments.chores._measured",
        lambda name: {
            "frechet": seen[name.split("-")[1]] + int(name[-1]) * len(name.split("-")[1])
        },
    )
    asked = {"arms": PAIR, "stage": "samples", "objective": ["frechet"]}
    run = done(begin(config(**asked)))
    found = result(run)
    assert found.verdict.startswith("unguided is better by 34 in Frechet distance, 95 %")
    # One seed has no verdict, and says why; the same file is known also after an extension.
    once = config(arms=PAIR, stage="samples", objective=["frechet"], seeds=[0], name="once")
    run_id = begin_experiment(once)
    assert "one seed says nothing of others" in result(done(run_id)).verdict
    extend_run(run_id, more(once, seeds=1))
    done(run_id)
    assert begin_experiment(once) == run_id
    assert get_run(run_id).config.seeds == (0, 1)  # type: ignore[union-attr]


def test_an_arm_that_never_learned_is_not_the_one_to_speak_of(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"arms": {}, "grid": {"generate.strength": [0.2, 0.35]}, "generate": MADE}
    found = result(done(begin(config(**asked))))
    assert found.best == "strength 0.2"
    assert "Of 2 arms beside unguided strength 0.2 is the best by validation." in found.verdict
    monkeypatch.setenv("QUICK_GUESSES", "strength-0.2-")
    found = result(done(begin(config(**asked, evaluate={"attack": "pgd"}), "again")))
    assert found.best == "strength 0.35"
    guessing = next(arm for arm in found.arms if arm.name == "strength 0.2")
    assert guessing.figures["clean"].value == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (None, "b and a are measured"),
        (0.0004, "b stands level with a"),
        (-0.013, "b stands 1.3 points below a"),
        (0.013, "b stands 1.3 points above a"),
    ],
)
def test_the_first_pair_is_said_in_the_direction_that_it_points(
    gap: float | None, said: str
) -> None:
    assert _first_pair("b", "a", gap) == said
