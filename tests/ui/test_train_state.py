"""The settings of the Train page: presets, the way through an address and back, and what an address
gets wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.config.presets import TRAIN_PRESETS, train_preset
from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.ui.train.state import (
    CUSTOM,
    DECIDED,
    KEPT,
    MOST_WATCHED,
    Trained,
    forget_gone,
    from_params,
    plain_of,
    to_params,
)

OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "real": st.none() | st.integers(1, 10_000_000),
    "epsilon": st.none() | st.floats(1e-6, 100),
    "step_size": st.none() | st.floats(1e-6, 100),
    "synthetic": st.lists(st.sampled_from(["a", "b-2", "c_3"]), unique=True),
    "fraction": st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    "dataset": st.sampled_from(["cifar10", "/data/mine, all.npz", "a b"]),
    "method": st.sampled_from(["pgd-at", "mart"]),
    "batch": st.integers(16, 8192),
    "beta": st.floats(0, 100),
    "ema_decay": st.floats(0, 1, exclude_max=True),
    "seed": st.integers(0, 2**31 - 1),
    "compile": st.booleans(),
    "norm": st.sampled_from(["linf", "l2"]),
    "balanced": st.booleans(),
    "weight_decay": st.floats(0, 1),
    "overfitting": st.just("notice"),
}


@given(
    st.sampled_from(list(TRAIN_PRESETS)),
    st.fixed_dictionaries({}, optional=OPTIONAL),
    st.integers(1, 10),
    st.none() | st.lists(st.sampled_from(["r1", "r2", "r3"]), unique=True),
)
def test_every_setting_survives_the_way_through_an_address(
    preset: str, flat: dict[str, Any], seeds: int, watched: list[str] | None
) -> None:
    held = Trained(plain_of(preset) | flat, preset, seeds, "night shift", opened="r2")
    if watched is not None:
        held.watch(watched)
    back = from_params(to_params(held))
    assert not back.notes
    assert back.config() == held.config()
    assert (back.base, back.seeds, back.name, back.watched, back.opened) == (
        held.base,
        held.seeds,
        held.name,
        held.watched,
        held.opened,
    )


def test_the_first_visit_is_the_quick_look_with_a_bare_address() -> None:
    held = from_params({})
    assert held.config() == train_preset("quick")
    assert to_params(held) == {}


@pytest.mark.parametrize("name", TRAIN_PRESETS)
def test_an_address_that_names_a_preset_alone_is_that_preset(name: str) -> None:
    held = from_params({"preset": name})
    assert (held.config(), held.preset, held.notes) == (train_preset(name), name, [])


@pytest.mark.parametrize("name", TRAIN_PRESETS)
def test_a_preset_is_recognised_and_leaves_data_threat_and_seed_alone(name: str) -> None:
    mine = {
        "dataset": "cifar10",
        "synthetic": ["a"],
        "subset_seed": 3,
        "norm": "l2",
        "epsilon": 0.25,
        "seed": 7,
    }
    held = Trained(plain_of("quick") | mine | {"epochs": 77, "method": "mart"})
    assert held.preset == CUSTOM
    before = held.turn
    held.apply_preset(name)
    assert held.preset == name
    assert {key: held.flat[key] for key in KEPT} == mine
    assert {key: held.flat[key] for key in DECIDED} == {key: plain_of(name)[key] for key in DECIDED}
    assert held.turn == before + 1


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"preset": "fast"}, "'fast' is not one of quick, standard, paper, so quick is used"),
        ({"seeds": "11"}, "seeds: '11'"),
        ({"seeds": "-1"}, "seeds: '-1'"),
        ({"seeds": "x" * 300}, "seeds"),
        ({"epochs": "0"}, "epochs: '0'"),
        ({"epochs": "nan"}, "epochs"),
        ({"real": "few"}, "real: 'few' is not a whole number from 0 to 10,000,000 or empty, so "),
        (
            {"epsilon": "0"},
            "epsilon: '0' is not a number above 0 to 100 or empty, so (empty) is used",
        ),
        ({"method": "sgd"}, "method"),
        ({"synthetic": ",".join(f"s{k}" for k in range(17))}, "at most 16 names"),
        ({"epoch": "3"}, "did you mean epochs"),
        ({"axis": "moon"}, "axis"),
        ({"x" * 300: "y" * 3000}, "not a setting"),
    ],
)
def test_what_an_address_gets_wrong_costs_that_setting_only_and_is_said(
    params: dict[str, str], word: str
) -> None:
    held = from_params(params | {"beta": "3"})
    assert len(held.notes) == 1
    assert word in held.notes[0]
    assert len(held.notes[0]) < 250
    assert held.config() == train_preset("quick").model_copy(update={"beta": 3.0})


def test_several_seeds_are_the_seed_and_those_after_it() -> None:
    held = Trained(plain_of("quick") | {"seed": 5}, seeds=3)
    assert [config.seed for config in held.configs()] == [5, 6, 7]
    assert {config.model_copy(update={"seed": 0}) for config in held.configs()} == {
        train_preset("quick")
    }


def test_a_seed_beyond_the_last_one_is_refused_before_anything_starts() -> None:
    with pytest.raises(InputError, match="seed"):
        Trained(plain_of("quick") | {"seed": 2**31 - 1}, seeds=2).configs()


def test_settings_of_a_run_are_taken_over_whole() -> None:
    held = Trained(plain_of("quick"), seeds=4, name="mine")
    config = train_preset("standard").model_copy(
        update={"seed": 9, "synthetic": ("a",), "epsilon": 0.2}
    )
    held.use(config)
    assert held.config() == config
    assert (held.seeds, held.name, held.base) == (1, "", "standard")


def test_the_newest_stay_where_more_are_watched_than_can_be() -> None:
    held = Trained(plain_of("quick"))
    held.watch([f"r{k}" for k in range(MOST_WATCHED + 3)])
    assert held.watched == tuple(f"r{k}" for k in range(3, MOST_WATCHED + 3))


def test_a_run_that_is_gone_leaves_the_curves_and_is_named_where_a_link_named_it() -> None:
    held = from_params({"runs": "here,gone"})
    held.fresh = True
    forget_gone(held, ["here"])
    assert held.watched == ("here",)
    assert held.notes == ["runs: 'gone' not here."]
    held = from_params({"runs": "here,gone"})
    forget_gone(held, ["here"])
    assert held.notes == []


def test_taking_every_run_off_the_curves_is_kept_in_the_address() -> None:
    held = Trained(plain_of("quick"))
    held.watch([])
    assert from_params(to_params(held)).watched == ()
    assert from_params({}).watched is None


def test_every_knob_is_either_decided_by_presets_or_left_alone() -> None:
    assert sorted((*KEPT, *DECIDED)) == sorted(TrainConfig.model_fields)
