"""Whose data a generation is guided by and judged with: the model's card decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp import paths
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.data.sets import save_set
from cdp.errors import InputError, MissingError
from cdp.tasks.sources import dataset_of_generation
from cdp.work.registry import TASKS

PETS = ["ant", "bee", "cat"]


def model(name: str = "mine", *, card: bool = True, classes: int = 3, **change: Any) -> Path:
    """The folder of a diffusion model, as far as it is read before its weights."""
    folder = paths.models_dir() / name
    (folder / "unet").mkdir(parents=True)
    network = {
        "sample_size": 8,
        "in_channels": 1,
        "num_class_embeds": classes + 1 if card and classes else classes or None,
    }
    (folder / "unet" / "config.json").write_text(json.dumps(network))
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"]})
    )
    if card:
        said = {"dataset": "pets", "shape": [1, 8, 8], "patch": 1, "classes": classes}
        said |= {"class_names": PETS[:classes]}
        (folder / "card.json").write_text(json.dumps(said | change))
    return folder


def data(
    name: str, names: list[str] | None, *, shape: tuple[int, int, int] = (8, 8, 1), classes: int = 3
) -> None:
    save_set(
        name,
        np.zeros((12, *shape), np.uint8),
        np.arange(12) % classes,
        {} if names is None else {"class_names": names},
    )


def asked(dataset: str = "", name: str = "mine") -> str:
    return dataset_of_generation(GenerateConfig(model=name, dataset=dataset))


def test_the_models_card_decides() -> None:
    model()
    data("pets", PETS)
    assert asked() == "pets"
    assert asked("pets") == "pets"
    assert dataset_of_generation(GenerateConfig()) == "fashion-mnist"


def test_the_model_outlives_the_images_it_was_trained_on() -> None:
    model()
    assert asked() == "pets"
    with pytest.raises(MissingError, match="elsewhere"):
        asked("elsewhere")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"names": ["ant", "bee", "dog"]}, "lacks 'cat'; it has 'dog' besides"),
        ({"names": ["bee", "ant", "cat"]}, "numbered otherwise"),
        ({"names": None}, "numbers without names"),
        ({"names": PETS[:2], "classes": 2}, "lacks 'cat'"),
        ({"names": PETS, "shape": (8, 8, 3)}, "shape"),
    ],
)
def test_a_contradiction_is_refused_naming_both(made: dict[str, Any], words: str) -> None:
    model()
    data("other", **made)
    with pytest.raises(
        InputError, match=rf"other does not fit the model mine, whose card says pets \(.*{words}"
    ):
        asked("other")
    with pytest.raises(InputError, match="whose card says pets"):
        TASKS["generate"].require("new", GenerateConfig(model="mine", dataset="other"))


def test_another_data_set_of_the_same_classes_is_taken_where_it_is_named() -> None:
    model()
    data("again", PETS)
    assert asked("again") == "again"


def test_a_folder_of_diffusers_has_the_data_set_that_is_named_and_else_none() -> None:
    model(card=False)
    assert asked() == ""
    data("pets", PETS)
    assert asked("pets") == "pets"
    data("four", [*PETS, "dog"], classes=4)
    with pytest.raises(
        InputError,
        match=(
            r"four does not fit the model mine, which does not say what it was trained on .*4"
            r" classes"
        ),
    ):
        asked("four")


def test_a_model_without_classes_goes_with_any_images_of_its_shape() -> None:
    model(classes=0)
    data("pets", PETS)
    assert asked() == "pets"
    data("colour", PETS, shape=(8, 8, 3))
    with pytest.raises(InputError, match="colour does not fit"):
        asked("colour")


def test_old_settings_that_name_the_data_set_still_load() -> None:
    old = flatten(GenerateConfig()) | {"dataset": "fashion-mnist"}
    assert unflatten(old).dataset == "fashion-mnist"
    assert dataset_of_generation(unflatten(old)) == "fashion-mnist"


def test_guidance_without_a_known_data_set_is_refused_in_words_for_page_and_command_line() -> None:
    """A folder as diffusers saves it, without a card: unguided it needs nothing, guided it needs to
    know whose encoder is meant."""
    from cdp.tasks.loaded import load_engine
    from tests.tasks.unconditional_world import make_model

    make_model(paths.models_dir() / "plain")
    quiet = {"model": "plain", "count": 4, "batch": 4, "steps": 2, "precision": "fp32"}
    assert load_engine(unflatten({**quiet, "loss": "none"})).dataset == ""
    with pytest.raises(
        InputError,
        match=r"plain does not say what it was trained on.*--dataset NAME; on the page: Real data",
    ):
        load_engine(unflatten({**quiet, "loss": "info_nce"}))
