"""The list of saved sets: find, order, and a card for each."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cdp.errors import InputError
from cdp.ui.gallery.delete import ask_delete
from cdp.ui.gallery.entries import ANY, ORDERS, Line, chosen
from cdp.ui.gallery.importing import import_form
from cdp.ui.gallery.parts import facts, go, heading, thumbnail
from cdp.ui.kit.words import plain
from cdp.work.failures import sentence

SHOWN = 24
"""Cards before "Show more": each one reads a few images from disk the first time."""
COLUMNS = 3


def show_list(lines: Sequence[Line]) -> None:
    """Controls on the left, cards on the right."""
    left, right = st.columns([1, 3], gap="large")
    with left:
        text = st.text_input("Find", placeholder="name, model, source or tag", max_chars=200)
        loss = st.selectbox("Loss", [ANY, *sorted({x.loss for x in lines})])
        order = st.selectbox("Order", ORDERS)
        import_form()
    found = chosen(lines, text=text, loss=loss, order=order)
    limit = st.session_state.setdefault("gallery_limit", SHOWN)
    with right:
        st.caption(
            f"{len(found):,} of {len(lines):,} sets"
            if len(found) < len(lines)
            else f"{len(lines):,} sets"
        )
        if not found:
            st.info("No set matches: clear the words or choose another loss.")
        for start in range(0, min(limit, len(found)), COLUMNS):
            for column, line in zip(
                st.columns(COLUMNS), found[start : min(start + COLUMNS, limit)], strict=False
            ):
                with column, st.container(border=True, height="stretch", gap="xsmall"):
                    _card(line)
        if len(found) > limit:
            st.button(
                "Show more", on_click=lambda: st.session_state.update(gallery_limit=limit + SHOWN)
            )


def _card(line: Line) -> None:
    heading(line)
    if line.error:
        _broken(line, line.error)
        return
    try:
        st.image(
            thumbnail(line.entry.folder),
            width="stretch",
            alt=f"first images of {line.name}, one of each class",
        )
    except (InputError, OSError) as error:
        _broken(line, sentence(error))
        return
    st.markdown(facts(line))
    st.caption(
        plain(" · ".join(part for part in (line.model if line.config else "", line.day) if part))
    )
    if line.tags:
        st.caption(plain(" ".join(f"#{tag}" for tag in line.tags)))
    if line.parents:
        st.caption(plain(f"from {', '.join(line.parents)}"))
    st.button(
        "Open",
        key=f"open-{line.name}",
        on_click=go,
        args=(line.name,),
        help=f"Images, settings and origin of {plain(line.name)}",
    )


def _broken(line: Line, reason: str) -> None:
    st.warning(plain(reason))
    if st.button("Delete", key=f"delete-{line.name}"):
        ask_delete(line)
