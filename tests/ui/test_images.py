"""Images reach the browser as they are, and a difference shows its sign and its size."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cdp.ui.kit.images import difference, sprite


def opened(url: str) -> np.ndarray:
    return np.asarray(
        Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
    )


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_every_image_lies_in_its_cell_in_grey_or_rgb_and_cells_beyond_are_clear(
    channels: int, count: int
) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, 5, 6, channels), np.uint8)
    seen = images[..., :3] if channels >= 3 else images[..., :1]
    sheet = opened(sprite(images, 3))
    assert sheet.shape == (-(-count // 3) * 5, 18, 4)
    for k in range(-(-count // 3) * 3):
        cell = sheet[k // 3 * 5 : k // 3 * 5 + 5, k % 3 * 6 : k % 3 * 6 + 6]
        if k < count:
            np.testing.assert_array_equal(cell[..., :3], np.broadcast_to(seen[k], (5, 6, 3)))
        assert (cell[..., 3] == (255 if k < count else 0)).all()


def test_a_difference_is_white_where_equal_blue_where_darker_orange_where_brighter() -> None:
    same = np.full((1, 1, 1, 1), 100, np.uint8)
    assert (difference(same, same) == 247).all()
    red, _, blue = difference(same - 80, same)[0, 0, 0]
    assert blue > red
    red, _, blue = difference(same + 80, same)[0, 0, 0]
    assert red > blue


def test_a_larger_difference_is_drawn_stronger_until_it_saturates() -> None:
    base = np.full((1, 1, 1, 3), 100, np.uint8)
    whiteness = [int(difference(base + step, base).min()) for step in (0, 5, 20, 60, 100, 150)]
    assert whiteness == sorted(whiteness, reverse=True)
    assert whiteness[3] > whiteness[4] or whiteness[4] == whiteness[5]
