"""Whether a map can be trusted, in words: how many neighbours on it are neighbours in feature space, and whether another seed agrees."""

from __future__ import annotations

import streamlit as st

from cdp.config_explore import ExploreConfig
from cdp.types import MapQuality

POOR_TRUST, FAIR_TRUST = 0.85, 0.95
"""Below the first, about every seventh neighbourhood is drawn wrong; above the second, the map can be read closely."""
SAME_DISPARITY, POOR_DISPARITY = 0.05, 0.3
"""Share of the layout that a second seed does not reproduce: up to the first it is the same layout, above the second another one."""


def trust(drawn: ExploreConfig, quality: MapQuality | None) -> None:
    """One line under the map, a warning where it is poor; nothing until it was checked."""
    if quality is None:
        return
    text = sentence(drawn.method, quality)
    (st.warning if poor(quality) else st.caption)(text)


def poor(quality: MapQuality) -> bool:
    """Whether a reader must be warned."""
    return quality.trustworthiness < POOR_TRUST or (quality.disparity or 0.0) > POOR_DISPARITY


def sentence(method: str, quality: MapQuality) -> str:
    """What the figures say, with them."""
    if quality.trustworthiness < POOR_TRUST:
        verdict = "Do not read neighbourhoods off this map: many points drawn as neighbours are none in feature space"
    elif quality.trustworthiness < FAIR_TRUST:
        verdict = "Neighbourhoods on this map are roughly right; check single points in their detail"
    else:
        verdict = "Neighbourhoods on this map are those of the feature space"
    told = f"{verdict} (trustworthiness {quality.trustworthiness:.3f}, {quality.neighbors} neighbours, n = {quality.n:,})."
    if quality.disparity is None:
        return told
    if quality.disparity > POOR_DISPARITY:
        agree = "A second seed draws another layout, so distances between groups mean nothing here"
    elif quality.disparity > SAME_DISPARITY:
        agree = f"A second seed draws a similar layout, of which {100 * quality.disparity:.0f} % lies elsewhere"
    else:
        agree = "A second seed draws the same layout"
    caution = (
        " Distances between far groups still mean little on a UMAP map." if method == "umap" and quality.disparity <= POOR_DISPARITY else ""
    )
    return f"{told} {agree} (Procrustes disparity {quality.disparity:.2f}).{caution}"
