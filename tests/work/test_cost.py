"""What work costs here, learned from work that ran and kept between starts; and how long it will
take yet."""

from __future__ import annotations

import pytest

from cdp import paths
from cdp.config.generate import GenerateConfig, Guidance, Sampler
from cdp.work.cost import (
    Tick,
    generation_seconds,
    known_rates,
    learn_generation,
    learn_rates,
    sorts_of_steps,
    time_left,
)


@pytest.mark.parametrize(
    ("spent", "done", "left", "expected", "seconds"),
    [
        (10, 1, 4, None, 40),
        (10, 0.2, 0.8, None, 40),
        (10, 0, 5, None, None),
        (0, 1, 5, None, None),
        (3, 0, 1, 7, 4),
        (3, 0.9, 0.1, 7, 4),
        (8, 0, 1, 7, None),
        (8, 0.5, 0.5, 7, 8),
        (5, 5, 0, 100, 0),
        (1e308, 1e-300, 1, None, None),
    ],
)
def test_time_left_follows_what_such_work_took_before_and_then_its_own_pace(
    spent: float, done: float, left: float, expected: float | None, seconds: float | None
) -> None:
    found = time_left(spent, done, left, expected=expected)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_where_parts_are_alike_the_own_pace_counts_more_and_more() -> None:
    # One part of twenty after half of the time that the whole should take: it will take longer.
    assert time_left(50, 1, 19, expected=100, alike=True) == pytest.approx(0.5 * 50 + 0.5 * 950)
    assert time_left(50, 0, 20, expected=100, alike=True) == 50
    assert time_left(100, 1, 19, expected=100, alike=True) == pytest.approx(1900)


def test_rates_are_of_one_kind_of_work_and_a_disturbed_run_counts_half() -> None:
    assert known_rates("train", 3) is None
    learn_rates(("train", 3), step=1.0, image=0.5)
    assert known_rates("train", 3) == {"step": 1.0, "image": 0.5}
    assert known_rates("train", 4) is None
    learn_rates(("train", 3), step=3.0, image=0.5)
    assert known_rates("train", 3) == {"step": 2.0, "image": 0.5}
    learn_rates(("train", 3), pass_=7.0)
    assert known_rates("train", 3) == {"pass_": 7.0}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"unit": "x"}', '{"unit": -1.0}', '{"unit": 1e999}', "\x00"]
)
def test_damaged_rates_only_mean_measuring_again(content: str) -> None:
    learn_rates(("helper",), unit=1.0)
    [file] = (paths.cache_dir() / "cost").iterdir()
    file.write_text(content)
    assert known_rates("helper") is None
    learn_rates(("helper",), unit=2.0)
    assert known_rates("helper") == {"unit": 2.0}


def test_an_estimate_grows_with_images_and_steps() -> None:
    config = GenerateConfig(count=64, sampler=Sampler(steps=10))
    ticks = [Tick(0.64, False)] * 2 + [Tick(1.28, True)] * 7
    learn_generation(config, compare=True, ticks=ticks, tail=0.64)
    assert sorts_of_steps(config) == {"plain": 3, "guided": 7}
    once = generation_seconds(config, compare=True)
    assert once == pytest.approx(3 * 0.64 + 7 * 1.28 + 0.64)
    twice = generation_seconds(config.model_copy(update={"count": 128}), compare=True)
    assert twice == pytest.approx(2 * once)
    other = config.model_copy(update={"guidance": Guidance(encoder="standard")})
    assert generation_seconds(other, compare=True) is None


def test_seconds_per_image_are_the_same_whether_batches_ran_in_turn_or_as_one() -> None:
    found = []
    one, four = (GenerateConfig(count=n, sampler=Sampler(steps=10)) for n in (64, 256))
    for ticks, compare in (([Tick(0.64, True)] * 39, True), ([Tick(2.56, True)] * 9, False)):
        learn_generation(four, compare=compare, ticks=ticks, tail=0.0)
        found.append(generation_seconds(one, compare=compare))
    assert found[0] == pytest.approx(found[1])
