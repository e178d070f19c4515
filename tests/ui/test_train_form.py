"""The form of the Train page: what it offers, the way of its settings through an address and a
command line, and what an address gets wrong."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.cli.options import read_config
from cdp.config.knobs import parse
from cdp.config.presets import TRAIN_PRESETS, train_preset
from cdp.config.train import TrainConfig
from cdp.data.npz import write_npz
from cdp.data.sets import save_set
from cdp.errors import CdpError, InputError
from cdp.experiments import crew
from cdp.ui.kit.choices import info_of, read_choices
from cdp.ui.kit.command import config_yaml
from cdp.ui.kit.form import changes_of
from cdp.ui.kit.settings import CUSTOM, from_link, to_link
from cdp.ui.kit.widgets import UNUSABLE, as_number
from cdp.ui.train.estimate import line
from cdp.ui.train.form import FORM, MOST_WATCHED, Training, ceilings, command, empty, settle
from cdp.values.text import exact_text
from cdp.values.types import DatasetInfo
from cdp.work.cost import learn_rates
from cdp.work.launch import Share
from cdp.work.slots import core_count
from tests.test_fields import understood as read_options

GREY = DatasetInfo("grey", "Grey", tuple("abc"), (1, 8, 8), 0.1, "none")


def save(
    name: str,
    *,
    classes: int = 3,
    side: int = 8,
    channels: int = 1,
    count: int = 12,
    **card: object,
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    names = [f"c{k}" for k in range(classes)]
    save_set(
        name, image, np.arange(count) % classes, {"class_names": names, "source": "test"} | card
    )


def test_settings_that_do_nothing_are_not_shown() -> None:
    flat = FORM.plain("standard")
    for name, shown_with in (("fraction", {"synthetic": ["a"]}), ("subset_seed", {"real": 100})):
        assert not FORM.relevant(name, flat) and FORM.relevant(name, flat | shown_with)
    assert FORM.relevant("beta", flat) and not FORM.relevant("beta", flat | {"method": "pgd-at"})


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("attack_steps", {}, "10 (conventional)"),
        ("attack_steps", {"dataset": "mnist"}, "40 (conventional)"),
        ("epsilon", {}, "0.1 (conventional)"),
        ("epsilon", {"norm": "l2"}, "no convention: set one"),
        ("step_size", {}, "0.025 "),
        ("step_size", {"epsilon": 0.2, "attack_steps": 5}, "0.1 "),
    ],
)
def test_what_an_empty_number_stands_for_is_said(
    name: str, change: dict[str, Any], text: str
) -> None:
    assert empty(name, FORM.plain("standard") | change, GREY).startswith(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        (" ", None),
        ("8/255", 8 / 255),
        ("8 / 255", 8 / 255),
        ("0.1", 0.1),
        (" 1e-3 ", 1e-3),
    ]
    + [(text, UNUSABLE) for text in ("0", "-1", "nan", "1/0", "abc", "8/", "101", "1e999", "0,1")],
)
def test_a_budget_is_written_as_a_decimal_or_a_fraction_and_nothing_else(
    text: str, value: object
) -> None:
    assert as_number(FORM.fields["epsilon"], text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("2,000", 2000), ("2000", 2000), ("0", 0), ("4/2", 2)]
    + [(text, UNUSABLE) for text in ("1e3", "2.5", "-1")],
)
def test_a_count_is_a_whole_number(text: str, value: object) -> None:
    assert as_number(FORM.fields["real"], text) == value


@given(st.floats(1e-9, 100) | st.integers(1, 254).map(lambda level: level / 255))
def test_a_number_in_its_box_is_read_back_as_the_same(value: float) -> None:
    assert as_number(FORM.fields["epsilon"], exact_text(value)) == pytest.approx(value, abs=1e-12)


def test_what_differs_from_a_preset_is_told_with_both_values() -> None:
    held = training(real=None, compile=True, method="mart", seed=9, dataset="other", batch=64)
    assert changes_of(held) == [
        "real images all (2,000)",
        "method MART (TRADES)",
        "batch 64 (128)",
        "compile on (off)",
    ]
    paper = Training(FORM, FORM.plain("paper") | {"steps": 1200, "epochs": None}, "paper")
    assert changes_of(paper) == ["steps 1,200 (set in epochs)"]


def test_as_many_further_real_images_as_a_set_has_are_offered_in_its_place() -> None:
    flat = FORM.plain("quick")
    assert ceilings(flat, [500, 64, 500]) == ["real:500", "real:64"]
    assert ceilings(flat, []) == ["real:2000"]
    assert ceilings(flat | {"synthetic": ["real:9", "a"]}, [64]) == ["real:9", "real:64"]
    assert ceilings(flat | {"real": None}, [64]) == []


def test_further_real_images_are_no_set_that_is_missing(cdp_home: Path) -> None:
    save("real", source="import")
    choices = read_choices()
    held = training(dataset="real", real=4, synthetic=["real:3"])
    settle(held, choices, info_of("real", choices), [])
    assert held.flat["synthetic"] == ["real:3"]
    assert held.notes == []


def test_only_sets_of_the_same_classes_and_shape_are_offered_those_made_for_it_first(
    cdp_home: Path,
) -> None:
    save("real", source="import")
    save("real-test", source="import")
    save("foreign", dataset="elsewhere", config={"x": 1})
    save("fits", dataset="real", config={"x": 1})
    save("larger", side=9, config={"x": 1})
    save("coloured", channels=3, config={"x": 1})
    save("more", classes=4, config={"x": 1})
    choices = read_choices()
    assert choices.fitting("real", info_of("real", choices)) == ("fits", "foreign")
    assert choices.fitting("real", None) == ()
    assert "real" in choices.imported
    assert not {"real-test", "fits", "foreign"} & set(choices.imported)


def test_sets_that_do_not_fit_another_data_set_are_left_out_and_it_is_said(cdp_home: Path) -> None:
    save("real", source="import")
    save("fits", config={"x": 1})
    save("larger", side=9, config={"x": 1})
    choices = read_choices()
    held = training(dataset="real", synthetic=["fits", "larger", "gone"])
    settle(held, choices, info_of("real", choices), [])
    assert held.flat["synthetic"] == ["fits"]
    assert held.notes == [
        "Left out of the synthetic sets: larger has other classes or another shape; gone is not"
        " here."
    ]


def test_a_path_is_a_data_set_and_a_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    choices, path = read_choices(), tmp_path / "mine.npz"
    image = np.zeros((6, 5, 4, 3), np.uint8)
    write_npz(path, image, np.arange(6) % 2)
    assert info_of(str(path), choices).shape == (3, 5, 4)
    write_npz(path, image[:, :4], np.arange(6) % 3)
    assert (info_of(str(path), choices).shape, len(info_of(str(path), choices).classes)) == (
        (3, 4, 4),
        3,
    )


@pytest.mark.parametrize(
    "name", ["nowhere", "/dev/null", "\0", "x" * 400, "~nobody-of-this-name/x", "/", "."]
)
def test_what_is_no_data_set_is_refused_in_one_sentence(name: str, cdp_home: Path) -> None:
    with pytest.raises((CdpError, OSError)) as caught:
        info_of(name, read_choices())
    assert "\n" not in str(caught.value)


def test_a_built_in_data_set_that_is_not_here_says_how_to_get_it(cdp_home: Path) -> None:
    with pytest.raises(CdpError, match=r"cifar10.*not on this machine: .+"):
        info_of("cifar10", read_choices())


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


def training(**changed: Any) -> Training:
    """The quick look with other settings."""
    return Training(FORM, FORM.plain("quick") | changed, "quick")


def opened(**params: str) -> Training:
    """What a link opens."""
    return from_link(FORM, params)


@given(
    st.sampled_from(list(TRAIN_PRESETS)),
    st.fixed_dictionaries({}, optional=OPTIONAL),
    st.integers(1, 10),
    st.none() | st.lists(st.sampled_from(["r1", "r2", "r3"]), unique=True),
)
def test_every_setting_survives_the_way_through_an_address(
    preset: str, flat: dict[str, Any], seeds: int, watched: list[str] | None
) -> None:
    more = {"seeds": seeds, "name": "night shift", "opened": "r2", "axis": "images", "log": ("x",)}
    held = Training(FORM, FORM.plain(preset) | flat, preset, **more)
    if watched is not None:
        held.watch(watched)
    back = opened(**to_link(held))
    assert not back.notes
    back.replace(back.unread)  # as the button does for a path
    assert (back.config(), back.base, back.watched) == (held.config(), preset, held.watched)
    assert {name: getattr(back, name) for name in more} == more


@pytest.mark.parametrize("name", TRAIN_PRESETS)
def test_an_address_that_names_a_preset_alone_is_that_preset(name: str) -> None:
    held = opened(preset=name)
    assert (held.config(), held.preset, held.notes) == (train_preset(name), name, [])
    assert to_link(opened()) == {} and opened().config() == train_preset("quick")


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
    held = training(**mine, epochs=77, method="mart")
    assert held.preset == CUSTOM
    held.apply_preset(name)
    assert (held.preset, held.turn) == (name, 1)
    assert held.flat == FORM.plain(name) | mine


def test_several_seeds_are_the_seed_and_those_after_it() -> None:
    held = training(seed=5)
    held.seeds = 3
    assert [config.seed for config in held.configs()] == [5, 6, 7]
    held.put("seed", 2**31 - 1)
    with pytest.raises(InputError, match="seed"):
        held.configs()


def test_settings_of_a_run_are_taken_over_whole() -> None:
    held = training()
    held.seeds, held.name = 4, "mine"
    change = {"seed": 9, "synthetic": ("a",), "epsilon": 0.2}
    config = train_preset("standard").model_copy(update=change)
    held.use(config)
    assert held.config() == config
    assert (held.seeds, held.name, held.base) == (1, "", "standard")


def test_the_newest_stay_where_more_are_watched_than_can_be() -> None:
    held = training()
    held.watch([f"r{k}" for k in range(MOST_WATCHED + 3)])
    assert held.watched == tuple(f"r{k}" for k in range(3, MOST_WATCHED + 3))
    held.watch([])
    assert opened(**to_link(held)).watched == ()
    assert opened().watched is None


def test_a_run_that_is_gone_leaves_the_curves_and_is_named_where_a_link_named_it(
    cdp_home: Path,
) -> None:
    for fresh, notes in ((True, ["runs: 'gone' not here."]), (False, [])):
        held = opened(runs="here,gone")
        held.fresh = fresh
        settle(held, read_choices(), None, ["here"])
        assert (held.watched, held.notes) == (("here",), notes)


CONFIGS = st.builds(
    TrainConfig,
    real=st.none() | st.integers(1, 1000),
    epsilon=st.none() | st.floats(1e-6, 100),
    balanced=st.booleans(),
    compile=st.booleans(),
    synthetic=st.sampled_from([(), ("a",), ("a", "b-2")]),
    dataset=st.sampled_from(["mnist", "/my data/it's.npz", "-x"]),
    seed=st.integers(0, 2**31 - 1),
    method=st.sampled_from(["pgd-at", "trades", "mart"]),
    beta=st.floats(0, 100),
    weight_decay=st.floats(0, 1),
)


def understood(arguments: list[str]) -> TrainConfig:
    """What ``cdp train`` makes of these options, over the standard preset as it starts from it."""
    given = read_options(TrainConfig, arguments)
    return parse(TrainConfig, TRAIN_PRESETS["standard"].flat | given)


@given(CONFIGS)
def test_the_command_says_exactly_these_settings(config: TrainConfig) -> None:
    words = shlex.split(command(config, name="night"))
    assert words[:4] == ["python", "-m", "cdp", "train"]
    assert words[-2:] == ["--name", "night"]
    assert understood(words[4:-2]) == config


def test_several_seeds_are_a_loop_over_them() -> None:
    config = train_preset("quick").model_copy(update={"seed": 4})
    line = command(config, seeds=3, name="night shift")
    assert line.startswith("for seed in 4 5 6; do python -m cdp train ")
    assert line.endswith('--seed "$seed" --name \'night shift\'-s"$seed"; done')
    assert "--seed 4" not in line


@given(config=CONFIGS)
def test_the_file_is_read_back_as_the_same_config(
    config: TrainConfig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = Path(tmp_path_factory.mktemp("yaml")) / "config.yaml"
    path.write_text(config_yaml(config), encoding="utf-8")
    assert parse(TrainConfig, read_config(path, TrainConfig)) == config


def test_the_cost_is_told_for_one_run_and_for_all_seeds() -> None:
    cost = {"seconds": 130.0, "memory_bytes": 420_000_000, "device": "CPU, 2 threads"}
    assert line(cost, 1) == "1 to 3 min, by a measured step on this CPU, 420.0 MB"
    assert line(cost, 3).endswith("420.0 MB; 5 to 8 min for all 3, one after another")
    assert "3 min, from trainings on this" in line(cost | {"learned": True}, 1)
    assert "on NVIDIA H100" in line(cost | {"device": "NVIDIA H100"}, 1)


def test_seeds_that_share_the_machine_are_said_to_and_how_long_they_take_was_measured(
    cdp_home: Path,
) -> None:
    cost = {"seconds": 130.0, "memory_bytes": 420_000_000, "device": "CPU, 2 threads"}
    unknown = line(cost, 3, Share(2, 1))
    assert unknown.endswith("420.0 MB each; 5 to 8 min for all 3, 2 at a time")
    learn_rates((*crew._MEASURED, core_count()), **{"1": 0.3, "2": 0.2})
    assert line(cost, 3, Share(2, 1)).endswith("; 3 to 6 min for all 3, 2 at a time")
