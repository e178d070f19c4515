"""The first page: what the studio is for, and what is in its store."""

from __future__ import annotations

import streamlit as st

from cdp.ui.catalog import Catalog, read_catalog


def purpose() -> None:
    """Three sentences and the way in."""
    st.title("Contrastive-DP Studio", anchor=False)
    with st.container(width=680):
        st.markdown(
            "Does guiding a diffusion model make its images better training data for a robust classifier, and at which setting? "
            "Here you steer the sampler with a contrastive loss, watch guided images appear beside unguided ones **from the same noise**, "
            "and read off what changed, each figure with its interval. "
            "Start with a preset, move the sliders, and keep the sets that are worth training on."
        )
        if st.button("Go to Generate", type="primary", key="to_generate"):
            st.switch_page("pages/generate.py")


def store() -> None:
    """What is here to work with; reads cards and names only."""
    from cdp.data.sets import list_sets

    catalog = read_catalog()
    sets = list_sets()
    st.subheader("In the store", anchor=False)
    with st.container(width=680):
        st.markdown("\n".join(f"- **{title}**: {text}" for title, text in rows(catalog, [s.name for s in sets])))
        if sets:
            st.page_link("pages/gallery.py", label="See the sample sets in the gallery")
        if not catalog.models:
            st.warning(
                "No diffusion model is here yet. Train one with `python -m cdp pretrain`, or run `python -m cdp doctor` to see what is missing."
            )


def rows(catalog: Catalog, sets: list[str]) -> list[tuple[str, str]]:
    """(what, which) for models, encoders, data and sets."""
    encoders = sorted({name for names in catalog.encoders.values() for name in names})
    return [
        ("Diffusion models", _listed(list(catalog.models), "none")),
        ("Encoders that can guide", _listed(encoders, "none")),
        ("Data sets", _listed(list(catalog.datasets), "none")),
        ("Saved sample sets", _listed(sets, "none yet, the first comes from Generate")),
    ]


def _listed(names: list[str], nothing: str, most: int = 6) -> str:
    if not names:
        return nothing
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
