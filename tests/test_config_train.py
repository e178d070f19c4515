"""The settings of robust training: what fits together, and what an empty one stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.config.knobs import parse
from cdp.config.presets import TRAIN_PRESETS, train_preset
from cdp.config.train import TrainConfig, automatic_name, overlaid
from cdp.data.catalog import CATALOG
from cdp.data.limits import valid_name
from cdp.errors import InputError


@pytest.mark.parametrize("name", TRAIN_PRESETS)
def test_presets_survive_json_and_name_a_folder(name: str) -> None:
    config = train_preset(name)
    assert parse(TrainConfig, config.model_dump(mode="json")) == config
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config
    assert valid_name(automatic_name(config))


def test_the_published_step_is_that_of_the_rule() -> None:
    cifar = TrainConfig(dataset="cifar10")
    assert cifar.pgd_step_size(8 / 255) == pytest.approx(2 / 255)
    assert TrainConfig(step_size=0.5).pgd_step_size(8 / 255) == 0.5


def test_empty_budget_and_steps_are_the_data_sets_conventions() -> None:
    assert [TrainConfig(dataset=name).pgd_steps for name in ("mnist", "cifar10", "mine")] == [
        40,
        10,
        10,
    ]
    assert TrainConfig(dataset="mnist", attack_steps=7).pgd_steps == 7
    cifar = TrainConfig(dataset="cifar10", norm="l2")
    assert cifar.budget(CATALOG["cifar10"].conventional("l2")) == pytest.approx(128 / 255)
    assert TrainConfig(epsilon=0.2).budget(0.1) == 0.2
    with pytest.raises(InputError, match="set one"):
        TrainConfig(dataset="kmnist").budget(CATALOG["kmnist"].conventional("linf"))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"real": 0}, "nothing to train on"),
        ({"real": 0, "synthetic": ["a"]}, "fraction"),
        ({"synthetic": ["a", "a"]}, "twice"),
        ({"synthetic": ["a"], "batch": 2, "fraction": 0.01}, "batch"),
        ({"epsilon": 0}, "epsilon"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"method": "fgsm"}, "method"),
        ({"steps": 3, "epochs": 2}, "both say"),
        ({"fraction": 1.01}, "fraction"),
        ({"synthetic": list("abcdefghijklmnopq")}, "synthetic"),
    ],
)
def test_what_cannot_be_trained_names_the_field(settings: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        parse(TrainConfig, settings)


def test_steps_are_the_default_and_epochs_take_their_place() -> None:
    assert (TrainConfig().steps, TrainConfig().epochs) == (14_000, None)
    assert (TrainConfig(epochs=3).steps, TrainConfig(epochs=3).epochs) == (None, 3)
    assert TrainConfig(epochs=3).total_steps(45) == 135
    assert TrainConfig(steps=77).total_steps(45) == 77
    with pytest.raises(InputError, match="both empty: set one"):
        parse(TrainConfig, {"steps": None})
    assert [train_preset(name).steps for name in TRAIN_PRESETS] == [500, 14_000, None]
    assert train_preset("paper").epochs == 400


def test_settings_stored_before_there_were_steps_mean_what_they_meant() -> None:
    stored = TrainConfig(epochs=7, seed=3).model_dump(mode="json")
    for name in ("steps", "validate_every", "attack_start", "momentum_cycle", "ema_warm_up"):
        del stored[name]
    config = parse(TrainConfig, stored)
    assert (config.steps, config.epochs, config.validate_every) == (None, 7, "1 epoch")
    assert parse(TrainConfig, {"epochs": 7}).validate_every == "auto"
    assert parse(TrainConfig, TrainConfig(epochs=7).model_dump(mode="json")) == TrainConfig(
        epochs=7
    )


def test_a_length_in_one_unit_replaces_one_in_the_other() -> None:
    assert overlaid({"steps": 375, "beta": 1}, {"epochs": 3}) == {
        "steps": None,
        "epochs": 3,
        "beta": 1,
    }
    assert overlaid({"epochs": 400}, {"steps": 9}) == {"steps": 9, "epochs": None}
    assert overlaid({"steps": 375}, {"seed": 1}) == {"steps": 375, "seed": 1}
    with pytest.raises(InputError, match="both say"):
        parse(TrainConfig, overlaid({}, {"steps": 5, "epochs": 3}))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (50, "50 steps"),
        ("50", "50 steps"),
        (" 2 Epochs ", "2 epochs"),
        ("1 epoch", "1 epoch"),
        ("1", "1 step"),
        ("AUTO", "auto"),
        ("3epochs", "3 epochs"),
    ],
)
def test_an_interval_of_validation_has_one_spelling(given: object, meant: str) -> None:
    assert parse(TrainConfig, {"validate_every": given}).validate_every == meant
    assert parse(TrainConfig, {"validate_every": meant}).validate_every == meant


@pytest.mark.parametrize("given", ["0", "-3", "1.5", "often", "", True, None, "epochs"])
def test_no_other_interval_is_taken(given: object) -> None:
    with pytest.raises(InputError, match="validate_every"):
        parse(TrainConfig, {"validate_every": given})


def test_further_real_images_stand_alone_beside_a_subset() -> None:
    config = parse(TrainConfig, {"synthetic": ["real:5000"], "real": 2000, "fraction": 0.7})
    assert (config.further_real, config.sets, config.synthetic_per_batch) == (5000, (), 90)
    assert automatic_name(config) == "trades-small-cnn-r2000-f0.7-more5000-s0"
    assert valid_name(automatic_name(config))
    for change, words in (
        ({"real": None}, "set real, such as"),
        ({"synthetic": ["real:5", "a"]}, "stands alone"),
        ({"synthetic": ["real:0"]}, "write a number"),
        ({"synthetic": ["real:many"]}, "such as real:2000"),
        ({"synthetic": ["real:"]}, "write a number"),
    ):
        with pytest.raises(InputError, match=words):
            parse(TrainConfig, {"synthetic": ["real:5"], "real": 2000} | change)


@given(st.integers(2, 8192), st.floats(0, 1))
def test_the_synthetic_part_of_a_batch_is_the_nearest_whole_number(
    batch: int, fraction: float
) -> None:
    try:
        config = parse(TrainConfig, {"batch": batch, "fraction": fraction, "synthetic": ["a"]})
    except InputError:
        assert round(fraction * batch) in (0, batch)
        return
    assert abs(config.synthetic_per_batch - fraction * batch) <= 0.5
