"""Keeping the chosen points of a map: as a new set that says where it came from, with tags, or as
an .npz."""

from __future__ import annotations

import numpy as np
import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.errors import CdpError
from cdp.tasks.sources import open_source
from cdp.tasks.subsets import save_subset
from cdp.ui.generate.saving import npz_bytes
from cdp.ui.kit.words import plain, split_tags
from cdp.values.types import Embedding
from cdp.work.failures import sentence

_SAID, _WRONG, _TAGS = "explore_saved", "explore_not_saved", "take_tags"
DOWNLOAD = 20_000
"""Images up to which an .npz goes through the browser."""


def take(shown: Embedding, drawn: ExploreConfig, chosen: np.ndarray) -> None:
    """Name, tags and two buttons. A set has one parent, so of several sets one is chosen."""
    present = [int(number) for number in np.unique(shown.which[chosen])]
    with st.container(border=True, key="take", gap="xsmall"):
        number = present[0]
        if len(present) > 1:
            number = int(
                st.selectbox(
                    "Keep the images of",
                    present,
                    format_func=lambda i: shown.names[i],
                    key="take_set",
                )
            )
        rows = np.sort(shown.row[chosen[shown.which[chosen] == number]])
        name = shown.names[number]
        left, right = st.columns(2)
        key = f"take_name_{name}_{len(rows)}"
        left.text_input("Name of the new set", f"{_stem(name)}-{len(rows)}", max_chars=100, key=key)
        right.text_input("Tags", placeholder="with commas between them", max_chars=400, key=_TAGS)
        with st.container(horizontal=True):
            st.button(
                f"Save {len(rows):,} images",
                key="take_save",
                on_click=_save,
                args=(name, rows, key, drawn),
            )
            if len(rows) <= DOWNLOAD:
                st.download_button(
                    "Download .npz",
                    lambda: _npz(name, rows),
                    f"{_stem(name)}-{len(rows)}.npz",
                    on_click="ignore",
                    key="take_npz",
                )
        _tell()


def _save(name: str, rows: np.ndarray, key: str, drawn: ExploreConfig) -> None:
    """Under the name, and with the tags, that stand in the fields at the click."""
    out, tags = str(st.session_state[key]).strip(), str(st.session_state[_TAGS])
    how = {"chosen": "on the map", "map": drawn.model_dump(mode="json")}
    try:
        made = save_subset(name, rows, out, how=how, tags=split_tags(tags))
    except (CdpError, OSError) as error:
        st.session_state[_WRONG] = f"Not saved: {sentence(error)}."
    else:
        st.session_state[_SAID] = f"Saved {len(made):,} images as {made.name}."


def _tell() -> None:
    if wrong := st.session_state.pop(_WRONG, ""):
        st.error(plain(wrong))
    if said := st.session_state.pop(_SAID, ""):
        st.success(plain(said))
        st.page_link("pages/gallery.py", label="See it in the gallery")


def _npz(name: str, rows: np.ndarray) -> bytes:
    source = open_source(name)
    return npz_bytes(
        np.asarray(source.image[rows]), None if source.label is None else source.label[rows]
    )


def _stem(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2].replace(":", "-")
