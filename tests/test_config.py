"""The config: every value survives JSON, the flat form and the URL's text; what is outside is
refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.config.evaluate import EvaluateConfig
from cdp.config.explore import ExploreConfig
from cdp.config.fields import Field, fields_of
from cdp.config.generate import (
    GenerateConfig,
    Guidance,
    Sampler,
    flatten,
    refusal,
    unflatten,
    upgraded,
)
from cdp.config.knobs import Frozen, parse
from cdp.config.lab import LabConfig
from cdp.config.presets import PRESETS, preset
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.config.theory import TheoryConfig
from cdp.config.train import TrainConfig
from cdp.errors import InputError, MissingError

FIELDS = fields_of(GenerateConfig)


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """Every value a single setting allows."""
    if field.kind == "choice":
        return st.sampled_from(field.choices)
    if field.kind == "flag":
        return st.booleans()
    if field.kind == "integer":
        return st.integers(int(field.low or 0), int(field.high or 0))
    if field.kind == "number":
        return st.floats(field.low, field.high, exclude_max=field.high_open, allow_nan=False)
    if field.kind == "text":
        return st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
    assert field.name == "classes", f"no strategy for {field.name}"
    return st.lists(st.integers(0, 999), unique=True, max_size=20).map(tuple)


FLAT = st.fixed_dictionaries(
    {}, optional={name: values_of(field) for name, field in FIELDS.items()}
)


def built(flat: dict[str, Any]) -> GenerateConfig | None:
    """The config of single values that are each allowed; None where together they are refused."""
    try:
        return unflatten(flat)
    except InputError:
        return None


@settings(max_examples=200)
@given(FLAT)
def test_every_config_survives_json_and_the_flat_form(flat: dict[str, Any]) -> None:
    config = built(flat)
    if config is None:
        return
    assert GenerateConfig.model_validate_json(config.model_dump_json()) == config
    assert unflatten(json.loads(json.dumps(flatten(config)))) == config
    assert unflatten(flatten(config), preset("paper-mnist")) == config, (
        "the flat form is complete: no base shows through"
    )


@settings(max_examples=100)
@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_a_single_allowed_value_is_kept_or_refused_with_a_reason(
    name: str, data: st.DataObject
) -> None:
    value = data.draw(values_of(FIELDS[name]))
    try:
        config = unflatten({name: value})
    except InputError as error:
        assert ":" in str(error)
    else:
        assert flatten(config)[name] == (list(value) if isinstance(value, tuple) else value)


NUMBERS = [name for name, field in FIELDS.items() if field.kind in ("integer", "number")]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), float("-inf"), -1e12, 1e12, "", "abc", None, [], {"a": 1}, True],
)
def test_a_number_outside_its_range_or_no_number_is_refused_and_named(
    name: str, value: Any
) -> None:
    if value is True and (FIELDS[name].low or 0) <= 1:
        return
    with pytest.raises(InputError, match=name):
        unflatten({name: value})


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_range(name: str) -> None:
    assert FIELDS[name].low is not None and FIELDS[name].high is not None


CONFIGS = (
    *(GenerateConfig, TrainConfig, EvaluateConfig, ExploreConfig, LabConfig, TheoryConfig),
    *(PretrainConfig, EncoderConfig),
)


@pytest.mark.parametrize("model", CONFIGS)
def test_every_setting_says_what_a_form_has_to_draw(model: type[Frozen]) -> None:
    for name, field in fields_of(model).items():
        assert field.label, name
        assert field.help.endswith(".") and "\n" not in field.help, name
        assert all(field.title(choice) for choice in field.choices), name


def test_names_of_settings_are_unique_over_all_groups() -> None:
    inner = [GenerateConfig, Guidance, Sampler]
    every = [name for model in inner for name in model.model_fields]
    assert len(every) == len(set(every)) == len(FIELDS) + 2


@pytest.mark.parametrize(
    "data",
    [
        {"colour": 1},
        {"guidance": {"colour": 1}},
        {"sampler": {"loss": "none"}},
        [],
        None,
        3,
        {"guidance": 3},
    ],
)
def test_unknown_keys_and_foreign_shapes_are_refused(data: Any) -> None:
    with pytest.raises(InputError):
        parse(GenerateConfig, data)


def test_a_config_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        GenerateConfig().seed = 3  # type: ignore[misc]


OLDER = {
    "model": "fashion-mnist",
    "dataset": "fashion-mnist",
    "count": 64,
    "seed": 0,
    "classes": [],
    "batch": 512,
    "loss": "hard_negative",
    "encoder": "standard",
    "strength": 0.1,
    "temperature": 10.0,
    "strength_mode": "raw",
    "raw_lambda": 100000.0,
    "factor": "one",
    "schedule": "constant",
    "window_start": 1.0,
    "window_stop": 0.4,
    "noise_limit": 0.0,
    "point": "x_t",
    "positives": "previous",
    "negatives": "auto",
    "bank_size": 512,
    "tau_plus": 0.1,
    "beta": 1.0,
    "margin": 0.5,
    "head": False,
    "solver": "ddim",
    "steps": 20,
    "eta": 0.0,
    "cfg_scale": 1.0,
    "precision": "auto",
    "compile": False,
}
"""A card's settings as the version before wrote them, for the preset paper-cifar10."""


def test_settings_of_the_version_before_mean_the_same_push_today() -> None:
    config = unflatten(OLDER)
    assert config.guidance.raw_lambda == 200000, "divided by both views, not by the images alone"
    kept = {name: value for name, value in OLDER.items() if name != "raw_lambda"}
    assert {name: flatten(config)[name] for name in kept} == kept
    assert flatten(config)["clip_sample"] == "model"
    assert unflatten(flatten(config)) == config, "and only once"
    assert upgraded(upgraded(OLDER)) == upgraded(OLDER)


@pytest.mark.parametrize(
    "change", [{"loss": "info_nce"}, {"strength_mode": "relative"}, {"loss": "supcon"}]
)
def test_other_losses_and_relative_strength_keep_their_lambda(change: dict[str, Any]) -> None:
    assert unflatten(OLDER | change).guidance.raw_lambda == OLDER["raw_lambda"]


def test_what_is_set_by_hand_or_by_a_link_is_taken_as_it_is() -> None:
    by_hand = {"loss": "hard_negative", "strength_mode": "raw", "raw_lambda": 5.0}
    assert upgraded(by_hand) == by_hand and unflatten(by_hand).guidance.raw_lambda == 5.0
    assert unflatten(flatten(preset("paper-cifar10"))).guidance.raw_lambda == 1e5


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_says_where_it_comes_from(name: str) -> None:
    config = preset(name)
    assert refusal(config.guidance) == ""
    assert PRESETS[name].source
    assert {key: flatten(config)[key] for key in PRESETS[name].flat} == PRESETS[name].flat


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(MissingError, match=", ".join(PRESETS)):
        preset("best")


def test_the_unguided_preset_does_not_steer() -> None:
    guidance = preset("unguided").guidance
    assert guidance.loss == "none" or guidance.strength == 0
