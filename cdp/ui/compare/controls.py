"""What acts on the run table: filter with its language, order, groups and columns above it; below
it the chosen runs, and what is done to all of them at once: star, tag, note, archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import streamlit as st

from cdp.errors import CdpError
from cdp.results.labels import LONGEST_NOTE, change_labels
from cdp.results.rows import Row
from cdp.results.table import LONGEST, column_named
from cdp.ui.compare.state import (
    GROUPED,
    SEEDS,
    STAR,
    ComparisonPage,
    keep_columns,
    offered_columns,
    plain_columns,
)
from cdp.ui.kit.runlist import act
from cdp.ui.kit.widgets import pick, reported
from cdp.ui.kit.words import plain, sentence_of, split_tags
from cdp.values.naming import told_apart
from cdp.values.text import counted
from cdp.work.records import get_run

EXAMPLES = {
    "night trades": "words in name, state, tags, note, method, network, data, sets and seed",
    "method:trades tag:night": "a column or setting that has this in it; a tag that is this",
    "robust>50 steps>=3000": "numbers, by `>` `<` `>=` `<=` `=` `!=`; also `8/255` and `2h`",
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
    """The row above the table. wrong: why the filter cannot be read; hidden: archived runs that are
    not shown."""
    titles = {STAR: "Star"} | offered_columns()
    groups = _group_titles()
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="small", key="compare_controls"
    ):
        hint = "such as method:trades robust>50 -seed=3"
        more: dict[str, Any] = {"placeholder": hint, "max_chars": LONGEST, "width": "stretch"}
        st.text_input("Filter", state.query, **more, **_bound("query", state))
        with st.popover("", icon=":material/help:", help="How to filter", width="content"):
            _language()

        def sort(name: str) -> None:
            # The best and the newest come first.
            high = column_named(name).holds in ("percent", "time", "flag", "seconds")
            state.put("sort", f"{'-' * high}{name}")

        key = f"compare_sorted_by_{state.turn}"
        pick("Sort by", titles, state.sorted_by, sort, key=key, width=220)
        key = f"compare_descending_{state.sorted_by}_{state.turn}"
        more = {"row": True, "width": "content", "label_visibility": "collapsed"}
        pick("Order", _ORDER, state.descending, state.turn_over, key=key, **more)
        group, key = partial(state.put, "by"), f"compare_by_{state.turn}"
        pick("Group by", groups, state.by, group, key=key, width=150)
        with st.popover("Columns", width="content"):
            _columns(state)
    if wrong:
        st.error(plain(sentence_of(wrong)))
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
    name: str, state: ComparisonPage, put: Callable[[Any], object] | None = None
) -> dict[str, Any]:
    """Key and callback that bring a control's value into ``state``."""
    shown = getattr(state, name)
    read = type(shown)  # Streamlit gives a list for what is kept as a tuple
    return reported(f"compare_{name}_{state.turn}", shown, put or partial(state.put, name), read)


def _group_titles() -> dict[str, str]:
    """What the table can be grouped by, as the list has it."""
    titles = {name: title.partition(" [")[0] for name, title in offered_columns().items()}
    titles |= {"": "Nothing", SEEDS: "Seeds", "seed": "Seed number"}
    return {name: titles[name] for name in ("", *GROUPED)}


def _columns(state: ComparisonPage) -> None:
    titles = offered_columns()

    def choose(names: Sequence[str]) -> None:
        state.put("columns", tuple(names) or plain_columns())
        act(lambda: keep_columns(state.columns))

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
    st.caption("Kept in this workspace and in the link.")
    st.button("Reset", type="tertiary", key="compare_columns_plain", on_click=reset)


def _language() -> None:
    rows = "\n".join(f"| `{example}` | {words} |" for example, words in EXAMPLES.items())
    st.markdown("**All terms must hold, in any order**")
    st.markdown(f"| filter | finds |\n| --- | --- |\n{rows}")
    st.caption(
        'Quotes keep words together: `tag:"two words"`. Every column and every training setting'
        " has a name."
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
        about = "Take all runs off the comparison."
        st.button("Clear", key="compare_clear", type="tertiary", on_click=state.clear, help=about)


def _joined(state: ComparisonPage) -> None:
    """Whether seeds are joined, and a chosen run brings its own."""

    def put(groups: bool) -> None:
        state.groups = groups
        if state.drawn:
            state.mean = state.groups  # the curves are drawn as the arms are
            state.turn += 1

    st.toggle(
        "Whole seed groups",
        state.groups,
        **reported(f"compare_groups_{state.turn}", state.groups, put),
        help="A chosen run brings its other seeds as one arm, with mean and interval.",
    )


def _list(state: ComparisonPage, here: Mapping[str, Row], listed: Sequence[Row]) -> None:
    if len(state.chosen) > MOST_LISTED:
        st.markdown(f"**{len(state.chosen):,} runs are chosen**")
        return
    ids = list(dict.fromkeys([*(row.id for row in listed[:MOST_OFFERED]), *state.chosen]))
    called = [here[i].name if i in here else _called(i) for i in ids]
    names = dict(zip(ids, told_apart(called, ids), strict=True))
    # Its own changes leave it as it is; any other makes it anew, with what is chosen then.
    key = f"compare_chosen_{hash((state.turn, state.picks, tuple(names.items())))}"
    st.multiselect(
        "Runs to compare",
        ids,
        list(state.chosen),
        format_func=names.__getitem__,
        **reported(key, list(state.chosen), state.choose),
        placeholder="tick runs in the table, or type a name here",
    )


def _called(run_id: str) -> str:
    """A run that is not of this workspace."""
    with suppress(CdpError):
        run = get_run(run_id)
        if run.shipped:
            return f"{run.name} (example)"
    return f"{run_id[:60]} (not here)"


def _actions(picked: Sequence[Row]) -> None:
    """What is done to all chosen runs that are here at once."""
    if not picked:
        return
    starred = all(row.labels.star for row in picked)
    archived = all(row.labels.archived for row in picked)
    star = partial(_label, picked, star=not starred)
    archive = partial(_label, picked, archived=not archived)
    label = "Remove star" if starred else "Star"
    st.button(label, key="compare_star_all", icon=":material/star:", on_click=star)
    with st.popover("Tags", icon=":material/sell:", width="content"):
        _tags(picked)
    with st.popover("Note", icon=":material/notes:", width="content"):
        _note(picked)
    st.button(
        "Restore" if archived else "Archive",
        key="compare_archive_all",
        icon=":material/inventory_2:",
        on_click=archive,
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
        remove = partial(_label, picked, remove_tags=[tag])
        more: dict[str, Any] = {"type": "tertiary", "icon": ":material/close:"}
        st.button(f"Remove {tag}", key=f"compare_untag_{tag}", on_click=remove, **more)


def _note(picked: Sequence[Row]) -> None:
    notes = {row.labels.note for row in picked}
    result = notes.pop() if len(notes) == 1 else ""
    key = f"compare_note_{hash((tuple(row.id for row in picked), result))}"
    hint = "what this run is for, or what was seen"
    st.text_area("Note", result, key=key, max_chars=LONGEST_NOTE, placeholder=hint, width=360)
    if notes:
        st.caption("The chosen runs have different notes; saving replaces them.")

    def save() -> None:
        _label(picked, note=st.session_state[key])

    st.button("Save note", key="compare_note_save", on_click=save)
