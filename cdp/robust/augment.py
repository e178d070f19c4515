"""Random changes of training images that keep their class. Images are in [0,1]; every draw comes
from the generator given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cdp.data.catalog import MIRRORED
from cdp.errors import InputError

GREY = 0.5
"""What cutout leaves. DeVries 2017 fills with 0 after the mean was subtracted; the networks here
take grey to 0."""
NAMES = ("auto", "none", "crop", "crop-flip", "cutout")


@dataclass(frozen=True)
class Augmentation:
    """What is done to every image: shift in pixels (0 for none), mirror half of them, cut a square
    of ``cut`` pixels out (0 for none)."""

    shift: int = 0
    flip: bool = False
    cut: int = 0

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """x: (B,C,H,W) in [0,1] -> the same shape."""
        if self.shift or self.flip:
            x = augment(x, shift=self.shift, flip=self.flip, generator=generator)
        return cutout(x, side=self.cut, generator=generator) if self.cut else x


def augmentation_of(name: str, dataset: str, shape: tuple[int, int, int]) -> Augmentation:
    """The augmentation a config names, for images of ``shape`` (C,H,W). "auto" goes by the data
    set.

    Shifts are the field's: 4 px at 32 px (an eighth of the side, also above), 2 px at 28 px (a
    fourteenth, also below). Raises InputError for an unknown name.
    """
    if name not in NAMES:
        raise InputError(f"augmentation {name!r} is unknown: choose one of {', '.join(NAMES)}")
    if name == "auto":
        name = "crop-flip" if dataset in MIRRORED else "crop"
    if name == "none":
        return Augmentation()
    side = min(shape[1:])
    shift = side // 8 if side >= 32 else side // 14
    return Augmentation(shift, flip=name != "crop", cut=side // 2 if name == "cutout" else 0)


def to_tensor(image: np.ndarray) -> Tensor:
    """(N,H,W,C) uint8 -> (N,C,H,W) fp32 in [0,1]."""
    # A copy, because the images may be mapped read-only, which torch does not know.
    return torch.from_numpy(np.array(image)).permute(0, 3, 1, 2).float().div(255)


def augment(x: Tensor, *, shift: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Move every image by up to ``shift`` pixels both ways (zeros come in at the border) and mirror
    half of them."""
    count, _, height, width = x.shape
    padded = F.pad(x, (shift, shift, shift, shift))
    top, left = torch.randint(2 * shift + 1, (2, count, 1), generator=generator)
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    if flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    which = torch.arange(count).view(-1, 1, 1)
    return (
        padded.permute(0, 2, 3, 1)[which, rows.unsqueeze(2), columns.unsqueeze(1)]
        .permute(0, 3, 1, 2)
        .contiguous()
    )


def cutout(x: Tensor, *, side: int, generator: torch.Generator) -> Tensor:
    """Grey out a square of ``side`` pixels in every image (DeVries 2017): its centre is any pixel,
    so it may hang over the border."""
    count, _, height, width = x.shape
    top = torch.randint(height, (count, 1), generator=generator) - side // 2
    left = torch.randint(width, (count, 1), generator=generator) - side // 2
    rows, columns = torch.arange(height), torch.arange(width)
    inside_rows = (rows >= top) & (rows < top + side)
    inside_columns = (columns >= left) & (columns < left + side)
    return torch.where(
        (inside_rows.unsqueeze(2) & inside_columns.unsqueeze(1)).unsqueeze(1), GREY, x
    )
