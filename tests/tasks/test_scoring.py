"""Scores and flags of real images, some wrongly labelled, some copied: plain formulas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from cdp import paths
from cdp.config.explore import PIXELS
from cdp.embedding.classes import centroid_silhouettes
from cdp.errors import InputError, MissingError
from cdp.tasks import scoring
from cdp.tasks.features import features
from cdp.tasks.scoring import SCORES, Scores, flagged, score_rows, scores_of
from cdp.tasks.sources import Source, open_source
from tests.tasks.small_world import (
    DATASET,
    JUDGE,
    TEST,
    TRAIN,
    make,
    make_world,
    real,
    without_torch,
)

ROWS = np.arange(20, 140)


@pytest.fixture
def source(cdp_home: Path) -> Source:
    """Unseen images, the last three of them copies: of a training image, of itself twice."""
    make_world()
    image, label, _ = real("test")
    image, label = image[TEST : TEST + 150].copy(), label[TEST : TEST + 150].copy()
    image[137] = real("train")[0][7]
    image[138], image[139] = image[30], image[30]
    make("mixed", image, label)
    return open_source("mixed")


def all_scores(source: Source, encoder: str = JUDGE, dataset: str = DATASET) -> Scores:
    return score_rows(source, ROWS, encoder, dataset, tuple(SCORES))


def seen(source: Source) -> np.ndarray:
    return features(JUDGE, DATASET, source.image[ROWS]).astype(np.float64)


def test_every_score_is_one_number_an_image_and_has_words(source: Source) -> None:
    found = all_scores(source)
    assert not found.undefined and list(found.values) == list(SCORES)
    for value in found.values.values():
        assert value.shape == ROWS.shape and value.dtype == np.float64 and np.isfinite(value).all()
    for info in SCORES.values():
        assert info.title and info.help.endswith(".") and info.help.count(". ") == 0


def test_scores_of_the_classifier_are_those_of_its_probabilities(source: Source) -> None:
    from cdp.tasks.loaded import encoder_on_device

    found, label = all_scores(source).values, source.label[ROWS]
    head = encoder_on_device(JUDGE, DATASET).net.head
    logits = seen(source) @ head.weight.double().numpy().T + head.bias.double().numpy()
    share = np.exp(logits - logits.max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    np.testing.assert_allclose(
        found["confidence"], share[np.arange(120), label], rtol=1e-3, atol=1e-7
    )
    np.testing.assert_allclose(
        found["entropy"], -(share * np.log(share + 1e-300)).sum(1), rtol=1e-3, atol=1e-6
    )
    weight, bias = (p.detach().clone().requires_grad_() for p in (head.weight, head.bias))
    row = torch.from_numpy(seen(source)[5:6]).float()
    loss = torch.nn.functional.cross_entropy(row @ weight.T + bias, torch.tensor([int(label[5])]))
    gradients = torch.cat([g.flatten() for g in torch.autograd.grad(loss, (weight, bias))])
    assert found["gradient-norm"][5] == pytest.approx(float(gradients.norm()), rel=1e-3, abs=1e-7)


def test_separability_is_relative_to_the_rows_measured(source: Source) -> None:
    found = all_scores(source).values["separability"]
    np.testing.assert_allclose(
        found, centroid_silhouettes(seen(source), source.label[ROWS]), rtol=1e-6
    )
    few = score_rows(source, ROWS[:40], JUDGE, DATASET, ["separability"]).values["separability"]
    assert np.abs(few - found[:40]).max() > 1e-3


def test_distance_to_training_and_its_ratio_are_those_of_the_full_matrix(source: Source) -> None:
    found = all_scores(source).values
    train = features(JUDGE, DATASET, real("train")[0][:TRAIN])
    held_out, held_label = features(JUDGE, DATASET, real("test")[0][:TEST]), real("test")[1][:TEST]
    expected, usual = cdist(seen(source), train).min(1), cdist(held_out, train).min(1)
    np.testing.assert_allclose(found["nearest-training"], expected, rtol=1e-5, atol=1e-4)
    assert found["nearest-training"][117] == pytest.approx(
        0, abs=1e-4
    )  # the copy of a training image
    mean = np.array([usual[held_label == value].mean() for value in range(10)])
    np.testing.assert_allclose(
        found["memorisation"], expected / mean[source.label[ROWS]], rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("encoder", [PIXELS, JUDGE])
def test_repeated_and_copied_images_are_flagged(source: Source, encoder: str) -> None:
    found = flagged(source, ROWS, encoder, DATASET)
    np.testing.assert_array_equal(np.flatnonzero(found.duplicate), [118, 119])
    assert found.memorised[117] and found.memorised.sum() <= 2 and not found.undefined


def test_the_share_of_flagged_is_chosen(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "RARE", 0.05)
    held_out = open_source(f"{DATASET}-test")
    assert flagged(held_out, np.arange(TEST), JUDGE, DATASET).memorised.sum() == pytest.approx(
        0.05 * TEST, abs=1
    )


def test_duplicates_equal_a_naive_loop_also_where_features_are_all_but_equal() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (80, 4, 4, 1), dtype=np.uint8)
    rows = rng.normal(size=(80, 6)).astype(np.float32)
    image[50], rows[60], rows[70] = image[3], rows[9] + 2e-7, rows[9] + 1e-3
    rows[20:24] = rows[20]
    away = cdist(rows, rows)
    expected = [
        any((image[i] == image[j]).all() or away[i, j] <= 1e-6 for j in range(i)) for i in range(80)
    ]
    np.testing.assert_array_equal(scoring.duplicates(image, rows), expected)
    assert expected[50] and expected[60] and not expected[70] and sum(expected) == 5


def test_pixels_have_the_scores_that_need_no_classifier(source: Source) -> None:
    found = all_scores(source, PIXELS)
    assert set(found.values) == {"separability", "nearest-training", "memorisation"}
    assert set(found.undefined) == {
        *("confidence", "agreement", "entropy", "gradient-norm", "margin")
    }
    assert all("pixels" in reason for reason in found.undefined.values())


def test_labels_beyond_the_encoders_have_a_reason(source: Source) -> None:
    strange = replace(source, label=source.label + 5)
    for _ in range(2):  # computed, then remembered
        found = all_scores(strange)
        assert "knows 10 classes" in found.undefined["confidence"]
        assert "class 1" in found.undefined["memorisation"]
        assert set(found.values) == {"entropy", "separability", "nearest-training"}
    assert (
        "one class"
        in score_rows(
            replace(source, label=source.label * 0), ROWS, JUDGE, DATASET, ["separability"]
        ).undefined["separability"]
    )


def test_without_real_images_the_rest_is_scored(source: Source) -> None:
    found = all_scores(source, dataset="elsewhere")
    assert set(found.undefined) == {"nearest-training", "memorisation"}
    assert "set dataset" in all_scores(source, dataset="").undefined["memorisation"]
    flags = flagged(source, ROWS, JUDGE, "elsewhere")
    assert (
        flags.duplicate.sum() == 2 and not flags.memorised.any() and "elsewhere" in flags.undefined
    )


def test_bad_input_is_refused_by_name(source: Source) -> None:
    with pytest.raises(InputError, match="beauty"):
        score_rows(source, ROWS, JUDGE, DATASET, ["beauty"])
    with pytest.raises(InputError, match="no images"):
        score_rows(source, ROWS[:0], JUDGE, DATASET, ["entropy"])
    with pytest.raises(MissingError, match="absent"):
        score_rows(source, ROWS, "absent", DATASET, ["entropy"])


def test_what_is_known_needs_no_torch_and_is_the_same(source: Source) -> None:
    keys = tuple(SCORES)
    assert scores_of(source, ROWS, JUDGE, DATASET, keys).known() is None
    found = all_scores(source)
    known = scores_of(source, ROWS, JUDGE, DATASET, keys).known()
    assert known is not None
    for key in keys:
        np.testing.assert_array_equal(known.values[key], found.values[key])
    total = without_torch(
        "import numpy as np; from cdp.tasks.scoring import *; from cdp.tasks.sources import"
        f" open_source\nfound = scores_of(open_source('mixed'), np.arange(20, 140), {JUDGE!r},"
        f" {DATASET!r}, {keys!r}).known()\nprint(sum(value.sum() for value in found.values.values()))"
    )
    assert float(total) == pytest.approx(
        sum(value.sum() for value in found.values.values()), rel=1e-12
    )


@pytest.mark.parametrize("change", ["label", "image", "version"])
def test_other_labels_images_or_meanings_are_not_taken_for_what_is_known(
    source: Source, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    all_scores(source)
    other = source
    if change == "label":
        other = replace(source, label=np.roll(source.label, 1))
    elif change == "image":
        other = replace(source, image=255 - source.image)
    else:
        monkeypatch.setattr(scoring, "VERSION", scoring.VERSION + 1)
    assert scores_of(other, ROWS, JUDGE, DATASET, ["confidence"]).known() is None


def test_damaged_files_are_computed_again(source: Source) -> None:
    found = all_scores(source)
    kept = [path for kind in ("scores", "nearest") for path in (paths.cache_dir() / kind).iterdir()]
    assert len(kept) == len(SCORES) + 2
    for number, path in enumerate(kept):
        path.write_bytes([b"", b"garbage", path.read_bytes()[:-8]][number % 3])
    assert scores_of(source, ROWS, JUDGE, DATASET, tuple(SCORES)).known() is None
    again = all_scores(source)
    for key in SCORES:
        np.testing.assert_array_equal(again.values[key], found.values[key])


def test_a_cache_that_cannot_be_written_costs_time_only(source: Source) -> None:
    paths.cache_dir().parent.mkdir(parents=True, exist_ok=True)
    paths.cache_dir().rename(paths.home() / "moved") if paths.cache_dir().exists() else None
    paths.cache_dir().write_text("in the way")
    assert np.isfinite(all_scores(source).values["memorisation"]).all()


def test_scores_follow_class_names_and_not_their_numbers(source: Source) -> None:
    names = source.class_names
    order = np.roll(np.arange(len(names)), 3)  # new number -> old
    turned = replace(
        source, label=np.argsort(order)[source.label], class_names=tuple(names[k] for k in order)
    )
    mine, theirs = all_scores(source), all_scores(turned)
    assert not theirs.undefined
    for key in SCORES:
        np.testing.assert_array_equal(mine.values[key], theirs.values[key])


def test_an_encoder_of_other_classes_gives_no_confidence_in_these(source: Source) -> None:
    """Its features and its entropy still say something; a probability of the image's class does not
    exist."""
    made = open_source("mixed")
    other = replace(made, class_names=tuple(f"thing {k}" for k in range(10)), dataset="")
    found = score_rows(
        other, ROWS, JUDGE, "", ("confidence", "gradient-norm", "entropy", "separability")
    )
    assert set(found.undefined) == {"confidence", "gradient-norm"}
    assert "it has 'thing 0'" in found.undefined["confidence"]
    assert set(found.values) == {"entropy", "separability"}
