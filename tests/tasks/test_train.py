"""Robust training as a task: what it leaves, what it refuses, and how it ends badly."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cdp.config.knobs import parse
from cdp.config.presets import TRAIN_PRESETS
from cdp.config.train import TrainConfig, overlaid
from cdp.data.sets import save_set
from cdp.errors import Cancelled, CdpError, Halted, InputError
from cdp.models.encoders import load_encoder
from cdp.robust.validation import validate
from cdp.tasks.train_data import prepare
from tests.robust import tiny
from tests.tasks.training_world import EPOCHS, NAMES, PER_EPOCH, Told, config, make_sets, states


@pytest.fixture(autouse=True)
def _sets() -> None:
    make_sets()


def test_a_run_leaves_classifiers_examples_checkpoints_and_a_record(tmp_path: Path) -> None:
    told = Told()
    record = told.run(config(), tmp_path)
    first, last = told.epochs
    assert told.resumed == []
    assert told.progress[0] == (0, EPOCHS * PER_EPOCH, None)
    assert [done for done, _, _ in told.progress] == [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10]
    assert told.progress[-1][2] == pytest.approx(0, abs=1)
    assert record["epoch"] == record["epochs"] == record["last"]["epoch"] == 2
    assert record["robust_accuracy"] == last.robust_accuracy
    assert record["best"] == {
        "epoch": last.best_epoch,
        "step": last.best_step,
        "robust_accuracy": last.best_robust,
        "clean_accuracy": (first, last)[last.best_epoch - 1].clean_accuracy,
    }
    expected = (12, 0.05, "linf", "PGD-2")
    assert (record["n"], record["epsilon"], record["norm"], record["attack"]) == expected
    assert last.synthetic_images == last.images / 2 == 80
    assert states(tmp_path) == ["state-000000005.safetensors", "state-000000010.safetensors"]
    json.dumps(record, allow_nan=False)
    with np.load(tmp_path / "examples.npz", allow_pickle=False) as kept:
        assert kept["clean"].shape == kept["adversarial"].shape == (8, 8, 8, 1)
        assert (kept["clean"].dtype, kept["adversarial"].dtype) == (np.uint8, np.float32)
        assert sorted(np.bincount(kept["label"])) == [2, 3, 3]
        assert kept["predicted_clean"].shape == kept["predicted"].shape == (8,)
        assert (int(kept["epoch"]), float(kept["epsilon"])) == (2, 0.05)
        assert np.abs(kept["adversarial"] - kept["clean"] / 255).max() == pytest.approx(
            0.05, abs=1e-6
        )


def test_the_kept_classifiers_have_the_accuracies_on_their_cards(tmp_path: Path) -> None:
    told = Told()
    record = told.run(config(), tmp_path)
    data = prepare(config()).data
    for name in ("best", "last"):
        encoder = load_encoder(tmp_path / name, "small")
        found = validate(encoder.net, data.image, data.label, epsilon=0.05, norm="linf", steps=2)
        card = encoder.card
        assert (
            found.robust.mean()
            == card["accuracy"]["pgd"]["value"]
            == record[name]["robust_accuracy"]
        )
        assert found.clean.mean() == card["accuracy"]["clean"]["value"]
        assert card["epoch"] == record[name]["epoch"]
        assert card["training"]["images"] == 40
        assert card["arithmetic"] == {
            "threads": torch.get_num_threads(),
            "layout": "channels last",
        }
        assert card["training"]["epsilon"] == 0.05
        assert card["sets"][0]["name"] == "made"
        assert len(card["sets"][0]["card_sha256"]) == 64
        assert card["class_names"] == NAMES


def test_validation_images_are_in_no_training_pool() -> None:
    settings = config()
    prepared = prepare(settings)
    real = prepared.data.real.take(np.arange(prepared.real))[0]
    train = {image.tobytes() for image in real}
    assert len(train) == 40
    assert not train & {image.tobytes() for image in prepared.data.image}


def _poisoned(folder: Path) -> None:
    """Put a weight into the newest checkpoint that makes the next loss infinite."""
    path = sorted((folder / "checkpoints").glob("*.safetensors"))[-1]
    state = load_file(path)
    state["net.head.weight"][:] = 3e38
    save_file(state, path)


def test_nan_ends_the_run_with_the_reason_and_what_was_good_is_kept(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        Told(8).run(config(), tmp_path)
    best = (tmp_path / "best" / "model.safetensors").read_bytes()
    _poisoned(tmp_path)
    told = Told()
    with pytest.raises(Halted, match=r"lower learning_rate.*the best epoch, 1, is kept") as halted:
        told.run(config(), tmp_path)
    record = halted.value.result
    assert record["epoch"] == record["best"]["epoch"] == record["last"]["epoch"] == 1
    assert record["robust_accuracy"] is not None
    assert (tmp_path / "best" / "model.safetensors").read_bytes() == best
    assert load_encoder(tmp_path / "last", "small").card["epoch"] == 1
    json.dumps(record, allow_nan=False)


def test_nan_in_the_first_epoch_says_that_nothing_was_finished(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        Told(2).run(config(), tmp_path)
    _poisoned(tmp_path)
    with pytest.raises(Halted, match="nothing was validated yet") as halted:
        Told().run(config(), tmp_path)
    assert halted.value.result["epoch"] == 0
    assert halted.value.result["best"]["robust_accuracy"] is None
    assert not (tmp_path / "last").exists()


def test_collapsed_labels_end_the_run_and_last_keeps_the_last_good_epoch(tmp_path: Path) -> None:
    """A weight decay that starves the network: it learns, then forgets. 40 steps an epoch."""
    settings = config(
        epochs=40,
        real=40,
        batch=2,
        learning_rate=0.05,
        weight_decay=1.0,
        ema_decay=0.9,
        warm_up=0.0,
        beta=0.1,
    )
    told = Told()
    with pytest.raises(Halted, match="labels have collapsed since epoch") as halted:
        told.run(settings, tmp_path)
    record = halted.value.result
    ended = told.epochs[-1].epoch
    assert record["epoch"] == ended < 40
    assert record["last"]["epoch"] <= ended - 5
    assert record["last"]["clean_accuracy"] > 0.5
    assert load_encoder(tmp_path / "last", "small").card["epoch"] == record["last"]["epoch"]
    again = Told()
    with pytest.raises(Halted) as halted_again:
        again.run(settings, tmp_path)
    assert str(halted_again.value) == str(halted.value)
    assert again.epochs == []


@pytest.mark.parametrize("answer", ["stop", "notice"])
def test_robust_overfitting_stops_or_is_only_noticed_until_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """The trainer is real; the robust accuracies it finds are written over, as no network of this
    size overfits in seconds."""
    from cdp.robust import training

    rng = np.random.default_rng(0)
    level = iter([0.5, 0.55, 0.6, 0.6, 0.6, 0.6, *[0.3] * 6, *[0.7] * 4])

    def measured(*args: Any, **kwargs: Any) -> Any:
        found = validate(*args, **kwargs)
        robust = rng.random(2000).argsort() < 2000 * next(level)
        return type(found)(
            robust | True, robust, np.arange(2000) % 3, np.arange(2000) % 3, found.adversarial
        )

    monkeypatch.setattr(training, "validate", measured)
    settings = config(epochs=16, warm_up=0.0, learning_rate=0.02, overfitting=answer)
    told = Told()
    if answer == "stop":
        with pytest.raises(
            Halted, match=r"robust overfitting since epoch 7.*use the best epoch"
        ) as halted:
            told.run(settings, tmp_path)
        assert halted.value.result["best"]["epoch"] == 6
        assert (
            halted.value.result["last"]["epoch"]
            == halted.value.result["epoch"]
            == told.epochs[-1].epoch
            in (11, 12)
        )
    else:
        told.run(settings, tmp_path)
        assert told.notices[-1] is None
        assert all(
            text is not None and "robust overfitting since epoch 7" in text
            for text in told.notices[:-1]
        )
        assert len(told.notices) >= 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"real": 49}, "real: 49 images .* has 48 here"),
        ({"synthetic": ["nothing"]}, "sample set 'nothing' is unknown"),
        (
            {"synthetic": ["other"]},
            "set other does not fit .*it lacks 'grey'; it has 'gray' besides",
        ),
        ({"synthetic": ["numbered"]}, "set numbered does not fit .*numbers without names"),
        (
            {"synthetic": ["large"]},
            r"set large does not fit .*shape \(1, 16, 16\) .*those of small \(1, 8, 8\)",
        ),
        ({"epsilon": None}, "epsilon: small has no conventional linf budget"),
        ({"dataset": "one"}, "one class"),
    ],
)
def test_a_misfit_is_refused_by_name(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    image, label = tiny.images(30)
    save_set("other", image, label, {"class_names": ["dark", "gray", "light"]})
    save_set("numbered", image, label, {})
    save_set("large", np.zeros((9, 16, 16, 1), np.uint8), np.arange(9) % 3, {"class_names": NAMES})
    save_set("one", image, label * 0, {"class_names": ["all"]})
    with pytest.raises(CdpError, match=words):
        Told().run(config(**change), tmp_path)


def test_a_synthetic_set_is_read_by_class_name_and_what_it_lacks_is_on_record() -> None:
    """Numbered otherwise, and without the class in the middle: every image keeps the class that its
    name says."""
    image, label = tiny.images(30)
    rows = label != 1
    save_set(
        "turned",
        image[rows],
        (label[rows] == 0).astype(np.int64),
        {"class_names": [NAMES[2], NAMES[0]]},
    )
    prepared = prepare(config(synthetic=["made", "turned"]))
    assert prepared.data.synthetic is not None
    _, read = prepared.data.synthetic.take(np.arange(30, 30 + rows.sum()))
    assert read.tolist() == label[rows].tolist()
    said = prepared.sets[1]["labels"]
    assert "by name" in said
    assert "turned has no 'grey'" in said
    assert "labels" not in prepared.sets[0]


def test_synthetic_images_alone_and_real_ones_alone(tmp_path: Path) -> None:
    alone = Told()
    alone.run(config(real=0, fraction=1.0), tmp_path / "synthetic")
    assert alone.epochs[-1].synthetic_images == alone.epochs[-1].images
    real = Told()
    real.run(config(synthetic=[], method="pgd-at"), tmp_path / "real")
    assert real.epochs[-1].synthetic_images == 0
    assert math.isnan(real.epochs[-1].train_clean)
    assert load_encoder(tmp_path / "real" / "last", "small").card["metrics"]["train_clean"] is None


def test_further_real_images_are_others_and_as_balanced() -> None:
    ceiling, alone = (
        prepare(config(real=20, synthetic=["real:25"])),
        prepare(config(real=20, synthetic=[])),
    )
    pools = [ceiling.data.real, ceiling.data.synthetic]
    assert all(pool is not None for pool in pools)
    (real, _), (further, label) = (
        pool.take(np.arange(len(pool))) for pool in pools if pool is not None
    )
    assert (len(real), len(further), ceiling.sets) == (20, 25, ())
    assert sorted(np.bincount(label)) == [8, 8, 9]
    seen = {image.tobytes() for images in (real, further, ceiling.data.image) for image in images}
    assert len(seen) == 20 + 25 + 12
    assert alone.data.real is not None
    assert np.array_equal(alone.data.real.take(np.arange(20))[0], real)
    # More of them contain the fewer, as larger real subsets do, and another subset seed draws
    # others.
    more, others = (
        prepare(config(real=20, **change)).data.synthetic
        for change in ({"synthetic": ["real:28"]}, {"synthetic": ["real:25"], "subset_seed": 1})
    )
    assert more is not None and others is not None
    assert {image.tobytes() for image in further} < {
        image.tobytes() for image in more.take(np.arange(28))[0]
    }
    assert {image.tobytes() for image in further} != {
        image.tobytes() for image in others.take(np.arange(25))[0]
    }


def test_more_further_real_images_than_there_are_is_refused_with_their_number() -> None:
    with pytest.raises(
        InputError,
        match=(
            "small has 28 here besides the 20 real ones and the 12 validation images: take real:28"
        ),
    ):
        prepare(config(real=20, synthetic=["real:29"]))
    with pytest.raises(InputError, match=r"has 0 here .* lower real"):
        prepare(config(real=48, synthetic=["real:1"]))
    with pytest.raises(InputError, match="real: 49 images were asked for"):
        prepare(config(real=49, synthetic=["real:1"]))
    assert len(prepare(config(real=20, synthetic=["real:28"])).data.synthetic or ()) == 28


def test_a_ceiling_arm_trains_on_no_synthetic_image_and_says_so(tmp_path: Path) -> None:
    told = Told()
    record = told.run(
        config(real=20, synthetic=["real:20"], epochs=None, steps=6, validate_every="3 steps"),
        tmp_path,
    )
    assert (told.epochs[-1].synthetic_images, told.epochs[-1].images) == (0, 96)
    assert (record["steps"], record["images_seen"]) == (6, 96)
    card = load_encoder(tmp_path / "last", "small").card
    assert (card["steps"], card["images_seen"], card["epoch"], card["sets"]) == (6, 96, 3, [])
    training = card["training"]
    assert (training["images"], training["synthetic_images"], training["further_real_images"]) == (
        20,
        0,
        20,
    )


def test_the_arms_of_a_comparison_take_as_many_steps_unless_they_are_asked_for_epochs() -> None:
    """2,000 real images, with 64 synthetic ones and without: today 156 against 45 steps in three
    epochs."""
    rng = np.random.default_rng(0)
    for name, count in (("plenty", 2600), ("few", 64)):
        save_set(
            name,
            rng.integers(0, 256, (count, 8, 8, 1), np.uint8),
            np.arange(count) % 3,
            {"class_names": NAMES},
        )
    arms: tuple[dict[str, Any], ...] = (
        {"synthetic": []},
        {"synthetic": ["few"], "fraction": 0.7},
        {"synthetic": ["real:64"], "fraction": 0.7},
    )

    def steps(**length: Any) -> list[int]:
        settings = {"dataset": "plenty", "real": 2000, "batch": 128, **length}
        made = [
            parse(
                TrainConfig,
                TRAIN_PRESETS["quick"].flat | {"epsilon": 0.1} | overlaid(settings, arm),
            )
            for arm in arms
        ]
        return [one.total_steps(prepare(one).mixture(one).steps_per_epoch) for one in made]

    assert steps() == [500, 500, 500]
    assert steps(steps=None, epochs=3) == [45, 156, 156]


def test_a_training_of_no_robustness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cdp.robust import training

    clean = iter([0.25, 0.75, 0.75, 0.5])

    def measured(*args: Any, **kwargs: Any) -> Any:
        found = validate(*args, **kwargs)
        return type(found)(
            np.arange(12) < 12 * next(clean),
            np.zeros(12, bool),
            np.arange(12) % 3,
            np.arange(12) % 3,
            found.adversarial,
        )

    monkeypatch.setattr(training, "validate", measured)
    record = Told().run(config(epochs=4), tmp_path)
    assert (
        record["best"]["epoch"],
        record["best"]["clean_accuracy"],
        record["best"]["robust_accuracy"],
    ) == (3, 0.75, 0)
    assert "no epoch is above 0 robust accuracy" in record["best"]["remark"]
    assert "remark" not in record["last"]
    assert load_encoder(tmp_path / "best", "small").card["epoch"] == 3
