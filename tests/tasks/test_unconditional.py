"""The published pipeline for a model without classes."""

from __future__ import annotations

import json
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.config.explore import ExploreConfig
from cdp.config.generate import unflatten
from cdp.config.knobs import parse
from cdp.config.train import TrainConfig
from cdp.data.sets import open_set, save_set
from cdp.errors import Cancelled, InputError
from cdp.figures.embedding import embedding_rows, embedding_scatter
from cdp.statistics.shares import wilson
from cdp.tasks.atlas import embed
from cdp.tasks.evaluate import evaluate_run
from cdp.tasks.live import live
from cdp.tasks.loaded import encoder_on_device
from cdp.tasks.measuring import measure_set
from cdp.tasks.pseudo_labels import BINS, pseudo_label, pseudo_labels_of, sentences
from cdp.tasks.train_data import prepare
from cdp.values.types import NO_LABEL, LiveResult
from cdp.work.registry import TASKS
from tests.robust import tiny
from tests.tasks.evaluating_world import Told as ToldOfEvaluation
from tests.tasks.training_world import Told
from tests.tasks.unconditional_world import (
    DATASET,
    NAMES,
    cdp,
    doubtful,
    make_model,
    make_world,
    refusal,
    seen_by,
)

GENERATE = (
    "--dataset",
    DATASET,
    "--encoder",
    "standard",
    "--count",
    24,
    "--batch",
    12,
    "--steps",
    3,
    "--precision",
    "fp32",
    "--bank-size",
    30,
)
TRAIN: dict[str, Any] = {
    "dataset": DATASET,
    "real": 40,
    "held_out": 12,
    "fraction": 0.5,
    "batch": 16,
    "epochs": 1,
    "validate_every": "1 epoch",
    "epsilon": 0.05,
    "attack_steps": 2,
    "validation_steps": 2,
    "precision": "fp32",
    "architecture": "small-cnn",
}


@pytest.fixture(autouse=True)
def _world() -> None:
    make_world()


def generated(name: str, model: Path, *words: object) -> dict[str, Any]:
    return cdp("generate", "--model", model, "--out", paths.sets_dir() / name, *GENERATE, *words)


def without_labels(
    name: str = "made", count: int = 90, seed: int = 3, **card: object
) -> np.ndarray:
    """A set of images that the classifiers know, without labels; returns the true ones."""
    image, label = tiny.images(count, seed)
    save_set(name, image, None, {"dataset": DATASET, **card})
    return label


@pytest.mark.parametrize(
    ("pipeline", "loss"), [("DDPMPipeline", "info_nce"), ("DDIMPipeline", "hard_negative")]
)
def test_the_whole_pipeline_without_classes(pipeline: str, loss: str, tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", pipeline)
    card = generated("made", model, "--loss", loss)["card"]
    assert card["class_names"] == [] and open_set("made").label is None
    assert [row["labelled"] for row in cdp("sets")["sets"] if row["name"] == "made"] == [False]

    made = cdp(
        "pseudo-label", "made", "--encoder", "judge", "--min-confidence", 0.2, "--name", "labelled"
    )
    labelled = open_set("labelled")
    assert labelled.class_names == tuple(NAMES) and made["parent"] == "made"
    assert made["count"] == len(labelled) > 0

    record = Told().run(
        parse(TrainConfig, TRAIN | {"synthetic": ["labelled"]}),
        paths.runs_dir() / "20260101-000000-abcdef",
    )
    assert record["epoch"] == 1
    assert prepare(parse(TrainConfig, TRAIN | {"synthetic": ["labelled"]})).synthetic == len(
        labelled
    )
    config = parse(
        EvaluateConfig,
        {
            "model": "run:20260101-000000-abcdef",
            "attack": "quick",
            "count": 30,
            "curve": False,
            "unseen": False,
            "masking": False,
        },
    )
    report = evaluate_run(config, tmp_path / "evaluation", ToldOfEvaluation().heard())
    assert report.n == 30 and report.main.robust.value <= report.main.clean.value


def test_labels_are_the_classifiers_own_and_the_rest_is_left_out() -> None:
    image = doubtful()
    save_set("made", image, None, {"dataset": DATASET})
    confidence, predicted = seen_by("standard", image)
    threshold = float(np.median(confidence))
    made = pseudo_label("made", "labelled", encoder="standard", min_confidence=threshold)
    kept = confidence >= threshold
    assert len(image) / 3 < kept.sum() < len(image)
    np.testing.assert_array_equal(made.image, image[kept])
    np.testing.assert_array_equal(made.labels("this test"), predicted[kept])

    found = pseudo_labels_of(json.loads((made.folder / "card.json").read_text()))
    assert found is not None
    assert (found.images, found.kept, found.min_confidence) == (len(image), kept.sum(), threshold)
    assert found.encoder.sha256 == encoder_on_device("standard", DATASET).sha256
    assert found.encoder.name == "standard"
    ends = [*(i / BINS for i in range(BINS)), 1.001]  # the last bin has the 1 as well
    assert found.histogram == tuple(
        int(((confidence >= low) & (confidence < high)).sum()) for low, high in pairwise(ends)
    )
    assert found.balance == tuple(int((predicted[kept] == value).sum()) for value in range(3))
    assert made.card["parent"]["name"] == "made" and made.card["dataset"] == DATASET
    assert made.class_names == tuple(NAMES)


def test_another_network_says_how_often_it_agrees_and_the_same_one_is_not_independent() -> None:
    without_labels()
    made = pseudo_label("made", "labelled", encoder="standard", min_confidence=0)
    found = pseudo_labels_of(made.card)
    assert found is not None and found.agreement is not None and found.judge is not None
    _, seen = seen_by("judge", made.image)
    assert found.agreement == wilson(int((seen == made.label).sum()), len(made))
    assert any("another network" in text for text in sentences(found, made.class_names))

    own = pseudo_labels_of(pseudo_label("made", "by-judge", encoder="judge", min_confidence=0).card)
    assert own is not None and own.agreement is None and "not independent" in own.not_checked
    assert any("not independent" in text for text in sentences(own, tuple(NAMES)))


def test_a_network_that_guided_the_images_is_named_where_it_labels_them() -> None:
    sha = encoder_on_device("standard", DATASET).sha256
    without_labels(
        "guided",
        encoder={"name": "standard", "sha256": sha},
        config={"loss": "info_nce", "encoder": "standard"},
    )
    without_labels(
        "part",
        kind="subset",
        parent={"name": "guided", "config": {"loss": "info_nce", "encoder": "standard"}},
    )
    without_labels("free", config={"loss": "none", "encoder": "standard"})
    told = {
        (name, encoder): pseudo_labels_of(
            pseudo_label(name, f"{name}-{encoder}", encoder=encoder, min_confidence=0).card
        )
        for name in ("guided", "part", "free")
        for encoder in ("standard", "judge")
    }
    expected = {("guided", "standard"), ("part", "standard")}
    assert {key for key, found in told.items() if found and found.guided} == expected


def test_what_a_stranger_wrote_on_a_card_is_not_taken_for_pseudo_labels() -> None:
    without_labels()
    card = pseudo_label("made", "labelled", encoder="judge", min_confidence=0).card
    assert pseudo_labels_of(card) is not None and pseudo_labels_of({"class_names": NAMES}) is None
    for field, value in (
        ("balance", [1]),
        ("balance", [-1, 0, 1]),
        ("kept", 0),
        ("kept", 10**6),
        ("histogram", []),
        ("histogram", "x"),
        ("encoder", 3),
    ):
        assert (
            pseudo_labels_of(card | {"pseudo_labels": card["pseudo_labels"] | {field: value}})
            is None
        ), (field, value)


def test_no_sure_image_is_an_error_whose_remedy_works_and_leaves_nothing() -> None:
    image = doubtful()
    save_set("made", image[seen_by("standard", image)[0] < 0.95], None, {"dataset": DATASET})
    with pytest.raises(InputError, match=r"choose 0\.\d+ or less") as caught:
        pseudo_label("made", "labelled", encoder="standard", min_confidence=1.0)
    assert not (paths.sets_dir() / "labelled").exists()
    remedy = float(str(caught.value).partition("choose ")[2].split()[0])
    assert len(pseudo_label("made", "labelled", encoder="standard", min_confidence=remedy))


def test_a_network_of_other_images_is_refused() -> None:
    save_set("large", np.zeros((9, 28, 28, 1), np.uint8), None, {"dataset": DATASET})
    save_set("colour", np.zeros((9, 8, 8, 3), np.uint8), None, {"dataset": DATASET})
    for name in ("large", "colour"):
        with pytest.raises(InputError, match=f"does not see such images as those of {name}"):
            pseudo_label(name, "labelled", encoder="judge")
    for encoder, says in (("pixels", "classify nothing"), ("nobody", "no encoder")):
        with pytest.raises(InputError, match=says):
            pseudo_label("large", "labelled", encoder=encoder)


def test_a_taken_name_is_refused_first_and_a_stop_saves_nothing() -> None:
    without_labels()
    with pytest.raises(InputError, match="already exists"):
        pseudo_label("made", "made", encoder="judge", should_stop=lambda: pytest.fail("computed"))
    with pytest.raises(Cancelled):
        pseudo_label("made", "labelled", encoder="judge", should_stop=lambda: True)
    assert not (paths.sets_dir() / "labelled").exists()


def test_a_network_that_says_its_data_set_labels_any_set(cdp_home: Path) -> None:
    image, _ = tiny.images(30, 3)
    save_set("bare", image, None, {})
    with pytest.raises(InputError, match="names none"):
        pseudo_label("bare", "labelled", encoder="judge", min_confidence=0)
    made = pseudo_label(
        "bare", "labelled", encoder=str(cdp_home / "encoders" / DATASET / "judge"), min_confidence=0
    )
    assert made.card["dataset"] == DATASET and made.class_names == tuple(NAMES)
    assert (
        len(pseudo_label("bare", "again", encoder="judge", dataset=DATASET, min_confidence=0)) == 30
    )


# Nothing that needs labels takes a set without, and each refusal leads on.


def test_what_needs_labels_refuses_a_set_without_and_its_remedy_gives_them() -> None:
    without_labels()
    words = ("--by", "separability", "--keep", 5, "--out", "part")
    said = [
        refusal("select", "made", *words),
        refusal("select", "made", "--by", "confidence", "--keep", 5, "--out", "part"),
        refusal("theory", "--set", "made"),
    ]
    with pytest.raises(InputError) as training:
        prepare(parse(TrainConfig, TRAIN | {"synthetic": ["made"]}))
    with pytest.raises(InputError) as itself:
        prepare(parse(TrainConfig, TRAIN | {"dataset": "made"}))
    said += [str(training.value), str(itself.value)]
    commands = {
        text.partition("python -m cdp ")[2].partition(", or in the gallery")[0] for text in said
    }
    assert commands == {"pseudo-label made --name made-labelled"}
    cdp(*shlex.split(commands.pop()), "--min-confidence", 0)
    labelled = open_set("made-labelled")
    assert prepare(parse(TrainConfig, TRAIN | {"synthetic": ["made-labelled"]})).synthetic == len(
        labelled
    )
    cdp("select", "made-labelled", *words, "--no-balanced")


def test_what_needs_no_labels_takes_such_a_set() -> None:
    without_labels(count=150)
    found = measure_set("made", dataset=DATASET)
    assert {"precision", "recall", "density", "coverage", "uniformity", "nearest"} <= set(
        found.result.figures
    )
    assert not {"separation", "silhouette", "knn_accuracy", "probe_accuracy", "alignment"} & set(
        found.result.figures
    )
    assert not found.result.per_class and found.pairs is None
    assert "pseudo-label made" in found.result.undefined["separation"]
    assert measure_set("made", dataset=DATASET).result == found.result, (
        "what was kept says the same"
    )
    for by in ("entropy", "random"):
        cdp("select", "made", "--by", by, "--keep", 40, "--out", by)
        part = open_set(by)
        assert part.label is None and len(part) == 40 and not part.card["selection"]["balanced"]


def test_a_map_shows_images_without_labels_as_such() -> None:
    without_labels(count=60)
    shown = embed(
        parse(
            ExploreConfig,
            {
                "sets": ["made", f"{DATASET}-test"],
                "encoder": "pixels",
                "method": "pca",
                "points": 100,
            },
        )
    )
    assert set(shown.label[shown.which == 0].tolist()) == {NO_LABEL} and set(
        shown.label[shown.which == 1].tolist()
    ) == {0, 1, 2}
    assert shown.class_name(NO_LABEL) == "no label"
    assert set(embedding_rows(shown, {})["class"]) == {"no label", *NAMES}
    entries = {
        trace.name: trace
        for trace in embedding_scatter(shown, color_by="class", key="k").data
        if not trace.showlegend
    }
    assert set(entries) == {"no label", *NAMES}
    assert len(entries["no label"].x) == (shown.which == 0).sum()


def test_label_free_figures_are_those_of_the_same_images_with_labels() -> None:
    label = without_labels(count=150)
    save_set("known", tiny.images(150, 3)[0], label, {"dataset": DATASET, "class_names": NAMES})
    with_labels, without = (measure_set(name, dataset=DATASET).result for name in ("known", "made"))
    for key in ("precision", "recall", "density", "coverage", "real_auc", "mmd", "uniformity"):
        assert without.figures[key].value == pytest.approx(with_labels.figures[key].value), key
    assert without.undefined["frechet"] == with_labels.undefined["frechet"], (
        "too few images to extrapolate from, whatever their labels"
    )


def test_a_live_generation_without_classes_has_no_labels(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    config = unflatten(
        {
            "model": str(model),
            "dataset": DATASET,
            "encoder": "standard",
            "loss": "info_nce",
            "count": 8,
            "batch": 8,
            "steps": 2,
            "precision": "fp32",
            "bank_size": 30,
        }
    )
    *frames, result = live(config)
    assert isinstance(result, LiveResult)
    assert result.label is None and result.guided_report.agreement is None
    assert result.guided_report.separation is None
    assert result.guided_view is not None and len(result.guided_view.predicted) == 8
    assert all(frame.separation is None for frame in frames if not isinstance(frame, LiveResult))


def test_a_loss_of_classes_needs_classes_that_its_encoder_knows(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    words = ("generate", "--model", model, "--out", paths.sets_dir() / "made", *GENERATE, "--loss")
    for loss in ("classifier", "supcon"):
        said = refusal(*words, loss)
        assert "choose info_nce or hard_negative for this model" in said
        assert not list(paths.sets_dir().glob(".made*")), "refused before anything has begun"
        with pytest.raises(InputError, match="needs class labels"):
            TASKS["generate"].require(
                "later",
                unflatten(
                    {"model": str(model), "dataset": DATASET, "encoder": "standard", "loss": loss}
                ),
            )
    assert "classes 0 to 2 of encoder standard" in refusal(*words, "classifier", "--classes", "0,7")
    generated("made", model, "--loss", "info_nce")  # what the refusals ask for, under the same name


def test_classes_that_a_guide_aims_at_are_no_labels_but_can_be_judged(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    aimed = ("--loss", "classifier", "--classes", "0,2")
    card = generated("made", model, *aimed)["card"]
    assert open_set("made").label is None and card["config"]["classes"] == [0, 2]
    config = unflatten(card["config"] | {"count": 8, "batch": 8})
    *_, result = live(config)
    assert isinstance(result, LiveResult) and result.label is None
    assert result.guided_view is not None and result.guided_report.agreement is not None
    assert (
        result.guided_report.agreement.value
        == (result.guided_view.predicted == np.array([0, 2] * 4)).mean()
    )
