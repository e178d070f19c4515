"""Config files of strangers: what the Train page exports is read, anything else is refused in one
sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from cdp.cli.options import read_config
from cdp.config.knobs import parse
from cdp.config.presets import TRAIN_PRESETS, train_preset
from cdp.config.train import TrainConfig
from cdp.errors import InputError, MissingError
from cdp.files.settings import MAX_BYTES


@pytest.mark.parametrize("name", TRAIN_PRESETS)
@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps])
def test_an_exported_config_comes_back_the_same(name: str, write: object, tmp_path: Path) -> None:
    config = train_preset(name)
    path = tmp_path / "config.yaml"
    path.write_text(write(config.model_dump(mode="json")))  # type: ignore[operator]
    assert parse(TrainConfig, read_config(path, TrainConfig)) == config


def test_numbers_that_yaml_takes_for_text_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("weight_decay: 5e-4\n")
    assert parse(TrainConfig, read_config(path, TrainConfig)).weight_decay == 5e-4


@pytest.mark.parametrize(
    "text",
    [
        "synthetic: real:64\nreal: 500",
        "synthetic: [real:64]\nreal: 500",
        '{"synthetic": "real:64", "real": 500}',
    ],
)
def test_one_synthetic_set_needs_no_list(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert parse(TrainConfig, read_config(path, TrainConfig)).synthetic == ("real:64",)


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{c}: &{c} [{', '.join(['*' + p] * 8)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs: 0", "epochs"),
        ("epoch: 3", "epoch"),
        ("learning_rate: .inf", "learning_rate"),
        ("- 1\n- 2", "no mapping"),
        ("", "no mapping"),
        ("3: 4", "no mapping"),
        ("steps: 10\nsteps: 20", "steps is set twice"),
        ("steps: 1:30", "steps"),
        ('{"steps": 10, "steps": 20}', "steps is set twice"),
        ("steps: yes", "steps: true is"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        ("synthetic: !!python/name:os.system", "not YAML"),
        (BOMB, "aliases"),
        ("epochs: " + "[" * 5000, "not YAML"),
    ],
)
def test_what_is_no_config_is_refused_by_file_and_field(
    text: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_config(path, TrainConfig)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_file_that_is_none_huge_or_binary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"--preset"):
        read_config(tmp_path / "none.yaml", TrainConfig)
    with pytest.raises(InputError, match="regular"):
        read_config(tmp_path, TrainConfig)
    huge, binary, pipe = tmp_path / "huge.yaml", tmp_path / "binary.yaml", tmp_path / "pipe.yaml"
    huge.write_bytes(b" " * (MAX_BYTES + 1))
    binary.write_bytes(b"\xff\xfe\x00\x01")
    os.mkfifo(pipe)
    for path in (huge, binary, pipe):
        with pytest.raises(InputError, match=path.name):
            read_config(path, TrainConfig)
