"""Lines, filters, paging and pictures of the gallery: plain values, no page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.config.generate import flatten, unflatten
from cdp.data.marks import Mark, marks_of, merged, write_marks
from cdp.data.sets import SetEntry
from cdp.errors import InputError
from cdp.ui.gallery.browse import ANY_MARK, Filters
from cdp.ui.gallery.entries import (
    ANY,
    GalleryLine,
    chosen,
    differing,
    provenance_rows,
    setting_rows,
)
from cdp.ui.gallery.parts import rows_by_turn
from cdp.ui.kit.words import plain

labels = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda v: np.array(v, np.int64))


def line(name: str, card: dict[str, Any] | None, error: str = "") -> GalleryLine:
    usual = {"count": 3, "created": "2026-01-01", "source": ""}
    return GalleryLine(SetEntry(name, Path(name), None if card is None else usual | card, error))


def generated(name: str, created: str, count: int, **settings: Any) -> GalleryLine:
    config = flatten(unflatten(settings))
    return line(name, {"created": created, "count": count, "config": config})


LINES = [
    generated("b", "2026-01-02", 5, loss="supcon", strength=0.1),
    generated("A", "2026-01-03", 50, loss="info_nce", strength=0.4),
    generated("plain", "2026-01-01", 20, loss="none"),
    line("imported", {"count": 7, "created": "2026-01-04", "source": "/data/cifar.npz"}),
    line("broken", None, "image.npy is missing"),
]


def names(**kwargs: Any) -> list[str]:
    return [x.name for x in chosen(LINES, **kwargs)]


def test_tags_find_a_set_and_a_part_names_its_parent() -> None:
    tagged = line("part", {"tags": ["sharp edges", 7], "parent": {"name": "whole"}})
    assert (tagged.tags, tagged.parents) == (("sharp edges",), ("whole",))
    assert [x.name for x in chosen([*LINES, tagged], text="sharp")] == ["part"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("Newest first", ["imported", "A", "b", "plain"]),
        ("Oldest first", ["plain", "b", "A", "imported"]),
        ("Name", ["A", "b", "imported", "plain"]),
        ("Most images", ["A", "plain", "imported", "b"]),
        ("Strongest guidance", ["A", "b", "plain", "imported"]),
    ],
)
def test_sets_come_in_the_order_asked_for_with_broken_ones_last(
    order: str, expected: list[str]
) -> None:
    assert names(order=order) == [*expected, "broken"]


def test_every_word_must_match_whatever_its_case_and_a_loss_keeps_only_its_own() -> None:
    assert names(text="SUPCON fashion") == ["b"]
    assert names(text="cifar") == ["imported"]
    assert names(text="supcon nothing") == []
    assert names(loss="InfoNCE") == ["A"]
    assert len(names(loss=ANY)) == len(LINES)


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        "text",
        {},
        {"strength": 99},
        {"unknown": 1},
        {"strength": None},
        {"steps": {"a": 1}},
        {"classes": [[1]]},
    ],
)
def test_a_card_with_any_config_gives_a_line(config: object) -> None:
    shown = line("x", {"config": config})
    assert (shown.config, shown.strength, shown.model) == (None, "-", "not generated here")


def test_settings_that_differ_from_the_default_are_marked() -> None:
    changed = {
        row["setting"]
        for row in setting_rows(unflatten({"strength": 0.3, "steps": 50}))
        if row["changed"]
    }
    assert changed == {"Strength", "Steps"}


def test_two_sets_show_only_the_settings_that_differ() -> None:
    rows = differing(LINES[0], LINES[1])
    assert {row["setting"]: [v for k, v in row.items() if k != "setting"] for row in rows} == {
        "Images": ["5", "50"],
        "Loss": ["SupCon (class-aware)", "InfoNCE"],
        "Strength": ["0.1", "0.4"],
    }
    assert differing(LINES[0], LINES[0]) == []


def test_the_origin_lists_every_leaf_of_a_card_but_its_settings() -> None:
    card = {
        "model": {"sha256": "ab", "name": "m"},
        "parents": ["p", "q"],
        "config": {"a": 1},
        "class_names": ["x"],
        "empty": {},
    }
    assert {row["entry"]: row["value"] for row in provenance_rows(card)} == {
        "model.sha256": "ab",
        "model.name": "m",
        "parents": "p, q",
        "empty": "{}",
    }


@given(labels, st.integers(1, 30))
def test_a_thumbnail_takes_the_classes_in_turn(label: np.ndarray, limit: int) -> None:
    queues = {int(v): [i for i, x in enumerate(label) if x == v] for v in sorted(set(label))}
    expected: list[int] = []
    while any(queues.values()):
        expected += [queue.pop(0) for queue in queues.values() if queue]
    assert rows_by_turn(label, limit).tolist() == expected[:limit]


@given(labels, st.integers(0, 4), st.booleans())
def test_filters_leave_the_images_of_a_class_within_the_bounds_of_a_score_in_order(
    label: np.ndarray, value: int, highest: bool
) -> None:
    n = len(label)
    score = np.where(np.arange(n) % 5 == 4, np.nan, np.cos(np.arange(n)))
    rows = (
        Filters((value,), "margin", highest, -0.5, None, ANY_MARK)
        .rows(label, score, {}, n)
        .tolist()
    )
    fitting = [i for i in range(n) if label[i] == value and score[i] >= -0.5]
    assert rows == sorted(fitting, key=lambda i: (-score[i] if highest else score[i], i))
    marks: dict[int, Mark] = {0: "keep", 1: "drop", n + 3: "drop"}
    for mark, wanted in (("keep", [0]), ("drop", [1]), ("none", list(range(2, n)))):
        left = Filters((), "", True, None, None, mark).rows(label, None, marks, n)
        assert left.tolist() == [row for row in wanted if row < n]


def test_marks_belong_to_the_images_and_not_to_the_name_alone(cdp_home: Path) -> None:
    card = {"created": "2026-01-01", "count": 4}
    write_marks("a", card, {2: "keep", 0: "drop"})
    assert marks_of("a", card) == {2: "keep", 0: "drop"}
    assert marks_of("a", card | {"created": "2026-01-02"}) == {}
    assert merged(
        {2: "keep", 0: "drop"}, {"3": "keep", "9": "drop", "x": "keep"}, frozenset([2, 3])
    ) == {
        0: "drop",
        3: "keep",
    }
    (cdp_home / "marks" / "a.json").write_text('{"version": 1')
    assert marks_of("a", card) == {}
    with pytest.raises(InputError, match="row 1"):
        write_marks("a", card, {1: "burn"})


@pytest.mark.parametrize(
    "text", ["**bold**", "[a](http://x)", "<b>", "$x$", "`code`", ":red[x]", "a_b_c"]
)
def test_markdown_in_a_name_is_shown_as_text(text: str) -> None:
    assert re.sub(r"\\([*\[\]()<>$`:_])", "", plain(text)) == re.sub(r"[*\[\]()<>$`:_]", "", text)
