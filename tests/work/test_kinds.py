"""Kinds of runs: their settings on disk, and which names they may have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.config.generate import GenerateConfig
from cdp.config.knobs import Frozen
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.config.train import TrainConfig
from cdp.data.catalog import CATALOG
from cdp.data.sets import save_set
from cdp.errors import InputError, MissingError
from cdp.work.launch import free_name, launch
from cdp.work.records import get_run, list_runs
from cdp.work.registry import TASKS, run_task
from tests.work.processes import until

NOTHING = ("true",)
"""A worker that does nothing, so that every run stays as it was launched, and is interrupted."""

CONFIGS: dict[str, Frozen] = {
    "generate": GenerateConfig(count=3),
    "train": TrainConfig(epochs=3, synthetic=("a", "b")),
    "evaluate": EvaluateConfig(model="assets/encoders/fashion-mnist/robust", attack="quick"),
    "pretrain": PretrainConfig(name="big", widths=(32, 64)),
    "pretrain-encoder": EncoderConfig(name="big", kind="robust"),
}


@pytest.fixture(autouse=True)
def _sets(cdp_home: Path) -> None:
    """What the training names."""
    for name in ("a", "b"):
        save_set(
            name,
            np.zeros((10, 28, 28, 1), np.uint8),
            np.arange(10),
            {"source": "test", "class_names": list(CATALOG["fashion-mnist"].classes)},
        )


def start(kind: str, name: str, config: Frozen | None = None) -> str:
    return launch(TASKS[kind], config or CONFIGS[kind], name, command=NOTHING)


def finish(run_id: str) -> None:
    (paths.runs_dir() / run_id / "status.json").write_text(json.dumps({"state": "finished"}))


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_run_of_every_kind_keeps_its_settings_and_its_name(kind: str) -> None:
    run = get_run(start(kind, "big"))
    assert (run.kind, run.name, run.config) == (kind, "big", CONFIGS[kind])


@pytest.mark.parametrize("kind", ["pretrain", "pretrain-encoder"])
def test_a_model_takes_the_name_of_its_run(kind: str) -> None:
    config: Any = get_run(start(kind, "other")).config
    assert config.name == "other"


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "x" * 200])
def test_a_name_that_leaves_its_place_is_refused_and_starts_nothing(kind: str, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        start(kind, name)
    assert list_runs() == []


def test_a_training_on_what_is_not_here_is_refused_and_starts_nothing() -> None:
    for config, word in (
        (TrainConfig(synthetic=("a", "c")), "'c'"),
        (TrainConfig(dataset="nowhere"), "nowhere"),
    ):
        with pytest.raises(MissingError, match=word):
            start("train", "big", config)
    assert list_runs() == []


def test_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(
        InputError, match="choose one of generate, train, evaluate, experiment, pretrain"
    ):
        run_task("bake")


def test_a_run_of_a_kind_of_tomorrow_is_listed_as_failed_with_the_reason(cdp_home: Path) -> None:
    folder = cdp_home / "runs" / "new"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(
        json.dumps({"kind": "dream", "name": "new", "created": 1.0, "config": {}})
    )
    run = get_run("new")
    assert (run.kind, run.state, run.config) == ("dream", "failed", None)
    assert "'dream' is unknown" in str(run.error)


def test_the_name_of_a_training_is_refused_for_good_and_a_free_one_proposed() -> None:
    run_id = start("train", "night")
    with pytest.raises(
        InputError,
        match=(
            f"run {run_id} .* is called 'night' already: resume or delete it, or .* such as"
            " 'night-2'"
        ),
    ):
        start("train", "night")
    finish(run_id)
    with pytest.raises(
        InputError, match="is called 'night' already: choose another name, such as 'night-2'"
    ):
        start("train", "night")
    start("train", "night-2")
    start("generate", "night")


def test_free_names_count_up_past_runs_and_what_is_in_the_store(cdp_home: Path) -> None:
    assert free_name(TASKS["train"], "night") == "night"
    start("train", "night")
    start("train", "night-2")
    assert free_name(TASKS["train"], "night") == "night-3"
    assert free_name(TASKS["generate"], "night") == "night"
    (cdp_home / "sets" / "night").mkdir(parents=True)
    assert free_name(TASKS["generate"], "night") == "night-2"
    assert free_name(TASKS["pretrain"], "fashion-mnist") == "fashion-mnist-2", (
        "a shipped model has it"
    )
    assert free_name(TASKS["pretrain-encoder"], "judge") == "judge-2", "a shipped encoder has it"
    long = "x" * 100
    start("train", long)
    start("train", free_name(TASKS["train"], long))
    assert len(free_name(TASKS["train"], long)) <= 100


@pytest.mark.parametrize("kind", ["pretrain", "pretrain-encoder"])
def test_the_name_of_a_model_is_refused_where_it_is_shipped_there_or_being_trained(
    kind: str, cdp_home: Path
) -> None:
    with pytest.raises(InputError, match="shipped"):
        start(kind, {"pretrain": "fashion-mnist", "pretrain-encoder": "judge"}[kind])
    run_id = start(kind, "mine")
    with pytest.raises(InputError, match=f"run {run_id} .* already"):
        start(kind, "mine")
    finish(run_id)
    place = TASKS[kind].place("mine", get_run(run_id).config)
    assert place is not None
    place.mkdir(parents=True)
    with pytest.raises(InputError, match="already exists"):
        start(kind, "mine")


def test_encoders_of_two_data_sets_may_have_one_name() -> None:
    start("pretrain-encoder", "mine", EncoderConfig(dataset="a"))
    start("pretrain-encoder", "mine", EncoderConfig(dataset="b"))
    with pytest.raises(InputError, match="makes an encoder called 'mine' already"):
        start("pretrain-encoder", "mine", EncoderConfig(dataset="a"))


def test_a_finished_run_whose_settings_became_unreadable_keeps_its_result(cdp_home: Path) -> None:
    run_id = start("train", "night")
    until(run_id, lambda run: run.over)
    folder = cdp_home / "runs" / run_id
    (folder / "status.json").write_text(
        json.dumps({"state": "finished", "result": {"epoch": 3}, "notice": "look here"})
    )
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | {"config": {"knob_of_yesterday": 1}}))
    run = get_run(run_id)
    expected = ("finished", {"epoch": 3}, "look here", None)
    assert (run.state, run.result, run.notice, run.config) == expected
    assert "knob_of_yesterday" in str(run.error)
