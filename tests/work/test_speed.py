"""What a generation costs here: learned from those that ran, kept between starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.config.generate import GenerateConfig, Guidance, Sampler
from cdp.work.cost import Speed, Tick, guided_steps

CONFIG = GenerateConfig(count=4, sampler=Sampler(steps=5))


def test_an_estimate_grows_with_images_and_steps_and_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    config = GenerateConfig(count=64, sampler=Sampler(steps=10))
    ticks = [Tick(0.64, False)] * 2 + [Tick(1.28, True)] * 7
    Speed(path).learn(config, compare=True, ticks=ticks, tail=0.64)
    speed = Speed(path)
    assert guided_steps(config) == 7
    assert speed.estimate(config, compare=True) == pytest.approx(3 * 0.64 + 7 * 1.28 + 0.64)
    twice = config.model_copy(update={"count": 128})
    assert speed.estimate(twice, compare=True) == pytest.approx(
        2 * speed.estimate(config, compare=True)
    )
    assert (
        speed.estimate(
            config.model_copy(update={"guidance": Guidance(encoder="standard")}), compare=True
        )
        is None
    )


def test_seconds_per_image_are_the_same_whether_batches_ran_in_turn_or_as_one(
    tmp_path: Path,
) -> None:
    one, four = (GenerateConfig(count=n, sampler=Sampler(steps=10)) for n in (64, 256))
    in_turn, at_once = Speed(tmp_path / "a.json"), Speed(tmp_path / "b.json")
    in_turn.learn(four, compare=True, ticks=[Tick(0.64, True)] * 39, tail=0.0)
    at_once.learn(four, compare=True, ticks=[Tick(2.56, True)] * 9, tail=0.0)
    assert in_turn.estimate(one, compare=True) == pytest.approx(at_once.estimate(one, compare=True))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"costs": {"a": {"plain": -1, "guided": "x"}}}',
        '{"costs": []}',
        '{"costs": {"a": 3}}',
        "\x00",
    ],
)
def test_a_damaged_speed_file_only_means_measuring_again(tmp_path: Path, content: str) -> None:
    path = tmp_path / "speed.json"
    path.write_text(content)
    assert Speed(path).estimate(CONFIG, compare=True) is None
