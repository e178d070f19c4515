"""What the page "Your data" says of a data set before anything is trained on it. Pure: reads labels and cards, draws nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cdp.data.bringing import TEST
from cdp.data.registry import available, load_split
from cdp.data.sets import SetEntry, list_sets
from cdp.errors import MissingError
from cdp.models.checkpoints import is_name
from cdp.types import Split

FEW = 50
"""Images of a class below which a diffusion model mostly learns them by heart."""
UNEVEN = 5
"""A class this many times larger than another is said to be."""
FEWEST = 10
"""Training images that an encoder needs, of which one is held out."""
_LISTED = 6


@dataclass(frozen=True)
class Choice:
    """A data set that can be chosen. origin: "built in", "imported" or "generated"; count: training images, 0 where not known unopened."""

    name: str
    title: str
    origin: str
    count: int = 0


@dataclass(frozen=True)
class Facts:
    """A data set that was opened. counts, test_counts: images of each class in order, () without test images; shape: (C, H, W);
    epsilon: its conventional l_inf budget in [0, 1] units, None without one."""

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    epsilon: float | None

    @property
    def images(self) -> int:
        return sum(self.counts)

    @property
    def tests(self) -> int:
        return sum(self.test_counts)


@dataclass(frozen=True)
class Concern:
    """One thing to know before training. blocking: nothing can be trained until it is put right."""

    text: str
    blocking: bool = False


def choices() -> list[Choice]:
    """Saved sets that can be trained on, newest first and imported ones before generated ones, then the built-in sets that are here."""
    saved = [entry for entry in list_sets() if entry.card is not None and is_name(entry.name)]
    names = {entry.name for entry in saved}
    own = [_choice(entry) for entry in saved if not _tests_of_another(entry.name, names)]
    own.sort(key=lambda choice: choice.origin != "imported")
    return own + [Choice(info.name, info.title, "built in") for info, state in available() if state.ready]


def facts(name: str) -> Facts:
    """Open a data set by name. Raises InputError or MissingError with the remedy."""
    train = load_split(name, "train")
    try:
        test: Split | None = load_split(name, "test")
    except MissingError:
        test = None
    classes = train.info.classes
    return Facts(
        name, classes, train.info.shape, _per_class(train, classes), _per_class(test, classes) if test else (), train.info.epsilon_linf
    )


def concerns(seen: Facts) -> list[Concern]:
    """What stands in the way of good models, the worst first, each with what it costs."""
    found = [*_blocking(seen), *_of_counts(seen), *_of_shape(seen)]
    if not seen.tests:
        found.append(
            Concern(
                "There are no test images. Models can be trained, but accuracies are known on held-out training images only, copies of training "
                f"images cannot be told from fresh ones, and an evaluation has nothing to attack. Import them as {seen.name}{TEST}."
            )
        )
    elif untested := [name for name, count, tests in zip(seen.classes, seen.counts, seen.test_counts, strict=False) if count and not tests]:
        found.append(Concern(f"No test images of {listed(untested)}: how near generated images of it come to real ones cannot be told."))
    return sorted(found, key=lambda concern: not concern.blocking)


def held_out(seen: Facts, wanted: int) -> str:
    """What is kept apart from training, in one sentence."""
    kept = min(wanted, seen.images // 10)
    tests = f"; the {seen.tests:,} test images are only measured on" if seen.tests else ""
    return f"Of {seen.images:,} training images each encoder holds out {kept:,} to choose its best epoch by{tests}."


def size_in_words(shape: tuple[int, int, int]) -> str:
    """(C, H, W) as 16 x 16 px, colour."""
    channels, height, width = shape
    kind = {1: "grey", 3: "colour", 4: "colour with transparency"}.get(channels, f"{channels} channels")
    return f"{width} x {height} px, {kind}"


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, cut short."""
    all_names = list(names)
    more = f" and {len(all_names) - _LISTED} more" if len(all_names) > _LISTED else ""
    return ", ".join(all_names[:_LISTED]) + more


def _choice(entry: SetEntry) -> Choice:
    card = entry.card or {}
    return Choice(entry.name, entry.name, "imported" if card.get("kind") == "imported" else "generated", int(card.get("count", 0)))


def _tests_of_another(name: str, names: set[str]) -> bool:
    return name.endswith(TEST) and name.removesuffix(TEST) in names


def _per_class(split: Split, classes: Sequence[str]) -> tuple[int, ...]:
    return tuple(int(count) for count in np.bincount(split.label, minlength=len(classes)))


def _blocking(seen: Facts) -> list[Concern]:
    present = sum(count > 0 for count in seen.counts)
    if present < 2:
        return [
            Concern("All images are of one class: guidance, judge and robust training tell classes apart, so give it two or more.", True)
        ]
    if seen.images < FEWEST:
        return [Concern(f"{seen.images} training images are too few to hold any out: give it {FEWEST} or more.", True)]
    if seen.test_counts and len(seen.test_counts) > len(seen.counts):
        return [Concern("The test images have classes that the training images lack: import both again with the same classes.", True)]
    return []


def _of_counts(seen: Facts) -> list[Concern]:
    found = []
    empty = [name for name, count in zip(seen.classes, seen.counts, strict=False) if not count]
    if empty:
        found.append(Concern(f"No training images of {listed(empty)}: what models show for them means nothing."))
    few = [f"{name} ({count})" for name, count in zip(seen.classes, seen.counts, strict=False) if 0 < count < FEW]
    if few:
        found.append(
            Concern(
                f"Fewer than {FEW} images of {listed(few)}: a diffusion model will mostly repeat them, and accuracies are uncertain by ten "
                "points and more. More images help most."
            )
        )
    there = [(count, name) for name, count in zip(seen.classes, seen.counts, strict=False) if count]
    if there and max(there)[0] >= UNEVEN * min(there)[0]:
        (most, common), (least, rare) = max(there), min(there)
        found.append(
            Concern(
                f"Classes are uneven: {common} has {most:,} images, {rare} {least:,}. Encoders lean towards the common ones, so judge them "
                "class by class; more images of the rare ones help."
            )
        )
    return found


def _of_shape(seen: Facts) -> list[Concern]:
    channels, height, width = seen.shape
    found = []
    if height % 2 or width % 2:
        found.append(
            Concern(
                f"Images are {width} x {height} px and encoders need even sides: crop, pad or resize them by a pixel and import again.",
                True,
            )
        )
    elif height % 4 or width % 4:
        padded = (-(-height // 4) * 4, -(-width // 4) * 4)
        cost = 100 * (padded[0] * padded[1] / (height * width) - 1)
        found.append(
            Concern(
                f"Sides of {width} x {height} px do not divide by 4 (patch 2 on two resolutions): the diffusion model pads them to "
                f"{padded[1]} x {padded[0]}, which costs {cost:.0f} % more time and nothing else."
            )
        )
    if channels == 4:
        found.append(Concern("Images have a transparency channel: models learn it as a fourth colour, and pages show the other three."))
    elif channels == 2:
        found.append(Concern("Images have two channels: pages show the first."))
    return found
