"""The chosen runs: a list that can be edited without a mouse, and what can be done with all of
them: star, tag, note, archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import streamlit as st

from cdp.results.labels import LONGEST_NOTE, change_labels
from cdp.results.rows import Row
from cdp.ui.compare.state import Compared
from cdp.ui.kit.runlist import act
from cdp.ui.kit.words import split_tags
from cdp.values.naming import told_apart

MOST_LISTED = 40
"""Chosen runs that are listed by name; of more, their number is said."""
MOST_OFFERED = 500
GONE = "not here"


def chooser(held: Compared, rows: Sequence[Row], found: Sequence[Row]) -> None:
    """rows: all there are; found: those in the table."""
    here = {row.id: row for row in rows}
    _list(held, here, found)
    if not held.chosen:
        return
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="compare_actions"
    ):
        _joined(held)
        _actions([here[one] for one in held.chosen if one in here])
        st.button(
            "Clear",
            key="compare_clear",
            type="tertiary",
            on_click=held.clear,
            help="Take all runs off the comparison.",
        )


def _joined(held: Compared) -> None:
    """Whether seeds are joined, and a chosen run brings its own."""
    key = f"compare_groups_{held.turn}"

    def changed() -> None:
        held.groups = st.session_state[key]
        if held.drawn:
            _mean(held)

    st.toggle(
        "Whole seed groups",
        held.groups,
        key=key,
        on_change=changed,
        help=(
            "A chosen run brings its other seeds, and they are one arm with a mean and its"
            " interval. Off: every chosen run is an arm of its own."
        ),
    )


def _mean(held: Compared) -> None:
    """Have the curves drawn as the arms are."""
    held.mean = held.groups
    held.turn += 1


def _list(held: Compared, here: Mapping[str, Row], found: Sequence[Row]) -> None:
    if len(held.chosen) > MOST_LISTED:
        st.markdown(f"**{len(held.chosen):,} runs are chosen**")
        return
    names = _named(
        list(dict.fromkeys([*(row.id for row in found[:MOST_OFFERED]), *held.chosen])), here
    )
    # Its own changes leave it as it is; any other makes it anew, with what is chosen then.
    key = f"compare_chosen_{hash((held.turn, held.picks, tuple(names.items())))}"

    def changed() -> None:
        held.choose(st.session_state[key])

    st.multiselect(
        "Runs to compare",
        list(names),
        list(held.chosen),
        format_func=names.__getitem__,
        key=key,
        on_change=changed,
        placeholder="tick runs in the table, or type a name here",
    )


def _named(ids: Sequence[str], here: Mapping[str, Row]) -> dict[str, str]:
    """A name for each run, each once."""
    names = [here[one].name if one in here else f"{one[:60]} ({GONE})" for one in ids]
    return dict(zip(ids, told_apart(names, ids), strict=True))


def _actions(picked: Sequence[Row]) -> None:
    """What is done to all chosen runs that are here at once."""
    if not picked:
        return
    ids = [row.id for row in picked]
    starred, archived = (
        all(row.labels.star for row in picked),
        all(row.labels.archived for row in picked),
    )
    st.button(
        "Remove star" if starred else "Star",
        key="compare_star_all",
        icon=":material/star:",
        on_click=_star_all,
        args=(ids, not starred),
    )
    with st.popover("Tags", icon=":material/sell:", width="content"):
        _tags(picked)
    with st.popover("Note", icon=":material/notes:", width="content"):
        _note(picked)
    st.button(
        "Bring back" if archived else "Archive",
        key="compare_archive_all",
        icon=":material/inventory_2:",
        on_click=_archive_all,
        args=(ids, not archived),
        help="Archived runs stay on disk and in comparisons; the table leaves them out.",
    )


def _star_all(ids: Iterable[str], on: bool) -> None:
    act(lambda: [change_labels(one, star=on) for one in ids])


def _archive_all(ids: Iterable[str], on: bool) -> None:
    act(lambda: [change_labels(one, archived=on) for one in ids])


def _tags(picked: Sequence[Row]) -> None:
    ids = [row.id for row in picked]

    def added() -> None:
        tags = split_tags(st.session_state["compare_tag"])
        if tags:
            act(lambda: [change_labels(one, add_tags=tags) for one in ids])
        st.session_state["compare_tag"] = ""

    st.text_input(
        "Add tags",
        key="compare_tag",
        on_change=added,
        placeholder="with commas between them",
        max_chars=400,
    )
    present = list(dict.fromkeys(tag for row in picked for tag in row.labels.tags))
    for tag in present:
        st.button(
            f"Remove {tag}",
            key=f"compare_untag_{tag}",
            type="tertiary",
            icon=":material/close:",
            on_click=_untag(ids, tag),
        )


def _untag(ids: Sequence[str], tag: str) -> Callable[[], None]:
    return lambda: act(lambda: [change_labels(one, remove_tags=[tag]) for one in ids])


def _note(picked: Sequence[Row]) -> None:
    notes = {row.labels.note for row in picked}
    ids = [row.id for row in picked]
    shown = notes.pop() if len(notes) == 1 else ""
    key = f"compare_note_{hash((tuple(ids), shown))}"
    st.text_area(
        "Note",
        shown,
        key=key,
        max_chars=LONGEST_NOTE,
        placeholder="what this run is for, or what was seen",
        width=360,
    )
    if notes:
        st.caption("The chosen runs have different notes: what is saved here takes their place.")
    st.button(
        "Save note",
        key="compare_note_save",
        on_click=lambda: act(
            lambda: [change_labels(one, note=st.session_state[key]) for one in ids]
        ),
    )
