"""Presets of one's own: kept with what speaks for them, found by name, and never in the way."""

from __future__ import annotations

import json

import pytest

from cdp.config.generate import flatten, unflatten
from cdp.config.presets import PRESETS
from cdp.data.presets import ALL_PRESETS, own_presets, preset_flat, presets_dir, save_preset
from cdp.errors import InputError, MissingError

SETTINGS = unflatten({"strength": 0.3, "loss": "fisher", "count": 7, "seed": 3, "steps": 9})


def test_a_preset_keeps_what_presets_decide_and_comes_after_the_built_in_ones() -> None:
    assert list(ALL_PRESETS) == list(PRESETS)
    save_preset("mine", SETTINGS, "because")
    assert list(ALL_PRESETS) == [*PRESETS, "mine"]
    assert preset_flat("mine") == {"strength": 0.3, "loss": "fisher", "steps": 9}
    assert ALL_PRESETS["mine"].source == "because"
    kept = unflatten(preset_flat("mine") | {"count": 7, "seed": 3})
    assert flatten(kept) == flatten(SETTINGS)


@pytest.mark.parametrize("flat", [{"strength": 0.3}, {"solver": "unipc", "steps": 7}])
def test_a_preset_of_before_keeps_the_solver_of_then(flat: dict[str, object]) -> None:
    presets_dir().mkdir(parents=True)
    (presets_dir() / "old.json").write_text(
        json.dumps({"version": 1, "title": "old", "flat": flat})
    )
    then = {"solver": "ddim", "steps": 20} | flat
    assert preset_flat("old") == then
    save_preset("new", unflatten(then), "")
    assert unflatten(preset_flat("new")) == unflatten(then)


@pytest.mark.parametrize("name", ["mine", "default", "../out", ""])
def test_no_preset_is_written_over_another_or_elsewhere(name: str) -> None:
    save_preset("mine", SETTINGS, "")
    with pytest.raises(InputError):
        save_preset(name, SETTINGS, "")
    assert [path.name for path in presets_dir().iterdir()] == ["mine.json"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"version": 0, "flat": {}}', '{"version": 1, "flat": {"strength": "much"}}'],
)
def test_a_file_that_is_none_is_left_out(content: str) -> None:
    presets_dir().mkdir(parents=True)
    (presets_dir() / "bad.json").write_text(content)
    assert own_presets() == {}
    with pytest.raises(MissingError, match="choose one of default"):
        preset_flat("bad")
    (presets_dir() / "default.json").write_text(json.dumps({"version": 1, "flat": {}}))
    assert list(ALL_PRESETS) == list(PRESETS)
