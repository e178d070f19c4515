"""What acts on the run table: filter with its language, order, groups and columns above it; below
it the chosen runs, and what is done to all of them at once: star, tag, note, archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from cdp.results.labels import LONGEST_NOTE, change_labels
from cdp.results.rows import Row
from cdp.results.table import LONGEST, columns
from cdp.ui.compare.state import (
    GROUPED,
    SEEDS,
    STAR,
    ComparisonPage,
    keep_columns,
    offered_columns,
    plain_columns,
)
from cdp.ui.kit.attempts import refuse
from cdp.ui.kit.runlist import PLACE, act
from cdp.ui.kit.widgets import pick
from cdp.ui.kit.words import plain, split_tags
from cdp.values.naming import told_apart
from cdp.values.text import counted

EXAMPLES = {
    "night trades": (
        "words anywhere in name, state, tags, note, method, network, data, sets and seed"
    ),
    "method:trades tag:night": "a column or setting that has this in it; a tag that is this",
    "robust>50 steps>=3000": (
        "numbers, by `>` `<` `>=` `<=` `=` `!=`; accuracies in per cent, `8/255` and `2h` are"
        " read too"
    ),
    "is:starred is:evaluated": (
        "also `is:archived`, `is:tagged`, `is:noted`, and states such as `is:finished`"
    ),
    "created>=2026-11-01": "days, months or minutes",
    "-seed=3 not:tag:old": "all but those",
    "synthetic:none": "what is missing or was left automatic",
    "archived:any": "archived runs too",
}
"""Filters with what they find, in Markdown; all of a filter's terms must hold."""
ALL_ARCHIVED = "archived:any"
MOST_LISTED = 40
"""Chosen runs that are listed by name; of more, their number is said."""
MOST_OFFERED = 500
_ORDER = {True: ":material/south:", False: ":material/north:"}


def controls(state: ComparisonPage, wrong: str, hidden: int) -> None:
    """The row above the table. wrong: why the filter cannot be read, "" where it can; hidden:
    archived runs that are not shown."""
    titles = {STAR: "Star"} | offered_columns()
    groups = _group_titles()
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="small", key="compare_controls"
    ):
        st.text_input(
            "Filter",
            state.query,
            placeholder="such as method:trades robust>50 -seed=3",
            max_chars=LONGEST,
            width="stretch",
            **_bound("query", state),
        )
        with st.popover("", icon=":material/help:", help="How to filter", width="content"):
            _language()

        def sort(name: str) -> None:
            # The best and the newest come first.
            holds = next(column.holds for column in columns() if column.name == name)
            state.order(name, descending=holds in ("percent", "time", "flag", "seconds"))
            state.notes = []

        key = f"compare_sorted_by_{state.turn}"
        pick("Sort by", titles, state.sorted_by, sort, key=key, width=220)

        def turn(down: bool) -> None:
            state.order(state.sorted_by, descending=down)

        st.segmented_control(
            "Order",
            [True, False],
            default=state.descending,
            required=True,
            format_func=_ORDER.__getitem__,
            width="content",
            label_visibility="collapsed",
            **_bound("descending", state, turn, state.sorted_by),
        )

        def group(by: str) -> None:
            state.by, state.notes = by, []

        pick("Group by", groups, state.by, group, key=f"compare_by_{state.turn}", width=150)
        with st.popover("Columns", width="content"):
            _columns(state)
    if wrong:
        st.error(plain(f"{wrong[:1].upper()}{wrong[1:]}."))
    elif hidden:

        def show() -> None:
            state.query = f"{state.query} {ALL_ARCHIVED}".strip()
            state.turn += 1

        st.button(
            f"Show {counted(hidden, 'archived run')}",
            type="tertiary",
            icon=":material/inventory_2:",
            key="compare_archived",
            on_click=show,
        )


def _bound(
    name: str, state: ComparisonPage, put: Callable[[Any], object] | None = None, *more: str
) -> dict[str, Any]:
    """Key and callback that bring a control's value into ``state``. more: what else makes it
    another control."""
    key = "_".join(("compare", name, *more, str(state.turn)))

    def changed() -> None:
        value = st.session_state[key]
        if put is None:
            setattr(state, name, value)
        else:
            put(value)
        state.notes = []

    return {"key": key, "on_change": changed}


def _group_titles() -> dict[str, str]:
    """What the table can be grouped by, as the list has it."""
    titles = {name: title.partition(" [")[0] for name, title in offered_columns().items()}
    titles |= {"": "Nothing", SEEDS: "Seeds", "seed": "Seed number"}
    return {name: titles[name] for name in ("", *GROUPED)}


def _columns(state: ComparisonPage) -> None:
    titles = offered_columns()

    def choose(names: Sequence[str]) -> None:
        state.columns = tuple(names) or plain_columns()
        if wrong := keep_columns(state.columns):
            refuse(PLACE, f"{wrong}.")

    def reset() -> None:
        choose(plain_columns())
        state.turn += 1

    st.multiselect(
        "Columns, in their order",
        list(titles),
        list(state.columns),
        format_func=titles.__getitem__,
        width=420,
        **_bound("columns", state, choose),
    )
    st.caption("Kept in this workspace, and told by the link.")
    st.button(
        "Back to the usual ones", type="tertiary", key="compare_columns_plain", on_click=reset
    )


def _language() -> None:
    rows = "\n".join(f"| `{example}` | {words} |" for example, words in EXAMPLES.items())
    st.markdown("**All terms must hold, in any order**")
    st.markdown(f"| filter | finds |\n| --- | --- |\n{rows}")
    st.caption(
        'Quotes keep words together: `tag:"two words"`. Any column and any setting of a training'
        " has a name here."
    )


def chooser(state: ComparisonPage, rows: Sequence[Row], listed: Sequence[Row]) -> None:
    """The chosen runs and what can be done with them. rows: all there are; listed: those in the
    table."""
    here = {row.id: row for row in rows}
    _list(state, here, listed)
    if not state.chosen:
        return
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="compare_actions"
    ):
        _joined(state)
        _actions([here[run_id] for run_id in state.chosen if run_id in here])
        st.button(
            "Clear",
            key="compare_clear",
            type="tertiary",
            on_click=state.clear,
            help="Take all runs off the comparison.",
        )


def _joined(state: ComparisonPage) -> None:
    """Whether seeds are joined, and a chosen run brings its own."""
    key = f"compare_groups_{state.turn}"

    def changed() -> None:
        state.groups = st.session_state[key]
        if state.drawn:
            state.mean = state.groups  # the curves are drawn as the arms are
            state.turn += 1

    st.toggle(
        "Whole seed groups",
        state.groups,
        key=key,
        on_change=changed,
        help=(
            "A chosen run brings its other seeds, and they are one arm with a mean and its"
            " interval. Off: every chosen run is an arm of its own."
        ),
    )


def _list(state: ComparisonPage, here: Mapping[str, Row], listed: Sequence[Row]) -> None:
    if len(state.chosen) > MOST_LISTED:
        st.markdown(f"**{len(state.chosen):,} runs are chosen**")
        return
    ids = list(dict.fromkeys([*(row.id for row in listed[:MOST_OFFERED]), *state.chosen]))
    called = [
        here[run_id].name if run_id in here else f"{run_id[:60]} (not here)" for run_id in ids
    ]
    names = dict(zip(ids, told_apart(called, ids), strict=True))
    # Its own changes leave it as it is; any other makes it anew, with what is chosen then.
    key = f"compare_chosen_{hash((state.turn, state.picks, tuple(names.items())))}"
    st.multiselect(
        "Runs to compare",
        ids,
        list(state.chosen),
        format_func=names.__getitem__,
        key=key,
        on_change=lambda: state.choose(st.session_state[key]),
        placeholder="tick runs in the table, or type a name here",
    )


def _actions(picked: Sequence[Row]) -> None:
    """What is done to all chosen runs that are here at once."""
    if not picked:
        return
    starred = all(row.labels.star for row in picked)
    archived = all(row.labels.archived for row in picked)
    st.button(
        "Remove star" if starred else "Star",
        key="compare_star_all",
        icon=":material/star:",
        on_click=lambda: _label(picked, star=not starred),
    )
    with st.popover("Tags", icon=":material/sell:", width="content"):
        _tags(picked)
    with st.popover("Note", icon=":material/notes:", width="content"):
        _note(picked)
    st.button(
        "Bring back" if archived else "Archive",
        key="compare_archive_all",
        icon=":material/inventory_2:",
        on_click=lambda: _label(picked, archived=not archived),
        help="Archived runs stay on disk and in comparisons; the table leaves them out.",
    )


def _label(picked: Sequence[Row], **change: Any) -> None:
    act(lambda: [change_labels(row.id, **change) for row in picked])


def _tags(picked: Sequence[Row]) -> None:
    def added() -> None:
        if tags := split_tags(st.session_state["compare_tag"]):
            _label(picked, add_tags=tags)
        st.session_state["compare_tag"] = ""

    hint = "with commas between them"
    st.text_input("Add tags", key="compare_tag", on_change=added, placeholder=hint, max_chars=400)
    for tag in dict.fromkeys(tag for row in picked for tag in row.labels.tags):
        st.button(
            f"Remove {tag}",
            key=f"compare_untag_{tag}",
            type="tertiary",
            icon=":material/close:",
            on_click=lambda tag=tag: _label(picked, remove_tags=[tag]),
        )


def _note(picked: Sequence[Row]) -> None:
    notes = {row.labels.note for row in picked}
    result = notes.pop() if len(notes) == 1 else ""
    key = f"compare_note_{hash((tuple(row.id for row in picked), result))}"
    st.text_area(
        "Note",
        result,
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
        on_click=lambda: _label(picked, note=st.session_state[key]),
    )
