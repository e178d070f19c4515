"""What every view of the gallery uses: addresses, a set in one line, pictures, deleting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.data.samples import SampleSet
from cdp.data.sets import delete_set, open_set, trash_dir
from cdp.ui.gallery.entries import GalleryLine
from cdp.ui.kit import markup
from cdp.ui.kit.attempts import attempt
from cdp.ui.kit.images import grid_png
from cdp.ui.kit.words import plain
from cdp.values.text import counted

OPEN, BESIDE = "set", "with"
"""Query parameters: the set that is open, and the one shown beside it. A link to a set is its
address."""
THUMBNAILS = 10
"""Images on a card: the first of every class, then the second, and so on."""
DELETED = "gallery_deleted"
GAP = 2
"""Screen pixels between images."""


def go(name: str | None = None, beside: str | None = None) -> None:
    """Open a set, two sets, or with nothing given the list."""
    wanted = {OPEN: name, BESIDE: beside}
    st.query_params.from_dict({k: v for k, v in wanted.items() if v})


def heading(line: GalleryLine, *, large: bool = False) -> None:
    """A set's name beside a mark in its colour, the same on every page."""
    from cdp.results.signs import set_signs

    cls = "cdp-heading cdp-first" + (" cdp-lead" if large else "")
    st.html(markup.heading(line.name, set_signs([line.name])[line.name], cls=cls))


def facts(line: GalleryLine) -> str:
    """One line of what counts: images, missing or pseudo-labels, loss, strength, seed."""
    labels = "no labels" if not line.labelled else "pseudo-labels" * ("pseudo_labels" in line.card)
    parts = [counted(line.count, "image"), labels]
    if line.config is None:
        parts.append(line.loss)
    else:
        guided = line.config.guidance.loss != "none"
        how = (line.loss.split(" (")[0], f"strength {line.strength}") if guided else ("unguided",)
        parts += [*how, f"seed {line.config.seed}"]
    return plain(" · ".join(filter(None, parts)))


@st.dialog("Delete this set?")
def ask_delete(line: GalleryLine) -> None:
    """A question over the page; the page is drawn anew after either answer."""
    images = f" ({counted(line.count, 'image')})" if line.count else ""
    st.write(
        f"**{plain(line.name)}**{images} moves to the trash, `{trash_dir()}`. Move it back from"
        " there to restore it."
    )

    def delete() -> str:
        place = delete_set(line.name)
        go()
        return f"{line.name} was moved to {place}."

    yes, no = st.columns(2)
    clicked = DELETED, delete, "Not deleted"
    # A rerun of the whole page closes the question.
    if yes.button("Move to trash", type="primary", width="stretch", on_click=attempt, args=clicked):
        st.rerun()
    if no.button("Keep it", width="stretch"):
        st.rerun()


def rows_by_turn(label: np.ndarray, limit: int) -> np.ndarray:
    """Up to ``limit`` rows: the first image of every class, then the second of every class, ..."""
    turn = np.empty(len(label), np.int64)
    for value in np.unique(label):
        where = np.flatnonzero(label == value)
        turn[where] = np.arange(len(where))
    return np.lexsort((label, turn))[:limit]


def first_rows(samples: SampleSet, limit: int, among: int | None = None) -> np.ndarray:
    """Up to ``limit`` rows that show a set, classes by turn, of the first ``among`` images."""
    if samples.label is None:
        return np.arange(min(limit, len(samples)))
    return rows_by_turn(samples.label[:among], limit)


def first_of(samples: SampleSet, value: int | None, most: int) -> np.ndarray:
    """Up to ``most`` rows of a class; of all images for None."""
    rows = np.arange(len(samples))
    if value is not None:
        rows = np.flatnonzero(samples.labels("a class") == value)
    return rows[:most]


def classes_in(label: np.ndarray | None) -> list[int]:
    """Class numbers that appear, ascending; a set without labels has none."""
    return [] if label is None else [int(value) for value in np.unique(label)]


def names_in(sets: Sequence[SampleSet]) -> list[str]:
    """Names of the classes that have images in any of the sets, in the order of the first set."""
    return list(
        dict.fromkeys(item.class_names[value] for item in sets for value in classes_in(item.label))
    )


def number_in(samples: SampleSet, name: str) -> int:
    """The number that a set gives the class of this name, -1 where it does not know it."""
    return samples.class_names.index(name) if name in samples.class_names else -1


def stamp(folder: Path) -> int:
    """Changes when a set is replaced by another of the same name."""
    return (folder / "card.json").stat().st_mtime_ns


def thumbnail(folder: Path) -> bytes:
    """The picture of a set's card."""
    return _thumbnail(str(folder), stamp(folder))


def strip(samples: SampleSet, value: int | None, size: int) -> bytes | None:
    """The first images of a class (None: of all) in a row, as PNG; None where there are none."""
    return _strip(str(samples.folder), stamp(samples.folder), value, size)


@st.cache_data(max_entries=500, show_spinner=False)
def _thumbnail(folder: str, changed: int) -> bytes:
    samples = open_set(folder)
    return _grid(samples.image[first_rows(samples, THUMBNAILS, among=5000)], 5)


@st.cache_data(max_entries=1000, show_spinner=False)
def _strip(folder: str, changed: int, value: int | None, size: int) -> bytes | None:
    samples = open_set(folder)
    rows = first_of(samples, value, size)
    return _grid(np.asarray(samples.image[rows]), size) if len(rows) else None


def _grid(images: np.ndarray, columns: int) -> bytes:
    """Enlarged by the whole factor that brings an image near 56 screen pixels."""
    scale = max(1, round(56 / max(images.shape[1:3])))
    return grid_png(images, min(columns, len(images)), scale=scale, gap=GAP)
