"""What is known of a data set before a training, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cdp.data.importing import TEST
from cdp.data.registry import load_split
from cdp.errors import InputError, MissingError
from cdp.values.text import listed
from cdp.values.types import Split

FEW = 50
"""Images of a class below which a diffusion model mostly learns them by heart."""
UNEVEN = 5
"""A class this many times larger than another is said to be."""
FEWEST = 10
"""Training images that an encoder needs, of which one is held out."""
_LISTED = 6


@dataclass(frozen=True)
class Facts:
    """A data set that was opened. counts, test_counts: images of each class in order, () without
    test images; shape: (C, H, W); epsilon: its conventional l_inf budget in [0, 1] units, None
    without one; misfit: why its test images cannot be used, "" where they can."""

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    epsilon: float | None
    misfit: str = ""

    @property
    def images(self) -> int:
        return sum(self.counts)

    @property
    def tests(self) -> int:
        return sum(self.test_counts)


@dataclass(frozen=True)
class Concern:
    """One thing to know before training. blocking: must be put right; encoders: for them alone."""

    text: str
    blocking: bool = False
    encoders: bool = False


def facts(name: str) -> Facts:
    """Open a data set by name. Raises InputError or MissingError with the remedy."""
    train, misfit = load_split(name, "train"), ""
    test: Split | None = None
    try:
        test = load_split(name, "test")
    except MissingError:
        pass
    except InputError as error:
        misfit = str(error)
    classes = train.info.classes
    return Facts(
        name,
        classes,
        train.info.shape,
        _per_class(train, classes),
        _per_class(test, classes) if test else (),
        train.info.epsilon_linf,
        misfit,
    )


def concerns(seen: Facts) -> list[Concern]:
    """What stands in the way of good models, the worst first, each with what it costs."""
    noted = [*_blocking(seen), *_of_counts(seen), *_of_shape(seen), *_of_tests(seen)]
    return sorted(noted, key=lambda concern: not concern.blocking)


def require_trainable(name: str, *, encoder: bool, anyway: bool = False) -> list[str]:
    """What is to be known before a model is trained on a data set, a sentence each. encoder:
    whether it is an encoder; anyway: what stands in the way is overruled, and only told.

    Raises InputError with what stands in the way, MissingError where the data set is not here.
    """
    noted = concerns(facts(name))
    blocked = next(
        (concern for concern in noted if concern.blocking and (encoder or not concern.encoders)),
        None,
    )
    if blocked is not None and not anyway:
        text = blocked.text.rstrip(".")
        raise InputError(
            f"dataset: {name}: {text[0].lower()}{text[1:]}, or set anyway to train all the same"
        )
    return [concern.text for concern in noted if anyway or not concern.blocking]


def _per_class(split: Split, classes: Sequence[str]) -> tuple[int, ...]:
    return tuple(int(count) for count in np.bincount(split.label, minlength=len(classes)))


def _blocking(seen: Facts) -> Iterator[Concern]:
    if sum(count > 0 for count in seen.counts) < 2:
        yield Concern(
            "All images are of one class: guidance, judge and robust training tell classes apart,"
            " so give it two or more.",
            True,
        )
    elif seen.images < FEWEST:
        yield Concern(
            f"{seen.images} training images are too few to hold any out: give it {FEWEST} or more.",
            True,
            encoders=True,
        )


def _of_counts(seen: Facts) -> Iterator[Concern]:
    counts = list(zip(seen.classes, seen.counts, strict=False))
    if empty := [name for name, count in counts if not count]:
        yield Concern(
            f"No training images of {listed(empty)}: what models show for them means nothing."
        )
    if few := [f"{name} ({count})" for name, count in counts if 0 < count < FEW]:
        yield Concern(
            f"Fewer than {FEW} images of {listed(few)}: a diffusion model will mostly repeat them,"
            " and accuracies are uncertain by ten points and more. More images help most."
        )
    there = [(count, name) for name, count in counts if count]
    if there and max(there)[0] >= UNEVEN * min(there)[0]:
        (most, common), (least, rare) = max(there), min(there)
        yield Concern(
            f"Classes are uneven: {common} has {most:,} images, {rare} {least:,}. Encoders lean"
            " towards the common ones, so judge them class by class; more images of the rare ones"
            " help."
        )


def _of_shape(seen: Facts) -> Iterator[Concern]:
    channels, height, width = seen.shape
    if height % 2 or width % 2:
        yield Concern(
            f"Images are {width} x {height} px and encoders need even sides: crop, pad or resize"
            " them by a pixel and import again.",
            blocking=True,
            encoders=True,
        )
    elif height % 4 or width % 4:
        padded = (-(-height // 4) * 4, -(-width // 4) * 4)
        cost = 100 * (padded[0] * padded[1] / (height * width) - 1)
        yield Concern(
            f"Sides of {width} x {height} px do not divide by 4 (patch 2 on two resolutions): the"
            f" diffusion model pads them to {padded[1]} x {padded[0]}, which costs {cost:.0f} %"
            " more time and nothing else."
        )
    if channels == 4:
        yield Concern(
            "Images have a transparency channel: models learn it as a fourth colour, and pages show"
            " the other three."
        )
    elif channels == 2:
        yield Concern("Images have two channels: pages show the first.")


def _of_tests(seen: Facts) -> Iterator[Concern]:
    counts = zip(seen.classes, seen.counts, seen.test_counts, strict=False)
    if seen.misfit:
        yield Concern(f"{seen.misfit[0].upper()}{seen.misfit[1:]}.", blocking=True)
    elif not seen.tests:
        yield Concern(
            "There are no test images. Models can be trained, but accuracies are known on held-out"
            " training images only, copies of training images cannot be told from fresh ones, and"
            f" an evaluation has nothing to attack. Import them as {seen.name}{TEST}, or hold out a"
            f" fifth: python -m cdp hold-out {seen.name}."
        )
    elif untested := [name for name, count, tests in counts if count and not tests]:
        yield Concern(
            f"No test images of {listed(untested)}: how near generated images of it come to real"
            " ones cannot be told."
        )
