"""Whether a map can be trusted, under it."""

from __future__ import annotations

import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.embedding.projection import poor, trust_sentence
from cdp.values.types import MapQuality


def trust(drawn: ExploreConfig, quality: MapQuality | None) -> None:
    """One line under the map, a warning where it is poor; nothing until it was checked."""
    if quality is None:
        return
    text = trust_sentence(drawn.method, quality)
    (st.warning if poor(quality) else st.caption)(text)
