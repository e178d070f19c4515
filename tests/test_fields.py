"""What a config says of its settings, as forms, links and the command line read it."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from pydantic import ValidationError
from typer.testing import CliRunner

from cdp.cli import main
from cdp.cli.options import chosen, with_options
from cdp.config.explore import ExploreConfig
from cdp.config.fields import config_of, fields_of, flat_of, options
from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.knobs import Frozen
from cdp.config.presets import PRESETS, preset, train_preset
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.config.theory import TheoryConfig
from cdp.config.train import TrainConfig
from cdp.errors import InputError

COMMANDS: dict[str, type[Frozen]] = {
    "generate": GenerateConfig,
    "train": TrainConfig,
    "pretrain": PretrainConfig,
    "pretrain-encoder": EncoderConfig,
    "theory": TheoryConfig,
}
GENERATE, TRAIN = fields_of(GenerateConfig), fields_of(TrainConfig)


@pytest.mark.parametrize("name", sorted(GENERATE))
def test_a_setting_takes_its_limits_and_refuses_what_lies_beyond(name: str) -> None:
    field = GENERATE[name]
    if field.low is None or field.high is None:
        return
    assert field.read(f"{field.low:g}") == field.low
    for beyond in (field.low - 1, field.high + 1, float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            field.read(str(beyond))


def test_help_says_range_default_and_the_value_in_the_paper() -> None:
    tooltip = GENERATE["window_start"].tooltip
    assert "Range 0 to 1; default 0.7." in tooltip
    assert "In the paper: 1 (CIFAR-10), 0.15 (MNIST, traffic signs)." in tooltip
    assert GENERATE["batch"].option_help.endswith(
        "[from 1 to 4,096; images; default: 64; paper: 512 (CIFAR-10), 128 (MNIST)]"
    )
    assert GENERATE["tau_plus"].limits == "from 0 below 1"
    assert TRAIN["synthetic"].range == "at most 16 names with commas between them"
    assert fields_of(ExploreConfig)["sets"].range == "one to four names with commas between them"


def test_a_number_that_may_be_left_empty_is_one_with_its_limits() -> None:
    real, epsilon = TRAIN["real"], TRAIN["epsilon"]
    assert (real.kind, real.optional, real.default) == ("integer", True, None)
    assert epsilon.range == "above 0 to 100"
    assert [real.read(text) for text in ("12", "", "all")] == [12, None, None]
    for field, beyond in ((real, "-1"), (real, "few"), (epsilon, "0"), (epsilon, "nan")):
        with pytest.raises(ValidationError):
            field.read(beyond)


def test_a_unit_that_the_label_says_already_is_not_repeated() -> None:
    assert TRAIN["real"].heading == "Real images"
    assert TRAIN["batch"].heading == "Batch (images)"


@pytest.mark.parametrize("config", [preset("paper-mnist"), train_preset("paper"), EncoderConfig()])
def test_the_flat_form_is_complete(config: Frozen) -> None:
    assert config_of(type(config), flat_of(config)) == config


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_is_an_option_with_its_help(command: str) -> None:
    params = typer.main.get_command(main.app).commands[command].params  # type: ignore[attr-defined]
    known = {option.name: option for option in params}
    for name, field in fields_of(COMMANDS[command]).items():
        assert field.flag in known[name].opts
        assert known[name].help == field.option_help
        assert known[name].default is None, "an option left out must not override the preset"


def understood(model: type[Frozen], arguments: list[str]) -> dict[str, Any]:
    """What the command line makes of these options."""
    got: list[dict[str, Any]] = []
    app = typer.Typer()

    @app.command()
    @with_options(model)
    def take(**given: Any) -> None:
        got.append(chosen(given, model))

    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return got[0]


@pytest.mark.parametrize("name", PRESETS)
def test_options_say_exactly_what_differs(name: str) -> None:
    config, plain = preset(name), flat_of(GenerateConfig())
    words = options(GenerateConfig, flat_of(config), plain)
    assert unflatten(understood(GenerateConfig, words)) == config


def test_options_left_out_keep_the_presets_values() -> None:
    given = chosen({"strength": 0.3, "loss": None, "classes": None}, GenerateConfig)
    config = unflatten(given, preset("paper-cifar10"))
    assert config.guidance.strength == 0.3
    assert config.guidance.loss == PRESETS["paper-cifar10"].flat["loss"]


@pytest.mark.parametrize(
    ("text", "expected"), [("1,3,7", (1, 3, 7)), ("4", (4,)), (" 1, 2 ,", (1, 2))]
)
def test_lists_are_written_with_commas(text: str, expected: tuple[int, ...]) -> None:
    assert chosen({"classes": text}, GenerateConfig) == {"classes": expected}


@pytest.mark.parametrize("text", ["a", "1;2", "1.5", "1,b"])
def test_a_list_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="1,3,7"):
        chosen({"classes": text}, GenerateConfig)
