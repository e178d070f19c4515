"""A link restores exactly what it was made from, and whatever else stands in it costs one sentence,
never a crash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.presets import PRESETS, preset
from cdp.ui.kit.links import from_params, restored, to_params
from tests.ui.worlds import CATALOG

BAD = [
    (
        "above the range",
        {"strength": "3"},
        "strength: '3' is not a number from 0 to 2, so the default 0.1 is used.",
    ),
    (
        "below the range",
        {"steps": "1"},
        "steps: '1' is not a whole number from 2 to 1,000, so the default 20 is used.",
    ),
    (
        "not a number",
        {"temperature": "warm"},
        "temperature: 'warm' is not a number from 0.01 to 100, so the default 0.1 is used.",
    ),
    ("nan", {"strength": "nan"}, "strength: 'nan' is not a number"),
    ("infinity", {"raw_lambda": "inf"}, "raw_lambda: 'inf' is not a number"),
    (
        "a fraction of an image",
        {"count": "2.5"},
        "count: '2.5' is not a whole number from 1 to 1,000,000",
    ),
    ("empty", {"seed": ""}, "seed: '' is not a whole number"),
    ("negative seed", {"seed": "-1"}, "seed: '-1' is not a whole number from 0"),
    (
        "unknown choice",
        {"loss": "magic"},
        "loss: 'magic' is not one of none, info_nce, hard_negative",
    ),
    ("not a flag", {"head": "perhaps"}, "head: 'perhaps' is not true or false"),
    (
        "misspelt name",
        {"strenght": "0.2"},
        "'strenght' is not a setting, so it was left out; did you mean strength.",
    ),
    ("unknown name", {"zzz": "1"}, "'zzz' is not a setting, so it was left out."),
    ("class that is no number", {"classes": "0,shirt"}, "classes: '0,shirt' is not class numbers"),
    (
        "class the model lacks",
        {"classes": "0,7"},
        "classes: 7 left out, this model has classes 0 to 2.",
    ),
    ("negative class", {"classes": "-1,2"}, "classes: -1 left out"),
    (
        "the same class twice",
        {"classes": "1,1"},
        "so all settings are back at the defaults (settings: classes must be different numbers",
    ),
    (
        "model that is not here",
        {"model": "dream"},
        "model: 'dream' is not here, so fashion-mnist is used: there are fashion-mnist, plain.",
    ),
    ("a path as a model", {"model": "../../etc/passwd"}, "model: '../../etc/passwd' is not here"),
    (
        "encoder that is not here",
        {"encoder": "eye"},
        "encoder: 'eye' is not here, so robust is used",
    ),
    ("the judge as encoder", {"encoder": "judge"}, "encoder: 'judge' is not here"),
    (
        "window upside down",
        {"window_start": "0.2", "window_stop": "0.6"},
        "so the guidance settings are back at the defaults (guidance: window_stop",
    ),
    (
        "no rivals",
        {"loss": "info_nce", "count": "1"},
        "so the guidance settings are back at the defaults (settings: info_nce has no negatives",
    ),
    (
        "pairs that make no sense",
        {"loss": "info_nce", "positives": "same_class"},
        "so the guidance settings are back at the defaults",
    ),
    ("very long", {"loss": "x" * 5000}, "xxx...' is not one of"),
    ("markup", {"loss": "<script>alert(1)</script>"}, "is not one of none"),
]


KEPT = {
    "class the model lacks": {"classes": [0]},
    "negative class": {"classes": [2]},
    "no rivals": {"count": 1},
}
"""What of a case is fine and stays; of all others nothing but the scale that is added."""


@pytest.mark.parametrize(("case", "params", "sentence"), BAD, ids=[case[0] for case in BAD])
def test_a_value_that_cannot_be_used_costs_one_sentence_and_only_that_field(
    case: str, params: dict[str, str], sentence: str
) -> None:
    config, notes = from_params({"cfg_scale": "2"} | params, CATALOG)
    assert len(notes) == 1
    assert sentence in notes[0]
    assert "\n" not in notes[0]
    assert len(notes[0]) < 400
    assert config == unflatten(
        {} if "all settings" in notes[0] else {"cfg_scale": 2} | KEPT.get(case, {})
    )


@pytest.mark.parametrize("name", PRESETS)
def test_a_link_to_a_preset_restores_it_without_a_word(name: str) -> None:
    config = preset(name)
    assert from_params(to_params(config), CATALOG) == (config, [])


def test_default_settings_leave_the_url_bare() -> None:
    assert to_params(GenerateConfig()) == {}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "strength": st.floats(0, 2),
            "temperature": st.floats(0.01, 100),
            "seed": st.integers(0, 2**31 - 1),
            "steps": st.integers(2, 1000),
            "classes": st.lists(st.integers(0, 2), unique=True),
            "head": st.booleans(),
            "solver": st.sampled_from(["ddim", "unipc"]),
            "raw_lambda": st.floats(0, 1e9),
            "tau_plus": st.floats(0, 1, exclude_max=True),
            "window_start": st.floats(0.01, 1),
            "encoder": st.sampled_from(["standard", "robust"]),
            "count": st.integers(2, 1_000_000),
        },
    )
)
def test_every_config_survives_the_way_through_a_url(flat: dict[str, object]) -> None:
    config = unflatten(flat)
    assert from_params(to_params(config), CATALOG) == (config, [])


def test_settings_of_a_saved_sheet_are_checked_like_a_link() -> None:
    config, notes = restored(
        flatten(GenerateConfig(seed=9, classes=(2, 0))) | {"encoder": "/somewhere/else"}, CATALOG
    )
    assert (config.seed, config.classes, config.guidance.encoder) == (9, (2, 0), "robust")
    assert len(notes) == 1


def test_streamlits_own_parameters_are_no_settings() -> None:
    assert from_params({"embed": "true", "embed_options": "dark_theme"}, CATALOG) == (
        GenerateConfig(),
        [],
    )
