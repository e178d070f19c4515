"""The cost of a training before its launch: measured once, in proportion, near the truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from cdp import paths
from cdp.config.knobs import parse
from cdp.config.train import TrainConfig
from cdp.data.catalog import CATALOG
from cdp.data.sets import save_set
from cdp.models.classifiers import build_classifier
from cdp.robust.training import RobustTrainer
from cdp.robust.validation import BATCH
from cdp.tasks import train_data, train_measure
from cdp.tasks.estimate import VALIDATION_BATCH, estimate, learn, warnings_of
from cdp.tasks.train_data import prepare
from cdp.values.types import DatasetInfo
from tests.robust import tiny
from tests.tasks.small_world import without_torch

INFO = CATALOG["fashion-mnist"]
COST = train_measure.StepCost(4, 0.5, 0.25, 0.01, 1000, 7.0, 1.0, "CPU, 2 threads")


def _config(**change: Any) -> TrainConfig:
    settings = {"dataset": "small", "real": 40, "held_out": 12, "batch": 8, "epochs": 3}
    settings |= {"validate_every": "1 epoch", "epsilon": 0.05, "attack_steps": 4}
    settings |= {"validation_steps": 4, "precision": "fp32"}
    return parse(TrainConfig, settings | change)


@pytest.fixture
def _set() -> None:
    save_set("small", *tiny.images(60), {"class_names": ["dark", "grey", "light"]})


@pytest.mark.usefixtures("_set")
def test_it_counts_steps_and_scales_the_measured_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_measure, "measure", lambda config, info: COST)
    found = estimate(_config())
    assert found.steps == 3 * 5
    assert found.step_seconds == pytest.approx((0.5 + 4 * 0.25) * 8 / 4)
    assert found.seconds == pytest.approx(15 * 3.0 + 3 * 12 * 0.01 * 5)
    assert found.memory_bytes == 1000 + 7 * 8
    assert (found.device, found.measured_batch) == ("CPU, 2 threads", 4)
    assert (found.steps_per_epoch, found.validations) == (5, 3)


@pytest.mark.usefixtures("_set")
def test_the_cost_of_a_training_that_ran_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_measure, "measure", lambda config, info: COST)
    before = estimate(_config()).seconds
    learn(_config(seed=5), prepare(_config()), step_seconds=2.0, image_seconds=0.5)
    assert estimate(_config()).seconds == pytest.approx(15 * 2.0 + 3 * 12 * 0.5)
    assert estimate(_config(attack_steps=5)).seconds > before, (
        "a training of another kind tells nothing"
    )


@pytest.mark.usefixtures("_set")
def test_it_is_measured_once_for_what_it_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def measure(config: TrainConfig, info: object) -> train_measure.StepCost:
        calls.append(config)
        return COST

    monkeypatch.setattr(train_measure, "measure", measure)
    first = estimate(_config())
    assert estimate(_config()) == first
    assert estimate(_config(epochs=6, attack_steps=8, seed=1)).seconds > 2 * first.seconds
    assert len(calls) == 1
    others = ({}, {"batch": 16}, {"method": "pgd-at"}, {"norm": "l2"})
    for change in others:
        estimate(_config(**change))
    assert len(calls) == 4
    next((paths.cache_dir() / "train-cost").glob("*.json")).write_text('{"batch": 1}')
    for change in others:
        estimate(_config(**change))
    assert len(calls) == 5


@pytest.mark.usefixtures("_set")
def test_the_measured_step_is_near_the_truth() -> None:
    """A wide margin and several attempts, because the tests share their machine."""
    config = _config(batch=32, attack_steps=6)
    prepared = prepare(config)
    trainer = RobustTrainer(
        build_classifier("small-cnn", classes=3, shape=(1, 8, 8), seed=0),
        prepared.data,
        config,
        epsilon=0.05,
    )
    trainer.advance()
    ratios = []
    for _ in range(5):
        found = train_measure.measure(config, prepared.info)
        assert found.batch == 32
        ratios.append(
            (found.seconds_fixed + 6 * found.seconds_attack)
            / min(_seconds(trainer.advance) for _ in range(5))
        )
        if 0.4 < ratios[-1] < 2.5:
            return
    pytest.fail(f"measured over true: {ratios}")


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@pytest.mark.usefixtures("_set")
def test_timings_that_do_not_agree_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def measure(config: TrainConfig, info: object) -> train_measure.StepCost:
        calls.append(config)
        return replace(COST, settled=len(calls) == 2)

    monkeypatch.setattr(train_measure, "measure", measure)
    for _ in range(4):
        estimate(_config())
    assert len(calls) == 2


def test_saved_bytes_are_those_of_a_linear_network_by_hand() -> None:
    """A linear layer saves its input (100 fp32 numbers an image), SiLU saves its own (50)."""
    net = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(100, 50), torch.nn.SiLU(), torch.nn.Linear(50, 2)
    )
    info = DatasetInfo("x", "x", ("a", "b"), (1, 10, 10), None, "")
    # The input, the first layer's output, and the activation that the last layer multiplies.
    saved = 4 * (100 + 50 + 50)
    assert (
        train_measure._saved_an_image(net, info, torch.device("cpu"), torch.float32)
        == train_measure.BESIDE * saved
    )


def test_the_validation_batch_is_the_one_that_validates() -> None:
    assert VALIDATION_BATCH == BATCH


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epsilon": 0.3, "warm_up": 0.0}, "known to stay at chance"),
        ({"epsilon": 4.0, "norm": "l2", "warm_up": 0.0}, "known to stay at chance"),
        ({"beta": 0.0}, "nothing makes the network robust"),
        ({"learning_rate": 0.5}, "known to break it"),
        ({"architecture": "wrn-28-10-swish"}, "takes days"),
        ({"architecture": "preact-resnet-18"}, "PreActResNet-18 on a CPU"),
        ({"real": 9}, "cannot show all 10 classes"),
    ],
)
def test_a_choice_known_to_fail_is_told_once(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("CDP_DEVICE", "cpu")
    (found,) = warnings_of(parse(TrainConfig, change), INFO)
    assert words in found
    assert ": " in found


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"epsilon": 0.3},
        {"epsilon": 0.1, "warm_up": 0.0},
        {"beta": 0.0, "method": "pgd-at"},
        {"real": 10},
        {"learning_rate": 0.3},
        {"synthetic": ["none of that name"]},
    ],
)
def test_choices_that_work_are_left_alone(change: dict[str, Any]) -> None:
    assert warnings_of(parse(TrainConfig, change), INFO) == ()


def test_large_networks_are_no_matter_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_DEVICE", "cuda")
    assert warnings_of(parse(TrainConfig, {"architecture": "wrn-28-10-swish"}), INFO) == ()


@pytest.mark.usefixtures("_set")
def test_few_synthetic_images_seen_often_are_told() -> None:
    save_set("made", *tiny.images(30), {"class_names": ["dark", "grey", "light"]})
    info = prepare(_config()).info
    many, few = (_config(synthetic=["made"], fraction=0.5, epochs=epochs) for epochs in (100, 20))
    # 40 real images at 4 a batch are 10 steps: 4 x 10 x 100 draws of 30 images.
    (found,) = warnings_of(many, info)
    assert "30 synthetic images is seen about 133 times" in found
    assert "take 40 synthetic images or more" in found and train_data.too_few(many) == 40
    assert warnings_of(few, info) == () and train_data.too_few(few) == 0
    assert train_data.MANY_REPEATS == 100
    (unused,) = warnings_of(_config(synthetic=["made"], fraction=0.0), info)
    assert "no batch holds an image" in unused


def test_what_a_training_wants_follows_from_its_settings_and_few_images_are_told_so() -> None:
    wanted = train_data.wanted_by_presets()
    # 500 and 14,000 steps of 90 synthetic images in a batch of 128.
    assert wanted == {"Quick look": 500 * 90 / 100, "Standard": 14_000 * 90 / 100}
    text = train_data.few_for_training(64)
    assert "450 images or more (Quick look), 12,600 images or more (Standard)" in text
    assert "Quick" not in train_data.few_for_training(450)
    assert train_data.few_for_training(12_600) == ""


def test_warnings_load_no_torch() -> None:
    code = (
        "from cdp.config.train import TrainConfig\nfrom cdp.data.catalog import CATALOG\nfrom"
        " cdp.tasks.estimate import warnings_of\nprint(len(warnings_of(TrainConfig(beta=0.0),"
        " CATALOG['fashion-mnist'])))"
    )
    assert without_torch(code) == "1"
