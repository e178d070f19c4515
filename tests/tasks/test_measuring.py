"""Measured sets: pairs beside figures, a disk that remembers, and sentences that claim what the intervals allow and no more."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cdp import paths
from cdp.data.sets import save_set
from cdp.embedding.measure import Measurement
from cdp.embedding.pairs import class_pairs
from cdp.errors import InputError
from cdp.tasks import measuring
from cdp.tasks.claims import COLLAPSE, relative_change
from cdp.tasks.features import features
from cdp.tasks.measuring import Measured, figures_json, measure_set, measured_cached, sentences
from cdp.types import Interval
from tests.tasks.small_world import DATASET, JUDGE, TEST, make, make_world, real, without_torch

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
    assert measured_cached("fresh", **OPTIONS) == found  # type: ignore[arg-type]
    told = without_torch(
        "from cdp.tasks.measuring import measured_cached, sentences\n"
        f"found = measured_cached('fresh', **{OPTIONS!r}); sentences(found, found); print(found.result.figures['separation'].high)"
    )
    assert float(told) == found.result.figures["separation"].high


def test_a_real_split_and_one_class_are_measured_as_far_as_they_go_and_remembered(found: Measured) -> None:
    split = measure_set(f"{DATASET}:test", **OPTIONS)  # type: ignore[arg-type]
    assert "precision" not in split.result.figures and split.pairs is not None
    image, label, _ = real("train")
    make("trousers", image[label == 1], label[label == 1])
    one = measure_set("trousers", **OPTIONS)  # type: ignore[arg-type]
    assert one.pairs is None and "separation" in one.result.undefined
    for name, made in ((f"{DATASET}:test", split), ("trousers", one)):
        assert measured_cached(name, **OPTIONS) == made  # type: ignore[arg-type]


@pytest.mark.parametrize("change", ["seed", "rows", "encoder", "label", "real", "version", "damage"])
def test_whatever_the_figures_follow_from_tells_measurements_apart(found: Measured, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    assert measured_cached("fresh", **OPTIONS) == found  # type: ignore[arg-type]
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
    assert measured_cached(name, **options) is None  # type: ignore[arg-type]


def test_too_few_rows_are_refused_with_the_remedy(found: Measured) -> None:
    for call in (measure_set, measured_cached):
        with pytest.raises(InputError, match="at least 100"):
            call("fresh", rows=50)


def test_the_json_has_every_pair_both_ways(found: Measured) -> None:
    given = json.loads(json.dumps(figures_json([found, found], encoder="judge"), allow_nan=False))
    pairs = {(row["first"], row["second"]): row for row in given["sets"][0]["pairs"]}
    assert len(pairs) == 100
    assert pairs[2, 4]["separation"] == pairs[4, 2]["separation"] and pairs[2, 2]["separation"] is None
    assert pairs[2, 4]["confusion"]["value"] == found.pairs.confusion[2, 4].value  # type: ignore[union-attr]
    assert given["differences"][0]["figures"]["separation"]["value"] == 0


def test_other_real_images_of_the_same_name_give_other_figures_in_the_same_process(found: Measured) -> None:
    (paths.sets_dir() / f"{DATASET}-test").rename(paths.home() / "gone")
    image, label, _ = real("train")
    make(f"{DATASET}-test", image[:100], label[:100])  # held-out images that are all training images
    again = measure_set("fresh", **OPTIONS)  # type: ignore[arg-type]
    assert "nearest" not in again.result.figures and "nearest" in found.result.figures
    assert again.result.figures["coverage"].n == 100


def about(value: float, half: float) -> Interval:
    return Interval(value, value - half, value + half, 1000)


def measured(**figures: Interval) -> Measured:
    return Measured("x", 1000, ("a", "b"), Measurement(1000, figures, {}, {}))


FEW = measured(
    separation=about(1.0, 0.02), knn_accuracy=about(0.80, 0.01), precision=about(0.70, 0.01), recall=about(0.60, 0.01),
    coverage=about(0.90, 0.01),
)  # fmt: skip


def test_a_relative_change_is_the_ratio_with_the_delta_methods_interval() -> None:
    found = relative_change(about(1.14, 0.03), about(1.0, 0.02))
    assert found is not None
    half = 114 * np.hypot(0.03 / 1.14, 0.02 / 1.0)  # first order, for small intervals
    assert found.value == pytest.approx(14)
    assert (found.low, found.high) == (pytest.approx(14 - half, abs=0.15), pytest.approx(14 + half, abs=0.15))
    assert relative_change(about(0.01, 0.02), about(1, 0.1)) is None


def test_the_interval_of_a_relative_change_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        first, second = rng.normal(1.5, 0.1), rng.normal(1.0, 0.08)
        found = relative_change(about(first, 1.96 * 0.1), about(second, 1.96 * 0.08))
        assert found is not None
        hits += found.low <= 50 <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_claims_give_amount_direction_and_interval_with_fidelity_in_the_same_breath() -> None:
    better = replace(FEW.result, figures=FEW.result.figures | {"separation": about(1.14, 0.03), "coverage": about(0.87, 0.01)})
    (text, warning) = sentences(replace(FEW, result=better), FEW)
    assert text.startswith("Classes are 14 % further apart, 95 % interval 10 to 18; no difference can be told in 10-nearest-neighbour")
    assert (
        "; at the same time coverage fell by 3 points, 95 % interval 1.6 to 4.4; no difference can be told in precision and recall" in text
    )
    assert warning == COLLAPSE
    (back,) = sentences(FEW, replace(FEW, result=better))
    assert back.startswith("Classes are 12 % closer together") and "coverage rose by 3 points" in back


@pytest.mark.parametrize(
    ("figures", "warned"),
    [
        ({"separation": about(2, 0.1), "recall": about(0.3, 0.01)}, True),
        ({"knn_accuracy": about(0.9, 0.01), "coverage": about(0.5, 0.01)}, True),
        ({"separation": about(2, 0.1)}, False),
        ({"separation": about(0.5, 0.1), "recall": about(0.3, 0.01)}, False),
        ({"separation": about(2, 0.1), "recall": about(0.595, 0.01)}, False),
    ],
)
def test_separability_that_rose_as_reach_fell_is_called_possible_collapse(figures: dict[str, Interval], warned: bool) -> None:
    other = replace(FEW, result=replace(FEW.result, figures=FEW.result.figures | figures))
    assert (COLLAPSE in sentences(other, FEW)) is warned


def test_where_nothing_can_be_told_apart_that_is_all_that_is_said() -> None:
    (text,) = sentences(FEW, FEW)
    assert text.startswith("Nothing can be told apart")
    assert sentences(measured(), FEW) == ["The two sets have no figure in common to compare."]


def test_separability_alone_says_that_fidelity_was_not_measured() -> None:
    (text,) = sentences(measured(separation=about(2, 0.1)), FEW)
    assert "fidelity and coverage were not measured" in text
    (text,) = sentences(measured(separation=about(1.01, 0.1)), FEW)
    assert "Nothing" in text and "fidelity and coverage were not measured" in text


def test_scatter_about_zero_has_no_percent_but_a_plain_difference() -> None:
    (text,) = sentences(measured(separation=about(0.5, 0.01)), measured(separation=about(0.001, 0.01)))
    assert text.startswith("Between / within scatter rose by 0.5, 95 % interval 0.48 to 0.51")


def test_a_claim_is_made_exactly_where_the_interval_leaves_zero_out() -> None:
    for gap in np.linspace(-0.06, 0.06, 25):
        one = measured(recall=about(0.6 + gap, 0.02), separation=about(1, 0.1))
        text = " ".join(sentences(one, FEW))
        clear = abs(gap) > np.hypot(0.02, 0.01)
        assert ("recall rose" in text, "recall fell" in text) == (clear and gap > 0, clear and gap < 0)


def test_a_set_whose_real_images_are_not_here_has_its_own_figures_and_says_why_the_others_are_missing(cdp_home: Path) -> None:
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
