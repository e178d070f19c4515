"""What a run will take: by runs like it, by others of its kind, or by other machines; always a range
that holds what it rests on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cdp.cli.runs import say_cost
from cdp.config.evaluate import EvaluateConfig
from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.knobs import Frozen
from cdp.config.train import TrainConfig
from cdp.results.cost import Pace, answers_cost, measured_cost, units_of
from cdp.work.cost import learn_rates
from cdp.work.records import Run
from cdp.work.session import Progress

SMALL = TrainConfig(steps=1000)


def finished(kind: str, config: Frozen, seconds: float, *, resumed_from: int = 0) -> Run:
    done = Progress(100, 100, seconds, None, None, resumed_from, "steps")
    return Run("id", Path("x"), kind, "a", config, "finished", 1.0, progress=done)


def test_a_run_like_it_is_told_by_its_own_time_and_one_of_twice_the_length_by_twice_that() -> None:
    pace = Pace([finished("train", SMALL, 100)])
    for config, seconds in ((SMALL, 100), (SMALL.model_copy(update={"steps": 2000}), 200)):
        cost = pace.cost("train", config)
        assert cost.seconds[0] < seconds < cost.seconds[1] < 1.4 * seconds
        assert cost.basis == "from 1 run here"
    assert pace.cost("train", SMALL).text == "1 to 3 min, from 1 run here"


def test_half_of_a_run_that_was_resumed_tells_of_half_of_the_work() -> None:
    half = Pace([finished("train", SMALL, 50, resumed_from=50)]).cost("train", SMALL)
    assert half.seconds == Pace([finished("train", SMALL, 100)]).cost("train", SMALL).seconds


def test_runs_unlike_it_count_less_than_a_measurement_and_more_than_other_machines() -> None:
    other = SMALL.model_copy(update={"architecture": "preact-resnet-18"})
    pace = Pace([finished("train", SMALL, 100), finished("train", SMALL, 120)])
    assert pace.cost("train", other).basis == "from 2 other runs here"
    measured = measured_cost(900, "as measured here")
    assert pace.cost("train", other, measured) == measured
    assert pace.cost("train", SMALL, measured).basis == "from 2 runs here"
    assert Pace([]).cost("train", SMALL).basis == "as measured on other machines"


def test_what_did_not_finish_or_took_no_time_tells_nothing() -> None:
    runs = [finished("train", SMALL, 0.5), replace(finished("train", SMALL, 90), state="stopped")]
    assert Pace(runs).runs == 0


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("generate", GenerateConfig(count=5000)),
        ("evaluate", EvaluateConfig(model="run:x")),
        ("train", TrainConfig()),
    ],
)
def test_every_kind_has_a_range_before_anything_ran(kind: str, config: Frozen) -> None:
    low, high = Pace([]).cost(kind, config).seconds
    assert 0 < low < high


def test_autoattack_is_more_work_than_the_other_attacks_and_each_image_counts() -> None:
    configs = {
        attack: EvaluateConfig(model="run:x", attack=attack, count=500)
        for attack in ("quick", "pgd", "autoattack")
    }
    units = {attack: units_of(config) for attack, config in configs.items()}
    assert units["quick"] < units["pgd"] < units["autoattack"]
    twice = configs["autoattack"].model_copy(update={"count": 1000})
    assert units_of(twice) == 2 * units["autoattack"]


def test_guided_and_unguided_sets_are_told_apart() -> None:
    guided = GenerateConfig(count=2000)
    plain = unflatten({"loss": "none", "strength": 0.0}, guided)
    pace = Pace([finished("generate", guided, 60)])
    assert pace.cost("generate", guided).basis == "from 1 run here"
    assert pace.cost("generate", plain).basis == "from 1 other run here"


def test_answers_are_told_by_other_machines_until_all_of_them_were_measured_here(
    cdp_home: Path,
) -> None:
    parts = [("embed", "pca judge", 1000), ("umap", "umap 2", 1000)]
    first = answers_cost(parts)
    assert first.basis == "as measured on another machine" and first.seconds[0] > 0
    learn_rates(("helper", "umap umap 2"), unit=0.01)
    assert answers_cost(parts).basis == first.basis
    learn_rates(("helper", "embed pca judge"), unit=0.001)
    known = answers_cost(parts)
    assert known.basis == "as measured here"
    assert known.seconds[0] < 11 < known.seconds[1]


def test_the_command_line_says_what_a_long_run_takes_and_is_silent_about_a_short_one(
    cdp_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say_cost("train", SMALL)
    assert capsys.readouterr().err.startswith("note: takes ")
    say_cost("evaluate", EvaluateConfig(model="run:a", attack="quick", count=10))
    assert capsys.readouterr().err == ""
