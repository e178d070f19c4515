"""Measured sets: pairs beside figures, a disk that remembers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cdp import paths
from cdp.data.sets import save_set
from cdp.embedding.classes import class_pairs
from cdp.errors import InputError
from cdp.tasks import measuring
from cdp.tasks.claims import comparisons_json
from cdp.tasks.features import features
from cdp.tasks.measured import Measured, SetComparison
from cdp.tasks.measuring import compare, measure_set, measured_of
from tests.tasks.small_world import DATASET, JUDGE, TEST, make, make_world, real, without_torch
from tests.tasks.small_world import quick as quick

OPTIONS = {"encoder": JUDGE, "dataset": DATASET, "rows": 200}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Measured]:
    """A home with the small data set, a set of unseen images, and its figures."""
    home = tmp_path_factory.mktemp("known")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDP_HOME", str(home))
        make_world()
        image, label, _ = real("test")
        make("fresh", image[TEST : TEST + 200], label[TEST : TEST + 200])
        return home, measure_set("fresh", **OPTIONS)  # type: ignore[arg-type]


@pytest.fixture
def found(known: tuple[Path, Measured], cdp_home: Path) -> Measured:
    """The figures, in a home of this test's own where they are known."""
    shutil.copytree(known[0], cdp_home)
    return known[1]


def test_class_pairs_stand_beside_the_figures(found: Measured) -> None:
    assert not found.result.undefined and len(found.result.figures) == 16
    image, label, _ = real("test")
    part = slice(TEST, TEST + 200)
    assert found.pairs is not None
    assert found.pairs == class_pairs(features(JUDGE, DATASET, image[part]), label[part])
    assert len(found.pairs.separation) == 45 and len(found.pairs.confusion) == 100


def test_what_was_measured_comes_back_equal_and_without_torch(found: Measured) -> None:
    assert measured_of("fresh", **OPTIONS).known() == found  # type: ignore[arg-type]
    told = without_torch(
        "from cdp.tasks.claims import sentences\nfrom cdp.tasks.measured import SetComparison\n"
        "from cdp.tasks.measuring import measured_of\nfound ="
        f" measured_of('fresh', **{OPTIONS!r}).known(); sentences(SetComparison(found, found));"
        " print(found.result.figures['separation'].high)"
    )
    assert float(told) == found.result.figures["separation"].high


def test_a_real_split_and_one_class_are_measured_as_far_as_they_go(found: Measured) -> None:
    split = measure_set(f"{DATASET}:test", **OPTIONS)  # type: ignore[arg-type]
    assert "precision" not in split.result.figures and split.pairs is not None
    image, label, _ = real("train")
    make("trousers", image[label == 1], label[label == 1])
    one = measure_set("trousers", **OPTIONS)  # type: ignore[arg-type]
    assert one.pairs is None and "separation" in one.result.undefined
    for name, made in ((f"{DATASET}:test", split), ("trousers", one)):
        assert measured_of(name, **OPTIONS).known() == made  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", ["seed", "rows", "encoder", "label", "real", "version", "damage"]
)
def test_whatever_the_figures_follow_from_tells_measurements_apart(
    found: Measured, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    assert measured_of("fresh", **OPTIONS).known() == found  # type: ignore[arg-type]
    options: dict[str, object] = dict(OPTIONS)
    name = "fresh"
    if change in ("seed", "rows"):
        options[change] = 150
    elif change == "encoder":
        options["encoder"] = "pixels"
    elif change == "label":
        image, label, _ = real("test")
        name = "other"
        make(name, image[TEST : TEST + 200], np.roll(label[TEST : TEST + 200], 1))
    elif change == "real":
        (paths.sets_dir() / f"{DATASET}-test").rename(paths.home() / "gone")
        make(f"{DATASET}-test", *real("test")[:2])
    elif change == "version":
        monkeypatch.setattr(measuring, "VERSION", measuring.VERSION + 1)
    else:
        (kept,) = (paths.cache_dir() / "measured").iterdir()
        kept.write_text(kept.read_text().replace('"low"', '"lowest"', 1))
    assert measured_of(name, **options).known() is None  # type: ignore[arg-type]


def test_too_few_rows_are_refused_with_the_remedy(found: Measured) -> None:
    for call in (measure_set, measured_of):
        with pytest.raises(InputError, match="at least 100"):
            call("fresh", rows=50)


def test_the_json_has_every_pair_both_ways(found: Measured) -> None:
    given = json.loads(
        json.dumps(
            comparisons_json([found, found], [SetComparison(found, found)], encoder="judge"),
            allow_nan=False,
        )
    )
    pairs = {(row["first"], row["second"]): row for row in given["sets"][0]["pairs"]}
    assert len(pairs) == 100
    assert (
        pairs[2, 4]["separation"] == pairs[4, 2]["separation"] and pairs[2, 2]["separation"] is None
    )
    assert pairs[2, 4]["confusion"]["value"] == found.pairs.confusion[2, 4].value  # type: ignore[union-attr]
    assert given["differences"][0]["figures"]["separation"]["value"] == 0


def test_other_real_images_give_other_figures(found: Measured, quick: None) -> None:
    (paths.sets_dir() / f"{DATASET}-test").rename(paths.home() / "gone")
    image, label, _ = real("train")
    make(
        f"{DATASET}-test", image[:100], label[:100]
    )  # held-out images that are all training images
    again = measure_set("fresh", **OPTIONS)  # type: ignore[arg-type]
    assert "nearest" not in again.result.figures and "nearest" in found.result.figures
    assert again.result.figures["coverage"].n == 100


def test_sets_are_compared_at_equal_numbers_of_every_class(found: Measured, quick: None) -> None:
    image, label, _ = real("test")
    part = (
        np.flatnonzero((label[TEST : TEST + 500] != 3) | (np.arange(500) % 2 == 0)) + TEST
    )  # half of one class is missing
    make("larger", image[part], label[part])
    options = OPTIONS | {"rows": 400}
    pair = compare("fresh", "larger", **options)  # type: ignore[arg-type]
    assert pair.equal and pair.n == 200 and pair.first.sizes == pair.second.sizes == found.sizes
    assert pair.second.total == len(part)
    cut = measure_set("larger", sizes=found.sizes, **options)  # type: ignore[arg-type]
    assert cut == pair.second
    again = measure_set("larger", sizes=found.sizes, **options | {"seed": 1})  # type: ignore[arg-type]
    assert again.sizes == cut.sizes
    assert again.result.figures["separation"].value != cut.result.figures["separation"].value


def test_without_real_images_a_set_has_its_own_figures(cdp_home: Path, quick: None) -> None:
    rng = np.random.default_rng(0)
    label = np.arange(120) % 3
    image = (rng.integers(0, 60, (120, 8, 8, 1)) + 60 * label[:, None, None, None]).astype(np.uint8)
    for name, card in (("far", {"dataset": "elsewhere"}), ("none", {})):
        save_set(name, image, label, {"class_names": ["a", "b", "c"], "source": "test"} | card)
        found = measure_set(name, encoder="pixels", rows=200).result
        assert found.figures["separation"].value > 0
        assert "frechet" not in found.figures
        assert "data set" in found.undefined["frechet"]
        assert set(found.per_class) == {0, 1, 2}


def test_a_set_numbered_otherwise_has_the_same_figures_class_by_class(found: Measured) -> None:
    image, label, names = real("test")
    part = slice(TEST, TEST + 200)
    order = np.roll(np.arange(len(names)), 3)  # new number -> old
    make(
        "turned", image[part], np.argsort(order)[label[part]], class_names=[names[k] for k in order]
    )
    turned = measure_set("turned", **OPTIONS)  # type: ignore[arg-type]
    assert turned.result == found.result and turned.pairs == found.pairs
    assert turned.class_names == found.class_names
    assert "by name" in turned.note and not found.note


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_names": [f"{k}" for k in range(10)]}, "numbers without names"),
        ({"class_names": [*(f"thing {k}" for k in range(10))]}, "lacks .*it has 'thing 0'"),
    ],
)
def test_a_set_of_other_classes_is_not_compared_with_the_real_images(
    found: Measured, change: dict[str, list[str]], words: str
) -> None:
    image, label, _ = real("test")
    make("other", image[:200], label[:200], **change)
    with pytest.raises(
        InputError, match=rf"set other does not fit the data set {DATASET} .*{words}"
    ):
        measure_set("other", **OPTIONS)  # type: ignore[arg-type]
