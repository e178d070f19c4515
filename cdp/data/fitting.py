"""Whether a sample set can stand beside the real images of a data set: one rule for the form and for the training itself."""

from __future__ import annotations

from collections.abc import Sequence

from cdp.types import DatasetInfo


def misfit(shape: tuple[int, int, int], class_names: Sequence[str], info: DatasetInfo) -> str:
    """Why a set does not fit, "" where it does. shape: (C, H, W).

    Sets from an .npz number their classes, which fits any data set that has as many or more.
    """
    if shape != info.shape:
        return f"its images have shape {shape} (channels, height, width), those of {info.name} {info.shape}"
    names = tuple(class_names)
    numbered = names == tuple(str(number) for number in range(len(names)))
    if names == info.classes or (numbered and len(names) <= len(info.classes)):
        return ""
    differ = next((pair for pair in zip(names, info.classes, strict=False) if pair[0] != pair[1]), None)
    if differ is None:
        return f"it has {len(names)} classes, {info.name} {len(info.classes)}"
    return f"its class {differ[0]!r} is {differ[1]!r} in {info.name}"
