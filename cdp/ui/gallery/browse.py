"""A whole set as a grid: filtered by class, score and mark, in any order, with keep and drop marks
from the keyboard, and what is left as a set of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from cdp.config.explore import PIXELS
from cdp.data.marks import MARKS, Mark, marks_of, merged, write_marks
from cdp.data.samples import SampleSet
from cdp.files.versions import NewerError
from cdp.models.encoders import JUDGE
from cdp.tasks.scoring import SCORES
from cdp.tasks.sources import open_source
from cdp.tasks.subsets import save_subset
from cdp.ui.components.pairs import Grid, marked
from cdp.ui.explore.data import image_scores
from cdp.ui.gallery.parts import classes_in
from cdp.ui.kit.ask import Waiting
from cdp.ui.kit.attempts import attempt, tell
from cdp.ui.kit.images import showable, sprite
from cdp.ui.kit.markup import image, tag
from cdp.ui.kit.words import plain
from cdp.values.text import class_name, counted

PAGE, COLUMNS = 96, 12
FILE_ORDER = "file order"
ANY_MARK = "any"
MARKED = {ANY_MARK: "All", "keep": "Kept", "drop": "Dropped", "none": "Not marked"}
_SAVED = "browse_saved"


@dataclass(frozen=True)
class Filters:
    """classes: numbers, () for all; by: key of a score, "" for none; mark: of ``MARKED``."""

    classes: tuple[int, ...]
    by: str
    highest: bool
    low: float | None
    high: float | None
    mark: str

    def rows(
        self, label: np.ndarray | None, score: np.ndarray | None, marks: dict[int, Mark], n: int
    ) -> np.ndarray:
        """Rows that fit, in order. label, score: (n,), None where there is none."""
        fits = np.ones(n, bool)
        if self.classes and label is not None:
            fits &= np.isin(label, self.classes)
        if score is not None:
            fits &= np.isfinite(score)
            if self.low is not None:
                fits &= score >= self.low
            if self.high is not None:
                fits &= score <= self.high
        if self.mark != ANY_MARK:
            wanted = [row for row, mark in marks.items() if self.mark in (mark, "none") and row < n]
            of = np.isin(np.arange(n), wanted)
            fits &= ~of if self.mark == "none" else of
        rows = np.flatnonzero(fits)
        if score is None:
            return rows
        order = np.argsort(-score[rows] if self.highest else score[rows], kind="stable")
        return np.asarray(rows[order])


def browse(samples: SampleSet) -> None:
    """Filters, the grid, the image that was chosen, and what to do with the marks."""
    st.fragment(_browse)(samples)


def _browse(samples: SampleSet) -> None:
    name, label = samples.name, samples.label
    filters = _filters(samples)
    score, pending = None, Waiting()
    if filters.by:
        source = open_source(name)
        encoder = JUDGE if source.dataset else PIXELS
        score = image_scores(source, filters.by, encoder, source.dataset, pending)
    pending.show("browse_wait")
    try:
        marks = marks_of(name, samples.card)
    except NewerError as newer:
        st.warning(plain(f"{newer}."))
        return
    rows = filters.rows(label, score, marks, len(samples))
    pages = max(1, -(-len(rows) // PAGE))
    turn = st.session_state.setdefault(f"browse_turn_{name}", 0)
    page = st.pagination(pages, key=f"browse_page_{name}_{pages}") - 1 if pages > 1 else 0
    here = rows[page * PAGE : (page + 1) * PAGE]
    counts = st.empty()
    if len(here):
        marks = _grid(samples, here, score, filters, marks, turn)
    else:
        st.info("No image fits: widen the filters.")
    counts.caption(_counts(samples, rows, marks))
    _keep(samples, marks)


def _counts(samples: SampleSet, rows: np.ndarray, marks: dict[int, Mark]) -> str:
    some = counted(len(rows), "image")
    kept, dropped = (sum(mark == of for mark in marks.values()) for of in MARKS)
    said = f" · {kept:,} marked keep, {dropped:,} drop" if marks else ""
    of = f" of {len(samples):,}" if len(rows) < len(samples) else ""
    return f"{some}{of}{said}. On an image: K keeps, D drops, U unmarks, Enter enlarges."


def _filters(samples: SampleSet) -> Filters:
    name, label = samples.name, samples.label
    present = classes_in(label)
    options = [key for key, score in SCORES.items() if label is not None or not score.labels]
    with st.container(horizontal=True, vertical_alignment="bottom", key="browse_filters"):
        classes: list[int] = []
        if present:
            classes = st.multiselect(
                "Classes",
                present,
                format_func=lambda value: class_name(samples.class_names, value),
                placeholder="all",
                key=f"browse_classes_{name}",
                width=260,
            )
        by = st.selectbox(
            "Order",
            ["", *options],
            format_func=lambda key: SCORES[key].title if key else FILE_ORDER.capitalize(),
            key=f"browse_by_{name}",
            width=190,
            help="\n\n".join(f"**{SCORES[key].title}.** {SCORES[key].help}" for key in options)
            + f"\n\nIn the eyes of the {JUDGE}, which never guides.",
        )
        highest, low, high = True, None, None
        if by:
            highest = st.segmented_control(
                "First",
                [False, True],
                default=False,
                required=True,
                format_func=lambda most: "Highest" if most else "Lowest",
                key=f"browse_end_{name}",
            )
            low, high = (
                st.number_input(
                    text, value=None, placeholder="any", key=f"browse_{text}_{name}_{by}", width=100
                )
                for text in ("From", "To")
            )
        mark = st.selectbox(
            "Marks",
            list(MARKED),
            format_func=MARKED.__getitem__,
            key=f"browse_mark_{name}",
            width=130,
        )
    return Filters(tuple(classes), by, bool(highest), low, high, mark)


def _grid(
    samples: SampleSet,
    here: np.ndarray,
    score: np.ndarray | None,
    filters: Filters,
    marks: dict[int, Mark],
    turn: int,
) -> dict[int, Mark]:
    """Draw a page, take in its marks, and enlarge what was chosen. The marks that stand now."""
    label = samples.label

    def words(row: int) -> str:
        parts = [] if label is None else [class_name(samples.class_names, int(label[row]))]
        if score is not None:
            parts.append(f"{SCORES[filters.by].title.lower()} {score[row]:.3g}")
        return "\n".join([*parts, f"row {row}"])

    texts = [words(int(row)) for row in here]
    columns = min(COLUMNS, len(here))
    on_page = {int(row): marks[int(row)] for row in here if int(row) in marks}
    result = marked(
        Grid("", sprite(showable(np.asarray(samples.image[here])), columns)),
        texts,
        here.tolist(),
        on_page,
        columns=columns,
        key=f"browse_{samples.name}_{turn}",
    )
    if result.marks is not None:
        now = merged(marks, result.marks, frozenset(here.tolist()))
        if now != marks:
            write_marks(samples.name, samples.card, now)
            marks = now
    if result.picked is not None and result.picked < len(here):
        row = int(here[result.picked])
        picture = sprite(showable(np.asarray(samples.image[row : row + 1])), 1)
        text = tag("div", *(tag("div", line) for line in texts[result.picked].split("\n")))
        large = tag("div", image(picture, texts[result.picked]), cls="cdp-large")
        st.html(tag("div", large, text, cls="cdp-enlarged"), width="stretch")
    return marks


def _keep(samples: SampleSet, marks: dict[int, Mark]) -> None:
    """What the marks are for: the set without what is dropped, or what is kept alone."""
    tell(_SAVED, gallery=True)
    if not marks:
        return
    kept, dropped = ({row for row, mark in marks.items() if mark == of} for of in MARKS)

    def save(rows: np.ndarray, what: str) -> Callable[[], str]:
        def saved() -> str:
            how = {"chosen": "by hand in the gallery", "kept": what, "marked": len(marks)}
            new = save_subset(samples.name, rows, f"{samples.name}-{what}-{len(rows)}", how=how)
            return f"Saved {counted(len(new), 'image')} as {new.name}."

        return saved

    def unmark() -> str:
        write_marks(samples.name, samples.card, {})
        st.session_state[f"browse_turn_{samples.name}"] += 1
        return f"Removed {counted(len(marks), 'mark')}."

    rest = np.setdiff1d(np.arange(len(samples)), list(dropped))
    chosen = np.array(sorted(kept), np.int64)
    press: dict[str, tuple[Callable[[], str], int]] = {}
    if dropped and len(rest):
        press[f"Save without the {len(dropped):,} dropped"] = save(rest, "undropped"), len(rest)
    if kept:
        press[f"Save the {len(kept):,} kept"] = save(chosen, "kept"), len(kept)
    more: dict[str, Any] = {"on_click": attempt}
    with st.container(horizontal=True, key="browse_keep"):
        for text, (action, count) in press.items():
            about = f"{counted(count, 'image')} as a set of its own; this one stays as it is."
            st.button(text, key=f"browse_{text}", args=(_SAVED, action), help=about, **more)
        st.button(
            "Remove all marks", type="tertiary", key="browse_unmark", args=(_SAVED, unmark), **more
        )
