"""The first page: what the studio is for, and what is in its store. What the store takes is
imported when it is read, so that a fresh server has painted the rest by then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from cdp.ui.kit.frame import link

if TYPE_CHECKING:
    from cdp.ui.kit.choices import Choices
    from cdp.work.records import Run


def purpose() -> None:
    """What this is for, and the way in."""
    st.title("Contrastive-DP Studio", anchor=False)
    with st.container(width=680):
        st.markdown(
            "Does guiding a diffusion model make its images better training data for a robust"
            " classifier, and at which setting? Steer the sampler with a contrastive loss, watch"
            " guided images appear beside unguided ones **from the same noise**, and read what"
            " changed, each figure with its interval. Then train robust classifiers with and"
            " without these images, evaluate them with AutoAttack, and compare."
        )
        if st.button("Go to Generate", type="primary", key="to_generate"):
            st.switch_page("pages/generate.py")
        for page, title in (
            ("experiment", "Is it worth it? From the question to a verdict in one click"),
            ("train", "Train a robust classifier"),
            ("evaluate", "Evaluate one"),
            ("lab", "Attack single images by hand"),
            ("theory", "Why it should help: the theory"),
            ("data", "Bring your own data"),
        ):
            link(page, title)


def store() -> None:
    """What is here to work with; reads cards and names only."""
    from cdp.data.sets import list_sets
    from cdp.ui.kit.choices import read_choices
    from cdp.work.records import list_runs

    catalog, sets = read_choices(), [entry.name for entry in list_sets()]
    st.subheader("In the store", anchor=False)
    with st.container(width=680):
        lines = rows(catalog, sets, list_runs())
        st.markdown("\n".join(f"- **{title}**: {text}" for title, text in lines))
        if sets:
            link("gallery", "See the sample sets in the gallery")
        if not catalog.models:
            st.warning(
                "No diffusion model is here yet. Train one with `python -m cdp pretrain`, or run"
                " `python -m cdp doctor` to see what is missing."
            )


def rows(catalog: Choices, sets: Sequence[str], runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(what, which) for models, encoders, data, sets, trainings and evaluations."""
    from cdp.values.text import listed

    names = {name for dataset in catalog.encoders for name in catalog.guides(dataset)}
    encoders = sorted({catalog.titles.get(name, name) for name in names})

    def count(kind: str, page: str) -> str:
        over = [run.over for run in runs if run.kind == kind]
        going = f", {over.count(False)} in progress" * (False in over)
        return f"{len(over):,}{going}" if over else f"none yet, the first comes from {page}"

    return [
        ("Diffusion models", listed(catalog.models) or "none"),
        ("Encoders that can guide", listed(encoders) or "none"),
        ("Data sets", listed(catalog.datasets) or "none"),
        ("Saved sample sets", listed(sets) or "none yet, the first comes from Generate"),
        ("Training runs", count("train", "Train")),
        ("Evaluations", count("evaluate", "Evaluate")),
    ]
