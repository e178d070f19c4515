"""What the form of the Train page draws follows from the config and from what is here to
train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.config.fields import fields_of
from cdp.config.train import TrainConfig
from cdp.data.npz import write_npz
from cdp.data.sets import save_set
from cdp.errors import CdpError
from cdp.ui.kit.choices import info_of, read_choices
from cdp.ui.kit.widgets import UNUSABLE, as_number
from cdp.ui.train.form import GROUPS, ceilings, changed_from, empty, relevant, settle
from cdp.ui.train.state import Trained, plain_of
from cdp.values.text import exact_text
from cdp.values.types import DatasetInfo

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


def test_every_knob_has_one_place_in_the_form() -> None:
    assert sorted(name for group in GROUPS for name in group.names) == sorted(
        TrainConfig.model_fields
    )


def test_knobs_that_do_nothing_are_not_shown() -> None:
    flat = plain_of("standard")
    assert not relevant("fraction", flat) and relevant("fraction", flat | {"synthetic": ["a"]})
    assert relevant("beta", flat) and not relevant("beta", flat | {"method": "pgd-at"})
    assert not relevant("subset_seed", flat) and relevant("subset_seed", flat | {"real": 100})
    assert all(
        relevant(name, flat | {"real": 100, "synthetic": ["a"]})
        for name in TrainConfig.model_fields
    )


def test_what_an_empty_number_stands_for_is_said() -> None:
    flat = plain_of("standard")
    assert empty("real", flat, GREY) == "all"
    assert empty("attack_steps", flat, GREY) == "10 (conventional)"
    assert empty("attack_steps", flat | {"dataset": "mnist"}, GREY) == "40 (conventional)"
    assert empty("epsilon", flat, GREY) == "0.1 (conventional)"
    assert empty("epsilon", flat | {"norm": "l2"}, GREY) == "no convention: set one"
    assert empty("step_size", flat, GREY).startswith("0.025 ")
    assert empty("step_size", flat | {"epsilon": 0.2, "attack_steps": 5}, GREY).startswith("0.1 ")
    assert "budget" in empty("step_size", flat, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        (" ", None),
        ("8/255", 8 / 255),
        ("0.1", 0.1),
        (" 1e-3 ", 1e-3),
        ("8 / 255", 8 / 255),
        ("0", UNUSABLE),
        ("-1", UNUSABLE),
        ("nan", UNUSABLE),
        ("1/0", UNUSABLE),
        ("abc", UNUSABLE),
        ("8/", UNUSABLE),
        ("101", UNUSABLE),
        ("1e999", UNUSABLE),
        ("0,1", UNUSABLE),
    ],
)
def test_a_budget_is_written_as_a_decimal_or_a_fraction_and_nothing_else(
    text: str, value: object
) -> None:
    assert as_number(fields_of(TrainConfig)["epsilon"], text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2,000", 2000),
        ("2000", 2000),
        ("0", 0),
        ("1e3", UNUSABLE),
        ("2.5", UNUSABLE),
        ("-1", UNUSABLE),
        ("4/2", 2),
    ],
)
def test_a_count_is_a_whole_number(text: str, value: object) -> None:
    assert as_number(fields_of(TrainConfig)["real"], text) == value


@given(st.floats(1e-9, 100) | st.integers(1, 254).map(lambda level: level / 255))
def test_a_number_in_its_box_is_read_back_as_the_same(value: float) -> None:
    assert as_number(fields_of(TrainConfig)["epsilon"], exact_text(value)) == pytest.approx(
        value, abs=1e-12
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8 / 255, "8/255"),
        (128 / 255, "128/255"),
        (0.1, "0.1"),
        (0.2, "0.2"),
        (0.3, "0.3"),
        (1e-7, "1e-07"),
        (2000, "2000"),
        (None, ""),
    ],
)
def test_a_radius_is_written_as_the_field_does(value: float | None, text: str) -> None:
    assert exact_text(value) == text


def test_what_differs_from_a_preset_is_told_with_both_values() -> None:
    was = plain_of("quick")
    flat = was | {
        "steps": None,
        "epochs": 5,
        "real": None,
        "compile": True,
        "method": "mart",
        "seed": 9,
        "dataset": "other",
    }
    assert changed_from(flat, "quick") == [
        f"real images all ({was['real']:,})",
        "method MART (TRADES)",
        f"epochs 5 ({was['steps']} steps)",
        "compile on (off)",
    ]


def test_a_length_in_steps_is_told_as_such() -> None:
    assert changed_from(plain_of("quick") | {"steps": 1200}, "quick") == ["steps 1,200 (500)"]
    assert changed_from(plain_of("paper") | {"steps": 1200, "epochs": None}, "paper") == [
        "steps 1,200 (400 epochs)"
    ]


def test_as_many_further_real_images_as_a_set_has_are_offered_in_its_place() -> None:
    flat = plain_of("quick")
    assert ceilings(flat, [500, 64, 500]) == ["real:500", "real:64"]
    assert ceilings(flat, []) == ["real:2000"]
    assert ceilings(flat | {"synthetic": ["real:9", "a"]}, [64]) == ["real:9", "real:64"]
    assert ceilings(flat | {"real": None}, [64]) == []


def test_further_real_images_are_no_set_that_is_missing(cdp_home: Path) -> None:
    save("real", source="import")
    choices = read_choices()
    held = Trained(plain_of("quick") | {"dataset": "real", "real": 4, "synthetic": ["real:3"]})
    settle(held, choices, info_of("real", choices))
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
    held = Trained(plain_of("quick") | {"dataset": "real", "synthetic": ["fits", "larger", "gone"]})
    settle(held, choices, info_of("real", choices))
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
