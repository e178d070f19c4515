"""Options are made from the config's fields, all of them, with their ranges and help."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from cdp.cli import main
from cdp.cli.options import chosen, describe, leaves, limits
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.presets import PRESETS, preset
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.errors import InputError

COMMANDS = {
    "generate": GenerateConfig,
    "pretrain": PretrainConfig,
    "pretrain-encoder": EncoderConfig,
}


def options(command: str) -> dict[str, Any]:
    """Parameter name -> option of a command."""
    return {
        option.name: option for option in typer.main.get_command(main.app).commands[command].params
    }  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_leaf_of_the_config_is_an_option_with_its_help_and_range(command: str) -> None:
    found = options(command)
    for name, field in leaves(COMMANDS[command]).items():
        assert f"--{name.replace('_', '-')}" in found[name].opts
        assert str(field.description) in found[name].help
        assert limits(field) in found[name].help
        assert found[name].default is None, "an option left out must not override the preset"


def test_the_leaves_are_those_of_the_flat_form() -> None:
    assert set(leaves()) == set(flatten(GenerateConfig()))


def test_options_left_out_keep_the_presets_values() -> None:
    config = unflatten(
        chosen({"strength": 0.3, "loss": None, "classes": None}), preset("paper-cifar10")
    )
    assert config.guidance.strength == 0.3
    assert config.guidance.loss == PRESETS["paper-cifar10"].flat["loss"]


def test_ranges_are_said_in_words() -> None:
    fields = leaves()
    assert limits(fields["strength"]) == "from 0 to 2"
    assert limits(fields["tau_plus"]) == "from 0 below 1"
    assert limits(fields["loss"]) == ""
    assert describe(fields["batch"]).endswith(
        "[from 1 to 4,096; images; default: 64; paper: 512 (CIFAR-10), 128 (MNIST)]"
    )


@pytest.mark.parametrize(
    ("text", "expected"), [("1,3,7", [1, 3, 7]), ("4", [4]), (" 1, 2 ,", [1, 2])]
)
def test_lists_are_written_with_commas(text: str, expected: list[int]) -> None:
    assert chosen({"classes": text}) == {"classes": expected}


@pytest.mark.parametrize("text", ["a", "1;2", "1.5", "1,b"])
def test_a_list_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="1,3,7"):
        chosen({"classes": text})
