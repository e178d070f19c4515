"""What the page gives to take along means the same to the command line."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cdp.cli.configfile import read_config
from cdp.cli.options import chosen, with_options
from cdp.config.knobs import parse
from cdp.config.presets import TRAIN_PRESETS, train_preset
from cdp.config.train import TrainConfig
from cdp.ui.kit.command import command, config_yaml, options
from cdp.ui.train.estimate import line

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
    """What the command line makes of these options, over the standard preset as ``cdp train``
    starts from it."""
    got: list[dict[str, Any]] = []
    app = typer.Typer()

    @app.command()
    @with_options(TrainConfig)
    def take(**given: Any) -> None:
        got.append(chosen(given, TrainConfig))

    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return parse(TrainConfig, TRAIN_PRESETS["standard"].flat | got[0])


@given(CONFIGS)
def test_the_options_say_exactly_these_settings(config: TrainConfig) -> None:
    assert understood(options(config)) == config


@pytest.mark.parametrize("name", TRAIN_PRESETS)
def test_the_line_is_one_that_a_shell_reads_as_the_same_options(name: str) -> None:
    config = train_preset(name)
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
    found = {"seconds": 130.0, "memory_bytes": 420_000_000, "device": "CPU, 2 threads"}
    assert line(found, 1) == "About 2 min 10 s on this CPU, 420.0 MB"
    assert (
        line(found, 3)
        == "About 2 min 10 s a run on this CPU, 420.0 MB; 6 min 30 s for all 3, one after another"
    )
    assert (
        line(found | {"device": "NVIDIA H100", "memory_bytes": 5e7}, 1)
        == "About 2 min 10 s on NVIDIA H100, 50.0 MB"
    )


def test_what_is_known_to_fail_is_told_once_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from cdp.cli.main import app
    from cdp.work import launch

    monkeypatch.setattr(launch, "launch", lambda *_: "20261130-000000-000000")
    done = CliRunner().invoke(
        app, ["train", "--dataset", "fashion-mnist", "--beta", "0", "--name", "night"]
    )
    assert done.exit_code == 0, done.output
    assert done.stderr.count("note: TRADES with beta 0") == 1
    assert "night is queued" in done.stdout
