"""Lines, filters, paging and pictures of the gallery: plain values, no page."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cdp.config.generate import flatten, unflatten
from cdp.data.sets import SetEntry
from cdp.ui.gallery import parts as pictures
from cdp.ui.gallery.entries import (
    ANY,
    chosen,
    config_of,
    differing,
    line,
    provenance_rows,
    setting_rows,
)
from cdp.ui.kit.images import grid_png
from cdp.ui.kit.words import plain

labels = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda v: np.array(v, np.int64))


def entry(name: str, *, created: str = "2026-01-01", count: int = 10, **settings: Any) -> SetEntry:
    return SetEntry(
        name,
        Path(name),
        {"count": count, "created": created, "source": "", "config": flatten(unflatten(settings))},
    )


LINES = [
    line(entry("b", created="2026-01-02", count=5, loss="supcon", strength=0.1)),
    line(entry("A", created="2026-01-03", count=50, loss="info_nce", strength=0.4)),
    line(entry("plain", created="2026-01-01", count=20, loss="none")),
    line(
        SetEntry(
            "imported",
            Path("imported"),
            {"count": 7, "created": "2026-01-04", "source": "/data/cifar.npz"},
        )
    ),
    line(SetEntry("broken", Path("broken"), None, "image.npy is missing")),
]


def test_tags_find_a_set_and_a_part_names_its_parent() -> None:
    card = {
        "count": 3,
        "created": "2026-01-05",
        "source": "",
        "tags": ["sharp edges", 7],
        "parent": {"name": "whole"},
    }
    tagged = line(SetEntry("part", Path("part"), card))
    assert (tagged.tags, tagged.parents) == (("sharp edges",), ("whole",))
    assert [x.name for x in chosen([*LINES, tagged], text="sharp")] == ["part"]


def names(**kwargs: Any) -> list[str]:
    return [x.name for x in chosen(LINES, **kwargs)]


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


def test_every_word_must_match_whatever_its_case() -> None:
    assert names(text="SUPCON fashion") == ["b"]
    assert names(text="cifar") == ["imported"]
    assert names(text="supcon nothing") == []


def test_a_loss_filter_keeps_only_that_loss() -> None:
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
    card = {"count": 3, "created": "", "config": config}
    assert config_of(card) is None
    shown = line(SetEntry("x", Path("x"), card))
    assert (shown.strength, shown.model) == ("-", "not generated here")


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
    assert pictures.rows_by_turn(label, limit).tolist() == expected[:limit]


@given(labels, st.integers(0, 4), st.integers(1, 7))
def test_the_pages_of_a_class_hold_each_of_its_images_once(
    label: np.ndarray, value: int, size: int
) -> None:
    count = int((label == value).sum())
    pages = [
        pictures.rows_of_class(label, value, page, size)
        for page in range(pictures.page_count(count, size))
    ]
    assert np.concatenate(pages).tolist() == [i for i, x in enumerate(label) if x == value]
    assert all(len(page) <= size for page in pages)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_any_channel_count_make_a_picture_whose_empty_places_are_transparent(
    channels: int,
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (3, 4, 4, channels), dtype=np.uint8)
    picture = np.asarray(Image.open(io.BytesIO(grid_png(image, 2, scale=2))))
    assert picture.shape == (16, 16, 4)
    first = image[0, ..., :3] if channels >= 3 else image[0, ..., :1].repeat(3, -1)
    assert np.array_equal(picture[:8:2, :8:2, :3], first)
    assert (picture[8:, 8:, 3] == 0).all()
    assert (picture[:8, :, 3] == 255).all()


@pytest.mark.parametrize(
    "text", ["**bold**", "[a](http://x)", "<b>", "$x$", "`code`", ":red[x]", "a_b_c"]
)
def test_markdown_in_a_name_is_shown_as_text(text: str) -> None:
    escaped = plain(text)
    assert escaped.replace("\\", "") == text
    assert all(before == "\\" for before, c in itertools.pairwise(escaped) if c in "*[]()<$`:_")
