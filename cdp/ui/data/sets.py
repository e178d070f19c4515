"""The data sets that the page "Your data" offers, and what is in one: counts, examples of every
class, what to know before it is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from cdp.config.pretrain import EncoderConfig
from cdp.data.facts import Concern, Facts
from cdp.data.importing import TEST
from cdp.data.registry import available, load_split
from cdp.data.sets import SetEntry, list_sets
from cdp.models.checkpoints import is_name
from cdp.ui.kit import markup
from cdp.ui.kit.images import png
from cdp.ui.kit.markup import Html, line, tag
from cdp.ui.kit.tables import table
from cdp.ui.kit.words import plain
from cdp.values.text import image_size

ROW = 14
"""Images of a class that are shown, where the window is wide enough."""
MOST_CLASSES = 24


@dataclass(frozen=True)
class Choice:
    """A data set that can be chosen. origin: "built in", "imported", "generated" or "no labels";
    count: training images, 0 where not known unopened."""

    name: str
    title: str
    origin: str
    count: int = 0


def choices() -> list[Choice]:
    """Saved sets that can be trained on, newest first, imported ones before generated ones and
    those that need labels first last, then the built-in sets that are here."""
    saved = [entry for entry in list_sets() if entry.card is not None and is_name(entry.name)]
    names = {entry.name for entry in saved}
    own = [_choice(entry) for entry in saved if not _tests_of_another(entry.name, names)]
    own.sort(key=lambda choice: ("imported", "generated", "no labels").index(choice.origin))
    return own + [
        Choice(info.name, info.title, "built in") for info, state in available() if state.ready
    ]


def held_out(seen: Facts, wanted: int) -> str:
    """What is kept apart from training, in one sentence."""
    stored = min(wanted, seen.images // 10)
    tests = "; test images are only measured on" if seen.tests else ""
    return f"Each encoder holds out {stored:,} training images to choose its best epoch{tests}."


def _choice(entry: SetEntry) -> Choice:
    card = entry.card or {}
    origin = "imported" if card.get("kind") == "imported" else "generated"
    origin = origin if card.get("class_names") else "no labels"
    return Choice(entry.name, entry.name, origin, int(card.get("count", 0)))


def _tests_of_another(name: str, names: set[str]) -> bool:
    return name.endswith(TEST) and name.removesuffix(TEST) in names


def facts_column(seen: Facts) -> None:
    """Shape, counts and what is held out."""
    tests = f"{seen.tests:,} test images" if seen.tests else "no test images"
    st.markdown(plain(f"{seen.images:,} training images, {tests}"))
    st.markdown(plain(f"{image_size(*seen.shape[1:], seen.shape[0])}, {len(seen.classes)} classes"))
    st.caption(plain(held_out(seen, EncoderConfig().held_out)))


def pictures_column(seen: Facts, concerns: list[Concern], stamp: str) -> None:
    """Examples of every class with their counts, then what to know. stamp: changes with the set's
    content."""
    st.html(_examples(seen.name, stamp, seen.counts, seen.test_counts))
    for concern in concerns:
        (st.error if concern.blocking else st.warning)(plain(concern.text))
    with st.expander("Images of each class"):
        tests = seen.test_counts or [None] * len(seen.classes)
        columns = zip(seen.classes, seen.counts, tests, strict=True)
        names = ("class", "name", "training images", "test images")
        table([dict(zip(names, (k, *row), strict=True)) for k, row in enumerate(columns)])


@st.cache_data(max_entries=20, show_spinner="Reading images")
def _examples(name: str, stamp: str, counts: tuple[int, ...], tests: tuple[int, ...]) -> str:
    split = load_split(name, "train")
    rows = first_rows(split.label, len(split.info.classes))
    image, label = np.asarray(split.image[rows]), np.asarray(split.label[rows])
    notes = [f"{count:,}" for count in counts]
    if tests:
        notes = [f"{note} + {count:,} test" for note, count in zip(notes, tests, strict=True)]
    return class_rows(image, label, split.info.classes, notes)


def class_rows(
    image: np.ndarray, label: np.ndarray, names: Sequence[str], notes: Sequence[str] = ()
) -> Html:
    """The first images of each class. image: (n,H,W,C) uint8; label: (n,); notes: by class number,
    below its name."""
    rows = []
    for value, name in enumerate(names[:MOST_CLASSES]):
        images = image[np.flatnonzero(label == value)[:ROW]]
        if len(images):
            note = line(notes[value] if value < len(notes) else "", "cdp-small")
            pictures = (
                markup.image(png(one), f"{name}, image {number}")
                for number, one in enumerate(images, 1)
            )
            rows.append(tag("div", tag("div", name, note), tag("div", *pictures)))
    left = len(names) - MOST_CLASSES
    more = line(f"and {left} more classes" if left > 0 else "", "cdp-quiet")
    return tag("div", *rows, more, cls="cdp-classes")


def first_rows(label: np.ndarray, classes: int) -> np.ndarray:
    """Row numbers of the first images of every class that is shown, ascending."""
    result = [np.flatnonzero(label == value)[:ROW] for value in range(min(classes, MOST_CLASSES))]
    return np.sort(np.concatenate(result)) if result else np.empty(0, np.int64)
