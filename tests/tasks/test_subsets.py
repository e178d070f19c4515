"""Parts of sets, tags, and previews of a selection: the rows a naive choice gives."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cdp.cli.main import app
from cdp.data.samples import CARD, SampleSet
from cdp.data.sets import list_sets, open_set, save_set
from cdp.errors import CdpError, InputError
from cdp.files import atomic
from cdp.paths import ASSETS, encoders_dir
from cdp.tasks.measuring import measure_set
from cdp.tasks.selecting import (
    IDENTICAL,
    chosen_rows,
    measuring_encoder,
    preview,
    preview_figures,
    random_like,
    select,
)
from cdp.tasks.subsets import drop_flagged, save_subset, set_tags, tags_of
from tests.tasks.small_world import DATASET, JUDGE, TEST, make, make_world, real, without_torch
from tests.tasks.small_world import quick as quick

WORLD = {"encoder": JUDGE, "dataset": DATASET}


@pytest.fixture
def mixed(cdp_home: Path, quick: None) -> SampleSet:
    """200 unseen images, of which 5 come again at the end, and 4 training images."""
    make_world()
    image, label, _ = real("test")
    train, train_label, _ = real("train")
    part = slice(TEST, TEST + 200)
    return make(
        "mixed",
        np.concatenate([image[part], train[:4], image[TEST : TEST + 5]]),
        np.concatenate([label[part], train_label[:4], label[TEST : TEST + 5]]),
        config={"seed": 3},
    )


def names() -> list[str]:
    return sorted(entry.name for entry in list_sets())


def test_a_subset_holds_those_images_and_names_its_parent(mixed: SampleSet) -> None:
    how = {"lasso": [[0.0, 1.5], [2.0, 3.0]], "filters": {"class": [1, 2]}}
    made = save_subset("mixed", [7, 3, 150, 3], "part", how=how, tags=["odd", "odd", "zwei €"])
    np.testing.assert_array_equal(made.image, mixed.image[[3, 7, 150]])
    np.testing.assert_array_equal(made.label, mixed.label[[3, 7, 150]])
    card = open_set("part").card
    digest = hashlib.sha256(
        mixed.image.tobytes() + np.asarray(mixed.label, np.int64).tobytes()
    ).hexdigest()
    expected = {"name": "mixed", "count": 209, "sha256": digest, "config": {"seed": 3}}
    assert card["parent"] == expected
    wanted = ("subset", how, DATASET, ["odd", "zwei €"])
    assert (card["kind"], card["subset"], card["dataset"], tags_of(card)) == wanted
    assert "3 of 209 images of mixed" in card["source"]


def test_a_part_of_a_real_split_is_a_set_too(mixed: SampleSet) -> None:
    made = save_subset(f"{DATASET}:test", np.arange(5), "reals", how={})
    np.testing.assert_array_equal(made.image, real("test")[0][:5])
    assert made.card["parent"]["name"] == f"{DATASET}:test" and made.class_names == tuple(
        real("test")[2]
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": []}, "at least one"),
        ({"rows": [0.5]}, "whole number"),
        ({"rows": [[1]]}, "whole number"),
        ({"rows": [209]}, "209"),
        ({"rows": [-1]}, "-1"),
        ({"out": "../up"}, "name"),
        ({"out": "mixed"}, "mixed"),
        ({"source_name": "none"}, "none"),
        ({"how": {"a": float("nan")}}, "card"),
        ({"how": {"a": object()}}, "card"),
        ({"how": {"a": "x" * 300_000}}, "too many"),
        ({"tags": ["ok", "bad\n"]}, "tag"),
    ],
)
def test_what_cannot_be_a_subset_is_refused_and_leaves_the_store_alone(
    mixed: SampleSet, change: dict[str, object], said: str
) -> None:
    before = names()
    given: dict[str, object] = {
        "source_name": "mixed",
        "rows": [1, 2],
        "out": "part",
        "how": {},
    } | change
    with pytest.raises(CdpError, match=said):
        save_subset(**given)  # type: ignore[arg-type]
    assert names() == before


def test_flagged_images_are_dropped_and_the_card_says_how_many(mixed: SampleSet) -> None:
    made = drop_flagged("mixed", "once", duplicates=True, **WORLD)
    np.testing.assert_array_equal(made.image, mixed.image[:204])
    assert made.card["subset"]["dropped"] == {"duplicates": 5}
    both = drop_flagged("mixed", "clean", duplicates=True, memorised=True, **WORLD)
    gone = both.card["subset"]["dropped"]
    assert gone["duplicates"] == 5 and 4 <= gone["memorised"] <= 6
    copies = {image.tobytes() for image in real("train")[0][:4]}
    assert not copies & {image.tobytes() for image in both.image}


def test_nothing_to_drop_all_dropped_and_no_real_images_are_refused(mixed: SampleSet) -> None:
    with pytest.raises(InputError, match="set keep"):
        drop_flagged("mixed", "x", **WORLD)
    with pytest.raises(InputError, match="nothing would be left"):
        drop_flagged(f"{DATASET}:train", "x", memorised=True, **WORLD)
    with pytest.raises(InputError, match="elsewhere"):
        drop_flagged("mixed", "x", memorised=True, encoder=JUDGE, dataset="elsewhere")


def test_selection_drops_first_and_keeps_the_best_of_the_rest(mixed: SampleSet) -> None:
    made = select(
        "mixed", "best", by="confidence", keep=50, balanced=False, drop_duplicates=True, **WORLD
    )
    score = preview("mixed", by="confidence", keep=1, **WORLD).score
    naive = sorted(sorted(range(204), key=lambda i: (-score[i], i))[:50])
    np.testing.assert_array_equal(made.image, mixed.image[naive])
    assert made.card["selection"]["dropped_first"] == {"duplicates": 5}
    assert len(select("mixed", "all", drop_duplicates=True, **WORLD)) == 204
    with pytest.raises(InputError, match="set keep"):
        select("mixed", "none", **WORLD)


def test_a_preview_is_what_select_keeps_without_torch(mixed: SampleSet) -> None:
    options = {"by": "separability", "keep": 60, "order": "lowest", "balanced": True}
    found = preview("mixed", **options, **WORLD)  # type: ignore[arg-type]
    np.testing.assert_array_equal(
        found.rows, chosen_rows(found.score, np.asarray(mixed.label), 60, order="lowest")
    )
    np.testing.assert_array_equal(
        select("mixed", "low", **options, **WORLD).image, mixed.image[found.rows]
    )  # type: ignore[arg-type]
    told = without_torch(
        "from cdp.tasks.selecting import preview\nprint(*preview('mixed',"
        f" **{options | WORLD!r}).rows)"
    )
    assert told.split() == [str(row) for row in found.rows]


def test_preview_figures_are_those_of_saved_parts(mixed: SampleSet) -> None:
    found = preview_figures("mixed", by="confidence", keep=100, balanced=False, rows=200, **WORLD)
    select("mixed", "sure", by="confidence", keep=100, balanced=False, **WORLD)
    for part, name in ((found.kept, "sure"), (found.parent, "mixed")):
        saved = measure_set(name, rows=200, **WORLD)
        expected = (saved.result.figures, saved.pairs, saved.total)
        assert (part.result.figures, part.pairs, part.total) == expected
    assert found.control.sizes == found.kept.sizes and found.comparisons[0].equal
    assert (
        found.kept.result.figures["separation"].value
        > found.control.result.figures["separation"].value
    )
    assert len({found.kept.name, found.control.name, found.parent.name}) == 3


def test_the_random_part_is_drawn_from_what_was_left(mixed: SampleSet) -> None:
    chosen = preview("mixed", by="random", keep=60, balanced=True, drop_duplicates=True, **WORLD)
    control = random_like(np.asarray(mixed.label), chosen)
    label = np.asarray(mixed.label)
    assert (np.bincount(label[control]) == np.bincount(label[chosen.rows])).all() and len(
        np.unique(control)
    ) == 60
    assert (
        control.max() < 204 and len(np.setdiff1d(control, chosen.rows)) > 5
    )  # the five duplicates stand at the end


def test_a_part_is_measured_by_an_encoder_that_did_not_choose_it(mixed: SampleSet) -> None:
    assert measuring_encoder("confidence", "standard", "fashion-mnist") == "judge"
    assert measuring_encoder("confidence", "pixels", "fashion-mnist") == "judge"
    for judge in ("judge", JUDGE):  # by name, and by a path to the same weights
        assert measuring_encoder("confidence", judge, "fashion-mnist") == "standard"
    assert measuring_encoder("random", "judge", "fashion-mnist") == "judge"
    options = {"keep": 100, "rows": 200, "balanced": False}
    alone = preview_figures("mixed", by="confidence", **options, **WORLD)  # type: ignore[arg-type]
    assert alone.encoder == JUDGE and "flatters" in alone.note
    shutil.copytree(
        ASSETS / "encoders" / "fashion-mnist" / "standard", encoders_dir() / DATASET / "second"
    )
    other = preview_figures("mixed", by="confidence", **options, **WORLD)  # type: ignore[arg-type]
    assert other.encoder == "second" and "measured in the eyes of second" in other.note
    assert "flatters" not in other.note
    assert other.kept.result.figures != alone.kept.result.figures
    with pytest.raises(InputError, match="keep fewer"):
        preview_figures("mixed", by="confidence", keep=len(mixed), balanced=False, **WORLD)


def test_a_random_part_that_is_the_kept_part_is_said_to_be_and_not_compared(cdp_home: Path) -> None:
    save_set(
        "ten",
        np.arange(10 * 64, dtype=np.uint8).reshape(10, 8, 8, 1),
        np.arange(10),
        {"dataset": DATASET, "class_names": list("abcdefghij")},
    )
    line = "select ten --keep 5 --no-balanced --measure --by random --encoder pixels --out"
    done = CliRunner().invoke(app, f"{line} five")
    assert done.exit_code == 0, (done.output, done.exception)
    assert IDENTICAL in done.output and "minus" not in done.output and len(open_set("five")) == 5
    again = CliRunner().invoke(app, f"{line} again --json")
    assert json.loads(again.stdout)["figures"]["differences"] == []


def test_tags_are_set_replaced_and_taken_off(mixed: SampleSet) -> None:
    before = (mixed.folder / CARD).read_text()
    assert tags_of(set_tags("mixed", ["b", "a", "b", "größer"]).card) == ["b", "a", "größer"]
    after = json.loads((mixed.folder / CARD).read_text())
    assert after.pop("tags") == ["b", "a", "größer"] and after == json.loads(before)
    set_tags("mixed", ["c"])
    assert tags_of(open_set("mixed").card) == ["c"]
    set_tags("mixed", [])
    assert (mixed.folder / CARD).read_text() == before


@pytest.mark.parametrize(
    "tags",
    [
        [""],
        [" a"],
        ["a "],
        ["x" * 41],
        ["a\nb"],
        ["\x1b[31m"],
        ["\u202etxt"],
        ["\u200b"],
        ["\ud800"],
        ["\x00"],
        [None],
        [3],
        "abc",
        [str(i) for i in range(21)],
    ],
)
def test_hostile_tags_are_refused_and_change_nothing(mixed: SampleSet, tags: list[str]) -> None:
    before = (mixed.folder / CARD).read_bytes()
    with pytest.raises(InputError) as error:
        set_tags("mixed", tags)
    assert str(error.value).isprintable() and "tag" in str(error.value)
    assert (mixed.folder / CARD).read_bytes() == before


def test_the_longest_tags_that_are_allowed_fit(mixed: SampleSet) -> None:
    tags = [f"{i:02d}{'ß' * 38}" for i in range(20)]
    assert tags_of(set_tags("mixed", tags).card) == tags


def test_what_strangers_wrote_in_the_place_of_tags_is_left_out() -> None:
    assert tags_of({"tags": ["good", 7, "bad\n", None, ["x"]]}) == ["good"]
    assert tags_of({"tags": "text"}) == tags_of({"tags": {"a": 1}}) == tags_of({}) == []
    assert len(tags_of({"tags": [str(i) for i in range(500)]})) == 20


def test_a_failed_write_leaves_the_card(mixed: SampleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (mixed.folder / CARD).read_bytes()
    files = sorted(mixed.folder.iterdir())

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        set_tags("mixed", ["a"])
    assert (mixed.folder / CARD).read_bytes() == before and sorted(mixed.folder.iterdir()) == files
