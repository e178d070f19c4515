"""Thumbnails are block means that fit, and nothing that a browser sends is believed unchecked."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from cdp.errors import InputError
from cdp.ui.components.map import MOST_BYTES, MapEvent, Thumbs, block_means, card_of, map_event
from cdp.values.types import Embedding


def images(n: int, height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, height, width, channels), dtype=np.uint8)


def naive(image: np.ndarray, block: int) -> list[Any]:
    """Mean of every full block, rounded half up, pixel by pixel."""
    height, width, channels = image.shape
    return [
        [
            [
                int(np.floor(image[y : y + block, x : x + block, c].astype(float).mean() + 0.5))
                for c in range(channels)
            ]
            for x in range(0, width - block + 1, block)
        ]
        for y in range(0, height - block + 1, block)
    ]


@pytest.mark.parametrize(
    ("shape", "block"),
    [((3, 8, 8, 1), 2), ((3, 9, 11, 3), 2), ((2, 16, 12, 3), 4), ((2, 5, 5, 1), 1)],
)
def test_thumbnails_are_the_means_of_blocks(shape: tuple[int, int, int, int], block: int) -> None:
    given = images(*shape)
    assert block_means(given, block).tolist() == [naive(image, block) for image in given]


@pytest.mark.parametrize(
    ("shape", "kept"),
    [
        ((300, 28, 28, 1), (28, 28)),
        ((MOST_BYTES // 784, 28, 28, 1), (28, 28)),
        ((MOST_BYTES // 784 + 1, 28, 28, 1), (14, 14)),
        ((50_000, 28, 28, 1), (14, 14)),
        ((50_000, 32, 32, 3), (8, 8)),
        ((70_000, 28, 28, 3), (7, 7)),
        ((100_000, 28, 28, 3), None),
        ((0, 28, 28, 1), (28, 28)),
    ],
)
def test_thumbnails_shrink_until_all_fit_and_never_below_7_pixels(
    shape: tuple[int, ...], kept: tuple[int, int] | None
) -> None:
    thumbs = Thumbs.of(np.broadcast_to(np.uint8(9), shape), "k")
    assert (thumbs.images.shape[1:3] if thumbs else None) == kept
    assert thumbs is None or thumbs.images.nbytes <= MOST_BYTES


def test_the_bytes_that_are_sent_hold_key_shape_and_pixels() -> None:
    given = images(5, 8, 10, 3)
    thumbs = Thumbs.of(given, "the key")
    assert thumbs is not None
    length = int.from_bytes(thumbs.payload[:4], "little")
    assert json.loads(thumbs.payload[4 : 4 + length]) == {"key": "the key", "shape": [5, 8, 10, 3]}
    assert (
        np.frombuffer(thumbs.payload[4 + length :], np.uint8).reshape(5, 8, 10, 3) == given
    ).all()


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 4), np.uint8)],
)
def test_what_is_no_image_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="uint8"):
        Thumbs.of(wrong, "k")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ([4, 0, 4], (0, 4)),
        *(
            ([], None),
            ([5], None),
            ([-1], None),
            ([True], None),
            ({"0": 1}, None),
            ([10**30], None),
        ),
        *(([1] * 6, None), (4, 4), (5, None), (-1, None), (False, None), (1.0, None)),
    ],
)
def test_only_whole_numbers_of_points_of_this_map_are_a_selection_or_a_pick(
    sent: Any, read: tuple[int, ...] | int | None
) -> None:
    points = read if isinstance(read, tuple) else None
    point = read if isinstance(read, int) else None
    event = {"of": "m", "points": sent, "point": sent}
    assert map_event(event, event, n=5, of="m") == MapEvent(points, point)
    for other in (event | {"of": "n"}, event | {"of": ["m"]}, None, 7, {}):
        assert map_event(other, other, n=5, of="m") == MapEvent(None, None)


def test_a_card_carries_class_set_row_and_scores_of_every_point() -> None:
    points = Embedding(
        ("a", "b"),
        ("c", "d"),
        (2, 1),
        np.zeros((3, 2)),
        np.array([0, 0, 1]),
        np.array([7, 2, 5]),
        np.array([1, 0, 1]),
    )
    data = json.loads(json.dumps(card_of(points, {"far": np.array([0.5, np.nan, -1])})))
    unpacked = {
        name: np.frombuffer(base64.b64decode(data[name]), "<i4").tolist()
        for name in ("label", "which", "row")
    }
    assert unpacked == {"label": [1, 0, 1], "which": [0, 0, 1], "row": [7, 2, 5]}
    assert (data["sets"], data["classes"], data["scores"][0][0]) == (["a", "b"], ["c", "d"], "far")
    assert np.array_equal(
        np.frombuffer(base64.b64decode(data["scores"][0][1]), "<f4"),
        [0.5, np.nan, -1],
        equal_nan=True,
    )
    with pytest.raises(InputError, match="far"):
        card_of(points, {"far": np.zeros(2)})
