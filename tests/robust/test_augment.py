"""Augmentation: what moves, what mirrors, what is cut, and which of them a data set gets."""

from __future__ import annotations

import pytest
import torch

from cdp.errors import InputError
from cdp.robust.recipes import GREY, Augmentation, augment, augmentation_of, cutout


def test_augmentation_moves_whole_images_and_fills_with_zeros() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(200, 2, 6, 6)
    x[:, 0, 3, 2], x[:, 1, 3, 2] = 1, 0.5
    moved = augment(x, shift=2, flip=False, generator=generator)
    assert torch.equal(moved.sum(dim=(1, 2, 3)), torch.full((200,), 1.5))
    rows, columns = (
        moved[:, 0].flatten(1).argmax(dim=1) // 6,
        moved[:, 0].flatten(1).argmax(dim=1) % 6,
    )
    assert set((rows - 3).tolist()) == {-2, -1, 0, 1, 2}
    assert set((columns - 2).tolist()) == {-2, -1, 0, 1, 2}
    assert torch.equal(moved[:, 1] * 2, moved[:, 0])


def test_mirroring_flips_about_half_and_nothing_else() -> None:
    x = torch.rand(200, 1, 4, 5)
    out = augment(x, shift=0, flip=True, generator=torch.Generator().manual_seed(0))
    same = (out == x).all(dim=(1, 2, 3))
    assert 70 < same.sum() < 130
    assert torch.equal(out[~same], x[~same].flip(3))


def test_cutout_greys_one_square_of_the_side_and_clips_it_at_the_border() -> None:
    x = torch.ones(400, 3, 8, 8)
    out = cutout(x, side=4, generator=torch.Generator().manual_seed(0))
    assert set(out.unique().tolist()) == {GREY, 1.0}
    assert torch.equal(out[:, 0], out[:, 2])
    areas = set()
    for image in out[:, 0]:
        rows, columns = (image == GREY).nonzero(as_tuple=True)
        height, width = (int(v.max() - v.min()) + 1 for v in (rows, columns))
        assert len(rows) == height * width
        areas.add((height, width))
    # A centre at pixel c covers c-2 .. c+1: two to four pixels are left inside.
    assert areas == {(h, w) for h in (2, 3, 4) for w in (2, 3, 4)}


def test_cutout_s_centre_is_uniform_over_the_image() -> None:
    out = cutout(torch.ones(20_000, 1, 6, 6), side=1, generator=torch.Generator().manual_seed(0))
    share = (out == GREY).float().mean(dim=(0, 1))
    torch.testing.assert_close(share, torch.full((6, 6), 1 / 36), atol=0.006, rtol=0)


@pytest.mark.parametrize(
    ("name", "dataset", "side", "expected"),
    [
        ("auto", "cifar10", 32, Augmentation(4, flip=True)),
        ("auto", "fashion-mnist", 28, Augmentation(2, flip=True)),
        ("auto", "mnist", 28, Augmentation(2)),
        ("auto", "kmnist", 28, Augmentation(2)),
        ("auto", "gtsrb", 32, Augmentation(4)),
        ("auto", "mine", 64, Augmentation(8)),
        ("none", "cifar10", 32, Augmentation()),
        ("crop", "cifar10", 32, Augmentation(4)),
        ("crop-flip", "mnist", 28, Augmentation(2, flip=True)),
        ("cutout", "cifar10", 32, Augmentation(4, flip=True, cut=16)),
    ],
)
def test_each_data_set_gets_its_own(
    name: str, dataset: str, side: int, expected: Augmentation
) -> None:
    assert augmentation_of(name, dataset, (3, side, side)) == expected


def test_an_unknown_augmentation_is_refused_with_the_names() -> None:
    with pytest.raises(InputError, match="crop-flip"):
        augmentation_of("mixup", "cifar10", (3, 32, 32))


def test_the_same_generator_seed_gives_the_same_images_and_none_leaves_them_alone() -> None:
    x = torch.rand(20, 3, 32, 32)
    change = augmentation_of("cutout", "cifar10", (3, 32, 32))
    first, again = (change(x, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, x)
    assert torch.equal(Augmentation()(x, torch.Generator()), x)
