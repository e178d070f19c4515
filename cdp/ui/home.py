"""The first page: what the studio is for, and what is in its store."""

from __future__ import annotations

import streamlit as st

from cdp.ui.kit.choices import Choices, read_choices
from cdp.ui.kit.frame import link
from cdp.values.text import listed
from cdp.work.records import Run, list_runs


def purpose() -> None:
    """Three sentences and the way in."""
    st.title("Contrastive-DP Studio", anchor=False)
    with st.container(width=680):
        st.markdown(
            "Does guiding a diffusion model make its images better training data for a robust"
            " classifier, and at which setting? Here you steer the sampler with a contrastive loss,"
            " watch guided images appear beside unguided ones **from the same noise**, and read off"
            " what changed, each figure with its interval. Start with a preset, move the sliders,"
            " and keep the sets that are worth training on. Then train robust classifiers with and"
            " without them, evaluate them with AutoAttack, and compare."
        )
        if st.button("Go to Generate", type="primary", key="to_generate"):
            st.switch_page("pages/generate.py")
        link("train", "Train a robust classifier")
        link("evaluate", "Evaluate one")
        link("lab", "Attack single images by hand")
        link("theory", "Why it should help: the theory")
        link("data", "Bring your own data")


def store() -> None:
    """What is here to work with; reads cards and names only."""
    from cdp.data.sets import list_sets

    catalog = read_choices()
    sets = list_sets()
    runs = list_runs()
    st.subheader("In the store", anchor=False)
    with st.container(width=680):
        st.markdown(
            "\n".join(
                f"- **{title}**: {text}"
                for title, text in rows(catalog, [s.name for s in sets], runs)
            )
        )
        if sets:
            link("gallery", "See the sample sets in the gallery")
        if not catalog.models:
            st.warning(
                "No diffusion model is here yet. Train one with `python -m cdp pretrain`, or run"
                " `python -m cdp doctor` to see what is missing."
            )


def rows(catalog: Choices, sets: list[str], runs: list[Run]) -> list[tuple[str, str]]:
    """(what, which) for models, encoders, data, sets, trainings and evaluations."""
    encoders = sorted(
        {
            catalog.titles.get(name, name)
            for dataset in catalog.encoders
            for name in catalog.guides(dataset)
        }
    )
    return [
        ("Diffusion models", listed(catalog.models) or "none"),
        ("Encoders that can guide", listed(encoders) or "none"),
        ("Data sets", listed(catalog.datasets) or "none"),
        ("Saved sample sets", listed(sets) or "none yet, the first comes from Generate"),
        ("Training runs", _counted([run for run in runs if run.kind == "train"], "Train")),
        ("Evaluations", _counted([run for run in runs if run.kind == "evaluate"], "Evaluate")),
    ]


def _counted(runs: list[Run], page: str) -> str:
    if not runs:
        return f"none yet, the first comes from {page}"
    going = sum(not run.over for run in runs)
    return f"{len(runs):,}" + (
        f", {going} of them on its way"
        if going == 1
        else f", {going} of them on their way"
        if going
        else ""
    )
