"""The settings of robust training: what fits together, and what an empty one stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.config_train import TrainConfig, attack_steps_of, automatic_name, budget, step_size_of
from cdp.data.catalog import CATALOG
from cdp.data.names import valid_name
from cdp.errors import InputError
from cdp.knobs import parse
from cdp.presets_train import TRAIN_PRESETS, train_preset


@pytest.mark.parametrize("name", TRAIN_PRESETS)
def test_presets_survive_json_and_name_a_folder(name: str) -> None:
    config = train_preset(name)
    assert parse(TrainConfig, config.model_dump(mode="json")) == config
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config
    assert valid_name(automatic_name(config))


def test_the_published_step_is_that_of_the_rule() -> None:
    cifar = TrainConfig(dataset="cifar10")
    assert step_size_of(cifar, 8 / 255) == pytest.approx(2 / 255)
    assert step_size_of(TrainConfig(step_size=0.5), 8 / 255) == 0.5


def test_empty_budget_and_steps_are_the_data_sets_conventions() -> None:
    assert [attack_steps_of(TrainConfig(dataset=name)) for name in ("mnist", "cifar10", "mine")] == [40, 10, 10]
    assert attack_steps_of(TrainConfig(dataset="mnist", attack_steps=7)) == 7
    assert budget(TrainConfig(dataset="cifar10", norm="l2"), CATALOG["cifar10"].conventional("l2")) == pytest.approx(128 / 255)
    assert budget(TrainConfig(epsilon=0.2), 0.1) == 0.2
    with pytest.raises(InputError, match="set epsilon"):
        budget(TrainConfig(dataset="kmnist"), CATALOG["kmnist"].conventional("linf"))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"real": 0}, "nothing to train on"), ({"real": 0, "synthetic": ["a"]}, "fraction"), ({"synthetic": ["a", "a"]}, "twice"),
        ({"synthetic": ["a"], "batch": 2, "fraction": 0.01}, "batch"), ({"epsilon": 0}, "epsilon"), ({"epsilon": float("nan")}, "epsilon"),
        ({"method": "fgsm"}, "method"), ({"steps": 3, "epochs": 2}, "both say"), ({"fraction": 1.01}, "fraction"),
        ({"synthetic": list("abcdefghijklmnopq")}, "synthetic"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_names_the_field(settings: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        parse(TrainConfig, settings)


@given(st.integers(2, 8192), st.floats(0, 1))
def test_the_synthetic_part_of_a_batch_is_the_nearest_whole_number(batch: int, fraction: float) -> None:
    try:
        config = parse(TrainConfig, {"batch": batch, "fraction": fraction, "synthetic": ["a"]})
    except InputError:
        assert round(fraction * batch) in (0, batch)
        return
    assert abs(config.synthetic_per_batch - fraction * batch) <= 0.5
