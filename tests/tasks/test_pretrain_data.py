"""What stands in the way of a training is the same for page, command line and worker."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cdp import paths
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.config.train import TrainConfig
from cdp.data.facts import concerns, facts
from cdp.data.sets import save_set
from cdp.errors import InputError
from cdp.tasks.pretrain.shared import require_ready, training_rows
from cdp.tasks.train_data import prepare
from cdp.values.types import usual_budget
from cdp.work.registry import TASKS

NAMES = ["ant", "bee", "cat"]


def save(
    name: str,
    *,
    count: int = 60,
    names: list[str] | None = None,
    shape: tuple[int, int, int] = (8, 8, 1),
    classes: int = 3,
) -> None:
    save_set(
        name,
        np.zeros((count, *shape), np.uint8),
        np.arange(count) % classes,
        {"class_names": names or NAMES},
    )


@pytest.mark.parametrize(
    ("made", "tests", "words"),
    [
        ({"classes": 1}, None, "all images are of one class"),
        ({"count": 6}, None, "6 training images are too few"),
        ({"shape": (9, 8, 1)}, None, "need even sides"),
        ({}, {"names": ["ant", "bee", "dog"]}, "lacks 'cat'; it has 'dog' besides"),
        ({}, {"shape": (8, 8, 3)}, "shape"),
    ],
)
def test_the_page_and_the_launch_of_a_run_refuse_the_same(
    made: dict[str, object], tests: dict[str, object] | None, words: str
) -> None:
    save("pets", **made)  # type: ignore[arg-type]
    if tests is not None:
        save("pets-test", **tests)  # type: ignore[arg-type]
    (blocking,) = (one for one in concerns(facts("pets")) if one.blocking)
    config = EncoderConfig(dataset="pets", name="judge")
    for ask in (
        lambda: require_ready(config),
        lambda: TASKS["pretrain-encoder"].require("judge", config),
    ):
        with pytest.raises(InputError, match=words) as refused:
            ask()
        assert blocking.text.rstrip(".").lower() in str(refused.value).lower()


def test_a_diffusion_model_takes_what_stands_in_the_way_of_encoders_alone() -> None:
    save("odd", shape=(9, 8, 1))
    assert any(
        "pads" in sentence or "even" not in sentence
        for sentence in require_ready(PretrainConfig(dataset="odd", name="odd"))
    )


def test_a_robust_encoder_takes_the_usual_budget_and_says_so() -> None:
    save("pets")
    said = require_ready(EncoderConfig(dataset="pets", kind="robust"))
    assert any("no conventional attack budget, so 0.1 is taken" in sentence for sentence in said)
    assert usual_budget(3) == 8 / 255
    assert not any(
        "budget" in sentence
        for sentence in require_ready(EncoderConfig(dataset="fashion-mnist", kind="robust"))
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["ant", "bee", "dog"], "lacks 'dog'; it has 'cat' besides"),
        (["bee", "ant", "cat"], "numbered otherwise"),
    ],
)
def test_a_model_of_other_classes_is_nothing_to_start_from(names: list[str], words: str) -> None:
    save("pets")
    folder = paths.models_dir() / "old"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "config.json").write_text(
        json.dumps({"sample_size": 8, "in_channels": 1, "num_class_embeds": 4})
    )
    (folder / "card.json").write_text(
        json.dumps({"shape": [1, 8, 8], "patch": 1, "classes": 3, "class_names": names})
    )
    with pytest.raises(
        InputError,
        match=f"start: the model old was not trained on images like those of pets .*{words}",
    ):
        require_ready(PretrainConfig(dataset="pets", name="new", start="old"))


def test_a_part_of_the_images_is_the_part_that_a_robust_training_sees() -> None:
    label = np.arange(200) % 3
    image = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    save_set("pets", image, label, {"class_names": NAMES})
    part = {"dataset": "pets", "real": 30, "subset_seed": 4, "held_out": 20}
    rows = training_rows(PretrainConfig(**part, name="m"), label)
    assert rows is not None
    real = prepare(TrainConfig(**part, epsilon=0.1, steps=1)).data.real
    assert real is not None
    images, labels = real.take(np.arange(30))
    assert sorted(images[:, 0, 0, 0]) == sorted(rows)
    assert list(np.bincount(labels)) == [10, 10, 10]
    assert training_rows(PretrainConfig(dataset="pets", name="m"), label) is None
    with pytest.raises(
        InputError, match="real: 190 images were asked for, but the data set has 180"
    ):
        require_ready(PretrainConfig(**part | {"real": 190}, name="m"))
