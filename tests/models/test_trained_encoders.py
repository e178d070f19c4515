"""Classifiers of robust trainings as encoders: listed with those of their data set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cdp import paths
from cdp.errors import MissingError
from cdp.models.classifiers import build_classifier
from cdp.models.encoders import encoder_weights, list_encoders, load_encoder, save_encoder

RUN = "20261124-120000-abcdef"


@pytest.fixture
def net(cdp_home: Path) -> torch.nn.Module:
    """Of a finished run, beside a run that has none and a file that is no run."""
    made = build_classifier("small-cnn", classes=3, shape=(1, 8, 8), seed=0)
    save_encoder(paths.runs_dir() / RUN / "best", made, {"dataset": "toys", "run": "first"})
    (paths.runs_dir() / "20261124-130000-abcdef").mkdir()
    (paths.runs_dir() / ".launch.lock").touch()
    return made


def test_a_trained_classifier_is_an_encoder_of_its_data_set(net: torch.nn.Module) -> None:
    (listed,) = list_encoders("toys")
    assert (listed.name, listed.title, listed.problem) == (f"run:{RUN}", "trained: first", "")
    assert list_encoders("fashion-mnist")[-1].name != listed.name
    loaded = load_encoder(listed.name, "toys")
    image = torch.rand(2, 1, 8, 8)
    assert loaded.name == listed.name
    assert torch.equal(loaded.net(image), net.eval()(image))
    assert encoder_weights(listed.name, "toys") == loaded.sha256


@pytest.mark.parametrize(
    "name", ["run:nothing", "run:../toys", "run:", "run:/etc", "run:20261124-130000-abcdef"]
)
def test_a_run_without_a_classifier_is_told_by_name(name: str, net: torch.nn.Module) -> None:
    with pytest.raises(MissingError, match="no classifier"):
        load_encoder(name, "toys")


def test_a_damaged_card_hides_no_other_run(net: torch.nn.Module) -> None:
    for text in ("{", json.dumps([1]), ""):
        folder = paths.runs_dir() / f"20261124-14000{len(text)}-abcdef" / "best"
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(text)
    assert [entry.name for entry in list_encoders("toys")] == [f"run:{RUN}"]
