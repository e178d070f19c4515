"""What a form draws and a URL accepts follows from the config, and from nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cdp.config.explore import ExploreConfig
from cdp.config.generate import GenerateConfig, flatten
from cdp.config.presets import PRESETS, preset
from cdp.config.train import TrainConfig
from cdp.ui.generate.form import GROUPS, SPREAD
from cdp.ui.kit.fields import TITLES, fields, fields_of, ladder, relevant


def test_every_leaf_of_the_config_has_a_field_and_a_place_in_the_form() -> None:
    placed = [
        leaf for group in GROUPS for name in group.names for leaf in SPREAD.get(name, (name,))
    ]
    assert sorted(placed) == sorted(fields()) == sorted(flatten(GenerateConfig()))


def test_every_choice_has_a_title_for_a_person() -> None:
    assert {choice for field in fields().values() for choice in field.choices} <= set(TITLES)


@pytest.mark.parametrize("name", sorted(fields()))
def test_a_field_accepts_its_limits_and_refuses_what_lies_beyond(name: str) -> None:
    field = fields()[name]
    if field.low is None or field.high is None:
        return
    assert (
        field.adapter.validate_python(str(int(field.low) if field.kind == "integer" else field.low))
        == field.low
    )
    for beyond in (field.low - 1, field.high + 1, float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            field.adapter.validate_python(beyond)


def test_help_tells_range_default_and_the_value_in_the_paper() -> None:
    tooltip = fields()["window_start"].tooltip
    assert "Range 0 to 1; default 0.7." in tooltip
    assert "In the paper: 1 (CIFAR-10), 0.15 (MNIST, traffic signs)." in tooltip


def test_a_number_that_may_be_left_empty_is_one_with_its_limits() -> None:
    known = fields_of(TrainConfig)
    real, epsilon = known["real"], known["epsilon"]
    assert (real.kind, real.optional, real.default) == ("integer", True, None)
    assert (epsilon.kind, epsilon.optional) == ("number", True)
    assert epsilon.range == "above 0 to 100"
    assert "Range 0 to 10,000,000." in real.tooltip
    assert real.adapter.validate_python("12") == 12
    assert real.adapter.validate_python(None) is None
    for field, beyond in (
        (real, -1),
        (real, "all"),
        (epsilon, 0),
        (epsilon, "nan"),
        (epsilon, 101),
    ):
        with pytest.raises(ValidationError):
            field.adapter.validate_python(beyond)
    assert not any(field.optional for field in fields().values())


def test_a_knob_that_takes_names_says_how_many() -> None:
    assert fields_of(TrainConfig)["synthetic"].range == "at most 16 names with commas between them"
    assert fields_of(ExploreConfig)["sets"].range == "one to four names with commas between them"
    assert (fields_of(ExploreConfig)["sets"].least, fields_of(TrainConfig)["synthetic"].most) == (
        1,
        16,
    )


def test_a_unit_that_the_label_says_already_is_not_repeated() -> None:
    assert fields_of(TrainConfig)["real"].heading == "Real images"
    assert fields_of(TrainConfig)["batch"].heading == "Batch :gray[images]"


@given(st.sampled_from([(0.0, 2.0), (0.01, 100.0)]), st.floats(0, 1))
def test_a_ladder_rises_within_its_limits_and_holds_the_present_value(
    limits: tuple[float, float], share: float
) -> None:
    low, high = limits
    value = low + share * (high - low)
    rungs = ladder(low, high, value)
    assert rungs == sorted(set(rungs))
    assert (rungs[0], rungs[-1]) == limits
    assert value in rungs


@pytest.mark.parametrize("name", PRESETS)
def test_a_control_that_is_not_shown_changes_nothing_a_preset_sets(name: str) -> None:
    """Else a preset would set something that a person could neither see nor undo."""
    flat, plain = flatten(preset(name)), flatten(GenerateConfig())
    if flat["loss"] == "none":
        return
    hidden = {leaf for leaf in flat if not relevant(leaf, flat)}
    assert not [leaf for leaf in hidden if flat[leaf] != plain[leaf]]


def test_without_a_loss_no_other_guidance_control_is_shown() -> None:
    flat = flatten(preset("unguided"))
    assert relevant("loss", flat)
    assert not any(
        relevant(leaf, flat) for leaf in ("strength", "encoder", "window_start", "point", "head")
    )
    assert relevant("steps", flat)
