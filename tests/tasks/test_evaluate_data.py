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
    assert (found.norm, found.epsilon, found.info.name, found.part) == ("linf", 0.05, "small", "test")
    assert (found.model.name, found.model.sets, found.model.synthetic_images, found.model.real_images) == ("night", ("made",), 30, 40)


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
    assert found.unseen == (("l2", 1.0),)  # this data set has no conventional budget in the other norm
    with pytest.raises(InputError, match="epsilon: neither the model nor its data set has a l2 budget"):
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
    card.write_text(json.dumps(json.loads(card.read_text()) | {"classes": 7}))
    with pytest.raises(InputError, match="has 3 classes, the model 7"):
        prepare(config())


def test_a_damaged_card_is_an_error_and_odd_values_in_it_are_not(world: Path) -> None:
    card = world / "best" / "card.json"
    card.write_text(
        json.dumps(
            json.loads(card.read_text()) | {"epoch": "x", "sets": "y", "training": {"dataset": "small", "epsilon": 0.1, "norm": "linf"}}
        )
    )
    found = prepare(config())
    assert (found.weights[0].epoch, found.model.sets, found.epsilon) == (0, (), 0.1)
    card.write_text("{")
    with pytest.raises(InputError, match=r"card\.json is not valid JSON"):
        prepare(config())
