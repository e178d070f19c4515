"""The gallery: background generations, then the list of saved sets, one set, or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from cdp.data.samples import SampleSet
from cdp.data.sets import list_sets, open_set
from cdp.errors import InputError
from cdp.ui.data.importing import UPLOAD, import_form, say_imported
from cdp.ui.gallery.detail import show_detail, show_pair
from cdp.ui.gallery.entries import ANY, ORDERS, GalleryLine, chosen
from cdp.ui.gallery.parts import (
    BESIDE,
    DELETED,
    OPEN,
    ask_delete,
    facts,
    go,
    heading,
    thumbnail,
)
from cdp.ui.generate.runs import generation_runs
from cdp.ui.kit.attempts import tell
from cdp.ui.kit.frame import link
from cdp.ui.kit.words import plain
from cdp.values.text import counted
from cdp.work.failures import sentence

SHOWN = 24
"""Cards before "Show more": each one reads a few images from disk the first time."""
COLUMNS = 3


def show() -> None:
    """Draw the page that the address asks for."""
    st.title("Gallery", anchor=False)
    tell(DELETED)
    say_imported()
    generation_runs("Background generations", unfinished=True)
    lines = {entry.name: GalleryLine(entry) for entry in list_sets()}
    name, beside = st.query_params.get(OPEN), st.query_params.get(BESIDE)
    if name:
        _show_sets(lines, name, beside)
    elif lines:
        _show_list(list(lines.values()))
    else:
        st.info("No sample set is saved yet: generate some images and save them, or import some.")
        link("generate", "Generate images")
        _import()


def _show_sets(lines: Mapping[str, GalleryLine], name: str, beside: str | None) -> None:
    """One set or two. Names come from the address, so only those in the list are opened."""
    back, to = (f"Back to {plain(name)}", name) if beside else ("All sets", None)
    st.button(back, icon=":material/arrow_back:", type="tertiary", on_click=go, args=(to,))
    opened: list[tuple[GalleryLine, SampleSet]] = []
    for wanted in (name, beside) if beside else (name,):
        known = lines.get(wanted)
        if known is None:
            st.error(plain(f"There is no saved set named {wanted[:100]!r}: choose one of the list"))
            return
        try:
            opened.append((known, open_set(known.entry.folder)))
        except InputError as error:
            st.error(plain(str(error)))
            return
    if beside:
        show_pair(*opened[0], *opened[1])
    else:
        show_detail(*opened[0], [x.name for x in lines.values() if x.name != name and not x.error])


def _show_list(lines: Sequence[GalleryLine]) -> None:
    """Find and order on the left, import and cards on the right."""
    left, right = st.columns([1, 3], gap="large")
    with left:
        text = st.text_input("Find", placeholder="name, model, source or tag", max_chars=200)
        loss = st.selectbox("Loss", [ANY, *sorted({x.loss for x in lines})])
        order = st.selectbox("Order", list(ORDERS))
    fitting = chosen(lines, text=text, loss=loss, order=order)
    limit = st.session_state.setdefault("gallery_limit", SHOWN)
    some = f"{len(fitting):,} of " * (len(fitting) < len(lines))
    with right:
        _import()
        st.caption(some + counted(len(lines), "set"))
        if not fitting:
            st.info("No set matches: clear the words or choose another loss.")
        visible = fitting[:limit]
        for start in range(0, len(visible), COLUMNS):
            row = visible[start : start + COLUMNS]
            for column, item in zip(st.columns(COLUMNS), row, strict=False):
                with column, st.container(border=True, height="stretch", gap="xsmall"):
                    _card(item)
        if len(fitting) > limit:
            more = {"gallery_limit": limit + SHOWN}
            st.button("Show more", on_click=st.session_state.update, args=(more,))


def _card(line: GalleryLine) -> None:
    heading(line)
    error, image = line.error, b""
    try:
        image = b"" if error else thumbnail(line.entry.folder)
    except (InputError, OSError) as wrong:
        error = sentence(wrong)
    if error:
        st.warning(plain(error))
        if st.button("Delete", key=f"delete-{line.name}"):
            ask_delete(line)
        return
    st.image(image, width="stretch", alt=f"first images of {line.name}, one of each class")
    st.markdown(facts(line))
    origin = (line.model if line.config else "", line.created[:10])
    tags = " ".join(f"#{tag}" for tag in line.tags)
    parents = f"from {', '.join(line.parents)}" if line.parents else ""
    for text in (" · ".join(filter(None, origin)), tags, parents):
        if text:
            st.caption(plain(text))
    about = f"Images, settings and origin of {plain(line.name)}"
    st.button("Open", key=f"open-{line.name}", on_click=go, args=(line.name,), help=about)


def _import() -> None:
    with st.expander("Import images", key="gallery_import"):
        import_form(go, usual=UPLOAD)
