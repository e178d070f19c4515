"""What an evaluation finds before it begins, and what it refuses in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cdp.data.sets import save_set
from cdp.errors import InputError, MissingError
from cdp.tasks.evaluate_data import prepare
from tests.robust import tiny
from tests.tasks.evaluating_world import N, config, make_data, make_run
from tests.tasks.training_world import NAMES


@pytest.fixture(autouse=True)
def world() -> Path:
    make_data()
    return make_run()


def test_a_training_brings_its_own_data_set_norm_and_budget() -> None:
    found = prepare(config(weights="both"))
    assert [(one.which, one.epoch) for one in found.weights] == [("best", 2), ("last", 3)]
    expected = ("linf", 0.05, "small", "test")
    assert (found.norm, found.epsilon, found.info.name, found.part) == expected
    assert (
        found.model.name,
        found.model.sets,
        found.model.synthetic_images,
        found.model.real_images,
    ) == ("night", ("made",), 30, 40)


def test_more_images_of_a_seed_contain_the_fewer_and_classes_are_even() -> None:
    fewer, more = prepare(config(count=12)), prepare(config(count=30))
    assert set(fewer.rows) <= set(more.rows)
    assert np.bincount(fewer.label).tolist() == [4, 4, 4]
    assert set(prepare(config(count=12, part_seed=1)).rows) != set(fewer.rows)
    assert len(prepare(config(attack="pgd", count=None)).rows) == N


def test_the_hash_is_of_the_images_themselves() -> None:
    assert prepare(config()).rows_sha256 == prepare(config(seed=3)).rows_sha256
    assert prepare(config()).rows_sha256 != prepare(config(count=39)).rows_sha256


def test_the_quick_suite_never_takes_more_than_512() -> None:
    save_set("small-test-2", *tiny.images(600, 6), {"class_names": NAMES})
    assert len(prepare(config(part="small-test-2", count=None)).rows) == 512


def test_an_own_budget_and_norm_take_the_place_of_those_trained_for() -> None:
    found = prepare(config(norm="l2", epsilon=0.5))
    assert (found.norm, found.epsilon) == ("l2", 0.5)
    assert found.unseen == (
        ("l2", 1.0),
    )  # this data set has no conventional budget in the other norm
    with pytest.raises(
        InputError, match="epsilon: neither the model nor its data set has a l2 budget"
    ):
        prepare(config(norm="l2"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "run:nobody"}, "run 'nobody' is not here"),
        ({"model": "run:../../etc"}, "is not here"),
        ({"model": "/nowhere/at/all"}, "is not here"),
        ({"model": "a\0b"}, "is not"),
        ({"part": "gone"}, "gone"),
        ({"dataset": "gone"}, "unknown"),
    ],
)
def test_what_is_not_here_is_named(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        prepare(config(**change))


def test_weights_of_an_epoch_that_is_not_finished_are_asked_for(world: Path) -> None:
    make_run("20260101-000000-bbbbbb", epochs={"best": 1})
    with pytest.raises(MissingError, match="no last weights yet"):
        prepare(config(model="run:20260101-000000-bbbbbb", weights="last"))


def test_a_set_of_other_classes_or_shape_is_refused() -> None:
    save_set("wide", np.zeros((6, 8, 10, 1), np.uint8), np.arange(6) % 3, {"class_names": NAMES})
    save_set("other", *tiny.images(30, 2), {"class_names": ["a", "b", "c"]})
    for name in ("wide", "other"):
        with pytest.raises(InputError, match=f"part: set {name} does not fit small"):
            prepare(config(part=name))


def test_a_card_of_other_classes_is_refused(world: Path) -> None:
    card = world / "best" / "card.json"
    content = json.loads(card.read_text())
    for change, words in (
        ({"classes": 7}, "names 3 classes and counts 7"),
        (
            {"classes": 7, "class_names": None},
            "small does not fit the model run:.*it has 3 classes, run:.* 7",
        ),
        ({"class_names": ["dark", "gray", "light"]}, "it lacks 'gray'; it has 'grey' besides"),
        ({"classes": 4, "class_names": [*NAMES, "white"]}, "it lacks 'white'"),
        ({"shape": [3, 8, 8]}, r"shape \(1, 8, 8\) .* \(3, 8, 8\)"),
        ({"shape": [1, 8, 9]}, r"\(1, 8, 9\)"),
    ):
        card.write_text(json.dumps(content | change))
        with pytest.raises(InputError, match=words):
            prepare(config())


def test_a_card_that_only_counts_its_classes_is_still_read(world: Path) -> None:
    card = world / "best" / "card.json"
    content = json.loads(card.read_text())
    del content["class_names"]
    card.write_text(json.dumps(content))
    assert prepare(config()).info.classes == tuple(NAMES)


def test_a_model_that_does_not_say_what_it_was_trained_on_needs_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "bare.safetensors").write_bytes(b"")
    for model in (str(tmp_path / "bare.safetensors"), "code:mine:net"):
        with pytest.raises(
            InputError, match="nothing says what the model was trained on: name its data set"
        ):
            prepare(config(model=model))
        assert prepare(config(model=model, dataset="small", epsilon=0.1)).info.classes == tuple(
            NAMES
        )


def test_test_images_that_lack_a_class_say_so_and_those_of_another_class_are_refused() -> None:
    """One class less, as test images or chosen as a part: never an accuracy of a class that no
    image has."""
    image, label = tiny.images(N, 5)
    rows = label != 1
    two = image[rows], (label[rows] == 2).astype(np.int64)
    save_set("lacks", *tiny.images(60, 0), {"class_names": NAMES})
    save_set("lacks-test", *two, {"class_names": [NAMES[0], NAMES[2]]})
    for change in ({"dataset": "lacks"}, {"part": "lacks-test"}):
        found = prepare(config(**change, count=None, attack="pgd"))
        assert found.label.tolist() == label[rows].tolist()
        assert any(
            "no image of 'grey', so the accuracies are over 2 of 3 classes" in note
            for note in found.notes
        )
    save_set("more", *tiny.images(60, 0), {"class_names": NAMES})
    save_set("more-test", *two, {"class_names": [NAMES[0], "violet"]})
    with pytest.raises(
        InputError, match=r"test images of more do not fit .*it has 'violet' besides.*part"
    ):
        prepare(config(dataset="more"))


def test_images_numbered_otherwise_are_read_by_class_name_and_it_is_said() -> None:
    image, label = tiny.images(N, 5)
    plain = prepare(config())
    for part, change in (("turned", {"part": "turned"}), ("other-test", {"dataset": "other"})):
        save_set(part, image, (label + 1) % 3, {"class_names": [NAMES[2], NAMES[0], NAMES[1]]})
        if part == "other-test":
            save_set("other", *tiny.images(60, 0), {"class_names": NAMES})
        found = prepare(config(**change))
        assert found.label.tolist() == plain.label.tolist()
        assert found.info.classes == plain.info.classes
        assert any("by name" in note for note in found.notes)
    assert plain.notes == ()
    # The data set itself in another order than the network's outputs.
    save_set("turned-test", image, (label + 1) % 3, {"class_names": [NAMES[2], NAMES[0], NAMES[1]]})
    found = prepare(config(dataset="turned"))
    assert found.info.classes == tuple(NAMES)
    where = {image.tobytes(): value for image, value in zip(plain.image, plain.label, strict=True)}
    both = [
        (where[one.tobytes()], value)
        for one, value in zip(found.image, found.label, strict=True)
        if one.tobytes() in where
    ]
    assert len(both) > 10
    assert all(a == b for a, b in both)
    assert any("by name" in note for note in found.notes)


def test_a_damaged_card_is_an_error_and_odd_values_in_it_are_not(world: Path) -> None:
    card = world / "best" / "card.json"
    card.write_text(
        json.dumps(
            json.loads(card.read_text())
            | {
                "epoch": "x",
                "sets": "y",
                "training": {"dataset": "small", "epsilon": 0.1, "norm": "linf"},
            }
        )
    )
    found = prepare(config())
    assert (found.weights[0].epoch, found.model.sets, found.epsilon) == (0, (), 0.1)
    card.write_text("{")
    with pytest.raises(InputError, match=r"card\.json is not valid JSON"):
        prepare(config())
