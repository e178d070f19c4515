"""The row above the run table: filter with its language, order, groups, columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from cdp.results.table import LONGEST, columns
from cdp.ui.compare.kept import keep_columns
from cdp.ui.compare.state import GROUPED, SEEDS, STAR, Compared, offered_columns, plain_columns
from cdp.ui.kit.runlist import say_wrong
from cdp.ui.kit.words import plain
from cdp.values.text import counted

EXAMPLES = (
    (
        "night trades",
        "words anywhere in name, state, tags, note, method, network, data, sets and seed",
    ),
    ("method:trades tag:night", "a column or setting that has this in it; a tag that is this"),
    (
        "robust>50 steps>=3000",
        (
            "numbers, by `>` `<` `>=` `<=` `=` `!=`; accuracies in per cent, `8/255` and `2h` are"
            " read too"
        ),
    ),
    (
        "is:starred is:evaluated",
        "also `is:archived`, `is:tagged`, `is:noted`, and states such as `is:finished`",
    ),
    ("created>=2026-11-01", "days, months or minutes"),
    ("-seed=3 not:tag:old", "all but those"),
    ("synthetic:none", "what is missing or was left automatic"),
    ("archived:any", "archived runs too"),
)
"""Filters with what they find, in Markdown; all of a filter's terms must hold."""
ALL_ARCHIVED = "archived:any"


def controls(held: Compared, wrong: str, hidden: int) -> None:
    """wrong: why the filter cannot be read, "" where it can; hidden: archived runs that are not
    shown."""
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="small", key="compare_controls"
    ):
        st.text_input(
            "Filter",
            held.query,
            placeholder="such as method:trades robust>50 -seed=3",
            max_chars=LONGEST,
            width="stretch",
            **_bound("query", held),
        )
        with st.popover("", icon=":material/help:", help="How to filter", width="content"):
            _language()
        titles = {STAR: "Star"} | offered_columns()
        st.selectbox(
            "Sort by",
            list(titles),
            list(titles).index(held.sorted_by),
            format_func=titles.__getitem__,
            width=220,
            **_bound("sorted_by", held, lambda name: held.order(name, descending=_falls(name))),
        )
        st.segmented_control(
            "Order",
            [True, False],
            default=held.descending,
            required=True,
            format_func=_ORDER.__getitem__,
            width="content",
            label_visibility="collapsed",
            **_bound(
                "descending",
                held,
                lambda down: held.order(held.sorted_by, descending=down),
                held.sorted_by,
            ),
        )
        st.selectbox(
            "Group by",
            ["", *GROUPED],
            ["", *GROUPED].index(held.by),
            format_func=_by_titles().__getitem__,
            width=150,
            **_bound("by", held),
        )
        with st.popover("Columns", width="content"):
            _columns(held)
    if wrong:
        st.error(plain(f"{wrong[:1].upper()}{wrong[1:]}."))
    if hidden and not wrong:
        label = f"Show {counted(hidden, 'archived run')}"
        st.button(
            label,
            type="tertiary",
            icon=":material/inventory_2:",
            key="compare_archived",
            on_click=_show_archived,
            args=(held,),
        )


_ORDER = {True: ":material/south:", False: ":material/north:"}


def _bound(
    name: str, held: Compared, put: Callable[[Any], object] | None = None, *more: str
) -> dict[str, Any]:
    """Key and callback that bring a control's value into ``held``. more: what else makes it another
    control."""
    key = "_".join(("compare", name, *more, str(held.turn)))

    def changed() -> None:
        value = st.session_state[key]
        if put is None:
            setattr(held, name, value)
        else:
            put(value)
        held.notes = []

    return {"key": key, "on_change": changed}


def _falls(name: str) -> bool:
    """Whether a column is read from its highest value down: the best and the newest come first."""
    holds = next(column.holds for column in columns() if column.name == name)
    return holds in ("percent", "time", "flag", "seconds")


def _by_titles() -> Mapping[str, str]:
    return (
        {"": "Nothing", SEEDS: "Seeds"}
        | {name: title.partition(" [")[0] for name, title in offered_columns().items()}
        | {"seed": "Seed number"}
    )


def _columns(held: Compared) -> None:
    titles = offered_columns()

    def choose(names: list[str]) -> None:
        held.columns = tuple(names) or plain_columns()
        wrong = keep_columns(held.columns)
        if wrong:
            say_wrong(f"{wrong}.")

    def reset() -> None:
        choose(list(plain_columns()))
        held.turn += 1

    st.multiselect(
        "Columns, in their order",
        list(titles),
        list(held.columns),
        format_func=titles.__getitem__,
        width=420,
        **_bound("columns", held, choose),
    )
    st.caption("Kept in this workspace, and told by the link.")
    st.button(
        "Back to the usual ones", type="tertiary", key="compare_columns_plain", on_click=reset
    )


def _language() -> None:
    st.markdown("**All terms must hold, in any order**")
    rows = "\n".join(f"| `{example}` | {words} |" for example, words in EXAMPLES)
    st.markdown(f"| filter | finds |\n| --- | --- |\n{rows}")
    st.caption(
        'Quotes keep words together: `tag:"two words"`. Any column and any setting of a training'
        " has a name here."
    )


def _show_archived(held: Compared) -> None:
    held.query = f"{held.query} {ALL_ARCHIVED}".strip()
    held.turn += 1
